//! `earwitness evaluate`: a recognizer against labelled recordings.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use earwitness::asr::whisper::join;
use earwitness::asr::{Recognizer, Transcript};
use earwitness::audio::{ChannelSelect, FileSource, read_all, seconds_of};
use earwitness::endpoint::Endpointer;
use earwitness::pipeline::{Event, Pipeline, PipelineOptions, StopSignal, recognize};
use earwitness::scoring::{self, EditCounts, EnglishNormalizer, SlotScore, slot_values_found};
use earwitness::utterance::Utterance;
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};

use super::engine::{Engine, EngineArgs};
use super::exit::{CliError, Exit};
use super::formats::{print, table};
use super::resources::peak_rss_mib;

/// Score a recognizer on a manifest in NeMo's form: one JSON object a line with `audio_filepath`
/// (relative to the manifest), and `text`, `slots`, or both.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  earwitness evaluate recordings/manifest.jsonl
  earwitness evaluate recordings/manifest.jsonl --model base --temperature 0 --no-timestamps --json
  earwitness evaluate meetings.jsonl --vad
  earwitness evaluate recordings/manifest.jsonl --against base --html diff.html

Each file is one utterance unless --vad is given. A file that cannot be read counts as all its words deleted. Both texts go through the standard English normalizer.
JSON: wer (fraction or null), edits {substitutions, deletions, insertions, reference_words}, slots_found,
slots_total, audio_s, processing_s, rtf, load_s, peak_rss_mib, fallbacks, full_windows, engine, files [{file, audio_s,
processing_s, text, reference, wer, edits, slots_found, slots_total, error}].
With --against: a and b {engine, wer, edits, processing_s, rtf}, disagreement, disagreement_rate, comparison
{difference, interval, mapsswe, mcnemar, ...}, files. Differences are B minus A: below 0, the second one is better.")]
pub struct Args {
    /// The manifest.
    #[arg(value_name = "MANIFEST.jsonl")]
    pub manifest: PathBuf,
    /// Find utterances in each file instead of taking it as one.
    #[arg(long)]
    pub vad: bool,
    /// Compare with a second recognizer: a model, or `cloud` for the profile's API.
    #[arg(long, value_name = "MODEL")]
    pub against: Option<String>,
    /// Write both texts side by side as a page.
    #[arg(long, value_name = "FILE.html", requires = "against")]
    pub html: Option<PathBuf>,
    /// One JSON object.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// A row of the manifest; keys that are not used here are left alone.
#[derive(Deserialize)]
pub struct Row {
    pub audio_filepath: PathBuf,
    pub text: Option<String>,
    /// Utterances of one speaker depend on each other.
    pub speaker: Option<String>,
    slots: Option<BTreeMap<String, String>>,
}

#[derive(Serialize)]
struct FileScore {
    file: String,
    audio_s: f64,
    processing_s: f64,
    text: String,
    reference: Option<String>,
    wer: Option<f64>,
    edits: Option<EditCounts>,
    slots_found: u64,
    slots_total: u64,
    error: Option<String>,
}

#[derive(Serialize)]
struct Report {
    wer: Option<f64>,
    edits: EditCounts,
    slots_found: u64,
    slots_total: u64,
    audio_s: f64,
    processing_s: f64,
    rtf: Option<f64>,
    load_s: f64,
    peak_rss_mib: Option<f64>,
    fallbacks: u32,
    full_windows: u32,
    engine: String,
    files: Vec<FileScore>,
}

pub fn run(args: &Args) -> Result<()> {
    if let Some(against) = &args.against {
        return super::compare::run(args, against);
    }
    let rows = read_manifest(&args.manifest)?;
    let folder = args.manifest.parent().unwrap_or(Path::new("."));
    let mut engine = args.engine.load()?;
    let normalizer = EnglishNormalizer;
    let mut report = empty_report(&engine);
    let bar = progress(rows.len());
    for row in rows {
        let score = score(
            &mut engine,
            &normalizer,
            folder,
            row,
            args.vad,
            (&mut report.fallbacks, &mut report.full_windows),
        );
        add(&mut report, score);
        bar.inc(1);
    }
    bar.finish_and_clear();
    report.wer = report.edits.wer();
    report.rtf = (report.audio_s > 0.0).then(|| report.processing_s / report.audio_s);
    report.peak_rss_mib = peak_rss_mib();
    let text = if args.json { format!("{}\n", serde_json::to_string(&report)?) } else { show(&report) };
    print(&text)?;
    let failed = report.files.iter().filter(|f| f.error.is_some()).count();
    if failed > 0 {
        let message = format!("{failed} of {} files could not be scored; see the table", report.files.len());
        return Err(CliError::new(Exit::SomeFilesFailed, message).into());
    }
    Ok(())
}

/// A bar over `n` files, on a terminal only.
pub fn progress(n: usize) -> ProgressBar {
    if std::io::stderr().is_terminal() { ProgressBar::new(n as u64) } else { ProgressBar::hidden() }
}

pub fn read_manifest(path: &Path) -> Result<Vec<Row>> {
    let bad = |why: String| CliError::new(Exit::Config, format!("the manifest {}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| bad(format!("cannot be read: {e}")))?;
    let rows = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(i, line)| {
            serde_json::from_str(line).map_err(|e| {
                bad(format!(
                    "line {} is not a row with `audio_filepath` and optional `text` and `slots`: {e}",
                    i + 1
                ))
            })
        })
        .collect::<Result<Vec<Row>, CliError>>()?;
    if rows.is_empty() {
        return Err(bad("has no rows".to_owned()).into());
    }
    Ok(rows)
}

fn empty_report(engine: &Engine) -> Report {
    Report {
        wer: None,
        edits: EditCounts::default(),
        slots_found: 0,
        slots_total: 0,
        audio_s: 0.0,
        processing_s: 0.0,
        rtf: None,
        load_s: engine.load.as_secs_f64(),
        peak_rss_mib: None,
        fallbacks: 0,
        full_windows: 0,
        engine: engine.recognizer.engine().to_string(),
        files: Vec::new(),
    }
}

fn add(report: &mut Report, score: FileScore) {
    report.audio_s += score.audio_s;
    report.processing_s += score.processing_s;
    if let Some(edits) = score.edits {
        report.edits += edits;
    }
    report.slots_found += score.slots_found;
    report.slots_total += score.slots_total;
    report.files.push(score);
}

fn score(
    engine: &mut Engine,
    normalizer: &EnglishNormalizer,
    folder: &Path,
    row: Row,
    vad: bool,
    (fallbacks, full_windows): (&mut u32, &mut u32),
) -> FileScore {
    let begin = Instant::now();
    let path = folder.join(&row.audio_filepath);
    let channels = engine.profile.channels();
    let heard = hear(&mut engine.recognizer, &mut engine.endpointer, &path, channels, vad);
    let processing_s = begin.elapsed().as_secs_f64();
    let mut score = FileScore {
        file: row.audio_filepath.display().to_string(),
        audio_s: 0.0,
        processing_s,
        text: String::new(),
        reference: row.text,
        wer: None,
        edits: None,
        slots_found: 0,
        slots_total: 0,
        error: None,
    };
    match heard {
        Ok(heard) => {
            score.audio_s = heard.audio_s;
            score.text = heard.text;
            *fallbacks += heard.fallbacks;
            *full_windows += heard.full_windows;
        }
        Err(error) => score.error = Some(super::exit::one_line(&error)),
    }
    if let Some(reference) = &score.reference {
        let edits = scoring::score(normalizer, reference, &score.text);
        score.wer = edits.wer();
        score.edits = Some(edits);
    }
    if let Some(slots) = &row.slots {
        let SlotScore { found, total } = slot_values_found(normalizer, slots.values(), &score.text);
        (score.slots_found, score.slots_total) = (found, total);
    }
    score
}

/// What was heard in one file.
pub struct Heard {
    pub audio_s: f64,
    pub text: String,
    fallbacks: u32,
    full_windows: u32,
}

/// What `recognizer` makes of a file.
pub fn hear(
    recognizer: &mut dyn Recognizer,
    endpointer: &mut Endpointer,
    file: &Path,
    channels: ChannelSelect,
    vad: bool,
) -> Result<Heard> {
    let mut source = FileSource::open(file, channels)?;
    if !vad {
        let samples = read_all(&mut source)?;
        let audio_s = seconds_of(samples.len());
        let utterance = Utterance::whole(0, samples);
        let (transcript, _) = recognize(recognizer, &utterance, &|| false)?;
        let Transcript { text, fallbacks, full_windows, .. } = transcript;
        return Ok(Heard { audio_s, text, fallbacks, full_windows });
    }
    let mut heard = Heard { audio_s: 0.0, text: String::new(), fallbacks: 0, full_windows: 0 };
    let options = PipelineOptions { max_queued_s: 10.0, ..PipelineOptions::default() };
    let (mut segments, mut language, mut failure) = (Vec::new(), None, None);
    let summary = Pipeline::new(endpointer, recognizer, options).run(
        Box::new(source),
        &StopSignal::default(),
        &mut |event| match event {
            Event::Final(result) => {
                heard.fallbacks += result.fallbacks;
                heard.full_windows += result.full_windows;
                if !result.text.is_empty() {
                    language = language.take().or(result.language);
                }
                segments.extend(result.segments);
            }
            Event::Failed { error, .. } => failure = Some(error),
            _ => {}
        },
    )?;
    if let Some(error) = failure {
        return Err(CliError::new(Exit::Internal, error).into());
    }
    heard.text = join(&segments, language.as_deref());
    heard.audio_s = summary.audio_s;
    Ok(heard)
}

fn show(report: &Report) -> String {
    let mut files = table(&["file", "audio s", "rtf", "wer %", "S", "D", "I", "words", "slots"]);
    for f in &report.files {
        let count =
            |n: fn(&EditCounts) -> u64| f.edits.as_ref().map_or_else(String::new, |e| n(e).to_string());
        files.add_row([
            f.file.clone(),
            format!("{:.2}", f.audio_s),
            format!("{:.3}", f.processing_s / f.audio_s.max(1e-9)),
            f.error.clone().unwrap_or_else(|| percent(f.wer)),
            count(|e| e.substitutions),
            count(|e| e.deletions),
            count(|e| e.insertions),
            count(|e| e.reference_words),
            slots(f.slots_found, f.slots_total),
        ]);
    }
    for column in 1..8 {
        if let Some(column) = files.column_mut(column) {
            column.set_cell_alignment(comfy_table::CellAlignment::Right);
        }
    }
    let mut total = table(&["engine", &report.engine]);
    total.add_row(["WER".to_owned(), format!("{} %", percent(report.wer))]);
    total.add_row([
        "edits".to_owned(),
        format!("{} in {} words", report.edits.errors(), report.edits.reference_words),
    ]);
    total.add_row(["slots found".to_owned(), slots(report.slots_found, report.slots_total)]);
    total.add_row(["audio".to_owned(), format!("{:.1} s", report.audio_s)]);
    total.add_row([
        "processing".to_owned(),
        format!("{:.2} s, real-time factor {:.3}", report.processing_s, report.rtf.unwrap_or(0.0)),
    ]);
    total.add_row(["load".to_owned(), format!("{:.2} s", report.load_s)]);
    total.add_row(["fallbacks".to_owned(), report.fallbacks.to_string()]);
    total.add_row(["heard again in full".to_owned(), report.full_windows.to_string()]);
    let memory = report.peak_rss_mib.map_or_else(|| "unknown".to_owned(), |m| format!("{m:.0} MiB"));
    total.add_row(["peak memory".to_owned(), memory]);
    format!("{files}\n\n{total}\n")
}

/// As a percentage; `-` if there is none.
pub fn percent(wer: Option<f64>) -> String {
    wer.map_or_else(|| "-".to_owned(), |w| format!("{:.2}", w * 100.0))
}

fn slots(found: u64, total: u64) -> String {
    match total {
        0 => "-".to_owned(),
        _ => format!("{found}/{total} ({:.1} %)", 100.0 * found as f64 / total as f64),
    }
}
