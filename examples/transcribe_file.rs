//! Transcribes one recording, without the command line.
//!
//! `cargo run --release --example transcribe_file -- MODEL_FOLDER FILE`
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::path::Path;

use earwitness::asr::Recognizer;
use earwitness::asr::whisper::{DecodingOptions, WhisperRecognizer};
use earwitness::audio::{ChannelSelect, FileSource, read_all};
use earwitness::utterance::Utterance;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, file] = arguments.as_slice() else {
        return Err("usage: transcribe_file MODEL_FOLDER FILE".into());
    };
    let mut whisper = WhisperRecognizer::load(Path::new(model), "whisper", DecodingOptions::default())?;
    let samples = read_all(&mut FileSource::open(Path::new(file), ChannelSelect::Mix)?)?;
    let transcript = whisper.transcribe(&Utterance::whole(0, samples), &mut ())?;
    for segment in &transcript.segments {
        println!("[{:6.2} - {:6.2}] {}", segment.start, segment.end, segment.text);
    }
    Ok(())
}
