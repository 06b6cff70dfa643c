//! Consented recordings and texts in the forms that others train and evaluate with.
//!
//! ```text
//! rows ─► NemoExport     manifest.jsonl, audio/…                       NVIDIA NeMo
//!      ─► KaldiExport    wav.scp, text, utt2spk, spk2utt, utt2dur, audio/…   Kaldi, ESPnet, k2
//!      ─► ParquetExport  one file with the audio in it                 Hugging Face datasets, pandas
//! ```
//! Each takes rows one by one ([`NemoExport::add`] and so on), so that what is exported need not fit in memory, and ends with
//! `finish`. Files go to an [`ExportTarget`]: a [`Folder`], or an archive that is sent as it is made.
//!
//! Whether a row may be exported is not decided here: rows come from where consent and erasure are kept.

mod folder;
mod kaldi;
mod nemo;
mod parquet;

use std::collections::BTreeMap;
use std::{fmt, io};

use earwitness_telemetry::limits::valid_id;

pub use folder::{ExportTarget, Folder};
pub use kaldi::KaldiExport;
pub use nemo::NemoExport;
pub use parquet::ParquetExport;

/// One utterance. Names are such as [`valid_id`] takes.
#[derive(Clone, PartialEq, Default)]
pub struct ExportRow {
    /// Names the utterance on its device.
    pub utterance_id: String,
    /// Where it was said.
    pub device_id: String,
    /// Who said it, a pseudonym.
    pub subject_id: Option<String>,
    /// When, ms since 1970-01-01 UTC by the device's clock.
    pub recorded_unix_ms: u64,
    /// Of the recording, seconds.
    pub duration_s: f64,
    /// Of the recording, Hz.
    pub sample_rate_hz: u32,
    /// Code of the language.
    pub language: Option<String>,
    /// What a person heard.
    pub reference: Option<String>,
    /// What the engine that answered heard.
    pub primary_text: Option<String>,
    /// What the engine in question heard.
    pub shadow_text: Option<String>,
    /// The engine that answered.
    pub primary_engine: Option<String>,
    /// The engine in question.
    pub shadow_engine: Option<String>,
    /// Slices and what speakers said of themselves, such as `accent`.
    pub attributes: BTreeMap<String, String>,
    /// The recording, a whole FLAC file.
    pub flac: Option<Vec<u8>>,
}

/// Shows neither text nor audio nor anybody.
impl fmt::Debug for ExportRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportRow").field("utterance_id", &self.utterance_id).finish_non_exhaustive()
    }
}

/// Whose the text of an exported row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextSource {
    /// A person's.
    Reference,
    /// The engine's that answered. To train with these is to learn its mistakes.
    Primary,
}

impl TextSource {
    /// As it is written in the files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Primary => "primary",
        }
    }
}

impl ExportRow {
    /// The best text that there is, on one line, and whose it is. `None` without one; it may be empty, for silence.
    pub fn text(&self) -> Option<(String, TextSource)> {
        let reference = self.reference.as_ref().map(|text| (text, TextSource::Reference));
        let (text, source) =
            reference.or(self.primary_text.as_ref().map(|text| (text, TextSource::Primary)))?;
        Some((one_line(text), source))
    }

    /// Where its audio lies in an export, below the folder of the export.
    pub fn audio_path(&self) -> String {
        format!("audio/{}/{}.flac", self.device_id, self.utterance_id)
    }

    /// Who speaks as far as an export knows: the subject, or else the device.
    pub fn speaker(&self) -> &str {
        self.subject_id.as_deref().unwrap_or(&self.device_id)
    }

    fn check(&self) -> Result<(), ExportError> {
        let ids = [Some(&self.utterance_id), Some(&self.device_id), self.subject_id.as_ref()];
        if !ids.into_iter().flatten().all(|id| valid_id(id)) {
            return Err(ExportError::Id);
        }
        if !(self.duration_s.is_finite() && self.duration_s >= 0.0) {
            return Err(ExportError::Duration { utterance_id: self.utterance_id.clone() });
        }
        Ok(())
    }
}

/// Words apart by single spaces: line ends, tabs and control characters would break files of lines.
fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// What an export holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportSummary {
    /// Rows in it.
    pub rows: u64,
    /// Rows left out: the form needs audio, and they have none.
    pub without_audio: u64,
    /// Rows left out: the form needs a text, and they have none.
    pub without_text: u64,
}

/// An export cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// An id has characters that a path or a key must not have.
    #[error(
        "an id has characters other than letters, digits, '-', '_' and '.'; such a record should not have been taken"
    )]
    Id,
    /// A duration is no number of seconds.
    #[error("the duration of {utterance_id} is no number of seconds")]
    Duration {
        /// Of the row.
        utterance_id: String,
    },
    /// The same utterance came twice.
    #[error("{utterance_id} came twice")]
    Duplicate {
        /// Of the row.
        utterance_id: String,
    },
    /// It could not be written.
    #[error("the export cannot be written: {0}")]
    Io(#[from] io::Error),
    /// The Parquet writer failed.
    #[error("the Parquet file cannot be written: {0}")]
    Parquet(#[from] ::parquet::errors::ParquetError),
}

#[cfg(test)]
mod tests;
