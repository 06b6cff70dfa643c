//! A hostile segment or state of the telemetry journal: what is damaged is passed over, nothing panics.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| earwitness::uplink::journal::fuzz(bytes));
