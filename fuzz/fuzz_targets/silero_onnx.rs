//! Hostile bytes for the reader of Silero's ONNX file: it may refuse them, it must not panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = earwitness::vad::SileroVad::from_bytes(bytes);
});
