//! `earwitness listen`: the microphone, or a recording replayed as if spoken now, to text.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use earwitness::asr::Recognizer;
use earwitness::audio::AudioSource;
use earwitness::config::Profile;
use earwitness::models::ModelStore;
use earwitness::pipeline::{Pipeline, RunSummary, StopSignal};
use earwitness::runtime::{Outlet, Routing, RunRecorder, Thermal, do_not_track};

use super::act::{Act, ActArgs};
use super::engine::EngineArgs;
use super::exit::{self, CliError, Exit};
use super::printer::{Printer, Style, print_line};
use super::service::{Manager, Watched};
use super::source::Source;

/// Transcribe the microphone until Ctrl-C, or a recording at real-time pace through the same path.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  earwitness listen
  earwitness listen --device usb --partials
  earwitness listen -f jsonl | jq -r 'select(.event == \"final\").text'
  earwitness listen --input meeting.flac --latency
  earwitness listen --keep
  earwitness listen --shadow base
  earwitness listen --action http://127.0.0.1:9000/search --feedback

Events in jsonl (one object a line, its kind in `event`; times in seconds since listening began):
speech_started {at}, partial {utterance, text, committed}, speech_ended {utterance, start, end, end_reason, id?},
final {utterance, start, end, speech_end, text, outcome, segments, engine, route, reason, confidence, cost?, id?,
upgrade_pending, latency_ms, after_endpoint_ms, speculative, timings, ...}, hop {utterance, host, seconds, cost},
failed, dropped {utterance, start, end}, deferred {utterance, start, end, id, error},
recovered and upgraded {id, kept_unix_ms, text, previous_text?, ...}, rejected {id, error}, not_kept {error},
action {utterance, target, ms, result_count, results, error?}, feedback {utterance, feedback},
shadow {utterance, engine, edits, primary_ms, shadow_ms, ...}, shadow_failed {utterance, error}, gap {at, lost_samples}, level {at, warning}, and last
summary {...}.")]
pub struct Args {
    /// Replay a recording in real time instead of listening to a microphone.
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// How fast to replay: 1 is real time.
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR", requires = "input")]
    pace: f64,
    /// Microphone: its id or name, or a part of them that only one has (`earwitness devices`).
    #[arg(short, long, value_name = "NAME", conflicts_with = "input")]
    device: Option<String>,
    /// Show what an unfinished utterance sounds like so far.
    #[arg(long)]
    partials: bool,
    /// Show each utterance's time and the wait from the end of speech to its text, and at the end how long it was.
    #[arg(long)]
    latency: bool,
    /// Keep every utterance on disk before it is recognized, and after (`earwitness spool list`).
    #[arg(long)]
    keep: bool,
    /// Keep every utterance on disk until it is answered: a stop or a loss of power loses none.
    #[arg(long)]
    keep_unanswered: bool,
    /// Where utterances are kept [default: in the user's data folder].
    #[arg(long, value_name = "FOLDER")]
    spool: Option<PathBuf>,
    /// Let a second model hear the same utterances later, and show where it differs; `cloud` for the profile's API.
    #[arg(long, value_name = "MODEL")]
    shadow: Option<String>,
    /// Begin to recognize only when an utterance has ended for sure: less work, later text.
    #[arg(long)]
    no_speculation: bool,
    /// `text`, or `jsonl` for every event.
    #[arg(short = 'f', long, value_parser = ["text", "jsonl"], default_value = "text")]
    format: String,
    /// The same as `--format jsonl`.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    act: ActArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

pub fn run(args: &Args) -> Result<()> {
    if !(0.01..=1000.0).contains(&args.pace) {
        return Err(CliError::new(Exit::Usage, "--pace must be from 0.01 to 1000").into());
    }
    let profile = args.profile()?;
    // The source first: a wrong name or file is known before the model is loaded. It is opened last: what a
    // microphone hears while a model loads would be lost.
    let source = match &args.input {
        Some(file) => Source::recording(file, args.pace, &profile)?,
        None => Source::microphone(args.device.as_deref(), &profile)?,
    };
    let models = ModelStore::open_default()?;
    let setup = args.engine.setup(&profile, &models);
    let mut endpointer = setup.endpointer()?;
    let mut routing = Routing::live(&setup, &mut exit::eprint_line)?;
    let mut local = match routing.uses_local() {
        true => Some(setup.recognizer()?.0),
        false => None,
    };
    let stop = stop_on_interrupt()?;
    let (source, from) = source.open()?;
    exit::eprint_line(&format!("Listening to {from}. Ctrl-C ends."));
    let mut watched = Watched::new(Manager::of_environment(), &from, &stop);
    let source = watched.source(source);
    let style =
        Style { json: args.json || args.format == "jsonl", partials: args.partials, latency: args.latency };
    let mut options = profile.pipeline_options(true, style.partials);
    options.keep_input &= !do_not_track();
    let _thermal = Thermal::watch(&profile.thermal, &options.relief);
    let mut run = profile.recorder_options(
        &profile_name(args.engine.profile.as_deref()),
        &local.as_ref().map_or_else(|| "cloud".to_owned(), |local| local.engine().to_string()),
    );
    run.replayed = args.input.is_some();
    run.shadow_engine = routing.shadow_engine();
    let engines = routing.engines(local.as_mut().map(|local| local as &mut dyn Recognizer));
    let pipeline = Pipeline::with_engines(&mut endpointer, engines, options);
    // Until the end of this function: it sends for a few seconds what waits.
    let outlet = Outlet::open(&profile, &run.profile, &mut exit::eprint_line)?;
    let reporting = outlet.as_ref().map(|outlet| outlet.recorder(run)).transpose()?;
    let desk = reporting.as_ref().map(RunRecorder::desk);
    let act = Act::start(&args.act, &profile, style.json, desk)?;
    let summary = listen(pipeline, source, &style, Some(act), reporting.as_ref(), Some(&mut watched), &stop);
    // What was recorded until a failure is sent, too.
    if let Some(reporting) = reporting {
        reporting.end(summary.as_ref().unwrap_or(&RunSummary::default()));
    }
    let summary = summary?;
    if let Some(file) = &args.input {
        super::transcribe::warn_of_faults(file, &summary.faults);
    }
    match summary.failed {
        0 => Ok(()),
        // One of thousands in a year does not make a stop a failure.
        n if args.input.is_none() => {
            tracing::warn!("{n} utterances could not be transcribed");
            Ok(())
        }
        n => Err(CliError::new(Exit::Internal, format!("{n} utterances could not be transcribed")).into()),
    }
}

impl Args {
    /// The profile with these flags applied.
    fn profile(&self) -> Result<Profile> {
        let mut profile = self.engine.profile()?;
        profile.spool.keep |= self.keep || self.keep_unanswered;
        // Who asks for both gets more.
        profile.spool.keep_answered &= self.keep || !self.keep_unanswered;
        if let Some(folder) = &self.spool {
            profile.spool.folder.clone_from(folder);
        }
        if let Some(shadow) = &self.shadow {
            profile.shadow.engine.clone_from(shadow);
            // Who asks on this very screen may see it there.
            profile.consent.shadow_text = true;
            if shadow == "cloud" && !profile.consent.cloud_audio {
                let message =
                    "`--shadow cloud` sends audio away: the profile must say `consent.cloud_audio = true`";
                return Err(CliError::new(Exit::Config, message).into());
            }
        }
        if self.no_speculation {
            profile.pipeline.speculate_after_ms = 0;
        }
        Ok(profile)
    }
}

/// A name for the profile: its file's, without folder and ending.
fn profile_name(file: Option<&Path>) -> String {
    let stem = file.and_then(|file| file.file_stem()).map(|stem| stem.to_string_lossy().into_owned());
    stem.unwrap_or_else(|| "default".to_owned())
}

/// A second Ctrl-C this long after the first ends the process at once; sooner, it is the same one,
/// sent to the process and to its group.
const IMPATIENCE: Duration = Duration::from_secs(1);

/// Ctrl-C ends the run cleanly; a later second one ends the process.
pub fn stop_on_interrupt() -> Result<StopSignal> {
    let stop = StopSignal::default();
    let handler = stop.clone();
    let mut first: Option<Instant> = None;
    ctrlc::set_handler(move || match first {
        Some(first) if first.elapsed() > IMPATIENCE => std::process::exit(130),
        Some(_) => {}
        None => {
            first = Some(Instant::now());
            handler.stop();
        }
    })
    .context("installing the Ctrl-C handler")?;
    Ok(stop)
}

/// Runs the pipeline on a live source and prints as it goes.
pub fn listen(
    pipeline: Pipeline<'_, '_>,
    source: Box<dyn AudioSource>,
    style: &Style,
    act: Option<Act>,
    reporting: Option<&RunRecorder>,
    mut watched: Option<&mut Watched>,
    stop: &StopSignal,
) -> Result<RunSummary> {
    let mut printer = Printer::new(style);
    let summary = pipeline.run(source, stop, &mut |event| {
        if let Some(watched) = &mut watched {
            watched.hear(&event);
        }
        if let Some(act) = &act {
            act.hear(&event);
        }
        if let Some(reporting) = reporting {
            reporting.hear(&event);
        }
        if printer.failed.is_none()
            && let Err(error) = printer.print(&event)
        {
            printer.failed = Some(error);
            stop.stop();
        }
    })?;
    if let Some(error) = printer.failed.take() {
        return Err(anyhow::Error::new(error).context("writing to stdout"));
    }
    if let Some(act) = act {
        act.finish().context("writing to stdout")?;
    }
    if style.json {
        let mut line = serde_json::to_value(&summary)?;
        line["event"] = "summary".into();
        print_line(&line.to_string())?;
    }
    printer.finish(&summary);
    Ok(summary)
}
