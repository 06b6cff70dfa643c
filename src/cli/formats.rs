//! Output formats: text, json, jsonl, srt, vtt, tsv.

use anyhow::{Context, Result};
use clap::ValueEnum;
use earwitness::asr::Segment;
use earwitness::pipeline::StageTimings;
use earwitness::subtitles::{srt, tsv, vtt};
use serde::Serialize;

/// How a transcript is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One line a segment.
    #[value(alias = "txt")]
    Text,
    /// One indented object.
    Json,
    /// One object on one line.
    Jsonl,
    /// SubRip subtitles.
    Srt,
    /// WebVTT subtitles.
    Vtt,
    /// start and end in ms, text; tab-separated with a header.
    Tsv,
}

impl Format {
    /// File extension.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Srt => "srt",
            Self::Vtt => "vtt",
            Self::Tsv => "tsv",
        }
    }
}

/// A transcribed file, in the documented JSON shape.
#[derive(Serialize)]
pub struct FileTranscript {
    /// As given on the command line; `-` for stdin.
    pub file: String,
    /// The whole text.
    pub text: String,
    /// Language code, if text was found.
    pub language: Option<String>,
    /// Timed pieces, seconds since the file began.
    pub segments: Vec<Segment>,
    /// Where the time went.
    pub timings: FileTimings,
}

/// Times of one file.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct FileTimings {
    /// Audio, s.
    pub audio_s: f64,
    /// From opening the file to its last word, s.
    pub processing_s: f64,
    /// Detection of speech, ms.
    pub vad_ms: f64,
    /// Recognition, summed over utterances, ms.
    #[serde(flatten)]
    pub stages: StageTimings,
}

/// The transcript in `format`, ending in a newline unless it is empty.
pub fn render(transcript: &FileTranscript, format: Format) -> Result<String> {
    Ok(match format {
        Format::Text => lines(&transcript.segments),
        Format::Json => format!("{}\n", serde_json::to_string_pretty(transcript)?),
        Format::Jsonl => format!("{}\n", serde_json::to_string(transcript)?),
        Format::Srt => srt(&transcript.segments),
        Format::Vtt => vtt(&transcript.segments),
        Format::Tsv => tsv(&transcript.segments),
    })
}

fn lines(segments: &[Segment]) -> String {
    segments.iter().fold(String::new(), |mut out, s| {
        out.push_str(&s.text);
        out.push('\n');
        out
    })
}

/// A table without borders, aligned, with a header.
pub fn table(header: &[&str]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::TableStyle::new()).set_header(header);
    table
}

/// Writes a result to stdout.
pub fn print(text: &str) -> Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("writing to stdout")
}
