//! `earwitness listen`: the microphone, or a recording replayed as if spoken now, to text.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use earwitness::asr::Recognizer;
#[cfg(feature = "capture")]
use earwitness::audio::capture::Microphone;
use earwitness::audio::{AudioSource, FileSource, LevelWarning, Replay};
use earwitness::config::Profile;
use earwitness::models::ModelStore;
use earwitness::pipeline::{Event, Pipeline, RunSummary, ShadowComparison, StopSignal, UtteranceResult};
use earwitness::scoring::{DiffCell, DiffRow, EnglishNormalizer, diff_texts};

use super::act::{Act, ActArgs};
use super::engine::{EngineArgs, endpointer};
use super::exit::{self, CliError, Exit};
use super::routing::Routing;
use super::waits::Waits;

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
shadow {utterance, engine, edits, primary_ms, shadow_ms, ...}, gap {at, lost_samples}, level {at, warning}, and last
summary {...}.")]
pub struct Args {
    /// Replay a recording in real time instead of listening to a microphone.
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// How fast to replay: 1 is real time.
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR", requires = "input")]
    pace: f64,
    /// Microphone: its id or part of its name (`earwitness devices`).
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
        Some(file) => Source::Recording(Box::new(FileSource::open(file, profile.channels())?)),
        None => Source::microphone(args, &profile)?,
    };
    let mut endpointer = endpointer(&profile, &ModelStore::open_default()?)?;
    let mut routing = Routing::live(&profile, &args.engine)?;
    let mut local = match routing.uses_local() {
        true => Some(args.engine.recognizer(&profile)?.0),
        false => None,
    };
    let stop = stop_on_interrupt()?;
    let (source, from) = source.open(args)?;
    exit::eprint_line(&format!("Listening to {from}. Ctrl-C ends."));
    let style =
        Style { json: args.json || args.format == "jsonl", partials: args.partials, latency: args.latency };
    let options = profile.pipeline_options(true, style.partials);
    let engines = routing.engines(local.as_mut().map(|local| local as &mut dyn Recognizer));
    let pipeline = Pipeline::with_engines(&mut endpointer, engines, options);
    let act = Act::start(&args.act, &profile, style.json)?;
    let summary = listen(pipeline, source, &style, Some(act), &stop)?;
    if let Some(file) = &args.input {
        super::transcribe::warn_of_faults(file, &summary.faults);
    }
    match summary.failed {
        0 => Ok(()),
        n => Err(CliError::new(Exit::Internal, format!("{n} utterances could not be transcribed")).into()),
    }
}

impl Args {
    /// The profile with these flags applied.
    fn profile(&self) -> Result<Profile> {
        let mut profile = self.engine.profile()?;
        profile.spool.keep |= self.keep;
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

/// What is listened to, before it is opened.
enum Source {
    Recording(Box<FileSource>),
    #[cfg(feature = "capture")]
    Microphone(Microphone),
}

impl Source {
    #[cfg(feature = "capture")]
    fn microphone(args: &Args, profile: &Profile) -> Result<Self> {
        let name = args.device.as_deref().unwrap_or(&profile.capture.device);
        let microphone = Microphone::new().channel(profile.channels());
        Ok(Self::Microphone(if name.is_empty() { microphone } else { microphone.try_device(name)? }))
    }

    #[cfg(not(feature = "capture"))]
    fn microphone(_args: &Args, _profile: &Profile) -> Result<Self> {
        let message =
            "this build has no microphone capture: use --input FILE, or build with `--features capture`";
        Err(CliError::new(Exit::Usage, message).into())
    }

    /// The running source and what to call it.
    fn open(self, args: &Args) -> Result<(Box<dyn AudioSource>, String)> {
        match self {
            Self::Recording(source) => {
                let name = args.input.as_ref().map_or_else(String::new, |file| file.display().to_string());
                Ok((Box::new(Replay::new(*source, args.pace)), name))
            }
            #[cfg(feature = "capture")]
            Self::Microphone(microphone) => {
                let source = microphone.open()?;
                let name = source.device_id().to_owned();
                Ok((Box::new(source), name))
            }
        }
    }
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

/// What is printed.
pub struct Style {
    pub json: bool,
    pub partials: bool,
    pub latency: bool,
}

/// Runs the pipeline on a live source and prints as it goes.
pub fn listen(
    pipeline: Pipeline<'_, '_>,
    source: Box<dyn AudioSource>,
    style: &Style,
    act: Option<Act>,
    stop: &StopSignal,
) -> Result<RunSummary> {
    let mut printer = Printer {
        style,
        on_line: false,
        terminal: std::io::stderr().is_terminal(),
        failed: None,
        waits: Waits::default(),
    };
    let summary = pipeline.run(source, stop, &mut |event| {
        if let Some(act) = &act {
            act.hear(&event);
        }
        if printer.failed.is_none()
            && let Err(error) = printer.print(&event)
        {
            printer.failed = Some(error);
            stop.stop();
        }
    })?;
    if let Some(error) = printer.failed {
        return Err(anyhow::Error::new(error).context("writing to stdout"));
    }
    if let Some(act) = act {
        act.finish(style.json).context("writing to stdout")?;
    }
    if style.json {
        let mut line = serde_json::to_value(&summary)?;
        line["event"] = "summary".into();
        print_line(&line.to_string())?;
    }
    if style.latency {
        printer.waits.report(&summary);
    }
    report_losses(&summary);
    Ok(summary)
}

struct Printer<'a> {
    style: &'a Style,
    /// A partial stands on the terminal's current line.
    on_line: bool,
    terminal: bool,
    failed: Option<std::io::Error>,
    waits: Waits,
}

impl Printer<'_> {
    fn print(&mut self, event: &Event) -> std::io::Result<()> {
        if let Event::Final(result) = event {
            self.waits.add(result);
        }
        if self.style.json {
            return print_line(&serde_json::to_string(event)?);
        }
        match event {
            Event::Partial { text, committed, .. } if self.style.partials => {
                self.show_partial(committed, &text[committed.len()..]);
            }
            Event::Final(result) => {
                self.clear_partial();
                if !result.text.is_empty() {
                    return print_line(&self.line(result));
                }
            }
            Event::Recovered(kept) | Event::Upgraded(kept) => {
                self.clear_partial();
                if !kept.text.is_empty() && kept.previous_text.as_ref() != Some(&kept.text) {
                    return print_line(&kept.text);
                }
            }
            Event::Shadow(comparison) => {
                self.clear_partial();
                exit::eprint_line(&side_by_side(comparison));
            }
            Event::Hop { host, seconds, .. } => tracing::info!("{seconds:.1} s of audio go to {host}"),
            Event::Deferred { start, end, error, .. } => {
                tracing::warn!("{start:.1} to {end:.1} s waits in the spool: {error}");
            }
            Event::Rejected { id, error } => tracing::error!("{id}: {error}"),
            Event::NotKept { error } => tracing::error!("an utterance is not kept: {error}"),
            Event::Failed { error, .. } => tracing::error!("{error}"),
            Event::Dropped { start, end, .. } => {
                tracing::warn!(
                    "{start:.1} to {end:.1} s was not transcribed: the recognizer is too far behind"
                );
            }
            Event::Gap { at, lost_samples } => {
                tracing::warn!("{lost_samples} samples were lost at {at:.1} s");
            }
            Event::Level { warning, .. } => tracing::warn!("{}", advice(*warning)),
            Event::SpeechStarted { .. } | Event::SpeechEnded { .. } | Event::Partial { .. } => {}
        }
        Ok(())
    }

    fn line(&self, result: &UtteranceResult) -> String {
        if !self.style.latency {
            return result.text.clone();
        }
        let latency = result.latency_ms.unwrap_or_default();
        format!(
            "[{:7.2} - {:7.2} s, {latency:5.0} ms after speech] {}",
            result.start, result.end, result.text
        )
    }

    /// Partials are for people: on stderr, each in place of the one before. What may change is dim.
    fn show_partial(&mut self, committed: &str, open: &str) {
        let mut err = std::io::stderr();
        let hidden = (committed.chars().count() + open.chars().count()).saturating_sub(LINE_WIDTH);
        let (shown, rest) = (from_char(committed, hidden), committed.chars().count());
        let open_shown = from_char(open, hidden.saturating_sub(rest));
        // A partial that cannot be shown is not worth an error.
        let _ = match self.terminal {
            true => write!(err, "\r\x1b[K{shown}\x1b[2m{open_shown}\x1b[0m").and_then(|()| err.flush()),
            false => writeln!(err, "... {committed}{open}"),
        };
        self.on_line = self.terminal;
    }

    fn clear_partial(&mut self) {
        if self.on_line {
            let mut err = std::io::stderr();
            let _ = write!(err, "\r\x1b[K").and_then(|()| err.flush());
            self.on_line = false;
        }
    }
}

/// Characters of a partial that are shown, so that it stays on one line.
const LINE_WIDTH: usize = 76;

/// `text` without its first `n` characters.
fn from_char(text: &str, n: usize) -> &str {
    text.char_indices().nth(n).map_or("", |(at, _)| &text[at..])
}

pub fn print_line(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// What the shadow heard beside what was answered, differing words in brackets.
fn side_by_side(comparison: &ShadowComparison) -> String {
    let edits = comparison.disagreement.edits.errors();
    let model = &comparison.engine.model;
    let (Some(primary), Some(shadow)) = (&comparison.primary_text, &comparison.shadow_text) else {
        return format!("shadow {model}: {edits} edits");
    };
    if edits == 0 {
        return format!("shadow {model} agrees ({:.0} ms)", comparison.shadow_ms);
    }
    let rows = diff_texts(&EnglishNormalizer, None, primary, shadow);
    let line = |pick: fn(&DiffRow) -> Option<&DiffCell>| -> String {
        let words = rows.iter().filter_map(|row| {
            let word = pick(row)?.word.as_ref()?;
            Some(if row.differs() { format!("[{word}]") } else { word.clone() })
        });
        words.collect::<Vec<_>>().join(" ")
    };
    format!(
        "shadow {model}: {edits} edits ({:.0} ms)\n  primary  {}\n  shadow   {}",
        comparison.shadow_ms,
        line(|row| row.a.as_ref()),
        line(|row| row.b.as_ref())
    )
}

fn advice(warning: LevelWarning) -> &'static str {
    match warning {
        LevelWarning::DigitalSilence => {
            "the input is silent to the last bit: is the microphone muted, unplugged, or another device chosen? See `earwitness devices`"
        }
        LevelWarning::VeryQuiet => "the voice is very quiet: turn the microphone up or come closer",
        LevelWarning::Clipping => "the input is clipping: turn the microphone down",
    }
}

fn report_losses(summary: &RunSummary) {
    if let Some(shadow) = &summary.shadow {
        let rate =
            shadow.disagreement.rate().map_or_else(|| "-".to_owned(), |r| format!("{:.1} %", r * 100.0));
        exit::eprint_line(&format!(
            "Shadow: {} utterances compared, {} skipped, {} failed; {rate} of words differ.",
            shadow.compared, shadow.skipped, shadow.failed
        ));
    }
    if summary.deferred > summary.recovered {
        let waiting = summary.deferred - summary.recovered;
        tracing::warn!("{waiting} utterances wait in the spool: `earwitness spool retry` sends them");
    }
    if summary.dropped > 0 {
        tracing::warn!(
            "{} utterances were not transcribed because the recognizer was behind: use a smaller model",
            summary.dropped
        );
    }
    if summary.faults.lost_samples > 0 {
        tracing::warn!("{} samples were lost by the source", summary.faults.lost_samples);
    }
}
