//! `earwitness bench`: speed and memory of a model on this machine.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::Result;
use earwitness::audio::{FileSource, read_all, seconds_of};
use earwitness::models::ModelStore;
use earwitness::pipeline::{StageTimings, recognize};
use earwitness::utterance::Utterance;
use serde::Serialize;

use super::engine::EngineArgs;
use super::exit::{CliError, Exit};
use super::formats::{print, table};
use super::resources::{cpu_features, peak_rss_mib};

/// Measure load time, the time of each stage, and peak memory, on a recording.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  earwitness bench
  earwitness bench --model base --seconds 5 --json
  earwitness bench my-voice.wav --runs 9

Times are medians over the runs, after one run that is not counted.")]
pub struct Args {
    /// A recording [default: the installed `two-cities` reading].
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Use this much of the recording, at most 30.
    #[arg(long, default_value_t = 10.0, value_name = "S")]
    seconds: f64,
    /// Counted runs.
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// One JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

#[derive(Serialize)]
struct Report {
    engine: String,
    cpu_features: Vec<&'static str>,
    cores: usize,
    audio_s: f64,
    runs: u32,
    load_ms: f64,
    vad_ms: f64,
    log_mel_ms: f64,
    encode_ms: f64,
    decode_ms: f64,
    total_ms: f64,
    rtf: f64,
    peak_rss_mib: Option<f64>,
}

pub fn run(args: &Args) -> Result<()> {
    use earwitness::asr::Recognizer;
    if !(0.1..=30.0).contains(&args.seconds) {
        return Err(CliError::new(Exit::Usage, "--seconds must be from 0.1 to 30").into());
    }
    let file = match &args.file {
        Some(file) => file.clone(),
        None => ModelStore::open_default()?.locate("two-cities")?,
    };
    let mut engine = args.engine.load()?;
    let mut samples = read_all(&mut FileSource::open(&file, engine.channels())?)?;
    samples.truncate((args.seconds * 16_000.0) as usize);
    let utterance = Utterance::whole(0, samples);

    let mut stages = Vec::new();
    let mut vad = Vec::new();
    for run in 0..=args.runs {
        let begin = Instant::now();
        engine.endpointer.push(&utterance.samples, &mut |_| {});
        engine.endpointer.finish(&mut |_| {});
        let vad_ms = begin.elapsed().as_secs_f64() * 1e3;
        let (_, timings) = recognize(&mut engine.recognizer, &utterance, &AtomicBool::new(false))?;
        if run > 0 {
            vad.push(vad_ms);
            stages.push(timings);
        }
    }
    let stage = |get: fn(&StageTimings) -> f64| median(stages.iter().map(get).collect());
    let total_ms = stage(|t| t.recognize_ms);
    let audio_s = seconds_of(utterance.samples.len());
    let report = Report {
        engine: engine.recognizer.engine().to_string(),
        cpu_features: cpu_features(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        audio_s,
        runs: args.runs,
        load_ms: engine.load.as_secs_f64() * 1e3,
        vad_ms: median(vad),
        log_mel_ms: stage(|t| t.log_mel_ms),
        encode_ms: stage(|t| t.encode_ms),
        decode_ms: stage(|t| t.decode_ms),
        total_ms,
        rtf: total_ms / 1e3 / audio_s.max(1e-9),
        peak_rss_mib: peak_rss_mib(),
    };
    print(&if args.json { format!("{}\n", serde_json::to_string(&report)?) } else { show(&report) })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

fn show(r: &Report) -> String {
    let mut out = table(&["engine", &r.engine]);
    out.add_row(["processor".to_owned(), format!("{} cores, {}", r.cores, r.cpu_features.join(" "))]);
    out.add_row(["audio".to_owned(), format!("{:.2} s, median of {} runs", r.audio_s, r.runs)]);
    for (name, ms) in [
        ("load", r.load_ms),
        ("voice activity", r.vad_ms),
        ("log-mel", r.log_mel_ms),
        ("encoder", r.encode_ms),
        ("decoder", r.decode_ms),
        ("recognition", r.total_ms),
    ] {
        out.add_row([name.to_owned(), format!("{ms:8.1} ms")]);
    }
    out.add_row(["real-time factor".to_owned(), format!("{:.4}", r.rtf)]);
    let memory = r.peak_rss_mib.map_or_else(|| "unknown".to_owned(), |m| format!("{m:.0} MiB"));
    out.add_row(["peak memory".to_owned(), memory]);
    format!("{out}\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_median_is_the_middle_or_the_mean_of_the_two() {
        assert_eq!(super::median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(super::median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
