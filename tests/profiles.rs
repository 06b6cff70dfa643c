//! Every profile that is shipped parses, and says what it was measured on.

use earwitness::config::Profile;
use std::path::Path;

#[test]
fn every_shipped_profile_is_valid_and_says_where_it_was_measured() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-configs");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let profile = Profile::read(&path).unwrap_or_else(|e| panic!("{e}"));
        profile.decoding().unwrap();
        assert!(!profile.description.is_empty(), "{}", path.display());
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with('#') && text.contains("Measured on:"), "{}", path.display());
        names.push(path.file_stem().unwrap().to_string_lossy().into_owned());
    }
    names.sort();
    assert_eq!(
        names,
        [
            "android",
            "field-recorder",
            "ios",
            "laptop",
            "raspberry-pi-4",
            "raspberry-pi-5",
            "raspberry-pi-zero-2w"
        ]
    );
}

/// The block is commented out: a user who wants it takes the marks away, and it must be valid then.
#[test]
fn no_shipped_profile_reports_anything_and_what_it_offers_is_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-configs");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let profile = Profile::parse(&text, "as shipped").unwrap();
        assert!(!profile.telemetry.is_on() && !profile.consent.any_telemetry(), "{}", path.display());
        let (_, block) = text.split_once("\n#[telemetry]\n").unwrap_or_else(|| panic!("{}", path.display()));
        let lines = block.lines().filter_map(|line| line.strip_prefix('#').filter(|l| !l.starts_with(' ')));
        let offered = format!("[telemetry]\n{}", lines.collect::<Vec<_>>().join("\n"));
        let offered = offered.replace("https://...", "https://metrics.example.com");
        let profile =
            Profile::parse(&offered, "as offered").unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(profile.telemetry.is_on());
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,200}") {
        let _ = Profile::parse(&text, "arbitrary");
    }

    #[test]
    fn no_value_makes_validation_panic(threshold in proptest::num::f32::ANY, pre_roll in proptest::num::u32::ANY, max in proptest::num::u32::ANY) {
        if threshold.is_finite() {
            let text = format!("[endpoint]\nthreshold = {threshold:e}\npre_roll_ms = {pre_roll}\nmax_utterance_ms = {max}\n");
            let _ = Profile::parse(&text, "arbitrary");
        }
    }
}
