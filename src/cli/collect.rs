//! `earwitness collect`: the collection server, and what its administrator does on its machine.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand, ValueEnum};
use earwitness::scoring::fleet::{Margin, SamplingDesign};
use earwitness_collector::export::{
    ExportError, ExportRow, ExportSummary, Folder, KaldiExport, NemoExport, ParquetExport,
};
use earwitness_collector::store::{Retention, Role, Store, StoreOptions};
use earwitness_collector::vault::Vault;
use earwitness_collector::{Clips, RequestLimits, Server, Settings};

use super::exit::{CliError, Exit, eprint_line};
use super::printer::print_line;

const EXAMPLES: &str = "\
Examples:
  earwitness collect                                        http://127.0.0.1:8090, all in ./collector
  earwitness collect --store postgres://ew@db/ew --clips s3://clips/ew --key-file ew.key
  earwitness collect --listen 0.0.0.0:443 --tls-cert cert.pem --tls-key key.pem
  earwitness collect code                                   a code that enrols one device
  earwitness collect export --format nemo --to out/         texts and recordings with consent
  earwitness collect appoint ann --role labeller            an access key for Ann, shown once

The first start appoints the administrator `admin` and prints the access key. Devices are enrolled with
`earwitness telemetry enroll`. Ctrl-C and SIGTERM end it: requests under way are answered, what was accepted is stored.";

/// Collect what devices report; compare recognizers; show the fleet.
#[derive(Parser)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,

    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,

    /// Folder of what is not said otherwise: database, clips, server key.
    #[arg(long, default_value = "collector", value_name = "FOLDER", global = true)]
    folder: PathBuf,

    /// Database: sqlite:PATH or postgres://USER@HOST/DATABASE [default: FOLDER/earwitness.db].
    #[arg(long, value_name = "URL", global = true, env = "EARWITNESS_STORE", hide_env_values = true)]
    store: Option<String>,

    /// Recordings: a folder or s3://BUCKET/PREFIX [default: FOLDER/clips].
    #[arg(long, value_name = "PATH|URL", global = true)]
    clips: Option<String>,

    /// The server key, made if it is not there; servers on one database share it [default: FOLDER/server.key].
    #[arg(long, value_name = "FILE", global = true)]
    key_file: Option<PathBuf>,

    /// Certificate chain, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// Its key, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// A proxy in front of it speaks TLS.
    #[arg(long)]
    behind_tls_proxy: bool,

    /// Days to keep records as they came.
    #[arg(long, default_value_t = Retention::default().records_days, value_name = "DAYS")]
    keep_records_days: u32,

    /// Days to keep texts and recordings.
    #[arg(long, default_value_t = Retention::default().consented_days, value_name = "DAYS")]
    keep_consented_days: u32,

    /// Days to keep hourly figures and comparisons.
    #[arg(long, default_value_t = Retention::default().rollups_days, value_name = "DAYS")]
    keep_rollups_days: u32,

    /// How much worse a shadow may be and still count as not worse, percentage points of word error rate.
    #[arg(long, default_value_t = Margin::default().points(), value_name = "POINTS")]
    margin_points: f64,

    /// Chance that people are asked to judge a pair of texts, for each word that differs, from 0 to 1.
    #[arg(long, default_value_t = 0.25, value_name = "SHARE")]
    judge_per_edit: f64,

    /// Chance that people are asked to judge a pair of texts that agree, from 0 to 1.
    #[arg(long, default_value_t = 0.01, value_name = "SHARE")]
    judge_agreeing: f64,

    /// Requests of one device in a second, on average.
    #[arg(long, default_value_t = RequestLimits::default().requests_per_s, value_name = "COUNT")]
    max_requests_per_s: u32,

    /// Connections to the database.
    #[arg(long, default_value_t = 8, value_name = "COUNT")]
    connections: u32,

    /// Seconds after which a device counts as silent.
    #[arg(long, default_value_t = 900, value_name = "SECONDS")]
    silent_after_s: u64,
}

#[derive(Subcommand)]
enum Action {
    /// Print a new code that enrols one device within a day.
    Code,
    /// Give somebody a role and a new access key, which is printed once.
    Appoint {
        /// Their name: letters, digits, `-`, `_`, `.`.
        name: String,
        /// What they may do.
        #[arg(long, value_enum, default_value_t = RoleArg::Viewer)]
        role: RoleArg,
    },
    /// List devices, as JSON lines.
    Devices,
    /// Write what people consented to into a folder, for training and evaluation.
    Export {
        /// `nemo` (JSON lines), `kaldi` (data folder) or `parquet` (Hugging Face datasets).
        #[arg(long, value_enum)]
        format: ExportFormat,
        /// New or empty folder.
        #[arg(long, value_name = "FOLDER")]
        to: PathBuf,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum ExportFormat {
    Nemo,
    Kaldi,
    Parquet,
}

/// Where an export goes.
enum Export {
    Nemo(NemoExport<Folder>),
    Kaldi(KaldiExport<Folder>),
    Parquet(Box<ParquetExport<std::io::BufWriter<std::fs::File>>>),
}

impl Export {
    fn new(format: ExportFormat, to: &std::path::Path) -> Result<Self> {
        std::fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
        if std::fs::read_dir(to)?.next().is_some() {
            let message = format!("{} is not empty: choose a new folder for the export", to.display());
            return Err(CliError::new(Exit::Usage, message).into());
        }
        Ok(match format {
            ExportFormat::Nemo => Self::Nemo(NemoExport::new(Folder::new(to))),
            ExportFormat::Kaldi => Self::Kaldi(KaldiExport::new(Folder::new(to))),
            ExportFormat::Parquet => {
                let file = std::fs::File::create_new(to.join("train.parquet"))?;
                Self::Parquet(Box::new(ParquetExport::new(std::io::BufWriter::new(file))?))
            }
        })
    }

    fn add(&mut self, row: ExportRow) -> Result<(), ExportError> {
        match self {
            Self::Nemo(export) => export.add(&row),
            Self::Kaldi(export) => export.add(&row),
            Self::Parquet(export) => export.add(row),
        }
    }

    fn finish(self) -> Result<ExportSummary> {
        Ok(match self {
            Self::Nemo(export) => export.finish()?,
            Self::Kaldi(export) => export.finish()?,
            Self::Parquet(export) => {
                let (summary, output) = export.finish()?;
                output.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
                summary
            }
        })
    }
}

/// Utterances that are read at a time.
const EXPORT_PAGE: usize = 100;

async fn export(store: &Store, clips: &Clips, format: ExportFormat, to: &std::path::Path) -> Result<()> {
    let mut export = Export::new(format, to)?;
    let mut after = (String::new(), String::new());
    loop {
        let rows = store.export_rows(clips, &after, EXPORT_PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = (last.device_id.clone(), last.utterance_id.clone());
        for row in rows {
            export.add(row)?;
        }
    }
    let summary = export.finish()?;
    let line = serde_json::json!({
        "rows": summary.rows, "without_audio": summary.without_audio, "without_text": summary.without_text, "folder": to,
    });
    Ok(print_line(&line.to_string())?)
}

#[derive(Clone, Copy, ValueEnum)]
enum RoleArg {
    /// Look.
    Viewer,
    /// Hear recordings, read texts, judge.
    Labeller,
    /// Enrol, revoke, erase, appoint.
    Admin,
}

pub fn run(args: &Args) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match &args.action {
        None => runtime.block_on(serve(args)),
        Some(action) => runtime.block_on(administer(args, action)),
    }
}

fn settings(args: &Args) -> Result<Settings> {
    std::fs::create_dir_all(&args.folder)
        .with_context(|| format!("cannot create {}", args.folder.display()))?;
    let mut settings = Settings::in_folder(&args.folder);
    settings.listen = args.listen;
    if let Some(url) = &args.store {
        settings.store = StoreOptions::new(url);
    }
    settings.store.connections = args.connections;
    if let Some(clips) = &args.clips {
        settings.clips.clone_from(clips);
    }
    if let Some(key_file) = &args.key_file {
        settings.key_file.clone_from(key_file);
    }
    settings.tls = args.tls_cert.clone().zip(args.tls_key.clone());
    settings.behind_tls = args.behind_tls_proxy;
    settings.retention = Retention {
        records_days: args.keep_records_days,
        consented_days: args.keep_consented_days,
        rollups_days: args.keep_rollups_days,
    };
    let wrong = |what: &str| CliError::new(Exit::Usage, what);
    settings.margin = Margin::percentage_points(args.margin_points)
        .ok_or_else(|| wrong("--margin-points is from 0 to 100"))?;
    let share = |value: f64, what: &str| match value > 0.0 && value <= 1.0 {
        true => Ok(value),
        false => Err(wrong(what)),
    };
    settings.sampling = SamplingDesign {
        per_edit: share(args.judge_per_edit, "--judge-per-edit is above 0 and at most 1")?,
        agreeing: share(args.judge_agreeing, "--judge-agreeing is above 0 and at most 1")?,
    };
    settings.limits.requests_per_s = args.max_requests_per_s;
    settings.limits.burst = args.max_requests_per_s.saturating_mul(5);
    settings.silent_after = Duration::from_secs(args.silent_after_s);
    Ok(settings)
}

async fn serve(args: &Args) -> Result<()> {
    let server = Server::start(settings(args)?).await?;
    let scheme = if args.tls_cert.is_some() { "https" } else { "http" };
    eprint_line(&format!("Collecting on {scheme}://{}/.", server.address()));
    if let Some(key) = server.first_admin().await? {
        eprint_line(&format!("Log in as `admin` with this access key, which is shown once: {key}"));
    }
    let stop = server.stop_handle();
    tokio::spawn(async move {
        asked_to_stop().await;
        // A second request finds nobody who waits for it, and ends the process.
        stop.stop(Duration::from_secs(10));
    });
    Ok(server.run().await?)
}

async fn asked_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

async fn administer(args: &Args, action: &Action) -> Result<()> {
    let settings = settings(args)?;
    let vault = Vault::open(&settings.key_file)?;
    let store = Store::open(&settings.store, vault).await?;
    match action {
        Action::Code => print_line(&store.new_enrolment("command line", 86_400_000).await?.code)?,
        Action::Appoint { name, role } => {
            if !earwitness::telemetry::limits::valid_id(name) {
                let message = "a name is 1 to 64 letters, digits, `-`, `_` or `.`";
                return Err(CliError::new(Exit::Usage, message).into());
            }
            let role = match role {
                RoleArg::Viewer => Role::Viewer,
                RoleArg::Labeller => Role::Labeller,
                RoleArg::Admin => Role::Admin,
            };
            let key = store.appoint(name, role).await?;
            store.note("command line", "appoint", &format!("{name} {}", role.name())).await?;
            print_line(&key)?;
        }
        Action::Export { format, to } => {
            let clips = Clips::open(&settings.clips)?;
            export(&store, &clips, *format, to).await?;
            store.note("command line", "export", "").await?;
        }
        Action::Devices => {
            for device in store.devices().await? {
                let line = serde_json::json!({
                    "device_id": device.device_id, "enrolled_unix_ms": device.enrolled_ms,
                    "revoked_unix_ms": device.revoked_ms, "last_seen_unix_ms": device.last_seen_ms,
                    "records": device.records, "lost_records": device.lost,
                });
                print_line(&line.to_string())?;
            }
        }
    }
    store.close().await;
    Ok(())
}
