//! `earwitness bench`: speed and memory of a model on this machine.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use earwitness::asr::Recognizer;
use earwitness::audio::{FileSource, read_all, seconds_of};
use earwitness::models::ModelStore;
use earwitness::pipeline::{StageTimings, recognize};
use earwitness::utterance::Utterance;
use serde::Serialize;

use super::engine::{Engine, EngineArgs};
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
  earwitness bench --seconds 1,2,5,10,20,30

Times are medians over the runs, after one run that is not counted. Several lengths give a table, and with --json
one object a line. Rates count a multiplication with its addition as two operations.")]
pub struct Args {
    /// A recording [default: the installed `two-cities` reading].
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Use this much of the recording, at most 30; several lengths with commas between them.
    #[arg(long, default_value = "10", value_name = "S", value_delimiter = ',')]
    seconds: Vec<f64>,
    /// Counted runs.
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// One JSON object a length.
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
    /// Positions that the encoder computed.
    positions: usize,
    encode_ms: f64,
    /// Billions of operations a second.
    encode_gops: f64,
    /// Decoder steps: the prompt, and each token of text with the end.
    steps: usize,
    decode_ms: f64,
    step_ms: f64,
    /// Billions of weights read a second.
    decode_gweights: f64,
    total_ms: f64,
    rtf: f64,
    peak_rss_mib: Option<f64>,
}

pub fn run(args: &Args) -> Result<()> {
    if args.seconds.iter().any(|s| !(0.1..=30.0).contains(s)) {
        return Err(CliError::new(Exit::Usage, "--seconds must be from 0.1 to 30").into());
    }
    let file = match &args.file {
        Some(file) => file.clone(),
        None => ModelStore::open_default()?.locate("two-cities")?,
    };
    let mut engine = args.engine.load()?;
    let samples = read_all(&mut FileSource::open(&file, engine.profile.channels())?)?;
    let mut reports = Vec::new();
    for seconds in &args.seconds {
        let end = samples.len().min((seconds * 16_000.0) as usize);
        let report = measure(&mut engine, Utterance::whole(0, samples[..end].to_vec()), args.runs)?;
        if args.json {
            print(&format!("{}\n", serde_json::to_string(&report)?))?;
        }
        reports.push(report);
    }
    match reports.as_slice() {
        _ if args.json => Ok(()),
        [report] => print(&show(report)),
        reports => print(&show_lengths(reports)),
    }
}

fn measure(engine: &mut Engine, utterance: Utterance, runs: u32) -> Result<Report> {
    let mut stages = Vec::new();
    let mut vad = Vec::new();
    let mut steps = 0;
    for run in 0..=runs {
        let begin = Instant::now();
        engine.endpointer.push(&utterance.samples, &mut |_| {});
        engine.endpointer.finish(&mut |_| {});
        let vad_ms = begin.elapsed().as_secs_f64() * 1e3;
        let (transcript, timings) = recognize(&mut engine.recognizer, &utterance, &|| false)?;
        if run > 0 {
            vad.push(vad_ms);
            stages.push(timings);
        }
        steps = 2 + transcript.segments.iter().map(|s| s.tokens.len()).sum::<usize>();
    }
    let stage = |get: fn(&StageTimings) -> f64| median(stages.iter().map(get).collect());
    let (encode_ms, decode_ms, total_ms) =
        (stage(|t| t.encode_ms), stage(|t| t.decode_ms), stage(|t| t.recognize_ms));
    let positions = engine.recognizer.positions(utterance.samples.len());
    let dims = engine.recognizer.dims();
    let (encoder, token) = (dims.encoder_operations(positions), dims.token_operations(positions));
    let per_second = |amount: f64, ms: f64| amount / 1e6 / ms.max(1e-9);
    let audio_s = seconds_of(utterance.samples.len());
    Ok(Report {
        engine: engine.recognizer.engine().to_string(),
        cpu_features: cpu_features(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        audio_s,
        runs,
        load_ms: engine.load.as_secs_f64() * 1e3,
        vad_ms: median(vad),
        log_mel_ms: stage(|t| t.log_mel_ms),
        positions,
        encode_ms,
        encode_gops: per_second(encoder.linear + encoder.attention, encode_ms),
        steps,
        decode_ms,
        step_ms: decode_ms / steps as f64,
        decode_gweights: per_second(token.weights * steps as f64, decode_ms),
        total_ms,
        rtf: total_ms / 1e3 / audio_s.max(1e-9),
        peak_rss_mib: peak_rss_mib(),
    })
}

/// One row a length.
fn show_lengths(reports: &[Report]) -> String {
    let heads = [
        "audio s",
        "vad ms",
        "log-mel ms",
        "positions",
        "encoder ms",
        "Gop/s",
        "steps",
        "decoder ms",
        "ms a step",
        "Gweights/s",
        "total ms",
        "real-time factor",
    ];
    let mut out = table(&heads);
    for r in reports {
        out.add_row([
            format!("{:.2}", r.audio_s),
            format!("{:.1}", r.vad_ms),
            format!("{:.2}", r.log_mel_ms),
            r.positions.to_string(),
            format!("{:.1}", r.encode_ms),
            format!("{:.0}", r.encode_gops),
            r.steps.to_string(),
            format!("{:.1}", r.decode_ms),
            format!("{:.2}", r.step_ms),
            format!("{:.0}", r.decode_gweights),
            format!("{:.1}", r.total_ms),
            format!("{:.4}", r.rtf),
        ]);
    }
    format!("{out}\n")
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
    for (name, ms) in [("load", r.load_ms), ("voice activity", r.vad_ms), ("log-mel", r.log_mel_ms)] {
        out.add_row([name.to_owned(), format!("{ms:8.1} ms")]);
    }
    let encoder = format!("{:8.1} ms, {} positions, {:.0} Gop/s", r.encode_ms, r.positions, r.encode_gops);
    out.add_row(["encoder".to_owned(), encoder]);
    let decoder = format!(
        "{:8.1} ms, {} steps of {:.2} ms, {:.0} Gweights/s",
        r.decode_ms, r.steps, r.step_ms, r.decode_gweights
    );
    out.add_row(["decoder".to_owned(), decoder]);
    out.add_row(["recognition".to_owned(), format!("{:8.1} ms", r.total_ms)]);
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
