//! Hostile bytes for the safetensors weight reader: it may refuse them, it must not panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| earwitness::asr::whisper::load::safetensors::fuzz(bytes));
