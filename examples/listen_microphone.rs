//! Prints what the microphone hears, utterance by utterance.
//!
//! `cargo run --release --example listen_microphone -- MODEL_FOLDER SILERO.onnx`
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::path::Path;

use earwitness::asr::whisper::{DecodingOptions, WhisperRecognizer};
use earwitness::audio::capture::Microphone;
use earwitness::endpoint::{EndpointRules, Endpointer};
use earwitness::pipeline::{Event, Pipeline, PipelineOptions, StopSignal};
use earwitness::vad::SileroVad;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, silero] = arguments.as_slice() else {
        return Err("usage: listen_microphone MODEL_FOLDER SILERO.onnx".into());
    };
    let mut endpointer = Endpointer::new(EndpointRules::default(), Box::new(SileroVad::from_file(silero)?))?;
    let mut whisper = WhisperRecognizer::load(Path::new(model), "whisper", DecodingOptions::default())?;
    let options = PipelineOptions { live: true, ..Default::default() };
    let microphone = Microphone::new().open()?;
    println!("listening to {}", microphone.device_id());
    Pipeline::new(&mut endpointer, &mut whisper, options).run(
        Box::new(microphone),
        &StopSignal::default(),
        &mut |event| {
            if let Event::Final(result) = event {
                println!("{}", result.text);
            }
        },
    )?;
    Ok(())
}
