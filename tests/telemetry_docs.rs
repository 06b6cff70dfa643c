//! `docs/telemetry.md` leaves nothing out: every field that can be sent, every metric, every key of the profile it speaks of.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn page() -> String {
    fs::read_to_string(root().join("docs/telemetry.md")).unwrap()
}

/// Names of the public fields in a source file. A flattened one has no name on the wire.
fn fields(source: &str) -> Vec<String> {
    let lines: Vec<&str> = source.lines().map(str::trim_start).collect();
    let named = lines.iter().enumerate().filter(|(at, _)| *at == 0 || lines[at - 1] != "#[serde(flatten)]");
    named
        .filter_map(|(_, line)| line.strip_prefix("pub ")?.split_once(": "))
        .map(|(name, _)| name.to_owned())
        .filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        .collect()
}

#[test]
fn every_field_on_the_wire_is_described() {
    let (page, mut checked) = (page(), 0);
    for entry in fs::read_dir(root().join("crates/telemetry/src")).unwrap() {
        let path = entry.unwrap().path();
        for field in fields(&fs::read_to_string(&path).unwrap()) {
            assert!(page.contains(&format!("`{field}`")), "{}: `{field}` is not described", path.display());
            checked += 1;
        }
    }
    assert!(checked > 100, "only {checked} fields were seen: is the test looking at the sources?");
}

#[test]
fn every_metric_and_every_unit_is_described() {
    let source = fs::read_to_string(root().join("src/uplink/otlp/metrics.rs")).unwrap();
    let (page, mut checked) = (page(), 0);
    let quoted: Vec<&str> = source.split('"').skip(1).step_by(2).collect();
    for (at, name) in quoted.iter().enumerate().filter(|(_, word)| word.starts_with("speech.")) {
        assert!(page.contains(&format!("`{name}`")), "`{name}` is not described");
        // An attribute is not followed by a unit.
        let unit = quoted.get(at + 1).filter(|unit| page.contains(&format!("| `{unit}` |")));
        let row = page.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        if let Some(row) = row {
            let unit = unit.unwrap_or_else(|| panic!("{name} has a unit that is not described"));
            assert!(row.contains(&format!("| `{unit}` |")), "{row}: the unit is {unit}");
            checked += 1;
        }
    }
    let rows = page.lines().filter(|line| line.starts_with("| `speech.")).count();
    assert_eq!((checked, rows), (25, 25), "each metric has its row, and each row its metric");
}
