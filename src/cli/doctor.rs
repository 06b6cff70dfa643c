//! `earwitness doctor`: what is wrong on this machine and what to do about it.

use std::path::PathBuf;

use anyhow::Result;
use earwitness::config::DetectorKind;
use earwitness::device::Board;
use earwitness::isa::Isa;
use earwitness::models::{FileState, ModelStore};
use serde::Serialize;

use super::board;
use super::engine::EngineArgs;
use super::exit::{CliError, Exit};
use super::formats::{print, table};
use super::resources::{cpu_features, free_disk_mib};

/// Check microphone, processor, board, memory, models and disk.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  earwitness doctor
  earwitness doctor --json | jq '.checks[] | select(.status != \"ok\")'

Exits with 0 if nothing is broken (warnings allowed), 4 if a model is missing or damaged, 8 if the disk is
full, 6 if only the microphone is broken.")]
pub struct Args {
    /// One JSON object: checks [{check, status, found, advice}], board {model, governors, clock_mhz, max_clock_mhz,
    /// temperature_celsius, firmware}.
    #[arg(long)]
    json: bool,
    /// Look for the board's files below this folder.
    #[arg(long, value_name = "FOLDER", default_value = "/", hide = true)]
    system_root: PathBuf,
    #[command(flatten)]
    engine: EngineArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Ok,
    Warning,
    Broken,
}

/// One thing that was looked at.
#[derive(Serialize)]
pub(super) struct Check {
    check: &'static str,
    status: Status,
    found: String,
    advice: Option<String>,
    #[serde(skip)]
    exit: Exit,
}

impl Check {
    pub(super) fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, status: Status::Ok, found: found.into(), advice: None, exit: Exit::Internal }
    }

    pub(super) fn warning(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { status: Status::Warning, advice: Some(advice.into()), ..Self::ok(check, found) }
    }

    fn broken(check: &'static str, found: impl Into<String>, advice: impl Into<String>, exit: Exit) -> Self {
        Self { status: Status::Broken, exit, ..Self::warning(check, found, advice) }
    }
}

#[derive(Serialize)]
struct Report {
    version: &'static str,
    board: Board,
    checks: Vec<Check>,
}

pub fn run(args: &Args) -> Result<()> {
    let profile = args.engine.profile()?;
    let store = ModelStore::open_default()?;
    let board = board::look(&args.system_root);
    let mut checks = vec![processor(args.engine.isa)];
    checks.extend(board::checks(&board));
    checks.extend([memory(), disk(&store)]);
    checks.push(model("recognizer", &store, &profile.whisper.model));
    if profile.vad.detector == DetectorKind::Silero {
        checks.push(model("detector", &store, &profile.vad.model));
    }
    checks.extend(microphone(&profile.capture.device));
    let report = Report { version: env!("CARGO_PKG_VERSION"), board, checks };
    let text =
        if args.json { format!("{}\n", serde_json::to_string_pretty(&report)?) } else { show(&report) };
    print(&text)?;
    // A missing model stops everything, a missing microphone only `listen`.
    let broken = |exit| report.checks.iter().any(|c| c.status == Status::Broken && c.exit == exit);
    for exit in [Exit::Model, Exit::Disk, Exit::Microphone] {
        if broken(exit) {
            return Err(CliError::new(exit, "something is broken; see the advice above").into());
        }
    }
    Ok(())
}

fn processor(isa: Option<Isa>) -> Check {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let features = cpu_features();
    let isa = isa.unwrap_or_else(Isa::detect);
    let has = if features.is_empty() { String::new() } else { format!("{}; ", features.join(" ")) };
    let found = format!("{} ({cores} cores): {has}computes with {isa}", std::env::consts::ARCH);
    let fast = features.iter().any(|f| matches!(*f, "avx2" | "dotprod"));
    if fast {
        return Check::ok("processor", found);
    }
    Check::warning(
        "processor",
        found,
        match std::env::consts::ARCH {
            "arm" => {
                "a 32-bit program computes without the processor's vectors: recognition works and is very slow; \
                      where the processor has 64 bits, use a 64-bit system"
            }
            _ => "neither AVX2 nor dotprod: recognition works and is slow; prefer tiny.en",
        },
    )
}

/// Measured on x86-64 with `tiny.en`: 277 MiB when the weights are packed, once, and 75 MiB after that.
fn memory() -> Check {
    let needs =
        "the first start of tiny.en packs its weights and needs about 280 MiB, later ones need about 80 MiB";
    match available_memory_mib() {
        None => Check::warning("memory", "unknown", needs),
        Some(mib) if mib < 320 => Check::warning(
            "memory",
            format!("{mib} MiB available"),
            format!("{needs}: close other programs, or make a swap file for it"),
        ),
        Some(mib) => Check::ok("memory", format!("{mib} MiB available")),
    }
}

fn available_memory_mib() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|l| l.starts_with("MemAvailable:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
}

fn disk(store: &ModelStore) -> Check {
    let folder = store.root();
    let found = |mib: u64| format!("{mib} MiB free at {}", folder.display());
    match free_disk_mib(folder) {
        None => Check::warning("disk", format!("unknown at {}", folder.display()), "tiny.en needs 80 MB"),
        Some(mib) if mib < 100 => Check::broken(
            "disk",
            found(mib),
            "free some space, or set EARWITNESS_MODELS to another disk",
            Exit::Disk,
        ),
        Some(mib) => Check::ok("disk", found(mib)),
    }
}

fn model(check: &'static str, store: &ModelStore, name: &str) -> Check {
    let path = match store.locate(name) {
        Ok(path) => path,
        Err(error) => {
            return Check::broken(
                check,
                error.to_string(),
                format!("earwitness models pull {name}"),
                Exit::Model,
            );
        }
    };
    if store.find(name).is_none() {
        return Check::ok(check, format!("{} (not from the store)", path.display()));
    }
    match store.verify(name) {
        Ok(files) if files.iter().all(|f| f.state == FileState::Whole) => {
            Check::ok(check, format!("{name}, checksums right, at {}", path.display()))
        }
        Ok(_) => Check::broken(
            check,
            format!("{name} is damaged"),
            format!("earwitness models rm {name} && earwitness models pull {name}"),
            Exit::Model,
        ),
        Err(error) => {
            Check::broken(check, error.to_string(), format!("earwitness models pull {name}"), Exit::Model)
        }
    }
}

#[cfg(feature = "capture")]
fn microphone(wanted: &str) -> Vec<Check> {
    use earwitness::audio::capture::{Microphone, list_devices};
    let devices = match list_devices() {
        Ok(devices) if !devices.is_empty() => devices,
        Ok(_) => {
            let advice = "plug one in or start the sound server; recordings can be transcribed without one";
            return vec![Check::broken("microphone", "none found", advice, Exit::Microphone)];
        }
        Err(error) => {
            return vec![Check::broken("microphone", "cannot list", error.to_string(), Exit::Microphone)];
        }
    };
    let mut checks =
        vec![Check::ok("microphones", format!("{} found, see `earwitness devices`", devices.len()))];
    let opened = if wanted.is_empty() {
        Microphone::new().open()
    } else {
        Microphone::new().try_device(wanted).and_then(Microphone::open)
    };
    checks.push(match opened {
        Ok(mut source) => hear(&mut source),
        Err(error) => Check::broken("microphone", "cannot be opened", error.to_string(), Exit::Microphone),
    });
    checks
}

/// Listens for a second and judges the level.
#[cfg(feature = "capture")]
fn hear(source: &mut earwitness::audio::capture::MicrophoneSource) -> Check {
    use earwitness::audio::{AudioSource, LevelMeter, Read};
    let name = source.device_id().to_owned();
    let mut meter = LevelMeter::new();
    let mut block = Vec::new();
    let begin = std::time::Instant::now();
    while begin.elapsed() < std::time::Duration::from_millis(1500) {
        match source.read(&mut block) {
            Ok(Read::Samples) => meter.push(&block),
            Ok(_) => {}
            Err(error) => return Check::broken("microphone", name, error.to_string(), Exit::Microphone),
        }
    }
    let level = meter.reading();
    let found = format!("{name}: peak {:.0} dBFS, RMS {:.0} dBFS", level.peak_dbfs, level.rms_dbfs);
    if level.samples == 0 {
        let advice = "it opened and delivers nothing: restart the sound server";
        return Check::broken("microphone", name, advice, Exit::Microphone);
    }
    if level.peak_dbfs <= earwitness::audio::SILENCE_DBFS {
        return Check::warning("microphone", found, "silent to the last bit: muted, or the wrong device");
    }
    Check::ok("microphone", found)
}

#[cfg(not(feature = "capture"))]
fn microphone(_wanted: &str) -> Vec<Check> {
    vec![Check::ok("microphone", "this build has no capture; use recordings")]
}

fn show(report: &Report) -> String {
    let mut out = table(&["", "check", "found"]);
    for c in &report.checks {
        let mark = match c.status {
            Status::Ok => "ok",
            Status::Warning => "warning",
            Status::Broken => "BROKEN",
        };
        out.add_row([mark, c.check, &c.found]);
        if let Some(advice) = &c.advice {
            out.add_row(["", "", &format!("-> {advice}")]);
        }
    }
    format!("earwitness {}\n{out}\n", report.version)
}
