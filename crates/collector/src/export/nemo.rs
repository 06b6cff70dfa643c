//! NeMo's manifest: one JSON object a line, with `audio_filepath`, `duration` (s) and `text`.
//!
//! Paths are relative, which NeMo takes to begin at the manifest. The other keys are ours, and NeMo passes them by, but for
//! `pred_text`, which its evaluation reads as the hypothesis.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{ExportError, ExportRow, ExportSummary, ExportTarget};

/// Name of the manifest.
const MANIFEST: &str = "manifest.jsonl";

/// One line.
#[derive(Serialize)]
struct Line<'a> {
    audio_filepath: String,
    duration: f64,
    text: &'a str,
    text_source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lang: Option<&'a str>,
    speaker: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pred_text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shadow_text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    primary_engine: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shadow_engine: Option<&'a str>,
    device_id: &'a str,
    utterance_id: &'a str,
    recorded_unix_ms: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: &'a BTreeMap<String, String>,
}

/// Writes `audio/…` as rows come and `manifest.jsonl` at the end. Needs audio and a text, which may be empty.
#[derive(Debug)]
pub struct NemoExport<T> {
    target: T,
    manifest: Vec<u8>,
    summary: ExportSummary,
}

impl<T: ExportTarget> NemoExport<T> {
    /// Into `target`.
    pub fn new(target: T) -> Self {
        Self { target, manifest: Vec::new(), summary: ExportSummary::default() }
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
        let Some((text, source)) = row.text() else {
            self.summary.without_text += 1;
            return Ok(());
        };
        self.target.put(&row.audio_path(), flac)?;
        let line = Line {
            audio_filepath: row.audio_path(),
            duration: row.duration_s,
            text: &text,
            text_source: source.name(),
            lang: row.language.as_deref(),
            speaker: row.speaker(),
            pred_text: row.primary_text.as_deref(),
            shadow_text: row.shadow_text.as_deref(),
            primary_engine: row.primary_engine.as_deref(),
            shadow_engine: row.shadow_engine.as_deref(),
            device_id: &row.device_id,
            utterance_id: &row.utterance_id,
            recorded_unix_ms: row.recorded_unix_ms,
            attributes: &row.attributes,
        };
        serde_json::to_writer(&mut self.manifest, &line).map_err(std::io::Error::from)?;
        self.manifest.push(b'\n');
        self.summary.rows += 1;
        Ok(())
    }

    /// Writes the manifest.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<ExportSummary, ExportError> {
        self.target.put(MANIFEST, &self.manifest)?;
        Ok(self.summary)
    }
}
