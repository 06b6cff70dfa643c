//! A hostile index of packed weights: it may be refused, it must not panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| earwitness::asr::whisper::fuzz_pack(bytes));
