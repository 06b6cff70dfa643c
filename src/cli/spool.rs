//! `earwitness spool`: kept utterances.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Subcommand;
use earwitness::asr::Recognizer;
use earwitness::audio::encode_wav;
use earwitness::config::Profile;
use earwitness::models::ModelStore;
use earwitness::pipeline::{Event, retry_spooled};
use earwitness::runtime::{Routing, open_spool};
use earwitness::uplink::spool::{Spool, SpoolEntry, SpoolKey, SpoolState, atomic_write};

use super::engine::EngineArgs;
use super::exit::{self, CliError, Exit};
use super::formats::{self, table};
use super::listen::stop_on_interrupt;

/// Look after utterances that were kept on disk.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  earwitness spool list
  earwitness spool retry --profile field.toml        transcribe or send what waits, now
  earwitness spool export recordings/                WAV files and manifest.jsonl
  earwitness spool purge --answered                  delete what has its text
  earwitness spool new-key spool.key                 a key file, for `spool.key_file` in the profile")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// What is kept, oldest first.
    List(ListArgs),
    /// Transcribe or send what waits, each once, and print its text.
    Retry(RetryArgs),
    /// Write what is kept as WAV files with a manifest.
    Export(ExportArgs),
    /// Delete what is kept.
    Purge(PurgeArgs),
    /// Make a key file that seals a spool.
    NewKey {
        /// The file; it must not exist.
        file: PathBuf,
    },
}

/// Which spool.
#[derive(clap::Args)]
struct Place {
    /// Folder of the spool [default: the profile's, else in the user's data folder].
    #[arg(long, value_name = "FOLDER")]
    spool: Option<PathBuf>,
    /// Device profile with the spool's folder and key.
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
}

#[derive(clap::Args)]
struct ListArgs {
    /// One object a line: id, state, kept_unix_ms, bytes, text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(clap::Args)]
struct RetryArgs {
    /// Folder of the spool [default: the profile's, else in the user's data folder].
    #[arg(long, value_name = "FOLDER")]
    spool: Option<PathBuf>,
    /// Every event as an object on a line.
    #[arg(long)]
    json: bool,
    /// Keep what has been answered.
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

#[derive(clap::Args)]
struct ExportArgs {
    /// Folder to write to.
    #[arg(value_name = "FOLDER")]
    to: PathBuf,
    #[command(flatten)]
    place: Place,
}

#[derive(clap::Args)]
struct PurgeArgs {
    /// Only those that have their final text.
    #[arg(long)]
    answered: bool,
    /// Also those that were never transcribed.
    #[arg(long, conflicts_with = "answered")]
    all: bool,
    #[command(flatten)]
    place: Place,
}

impl Place {
    fn open(&self) -> Result<Spool> {
        let mut profile = match &self.profile {
            Some(path) => Profile::read(path)?,
            None => Profile::default(),
        };
        if let Some(folder) = &self.spool {
            profile.spool.folder.clone_from(folder);
        }
        profile.spool.keep = true;
        Ok(open_spool(&profile)?)
    }
}

pub fn run(args: &Args) -> Result<()> {
    match &args.command {
        Command::List(args) => list(args),
        Command::Retry(args) => retry(args),
        Command::Export(args) => export(args),
        Command::Purge(args) => purge(args),
        Command::NewKey { file } => new_key(file),
    }
}

/// The entry as JSON.
fn described(spool: &Spool, entry: &SpoolEntry) -> Result<serde_json::Value> {
    let mut json = serde_json::to_value(spool.record(&entry.id)?)?;
    json["id"] = entry.id.as_str().into();
    json["kept_unix_ms"] = entry.kept_unix_ms().into();
    json["bytes"] = entry.bytes.into();
    Ok(json)
}

fn list(args: &ListArgs) -> Result<()> {
    let spool = args.place.open()?;
    let entries = spool.entries();
    if args.json {
        for entry in &entries {
            formats::print(&format!("{}\n", described(&spool, entry)?))?;
        }
        return Ok(());
    }
    if entries.is_empty() {
        exit::eprint_line(&format!("Nothing is kept in {}.", spool.folder().display()));
        return Ok(());
    }
    let mut rows = table(&["id", "state", "KiB", "text"]);
    for entry in &entries {
        let record = spool.record(&entry.id)?;
        let state = format!("{:?}", entry.state).to_lowercase();
        let text = record.text.or(record.error).unwrap_or_default();
        rows.add_row([entry.id.clone(), state, (entry.bytes / 1024).to_string(), text]);
    }
    formats::print(&format!("{rows}\n"))
}

fn retry(args: &RetryArgs) -> Result<()> {
    let mut profile = args.engine.profile()?;
    if let Some(folder) = &args.spool {
        profile.spool.folder.clone_from(folder);
    }
    let stays = profile.spool.keep || args.keep;
    profile.spool.keep = stays;
    let mut routing = Routing::spooled(&profile, open_spool(&profile)?, &mut exit::eprint_line)?;
    let mut local = match routing.uses_local() {
        true => Some(args.engine.setup(&profile, &ModelStore::open_default()?).recognizer()?.0),
        false => None,
    };
    let stop = stop_on_interrupt()?;
    let mut failed = None;
    let engines = routing.engines(local.as_mut().map(|local| local as &mut dyn Recognizer));
    let left = retry_spooled(engines, &stop, &mut |event| {
        if let Err(error) = show(&event, args.json) {
            failed = Some(error);
            stop.stop();
        }
    });
    match (failed, left) {
        (Some(error), _) => Err(error),
        (None, 0) => Ok(()),
        (None, left) => {
            let message = format!("{left} utterances still wait for their answer");
            Err(CliError::new(Exit::Network, message).into())
        }
    }
}

fn show(event: &Event, json: bool) -> Result<()> {
    if json {
        return formats::print(&format!("{}\n", serde_json::to_string(event)?));
    }
    match event {
        Event::Recovered(kept) | Event::Upgraded(kept) => formats::print(&format!("{}\n", kept.text)),
        Event::Rejected { id, error } => {
            tracing::error!("{id}: {error}");
            Ok(())
        }
        _ => Ok(()),
    }
}

fn export(args: &ExportArgs) -> Result<()> {
    let spool = args.place.open()?;
    fs::create_dir_all(&args.to).with_context(|| format!("cannot create {}", args.to.display()))?;
    let mut manifest = String::new();
    let entries = spool.entries();
    for entry in &entries {
        let name = format!("{}.wav", entry.id);
        let path = args.to.join(&name);
        atomic_write(&path, &encode_wav(&spool.samples(&entry.id)?))
            .with_context(|| format!("cannot write {}", path.display()))?;
        let mut line = described(&spool, entry)?;
        line["audio"] = name.into();
        manifest.push_str(&format!("{line}\n"));
    }
    let path = args.to.join("manifest.jsonl");
    atomic_write(&path, manifest.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    exit::eprint_line(&format!(
        "{} utterances and manifest.jsonl are in {}.",
        entries.len(),
        args.to.display()
    ));
    Ok(())
}

fn purge(args: &PurgeArgs) -> Result<()> {
    if !args.answered && !args.all {
        let message =
            "say what to delete: --answered, or --all, which deletes speech that nobody has transcribed yet";
        return Err(CliError::new(Exit::Usage, message).into());
    }
    let spool = args.place.open()?;
    let gone = spool.entries().into_iter().filter(|e| args.all || e.state == SpoolState::Answered);
    let mut count = 0;
    for entry in gone {
        spool.remove(&entry.id)?;
        count += 1;
    }
    exit::eprint_line(&format!("{count} utterances were deleted."));
    Ok(())
}

fn new_key(file: &Path) -> Result<()> {
    if file.exists() {
        let message =
            format!("{} exists: a key that is overwritten makes what it sealed unreadable", file.display());
        return Err(CliError::new(Exit::Usage, message).into());
    }
    atomic_write(file, SpoolKey::generate().as_bytes())
        .with_context(|| format!("cannot write {}", file.display()))?;
    exit::eprint_line(&format!("{} is the only key: keep a copy elsewhere.", file.display()));
    Ok(())
}
