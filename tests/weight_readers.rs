//! The weight readers on hostile bytes: an error, never a panic, whatever the file says.
//! `fuzz/` searches deeper with the same entry points.

mod support;

use earwitness::asr::whisper::load::{ctranslate2, ggml, safetensors};
use proptest::prelude::*;

/// A small file of each format that is well-formed as far as it goes.
fn seeds() -> Vec<Vec<u8>> {
    let mut ct2 = vec![6, 0, 0, 0, 12, 0];
    ct2.extend(b"WhisperSpec\0");
    ct2.extend([3, 0, 0, 0, 1, 0, 0, 0, 21, 0]);
    ct2.extend(b"encoder/conv1/weight\0");
    ct2.extend([1, 2, 0, 0, 0, 4, 4, 0, 0, 0, 0, 60, 0, 60]);
    let mut ggml = vec![0x6c, 0x6d, 0x67, 0x67];
    ggml.extend([0u8; 44]);
    ggml.extend([1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, b'a']);
    ggml.extend([1, 0, 0, 0, 14, 0, 0, 0, 8, 0, 0, 0, 32, 0, 0, 0]);
    ggml.extend(b"encoder.x.bias");
    ggml.extend([0u8; 34]);
    let mut hf = br#"{"model.encoder.a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#.to_vec();
    let mut safetensors = (hf.len() as u64).to_le_bytes().to_vec();
    safetensors.append(&mut hf);
    safetensors.extend([0u8; 4]);
    vec![ct2, ggml, safetensors]
}

fn read_all(bytes: &[u8]) {
    ctranslate2::fuzz(bytes);
    ggml::fuzz(bytes);
    safetensors::fuzz(bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read_all(&bytes);
    }

    #[test]
    fn mutated_files_never_panic(
        which in 0usize..3,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = seeds().swap_remove(which);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        read_all(&bytes);
        read_all(&bytes[..cut.index(bytes.len())]);
    }
}

#[test]
fn a_real_file_cut_anywhere_is_refused() {
    let folder = support::installed("tiny.en");
    let bytes = std::fs::read(folder.join("model.bin")).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    std::fs::copy(folder.join("tokenizer.json"), scratch.path().join("tokenizer.json")).unwrap();
    for cut in [0, 1, 15, 16, 17, 30, 1_000, 100_000, bytes.len() / 2, bytes.len() - 1_000_000] {
        std::fs::write(scratch.path().join("model.bin"), &bytes[..cut]).unwrap();
        let error =
            earwitness::asr::whisper::load::load(scratch.path()).err().expect("a cut file is refused");
        assert!(error.to_string().len() > 20, "{error}");
    }
}

#[test]
fn a_gguf_header_with_impossible_numbers_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("model.gguf");
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3u32.to_le_bytes());
    bytes.extend(0u64.to_le_bytes());
    bytes.extend(1u64.to_le_bytes());
    bytes.extend(17u64.to_le_bytes());
    bytes.extend(b"general.alignment");
    // An alignment of 0, as a u32.
    bytes.extend(4u32.to_le_bytes());
    bytes.extend(0u32.to_le_bytes());
    std::fs::write(&file, bytes).unwrap();
    let error = earwitness::asr::whisper::load::load(&file).err().expect("it is refused");
    assert!(error.to_string().contains("damaged"), "{error}");
}

/// Found by fuzzing: the product of such a shape is 0, that of its strides overflows.
#[test]
fn a_shape_with_a_zero_beside_huge_sizes_is_refused() {
    let mut ct2 = vec![6, 0, 0, 0, 12, 0];
    ct2.extend(b"WhisperSpec\0");
    ct2.extend([3, 0, 0, 0, 1, 0, 0, 0, 21, 0]);
    ct2.extend(b"encoder/conv1/weight\0");
    ct2.push(5);
    for size in [0, u32::MAX, u32::MAX, u32::MAX, u32::MAX] {
        ct2.extend(size.to_le_bytes());
    }
    ct2.extend([4, 0, 0, 0, 0]);
    ct2.extend([0; 4]);
    let header = br#"{"model.encoder.a":{"dtype":"F32","shape":[0,4294967295,4294967295,4294967295],"data_offsets":[0,0]}}"#;
    let mut safetensors = (header.len() as u64).to_le_bytes().to_vec();
    safetensors.extend(header);
    let scratch = tempfile::tempdir().unwrap();
    for (name, bytes) in [("model.bin", ct2), ("model.safetensors", safetensors)] {
        let file = scratch.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        let error = earwitness::asr::whisper::load::load(&file).err().expect("it is refused");
        assert!(error.to_string().contains("damaged"), "{error}");
    }
}
