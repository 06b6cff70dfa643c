//! Prints where somebody speaks in a recording, without recognizing what is said.
//!
//! `cargo run --release --example detect_speech -- SILERO.onnx FILE`
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::path::Path;

use earwitness::audio::{AudioSource, ChannelSelect, FileSource, Read};
use earwitness::endpoint::{EndpointEvent, EndpointRules, Endpointer};
use earwitness::vad::SileroVad;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [silero, file] = arguments.as_slice() else {
        return Err("usage: detect_speech SILERO.onnx FILE".into());
    };
    let mut endpointer = Endpointer::new(EndpointRules::default(), Box::new(SileroVad::from_file(silero)?))?;
    let mut source = FileSource::open(Path::new(file), ChannelSelect::Mix)?;
    let mut show = |event| {
        if let EndpointEvent::SpeechEnded(utterance) = event {
            println!("{:8.2} {:8.2}", utterance.start.seconds(), utterance.end().seconds());
        }
    };
    let mut block = Vec::new();
    while source.read(&mut block)? != Read::End {
        endpointer.push(&block, &mut show);
    }
    endpointer.finish(&mut show);
    Ok(())
}
