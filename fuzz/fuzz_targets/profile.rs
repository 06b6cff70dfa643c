//! Hostile text for the profile parser: it may refuse it, it must not panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = earwitness::config::Profile::parse(text, "fuzz");
});
