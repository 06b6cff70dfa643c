//! Kaldi's data folder, such as `utils/validate_data_dir.sh` takes without a complaint.
//!
//! Files are sorted as in the C locale. Kaldi wants utterances in the same order as their speakers, so an utterance's name
//! begins with its speaker's, and `+` stands between them: it sorts before every character that a name may have, so that the
//! utterances of `anna` come before those of `anna-2`.

use std::collections::BTreeMap;

use super::{ExportError, ExportRow, ExportSummary, ExportTarget, one_line};

/// Kaldi's own symbols, which a text must not hold, not even within a word.
const RESERVED: [&str; 4] = ["<eps>", "#0", "<s>", "</s>"];

/// What the files say of one utterance.
#[derive(Debug)]
struct Entry {
    speaker: String,
    text: String,
    audio_path: String,
    duration_s: f64,
}

/// Writes `audio/…` as rows come and `wav.scp`, `text`, `utt2spk`, `spk2utt` and `utt2dur` at the end. Needs audio and a text
/// with a word in it.
///
/// Kaldi reads WAV, so `wav.scp` names the command that makes it: `flac` must be installed, and Kaldi started in the folder of
/// the export. The lines of all utterances are held in memory, about 300 bytes each.
#[derive(Debug)]
pub struct KaldiExport<T> {
    target: T,
    entries: BTreeMap<String, Entry>,
    summary: ExportSummary,
}

impl<T: ExportTarget> KaldiExport<T> {
    /// Into `target`.
    pub fn new(target: T) -> Self {
        Self { target, entries: BTreeMap::new(), summary: ExportSummary::default() }
    }

    /// Adds one utterance, or counts it as left out.
    ///
    /// # Errors
    ///
    /// For a row that should not be there, and when its audio cannot be written.
    pub fn add(&mut self, row: &ExportRow) -> Result<(), ExportError> {
        row.check()?;
        let Some(flac) = &row.flac else {
            self.summary.without_audio += 1;
            return Ok(());
        };
        let text = row.text().map(|(text, _)| without_reserved(&text)).filter(|text| !text.is_empty());
        let Some(text) = text else {
            self.summary.without_text += 1;
            return Ok(());
        };
        let name = format!("{}+{}+{}", row.speaker(), row.device_id, row.utterance_id);
        let entry = Entry {
            speaker: row.speaker().to_owned(),
            text,
            audio_path: row.audio_path(),
            // Kaldi takes no duration of 0, which is what less than a millisecond is here.
            duration_s: row.duration_s.max(0.001),
        };
        if self.entries.insert(name, entry).is_some() {
            return Err(ExportError::Duplicate { utterance_id: row.utterance_id.clone() });
        }
        self.target.put(&row.audio_path(), flac)?;
        self.summary.rows += 1;
        Ok(())
    }

    /// Writes the lists.
    ///
    /// # Errors
    ///
    /// When they cannot be written.
    pub fn finish(mut self) -> Result<ExportSummary, ExportError> {
        let lines = |line: &dyn Fn(&str, &Entry) -> String| -> String {
            self.entries.iter().map(|(name, entry)| line(name, entry) + "\n").collect()
        };
        // The bytes of UTF-8 sort as the C locale does, and so do the keys of the map.
        let files = [
            ("wav.scp", lines(&|name, entry| format!("{name} flac -c -d -s {} |", entry.audio_path))),
            ("text", lines(&|name, entry| format!("{name} {}", entry.text))),
            ("utt2spk", lines(&|name, entry| format!("{name} {}", entry.speaker))),
            ("utt2dur", lines(&|name, entry| format!("{name} {:.3}", entry.duration_s))),
            ("spk2utt", self.speakers()),
        ];
        for (path, content) in files {
            self.target.put(path, content.as_bytes())?;
        }
        Ok(self.summary)
    }

    fn speakers(&self) -> String {
        let mut speakers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, entry) in &self.entries {
            speakers.entry(&entry.speaker).or_default().push(name);
        }
        speakers.into_iter().map(|(speaker, names)| format!("{speaker} {}\n", names.join(" "))).collect()
    }
}

fn without_reserved(text: &str) -> String {
    let spaced = RESERVED.iter().fold(text.to_owned(), |text, symbol| text.replace(symbol, " "));
    one_line(&spaced)
}
