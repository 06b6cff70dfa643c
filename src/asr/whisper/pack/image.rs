//! A pack in memory, and typed views into it.

use std::marker::PhantomData;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use memmap2::{Mmap, MmapMut};

use super::{ALIGN, FOOTER_LEN, FOOTER_MAGIC, Index, MAGIC, VERSION};
use crate::asr::whisper::load::LoadError;
use crate::asr::whisper::vocabulary::TokenTable;

/// A mapped pack.
#[derive(Clone)]
pub(in crate::asr::whisper) struct Image {
    map: Arc<Mmap>,
    pub(in crate::asr::whisper) index: Arc<Index>,
}

impl Image {
    /// Maps the pack at `path`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(in crate::asr::whisper) fn open(path: &Path) -> Result<Self, String> {
        Self::of(crate::asr::whisper::load::map(path).map_err(|e| e.to_string())?)
    }

    /// Takes the bytes of a pack that is in no file.
    ///
    /// # Errors
    /// The system gives no memory.
    pub(in crate::asr::whisper) fn from_bytes(bytes: &[u8]) -> Result<Self, LoadError> {
        let out_of_memory = |source| LoadError::Io { path: "(memory)".into(), source };
        let mut map = MmapMut::map_anon(bytes.len()).map_err(out_of_memory)?;
        map.copy_from_slice(bytes);
        let map = map.make_read_only().map_err(out_of_memory)?;
        Self::of(map).map_err(|why| LoadError::Damaged { path: "(memory)".into(), why })
    }

    fn of(map: Mmap) -> Result<Self, String> {
        let index = parse(&map)?;
        Ok(Self { map: Arc::new(map), index: Arc::new(index) })
    }

    /// The tensor `name`, `len` values of `T`.
    pub(in crate::asr::whisper) fn get<T: bytemuck::AnyBitPattern>(
        &self,
        name: &str,
        len: usize,
    ) -> Result<Span<T>, LoadError> {
        let place =
            self.index.tensors.get(name).ok_or_else(|| LoadError::MissingTensor { name: name.to_owned() })?;
        if place.len != len * size_of::<T>() || !place.offset.is_multiple_of(ALIGN) {
            return Err(LoadError::Shape {
                name: name.to_owned(),
                found: vec![place.len / size_of::<T>()],
                expected: format!("{len} values"),
            });
        }
        Ok(Span { map: Arc::clone(&self.map), offset: place.offset, len: place.len, kind: PhantomData })
    }

    /// The bytes of each text token.
    pub(in crate::asr::whisper) fn tokens(&self) -> Result<TokenTable, LoadError> {
        let total = self.index.token_lengths.iter().map(|n| usize::from(*n)).sum();
        let text = self.get::<u8>("vocabulary", total)?;
        let mut rest: &[u8] = &text;
        let mut tokens = TokenTable::default();
        for len in &self.index.token_lengths {
            let (token, after) = rest.split_at(usize::from(*len));
            tokens.push(token);
            rest = after;
        }
        Ok(tokens)
    }
}

fn parse(bytes: &[u8]) -> Result<Index, String> {
    let damaged = |what: &str| format!("its {what} is damaged");
    if bytes.len() < MAGIC.len() + 8 + FOOTER_LEN || !bytes.starts_with(MAGIC) {
        return Err("it is not a pack".to_owned());
    }
    if bytes[8..12] != VERSION.to_le_bytes() {
        return Err("it is of another version".to_owned());
    }
    let (body, footer) = bytes.split_at(bytes.len() - FOOTER_LEN);
    let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| footer[at + i]));
    if &footer[20..] != FOOTER_MAGIC {
        return Err(damaged("end"));
    }
    let offset = usize::try_from(number(0)).map_err(|_| damaged("end"))?;
    let len = usize::try_from(number(8)).map_err(|_| damaged("end"))?;
    let json = offset.checked_add(len).and_then(|end| body.get(offset..end)).ok_or_else(|| damaged("end"))?;
    let mut crc = flate2::Crc::new();
    crc.update(json);
    if crc.sum().to_le_bytes() != footer[16..20] {
        return Err(damaged("index"));
    }
    let index: Index = serde_json::from_slice(json).map_err(|e| format!("its index is damaged: {e}"))?;
    index.dims.check().map_err(|e| e.to_string())?;
    let inside = |p: &super::Place| p.offset.checked_add(p.len).is_some_and(|end| end <= offset);
    match index.tensors.values().all(inside) {
        true => Ok(index),
        false => Err(damaged("index")),
    }
}

/// Opens a pack with `json` as its index and `body` as its tensors, its checksum right; for fuzzing.
pub(in crate::asr::whisper) fn of_parts(body: &[u8], json: &[u8]) -> Result<Image, LoadError> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.resize(ALIGN, 0);
    bytes.extend(body);
    let offset = bytes.len() as u64;
    bytes.extend(json);
    let mut crc = flate2::Crc::new();
    crc.update(json);
    bytes.extend(offset.to_le_bytes());
    bytes.extend((json.len() as u64).to_le_bytes());
    bytes.extend(crc.sum().to_le_bytes());
    bytes.extend(FOOTER_MAGIC);
    Image::from_bytes(&bytes)
}

/// A tensor's values, where they lie in the pack.
#[derive(Clone)]
pub(in crate::asr::whisper) struct Span<T> {
    map: Arc<Mmap>,
    offset: usize,
    len: usize,
    kind: PhantomData<T>,
}

impl<T: bytemuck::AnyBitPattern> Deref for Span<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        bytemuck::cast_slice(&self.map[self.offset..self.offset + self.len])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{Place, Precision, build};
    use super::*;
    use crate::asr::whisper::dims::ModelDims;

    fn pack() -> Vec<u8> {
        let dims = ModelDims {
            n_mels: 80,
            n_audio_ctx: 1500,
            d_model: 384,
            n_heads: 6,
            n_audio_layers: 4,
            n_text_layers: 4,
            n_text_ctx: 448,
            n_vocab: 51_864,
        };
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.resize(ALIGN, 0);
        bytes.extend([1.0f32, -2.5].iter().flat_map(|x| x.to_le_bytes()));
        bytes.extend(b"abc");
        let places = [("x", ALIGN, 8), ("vocabulary", ALIGN, 3)];
        let index = Index {
            dims,
            precision: Precision::Int8,
            stored_as: "f16".to_owned(),
            alignment_heads: None,
            non_speech: vec![1],
            token_lengths: vec![1, 2],
            tensors: places
                .map(|(name, offset, len)| (name.to_owned(), Place { offset, len }))
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
        };
        build::finish(bytes, &index)
    }

    #[test]
    fn a_pack_gives_back_what_it_holds_and_refuses_other_lengths() {
        let image = Image::from_bytes(&pack()).unwrap();
        assert_eq!(&image.get::<f32>("x", 2).unwrap()[..], [1.0, -2.5]);
        assert!(image.get::<f32>("x", 3).is_err());
        assert!(image.get::<f32>("y", 2).is_err());
        assert_eq!(image.tokens().unwrap().len(), 2);
    }

    #[test]
    fn a_pack_cut_short_or_changed_at_either_end_is_refused() {
        let whole = pack();
        assert!(parse(&whole).is_ok());
        for len in 0..whole.len() {
            assert!(parse(&whole[..len]).is_err(), "cut to {len} bytes");
        }
        // Tensors are not summed (a start would read them all); header, index and footer are.
        let data = ALIGN..ALIGN + 11;
        for at in (0..12).chain(data.end..whole.len()) {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            assert!(parse(&changed).is_err(), "changed at {at}");
        }
    }
}
