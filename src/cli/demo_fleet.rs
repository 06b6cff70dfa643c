//! `earwitness demo --fleet`: three simulated devices, a collection server and its dashboard, all on this machine.

mod device;
mod folder;
mod member;
mod part;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::ProgressBar;
use serde_json::json;

use self::device::{DEVICES, NEEDED};
use self::folder::Folder;
use self::member::Member;
pub use self::part::end_with_parent;
use self::part::{Part, ask};
use super::exit::{CliError, Exit, eprint_line};
use super::models;
use super::printer::print_line;
use earwitness::runtime::do_not_track;

/// How long the server may take to listen: a database is made first.
const SERVER_STARTS_WITHIN: Duration = Duration::from_secs(60);
/// How long devices may take for their last words: an utterance, its shadow, 5 s of sending.
const DEVICES_END_WITHIN: Duration = Duration::from_secs(20);
/// The server gives requests under way 10 s.
const SERVER_ENDS_WITHIN: Duration = Duration::from_secs(12);
/// A second Ctrl-C this long after the first one waits for nobody; sooner, it is the same one.
const IMPATIENCE: Duration = Duration::from_secs(1);

/// Flags of the fleet.
#[derive(clap::Args)]
pub struct FleetArgs {
    /// Show the whole loop instead: three simulated devices, the collection server, its dashboard, until Ctrl-C.
    #[arg(long, conflicts_with_all = [
        "model", "profile", "language", "translate", "task", "initial_prompt", "word_timestamps", "no_timestamps",
        "temperature", "precision", "context", "detector", "channel", "threads", "partials",
    ])]
    pub fleet: bool,
    /// Where the dashboard is, on this machine; port 0 for any that is free.
    #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDRESS:PORT", requires = "fleet")]
    listen: SocketAddr,
    /// Where server and devices keep their data; used again if it is there [default: a new one, deleted at the end].
    #[arg(long, value_name = "FOLDER", requires = "fleet")]
    folder: Option<PathBuf>,
    /// End by itself after so many seconds.
    #[arg(long, value_name = "SECONDS", requires = "fleet")]
    for_s: Option<u64>,
    /// How fast devices hear: 1 is real time.
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR", requires = "fleet")]
    pace: f64,
    /// Print one JSON object on stdout once all is up: {url, admin_key, devices}.
    #[arg(long, requires = "fleet")]
    json: bool,
}

pub fn run(args: &FleetArgs) -> Result<()> {
    args.check()?;
    models::install_missing(&NEEDED.map(str::to_owned))?;
    let asked = Asked::listen()?;
    // Dropped in the opposite order: devices, server, folder.
    let folder = Folder::open(args.folder.as_deref())?;
    let collector = folder.argument("collector")?;
    let line = ProgressBar::new_spinner();
    let key = ask(&["collect", "appoint", "admin", "--role", "admin", "--folder", &collector], None)?;
    let (mut server, url) = serve(args.listen, &collector, &line)?;
    let mut fleet = enrolled(&folder, &collector, &url)?;
    announce(args, &url, &key)?;
    let until = args.for_s.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    while !asked.stop.load(Ordering::Relaxed) && until.is_none_or(|until| Instant::now() < until) {
        if let Some(status) = server.ended()? {
            return Err(
                CliError::new(Exit::Internal, format!("the collection server ended: {status}")).into()
            );
        }
        for member in &mut fleet {
            member.look_after(args.pace, &line)?;
        }
        line.set_message(progress(&fleet));
        line.tick();
        thread::sleep(Duration::from_millis(100));
    }
    line.set_message("Ending: the last words are sent. Ctrl-C again does not wait for them.");
    line.tick();
    fleet.iter_mut().for_each(Member::ask_to_end);
    let deadline = Instant::now() + DEVICES_END_WITHIN;
    fleet.iter_mut().for_each(|member| member.end_by(deadline, &asked.hurry));
    server.ask_to_end();
    server.end_by(Instant::now() + SERVER_ENDS_WITHIN, &asked.hurry);
    line.finish_and_clear();
    eprint_line(&format!("Ended. {}. Nothing left this machine.", progress(&fleet)));
    if !folder.scratch {
        eprint_line(&format!("Its data are in {}: start again with it to go on.", folder.path.display()));
    }
    Ok(())
}

/// The devices, known to the server at `url`.
fn enrolled(folder: &Folder, collector: &str, url: &str) -> Result<Vec<Member>> {
    let enrol = |device: &'static device::Device| {
        let prepared = device.prepare(&folder.path, url)?;
        if !prepared.token.exists() {
            let code = ask(&["collect", "code", "--folder", collector], None)?;
            let profile = prepared.profile.to_str().context("the folder's name is not Unicode")?;
            ask(&["telemetry", "enroll", "--profile", profile], Some(("EARWITNESS_ENROLMENT_CODE", &code)))?;
        }
        Ok(Member::new(device, prepared))
    };
    DEVICES.iter().map(enrol).collect()
}

/// What the user asks for.
struct Asked {
    stop: Arc<AtomicBool>,
    hurry: Arc<AtomicBool>,
}

impl Asked {
    /// From now on Ctrl-C and SIGTERM end the demonstration, not the process: none of its own shall be left behind.
    fn listen() -> Result<Self> {
        let (stop, hurry) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let asked = Self { stop: stop.clone(), hurry: hurry.clone() };
        let mut first: Option<Instant> = None;
        ctrlc::set_handler(move || {
            stop.store(true, Ordering::Relaxed);
            if first.get_or_insert_with(Instant::now).elapsed() > IMPATIENCE {
                hurry.store(true, Ordering::Relaxed);
            }
        })
        .context("installing the Ctrl-C handler")?;
        Ok(asked)
    }
}

impl FleetArgs {
    fn check(&self) -> Result<()> {
        let wrong = |why: &str| Err(CliError::new(Exit::Usage, why).into());
        if !(0.01..=1000.0).contains(&self.pace) {
            return wrong("--pace must be from 0.01 to 1000");
        }
        if !self.listen.ip().is_loopback() {
            return wrong("the demonstration stays on this machine: --listen 127.0.0.1:PORT");
        }
        if do_not_track() {
            return wrong(
                "DO_NOT_TRACK is set, so devices report nothing: unset it to see them report to this machine",
            );
        }
        Ok(())
    }
}

fn announce(args: &FleetArgs, url: &str, key: &str) -> Result<()> {
    let names = DEVICES.each_ref().map(|device| device.name);
    eprint_line(&format!(
        "\nDashboard: {url}\nLog in as `admin` with this access key: {key}\n\
         {} hear recorded readings with tiny.en; base listens along and is compared. {}.\n",
        names.join(", "),
        match args.for_s {
            Some(seconds) => format!("It ends after {seconds} s; Ctrl-C ends it sooner"),
            None => "Ctrl-C ends it".to_owned(),
        },
    ));
    if args.json {
        print_line(&json!({ "url": url, "admin_key": key, "devices": names }).to_string())?;
    }
    Ok(())
}

fn progress(fleet: &[Member]) -> String {
    format!("Utterances: {}", fleet.iter().map(Member::progress).collect::<Vec<_>>().join(", "))
}

/// Starts the server; it and its address.
fn serve(listen: SocketAddr, folder: &str, line: &ProgressBar) -> Result<(Part, String)> {
    let (sender, up) = sync_channel(1);
    let line = line.clone();
    let said = move |text: &str| {
        let address = text.strip_prefix("Collecting on ").and_then(|rest| rest.strip_suffix("/."));
        match address {
            Some(address) => drop(sender.try_send(address.to_owned())),
            None => line.suspend(|| eprint_line(&format!("server: {text}"))),
        }
    };
    let listen = listen.to_string();
    // People are asked about every pair that differs: a demonstration has few.
    let server = Part::start(
        &[
            "collect",
            "--listen",
            &listen,
            "--folder",
            folder,
            "--judge-per-edit",
            "1",
            "--judge-agreeing",
            "0.2",
            "--silent-after-s",
            "60",
        ],
        |_| {},
        said,
    )?;
    match up.recv_timeout(SERVER_STARTS_WITHIN) {
        Ok(url) => Ok((server, url)),
        Err(RecvTimeoutError::Disconnected) => Err(CliError::new(
            Exit::Network,
            "the collection server did not start; see above, or try --listen",
        )
        .into()),
        Err(RecvTimeoutError::Timeout) => {
            Err(CliError::new(Exit::Internal, "the collection server does not listen").into())
        }
    }
}
