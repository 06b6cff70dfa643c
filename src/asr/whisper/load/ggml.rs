//! whisper.cpp's ggml `.bin`.
//!
//! Little endian, unpadded:
//! ```text
//! u32 magic 0x67676d6c; 11 x i32: n_vocab, n_audio_ctx, n_audio_state, n_audio_head, n_audio_layer,
//!                                 n_text_ctx, n_text_state, n_text_head, n_text_layer, n_mels, ftype
//! i32 n_mels; i32 n_bins; f32 filters[n_mels * n_bins]
//! i32 n; n x { u32 len; bytes }                      vocabulary, special tokens left out
//! until the end: i32 n_dims; i32 name_len; i32 type; i32 dim[n_dims] (innermost first); name; data
//! ```
//! The filters are not used: they are Slaney's, which [`LogMel`](super::super::log_mel::LogMel) computes.

use std::collections::HashMap;
use std::path::Path;

use candle_core::quantized::{GgmlDType, ggml_file::qtensor_from_ggml};
use candle_core::{DType, Device, Tensor};

use super::{LoadError, RawWeights, names};
use crate::asr::whisper::vocabulary::{TokenTable, Vocabulary};

pub(super) const MAGIC: u32 = 0x6767_6d6c;
const N_HPARAMS: usize = 11;

pub(super) struct GgmlModel {
    pub(super) weights: RawWeights,
    pub(super) vocabulary: Vocabulary,
}

pub(super) fn read(path: &Path) -> Result<GgmlModel, LoadError> {
    let map = super::map(path)?;
    parse(&map).map_err(|error| match error {
        Error::Damaged(why) => LoadError::Damaged { path: path.to_owned(), why },
        Error::Type(what) => LoadError::UnsupportedType { path: path.to_owned(), what },
    })
}

/// Reads untrusted bytes; for fuzzing.
#[doc(hidden)]
pub fn fuzz(bytes: &[u8]) {
    let _ = parse(bytes);
}

#[derive(Debug)]
pub(super) enum Error {
    Damaged(String),
    Type(String),
}

fn damaged(why: impl Into<String>) -> Error {
    Error::Damaged(why.into())
}

fn parse(bytes: &[u8]) -> Result<GgmlModel, Error> {
    let mut cursor = Cursor { rest: bytes };
    if cursor.u32()? != MAGIC {
        return Err(damaged("its first bytes are not ggml's"));
    }
    cursor.take(4 * N_HPARAMS)?;
    let filters = cursor.size()?.checked_mul(cursor.size()?).and_then(|n| n.checked_mul(4));
    cursor.take(filters.ok_or_else(|| damaged("its filter size overflows"))?)?;
    let tokens = cursor.tokens()?;
    let mut tensors = HashMap::new();
    let mut stored_as = String::from("f32");
    while !cursor.rest.is_empty() {
        let (name, dtype, tensor) = cursor.tensor()?;
        if let Some(name) = names::from_openai(&name) {
            if name == "decoder.embed_tokens.weight" {
                stored_as = type_label(dtype);
            }
            tensors.insert(name, tensor);
        }
    }
    Ok(GgmlModel { weights: RawWeights { tensors, stored_as }, vocabulary: Vocabulary::from_tokens(tokens) })
}

/// The label that users know a ggml type by: `q5_1`.
pub(super) fn type_label(dtype: GgmlDType) -> String {
    format!("{dtype:?}").to_lowercase()
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Error> {
        if n > self.rest.len() {
            return Err(damaged(format!("it ends {} bytes too early", n - self.rest.len())));
        }
        let (head, rest) = self.rest.split_at(n);
        self.rest = rest;
        Ok(head)
    }

    fn u32(&mut self) -> Result<u32, Error> {
        let b = self.take(4)?;
        Ok(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }

    /// A count that the format stores as a signed word.
    fn size(&mut self) -> Result<usize, Error> {
        let n = self.u32()?;
        if n > i32::MAX as u32 {
            return Err(damaged("a size is negative"));
        }
        Ok(n as usize)
    }

    fn tokens(&mut self) -> Result<TokenTable, Error> {
        let n = self.size()?;
        let mut tokens = TokenTable::default();
        for _ in 0..n {
            let len = self.size()?;
            tokens.push(self.take(len)?);
        }
        Ok(tokens)
    }

    fn tensor(&mut self) -> Result<(String, GgmlDType, Tensor), Error> {
        let n_dims = self.size()?;
        let name_len = self.size()?;
        let raw_type = self.u32()?;
        if n_dims == 0 || n_dims > 4 {
            return Err(damaged(format!("a tensor has {n_dims} dimensions")));
        }
        let dtype = dtype_of(raw_type).ok_or_else(|| Error::Type(format!("ggml type {raw_type}")))?;
        let mut dims = (0..n_dims).map(|_| self.size()).collect::<Result<Vec<_>, _>>()?;
        dims.reverse();
        let name = String::from_utf8(self.take(name_len)?.to_vec())
            .map_err(|_| damaged("a tensor's name is not text"))?;
        let n_bytes = byte_count(dtype, &dims)
            .ok_or_else(|| damaged(format!("`{name}` has a shape that its type cannot hold")))?;
        let data = self.take(n_bytes)?;
        // Biases of convolutions are stored as [n, 1].
        if n_dims == 2 && dims[1] == 1 && name.ends_with(".bias") {
            dims.pop();
        }
        let tensor = to_tensor(dtype, data, dims).map_err(|e| damaged(format!("`{name}`: {e}")))?;
        Ok((name, dtype, tensor))
    }
}

/// ggml's own numbering.
fn dtype_of(raw: u32) -> Option<GgmlDType> {
    Some(match raw {
        0 => GgmlDType::F32,
        1 => GgmlDType::F16,
        2 => GgmlDType::Q4_0,
        3 => GgmlDType::Q4_1,
        6 => GgmlDType::Q5_0,
        7 => GgmlDType::Q5_1,
        8 => GgmlDType::Q8_0,
        10 => GgmlDType::Q2K,
        11 => GgmlDType::Q3K,
        12 => GgmlDType::Q4K,
        13 => GgmlDType::Q5K,
        14 => GgmlDType::Q6K,
        30 => GgmlDType::BF16,
        _ => return None,
    })
}

fn byte_count(dtype: GgmlDType, dims: &[usize]) -> Option<usize> {
    let elements = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d))?;
    (elements > 0 && elements.is_multiple_of(dtype.block_size()))
        .then(|| (elements / dtype.block_size()).checked_mul(dtype.type_size()))?
}

/// As it is stored, blocks widened; `data` holds exactly [`byte_count`] bytes.
fn to_tensor(dtype: GgmlDType, data: &[u8], dims: Vec<usize>) -> candle_core::Result<Tensor> {
    let plain = match dtype {
        GgmlDType::F32 => Some(DType::F32),
        GgmlDType::F16 => Some(DType::F16),
        GgmlDType::BF16 => Some(DType::BF16),
        _ => None,
    };
    match plain {
        Some(dtype) => Tensor::from_raw_buffer(data, dtype, &dims, &Device::Cpu),
        // The block readers look at the bytes as structures of 2-byte alignment, which a place in a
        // mapped file need not have and a fresh allocation has.
        None => {
            let aligned = data.to_vec();
            qtensor_from_ggml(dtype, &aligned, dims, &Device::Cpu)?.dequantize(&Device::Cpu)
        }
    }
}
