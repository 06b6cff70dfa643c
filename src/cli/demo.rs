//! `earwitness demo`: the whole on-device pipeline on a recorded reading, at real-time pace. With `--fleet`, all around it.

use std::time::Instant;

use anyhow::Result;
use earwitness::audio::{FileSource, Replay};
use earwitness::config::DetectorKind;
use earwitness::models::ModelStore;
use earwitness::pipeline::Pipeline;

use super::engine::EngineArgs;
use super::listen::{listen, stop_on_interrupt};
use super::printer::Style;
use super::{exit, models};

/// The recording: a reading of 44 s, from the model catalogue.
const READING: &str = "two-cities";

#[cfg(all(feature = "collect", feature = "telemetry"))]
const EXAMPLES: &str = "\
Examples:
  earwitness demo
  earwitness demo --model base --partials
  earwitness demo --fleet                      devices, collection server, dashboard: the whole loop, here
  earwitness demo --fleet --pace 4 --for-s 120

Once the models are installed it needs no network.";
#[cfg(not(all(feature = "collect", feature = "telemetry")))]
const EXAMPLES: &str = "\
Examples:
  earwitness demo
  earwitness demo --model base --partials

Once the models are installed it needs no network.";

/// Install what is missing, then hear a recorded reading as if it were spoken now.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Show what an unfinished utterance sounds like so far.
    #[arg(long)]
    partials: bool,
    #[command(flatten)]
    engine: EngineArgs,
    #[cfg(all(feature = "collect", feature = "telemetry"))]
    #[command(flatten)]
    fleet: super::demo_fleet::FleetArgs,
}

pub fn run(args: &Args) -> Result<()> {
    #[cfg(all(feature = "collect", feature = "telemetry"))]
    if args.fleet.fleet {
        return super::demo_fleet::run(&args.fleet);
    }
    let begin = Instant::now();
    let profile = args.engine.profile()?;
    let mut needed = vec![READING.to_owned()];
    if profile.vad.detector == DetectorKind::Silero {
        needed.push(profile.vad.model.clone());
    }
    if !std::path::Path::new(&profile.whisper.model).exists() {
        needed.push(profile.whisper.model.clone());
    }
    models::install_missing(&needed)?;
    let file = ModelStore::open_default()?.locate(READING)?;
    let source = FileSource::open(&file, profile.channels())?;
    let mut engine = args.engine.load()?;
    let stop = stop_on_interrupt()?;
    exit::eprint_line(&format!(
        "Ready in {:.1} s. A recorded reading of {:.0} s is replayed as if spoken now; each line shows when it was \
         said and how long after the end of speech its text was there.",
        begin.elapsed().as_secs_f64(),
        earwitness::audio::AudioSource::duration_hint(&source).map_or(0.0, |d| d.as_secs_f64()),
    ));
    let style = Style { json: false, partials: args.partials, latency: true };
    let options = engine.profile.pipeline_options(true, args.partials);
    let pipeline = Pipeline::new(&mut engine.endpointer, &mut engine.recognizer, options);
    let summary = listen(pipeline, Box::new(Replay::new(source, 1.0)), &style, None, None, None, &stop)?;
    exit::eprint_line(&format!(
        "{} utterances, {:.1} s of speech in {:.1} s of audio; recognition took {:.1} s, detection {:.0} ms. Nothing left this device.",
        summary.utterances,
        summary.speech_s,
        summary.audio_s,
        summary.timings.recognize_ms / 1e3,
        summary.vad_ms,
    ));
    Ok(())
}
