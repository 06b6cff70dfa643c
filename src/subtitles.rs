//! Timed text as subtitle files: SubRip, WebVTT, and openai-whisper's tab-separated values.

use std::fmt::Write as _;

use crate::asr::Segment;

/// SubRip.
pub fn srt(segments: &[Segment]) -> String {
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

/// WebVTT.
pub fn vtt(segments: &[Segment]) -> String {
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

/// Start and end in ms, and the text; with a header.
pub fn tsv(segments: &[Segment]) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subtitles_have_numbers_times_and_text() {
        let segments = [Segment::plain(0.0, 1.5, "Hello."), Segment::plain(3661.001, 3662.0, "A --> B")];
        assert_eq!(
            srt(&segments),
            "1\n00:00:00,000 --> 00:00:01,500\nHello.\n\n2\n01:01:01,001 --> 01:01:02,000\nA -> B\n\n"
        );
        assert!(vtt(&segments).starts_with("WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHello.\n\n"));
        assert_eq!(tsv(&segments), "start\tend\ttext\n0\t1500\tHello.\n3661001\t3662000\tA --> B\n");
    }

    #[test]
    fn markup_in_text_stays_text_in_vtt() {
        assert!(vtt(&[Segment::plain(0.0, 1.0, "a <b> & c")]).contains("a &lt;b> &amp; c"));
    }
}
