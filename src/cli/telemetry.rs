//! `earwitness telemetry`: what this device reports, seen and steered by its user.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};
use earwitness::config::Profile;
use earwitness::runtime;
use earwitness::runtime::reporting::{self, Outbox};
use earwitness::uplink::collector::Uploader;
use serde_json::json;

use super::exit::{CliError, Exit, eprint_line};
use super::printer::print_line;

const EXAMPLES: &str = "\
Examples:
  earwitness telemetry enroll --url https://collect.example.org --code ewc_… --device-id kitchen-pi
  earwitness telemetry status --profile pi.toml        what waits here, and for whom
  earwitness telemetry show --profile pi.toml          the next records exactly as they would be sent
  earwitness telemetry flush --profile pi.toml         send now what waits
  earwitness telemetry erase --profile pi.toml --yes   delete everything here, and ask the server to

Nothing is kept or sent unless the profile has `[telemetry] url`; no text and no audio without `[consent]`.
DO_NOT_TRACK=1 stops all of it.";

/// What this device reports: enrol it, look at what waits, send it, erase it.
#[derive(Parser)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    action: Action,

    /// Device profile with a `[telemetry]` section.
    #[arg(long, value_name = "FILE", global = true)]
    profile: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Action {
    /// Make this device known to a collection server, with a code that works once.
    Enroll {
        /// The server [default: telemetry.url of the profile].
        #[arg(long, value_name = "URL")]
        url: Option<String>,
        /// The code: from the server's Admin page, or `earwitness collect code`.
        #[arg(long, env = "EARWITNESS_ENROLMENT_CODE", hide_env_values = true)]
        code: String,
        /// Its name on the server [default: telemetry.device_id, or the machine's name].
        #[arg(long, value_name = "NAME")]
        device_id: Option<String>,
    },
    /// How many records wait, since when, and how many were lost.
    Status,
    /// Print the next records as they would be sent.
    Show,
    /// Send what waits.
    Flush {
        /// For at most so long, seconds.
        #[arg(long, default_value_t = 60, value_name = "SECONDS")]
        within_s: u64,
    },
    /// Delete what waits here, and everything that the server has from this device.
    Erase {
        /// Really.
        #[arg(long)]
        yes: bool,
    },
}

pub fn run(args: &Args) -> Result<()> {
    let profile = match &args.profile {
        Some(path) => Profile::read(path)?,
        None => Profile::default(),
    };
    match &args.action {
        Action::Enroll { url, code, device_id } => join(&profile, url.as_deref(), code, device_id.as_deref()),
        Action::Status => status(&profile),
        Action::Show => show(&profile),
        Action::Flush { within_s } => flush(&profile, Duration::from_secs(*within_s)),
        Action::Erase { yes } => erase_all(&profile, *yes),
    }
}

fn join(profile: &Profile, url: Option<&str>, code: &str, device_id: Option<&str>) -> Result<()> {
    let url = url.unwrap_or(&profile.telemetry.url);
    if url.is_empty() {
        let message = "which server? give --url, or a profile with `[telemetry] url`";
        return Err(CliError::new(Exit::Usage, message).into());
    }
    let name = match device_id {
        Some(name) => name.to_owned(),
        None => reporting::device_id(profile)?,
    };
    eprint_line(&format!("Asking {url} to take this device as `{name}`."));
    let enrolled = runtime::enroll(profile, url, code, Some(&name))?;
    print_line(&json!({ "device_id": enrolled.device_id, "token_file": enrolled.token_file }).to_string())?;
    if profile.telemetry.url.is_empty() {
        eprint_line(&format!("To report, add to the device's profile: [telemetry] url = \"{url}\""));
    }
    Ok(())
}

fn status(profile: &Profile) -> Result<()> {
    let outbox = Outbox::open(profile)?;
    let (journal, clips) = (outbox.journal.stats(), outbox.clips.stats());
    let line = json!({
        "url": profile.telemetry.url, "folder": reporting::folder(profile)?,
        "stream_id": journal.stream_id, "last_sequence": journal.last_sequence, "high_water": journal.high_water,
        "records": journal.records, "bytes": journal.bytes, "max_bytes": journal.max_bytes,
        "lost_records": journal.lost, "oldest_unix_ms": journal.oldest_unix_ms, "clips": clips.clips,
        "unreadable_clips": clips.unreadable, "lost_clips": clips.lost,
    });
    Ok(print_line(&line.to_string())?)
}

fn show(profile: &Profile) -> Result<()> {
    let outbox = Outbox::open(profile)?;
    if let Some(batch) = outbox.journal.next_batch(reporting::now_unix_ms())? {
        let sent: serde_json::Value = serde_json::from_slice(&zstd::decode_all(&*batch.wire)?)?;
        for record in sent["records"].as_array().into_iter().flatten() {
            print_line(&record.to_string())?;
        }
    }
    Ok(())
}

fn flush(profile: &Profile, within: Duration) -> Result<()> {
    if runtime::do_not_track() {
        return Err(CliError::new(Exit::Usage, "DO_NOT_TRACK is set: nothing is sent").into());
    }
    let settings = reporting::settings(profile)?;
    let host = settings.host();
    let outbox = Outbox::open_to_send(profile, &mut eprint_line)?;
    let (journal, clips) = (outbox.journal.clone(), outbox.clips.clone());
    let uploader =
        Uploader::start(settings, journal, Some(clips), reporting::metered(profile), reporting::told)?;
    let all = uploader.flush(within);
    let (records, clips) = (outbox.journal.stats().records, outbox.clips.stats().clips);
    match all {
        true => Ok(()),
        false => {
            let message = format!(
                "{records} records and {clips} recordings still wait for {host}: run with -v to see why"
            );
            Err(CliError::new(Exit::Network, message).into())
        }
    }
}

fn erase_all(profile: &Profile, yes: bool) -> Result<()> {
    if !yes {
        let message =
            "this deletes everything that this device recorded for the server, there and here: say --yes";
        return Err(CliError::new(Exit::Usage, message).into());
    }
    Ok(print_line(&runtime::erase(profile)?.to_string())?)
}
