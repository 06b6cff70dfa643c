//! Linux's `/proc` and `/sys`: memory and temperature. On other systems there are no such files, and no figures.

use std::fs;
use std::path::{Path, PathBuf};

/// Memory of this process in use, bytes: `VmRSS`, which needs no page size.
pub(super) fn rss_bytes(root: &Path) -> Option<u64> {
    let status = fs::read_to_string(root.join("proc/self/status")).ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    kib.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The thermal zone of the processor.
#[derive(Debug)]
pub(super) struct Thermometer(PathBuf);

impl Thermometer {
    /// The zone whose type names the processor: `cpu-thermal` on a Raspberry Pi, `x86_pkg_temp`, `soc_thermal`. Where
    /// there is a single zone it is taken whatever its name; of several unknown ones, none.
    pub(super) fn find(root: &Path) -> Option<Self> {
        let zones = entries(&root.join("sys/class/thermal"), "thermal_zone");
        let named = |words: &[&str]| {
            zones.iter().find(|zone| {
                let kind = word(&zone.join("type")).unwrap_or_default().to_ascii_lowercase();
                words.iter().any(|word| kind.contains(word))
            })
        };
        let zone = named(&["cpu", "x86_pkg", "package"])
            .or_else(|| named(&["soc"]))
            .or_else(|| if zones.len() == 1 { zones.first() } else { None })?;
        Some(Self(zone.join("temp")))
    }

    /// Degrees; `None` if the zone is off or says what no processor survives.
    pub(super) fn celsius(&self) -> Option<f64> {
        let celsius = word(&self.0)?.parse::<f64>().ok()? / 1000.0;
        (-60.0..200.0).contains(&celsius).then_some(celsius)
    }
}

/// A file's only word.
pub(super) fn word(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// What in `folder` begins with `prefix`, in order of its names.
pub(super) fn entries(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(found) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = found
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)))
        .collect();
    paths.sort();
    paths
}
