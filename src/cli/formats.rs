//! Output formats: text, json, jsonl, srt, vtt, tsv.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use clap::ValueEnum;
use earwitness::asr::Segment;
use earwitness::pipeline::StageTimings;
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

fn srt(segments: &[Segment]) -> String {
    let mut out = String::new();
    for (i, s) in segments.iter().enumerate() {
        // Writing to a String does not fail.
        let _ = writeln!(
            out,
            "{}\n{} --> {}\n{}\n",
            i + 1,
            clock(s.start, ','),
            clock(s.end, ','),
            arrowless(&s.text)
        );
    }
    out
}

fn vtt(segments: &[Segment]) -> String {
    let mut out = String::from("WEBVTT\n\n");
    for s in segments {
        let _ = writeln!(
            out,
            "{} --> {}\n{}\n",
            clock(s.start, '.'),
            clock(s.end, '.'),
            arrowless(&s.text).replace('&', "&amp;").replace('<', "&lt;")
        );
    }
    out
}

fn tsv(segments: &[Segment]) -> String {
    let mut out = String::from("start\tend\ttext\n");
    for s in segments {
        let _ = writeln!(
            out,
            "{}\t{}\t{}",
            (s.start * 1e3).round(),
            (s.end * 1e3).round(),
            s.text.replace('\t', " ")
        );
    }
    out
}

/// `00:01:02,345`; hours grow past 99.
fn clock(seconds: f64, fraction: char) -> String {
    let ms = (seconds.max(0.0) * 1e3).round() as u64;
    format!("{:02}:{:02}:{:02}{fraction}{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60, ms % 1_000)
}

/// An arrow in a text would be read as a time line.
fn arrowless(text: &str) -> String {
    text.replace("-->", "->")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(start: f64, end: f64, text: &str) -> Segment {
        Segment { start, end, text: text.to_owned(), tokens: vec![1], ..Segment::default() }
    }

    #[test]
    fn subtitles_have_numbers_times_and_text() {
        let segments = [segment(0.0, 1.5, "Hello."), segment(3661.001, 3662.0, "A --> B")];
        assert_eq!(
            srt(&segments),
            "1\n00:00:00,000 --> 00:00:01,500\nHello.\n\n2\n01:01:01,001 --> 01:01:02,000\nA -> B\n\n"
        );
        assert!(vtt(&segments).starts_with("WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHello.\n\n"));
        assert_eq!(tsv(&segments), "start\tend\ttext\n0\t1500\tHello.\n3661001\t3662000\tA --> B\n");
    }

    #[test]
    fn markup_in_text_stays_text_in_vtt() {
        assert!(vtt(&[segment(0.0, 1.0, "a <b> & c")]).contains("a &lt;b> &amp; c"));
    }
}
