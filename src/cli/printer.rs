//! What `listen` shows: texts on stdout, everything else on stderr.

use std::io::{IsTerminal, Write};

use earwitness::audio::LevelWarning;
use earwitness::pipeline::{Event, RunSummary, ShadowComparison, UtteranceResult};
use earwitness::scoring::{DiffCell, DiffRow, EnglishNormalizer, diff_texts};

use super::exit;
use super::waits::Waits;

/// What is printed.
pub struct Style {
    pub json: bool,
    pub partials: bool,
    pub latency: bool,
}

/// Prints events as they come.
pub struct Printer<'a> {
    style: &'a Style,
    /// A partial stands on the terminal's current line.
    on_line: bool,
    terminal: bool,
    /// Why nothing more can be printed.
    pub failed: Option<std::io::Error>,
    waits: Waits,
}

impl<'a> Printer<'a> {
    /// Nothing is printed yet.
    pub fn new(style: &'a Style) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { style, on_line: false, terminal, failed: None, waits: Waits::default() }
    }

    /// Tells how long texts were waited for, and what was lost.
    pub fn finish(&mut self, summary: &RunSummary) {
        if self.style.latency {
            self.waits.report(summary);
        }
        report_losses(summary);
    }

    /// Shows one event.
    pub fn print(&mut self, event: &Event) -> std::io::Result<()> {
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
            // The library has logged why.
            Event::ShadowFailed(_)
            | Event::SpeechStarted { .. }
            | Event::SpeechEnded { .. }
            | Event::Partial { .. } => {}
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

/// A line on stdout, at once.
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
