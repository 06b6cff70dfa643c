//! `earwitness evaluate --against`: two recognizers on the same recordings.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use earwitness::asr::Recognizer;
use earwitness::audio::ChannelSelect;
use earwitness::endpoint::Endpointer;
use earwitness::models::ModelStore;
use earwitness::runtime::Routing;
use earwitness::scoring::significance::{
    Comparison, DEFAULT_CONFIDENCE, DEFAULT_RESAMPLES, UtterancePair, compare,
};
use earwitness::scoring::{Disagreement, EditCounts, EnglishNormalizer, disagreement, score};
use serde::Serialize;

use super::compare_html;
use super::evaluate::{Args, Row, hear, percent, read_manifest};
use super::exit::{self, CliError, Exit};
use super::formats::{print, table};

/// Below this number of speakers each utterance stands for itself: so few cannot be resampled.
const MIN_SPEAKERS: usize = 5;

/// One of the two.
#[derive(Serialize)]
pub struct Side {
    pub engine: String,
    pub wer: Option<f64>,
    pub edits: EditCounts,
    pub processing_s: f64,
    pub rtf: Option<f64>,
}

/// One recording under both.
#[derive(Serialize)]
pub struct FilePair {
    pub file: String,
    pub speaker: Option<String>,
    pub audio_s: f64,
    pub reference: Option<String>,
    pub text_a: String,
    pub text_b: String,
    pub edits_a: Option<EditCounts>,
    pub edits_b: Option<EditCounts>,
    pub disagreement: Disagreement,
    pub error: Option<String>,
}

/// The whole report.
#[derive(Serialize)]
pub struct CompareReport {
    pub a: Side,
    pub b: Side,
    pub audio_s: f64,
    pub disagreement: Disagreement,
    pub disagreement_rate: Option<f64>,
    /// Over the recordings with a reference.
    pub comparison: Comparison,
    pub files: Vec<FilePair>,
}

pub fn run(args: &Args, against: &str) -> Result<()> {
    let rows = read_manifest(&args.manifest)?;
    let folder = args.manifest.parent().unwrap_or(Path::new("."));
    let profile = args.engine.profile()?;
    let models = ModelStore::open_default()?;
    let setup = args.engine.setup(&profile, &models);
    let mut endpointer = setup.endpointer()?;
    let mut a = setup.recognizer()?.0;
    let mut b = Routing::beside(&setup, against, &mut exit::eprint_line)?;
    let how = (profile.channels(), args.vad);
    let bar = super::evaluate::progress(rows.len());
    let mut seconds = [0.0; 2];
    let mut files = Vec::new();
    for row in rows {
        let pair = pair(&mut endpointer, [&mut a, &mut *b], folder, row, how, &mut seconds);
        files.push(pair);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let report = report(files, [a.engine().to_string(), b.engine().to_string()], seconds);
    if let Some(path) = &args.html {
        compare_html::write(path, &report)?;
        exit::eprint_line(&format!("The texts side by side are in {}.", path.display()));
    }
    print(&if args.json { format!("{}\n", serde_json::to_string(&report)?) } else { show(&report) })?;
    match report.files.iter().filter(|f| f.error.is_some()).count() {
        0 => Ok(()),
        failed => {
            let message = format!("{failed} of {} files could not be compared", report.files.len());
            Err(CliError::new(Exit::SomeFilesFailed, message).into())
        }
    }
}

fn pair(
    endpointer: &mut Endpointer,
    recognizers: [&mut dyn Recognizer; 2],
    folder: &Path,
    row: Row,
    (channels, vad): (ChannelSelect, bool),
    seconds: &mut [f64; 2],
) -> FilePair {
    let path = folder.join(&row.audio_filepath);
    let mut pair = FilePair {
        file: row.audio_filepath.display().to_string(),
        speaker: row.speaker,
        audio_s: 0.0,
        reference: row.text,
        text_a: String::new(),
        text_b: String::new(),
        edits_a: None,
        edits_b: None,
        disagreement: Disagreement::default(),
        error: None,
    };
    let mut texts = [String::new(), String::new()];
    for ((recognizer, text), seconds) in recognizers.into_iter().zip(&mut texts).zip(seconds) {
        let begin = Instant::now();
        match hear(recognizer, endpointer, &path, channels, vad) {
            Ok(heard) => {
                *seconds += begin.elapsed().as_secs_f64();
                pair.audio_s = heard.audio_s;
                *text = heard.text;
            }
            Err(error) => pair.error = Some(format!("{}: {}", recognizer.engine(), exit::one_line(&error))),
        }
    }
    let [a, b] = texts;
    // What only one has heard says nothing of both.
    if pair.error.is_none() {
        let edits = |text: &str| pair.reference.as_ref().map(|r| score(&EnglishNormalizer, r, text));
        (pair.edits_a, pair.edits_b) = (edits(&a), edits(&b));
        pair.disagreement = disagreement(&EnglishNormalizer, &a, &b);
    }
    (pair.text_a, pair.text_b) = (a, b);
    pair
}

fn report(files: Vec<FilePair>, [a, b]: [String; 2], [seconds_a, seconds_b]: [f64; 2]) -> CompareReport {
    let speakers: BTreeSet<_> = files.iter().filter_map(|f| f.speaker.as_deref()).collect();
    let grouped = speakers.len() >= MIN_SPEAKERS;
    let pairs: Vec<UtterancePair<'_>> = files
        .iter()
        .filter_map(|f| {
            let group = f.speaker.as_deref().filter(|_| grouped);
            Some(UtterancePair { a: f.edits_a?, b: f.edits_b?, group })
        })
        .collect();
    let comparison = compare(&pairs, DEFAULT_RESAMPLES, DEFAULT_CONFIDENCE, 0);
    let audio_s: f64 = files.iter().filter(|f| f.error.is_none()).map(|f| f.audio_s).sum();
    let side = |engine, wer, edits: EditCounts, processing_s: f64| Side {
        engine,
        wer,
        edits,
        processing_s,
        rtf: (audio_s > 0.0).then(|| processing_s / audio_s),
    };
    let edits = [pairs.iter().map(|p| p.a).sum(), pairs.iter().map(|p| p.b).sum()];
    let disagreement: Disagreement = files.iter().map(|f| f.disagreement).sum();
    CompareReport {
        a: side(a, comparison.wer_a, edits[0], seconds_a),
        b: side(b, comparison.wer_b, edits[1], seconds_b),
        audio_s,
        disagreement,
        disagreement_rate: disagreement.rate(),
        comparison,
        files,
    }
}

/// What the tests together say, in a sentence.
pub fn verdict(report: &CompareReport) -> String {
    let Some(interval) = report.comparison.interval else {
        return "No verdict: that takes references for two utterances or more.".to_owned();
    };
    match (interval.low > 0.0, interval.high < 0.0) {
        (_, true) => "B makes fewer errors than A, beyond chance.".to_owned(),
        (true, _) => "B makes more errors than A, beyond chance.".to_owned(),
        _ => "These recordings do not tell the two apart.".to_owned(),
    }
}

fn show(report: &CompareReport) -> String {
    let mut files = table(&["file", "wer % A", "wer % B", "errors B - A", "words that differ"]);
    for f in report.files.iter().filter(|f| f.disagreement.edits.errors() > 0 || f.error.is_some()) {
        let more = f.edits_a.zip(f.edits_b).map(|(a, b)| b.errors() as i64 - a.errors() as i64);
        files.add_row([
            f.file.clone(),
            f.error.clone().unwrap_or_else(|| percent(f.edits_a.and_then(|e| e.wer()))),
            percent(f.edits_b.and_then(|e| e.wer())),
            more.map_or_else(|| "-".to_owned(), |n| format!("{n:+}")),
            format!("{} of {}", f.disagreement.edits.errors(), f.disagreement.longer_words),
        ]);
    }
    let agreeing =
        report.files.iter().filter(|f| f.disagreement.edits.errors() == 0 && f.error.is_none()).count();
    let c = &report.comparison;
    let mut total = table(&["", "A", "B"]);
    let rtf = |side: &Side| side.rtf.map_or_else(|| "-".to_owned(), |r| format!("{r:.3}"));
    total.add_row(["engine".to_owned(), report.a.engine.clone(), report.b.engine.clone()]);
    total.add_row(["WER %".to_owned(), percent(report.a.wer), percent(report.b.wer)]);
    total.add_row([
        "errors".to_owned(),
        format!("{} in {} words", report.a.edits.errors(), report.a.edits.reference_words),
        report.b.edits.errors().to_string(),
    ]);
    total.add_row(["real-time factor".to_owned(), rtf(&report.a), rtf(&report.b)]);
    let mut tests = table(&["B against A", ""]);
    let rate = report.disagreement_rate.map_or_else(|| "-".to_owned(), |r| format!("{:.2} %", r * 100.0));
    tests.add_row(["words that differ".to_owned(), rate]);
    tests.add_row(["WER difference".to_owned(), format!("{} points", percent(c.difference))]);
    if let Some(i) = c.interval {
        let bounds = format!(
            "{} to {} points ({} resamples of {} units); B lower in {:.1} % of them",
            percent(Some(i.low)),
            percent(Some(i.high)),
            i.resamples,
            i.units,
            i.probability_of_improvement * 100.0
        );
        tests.add_row([format!("{:.0} % interval", i.confidence * 100.0), bounds]);
    }
    if let Some(m) = c.mapsswe {
        tests.add_row(["MAPSSWE".to_owned(), format!("z {:.2}, p {:.4}", m.z, m.p_value)]);
    }
    let m = c.mcnemar;
    let split =
        format!("only A right {}, only B right {}, p {:.4}", m.only_a_right, m.only_b_right, m.p_value);
    tests.add_row(["McNemar".to_owned(), split]);
    let heading = match files.row_count() {
        0 => String::new(),
        _ => format!("{files}\n\n"),
    };
    format!(
        "{heading}{agreeing} of {} files agree.\n\n{total}\n\n{tests}\n\n{}\n",
        report.files.len(),
        verdict(report)
    )
}
