//! Hostile bytes for the ggml weight reader: it may refuse them, it must not panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| earwitness::asr::whisper::load::ggml::fuzz(bytes));
