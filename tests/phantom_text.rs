//! No text where nobody speaks.

mod support;

use earwitness::asr::whisper::{DecodingOptions, WhisperRecognizer};
use earwitness::audio::{AudioError, AudioSource, NativeFormat, Read, SampleRate};
use earwitness::endpoint::{EndpointRules, Endpointer};
use earwitness::pipeline::{Event, Pipeline, PipelineOptions, StopSignal};
use earwitness::vad::SileroVad;

/// Samples in blocks of a second.
struct Samples(std::vec::IntoIter<f32>);

impl AudioSource for Samples {
    fn read(&mut self, block: &mut Vec<f32>) -> Result<Read, AudioError> {
        block.clear();
        block.extend(self.0.by_ref().take(16_000));
        Ok(if block.is_empty() { Read::End } else { Read::Samples })
    }
    fn native(&self) -> NativeFormat {
        NativeFormat { rate: SampleRate::new(16_000).unwrap(), channels: 1 }
    }
}

#[test]
fn silence_noise_and_hum_give_no_words() {
    const N: usize = 60 * 16_000;
    let vad = SileroVad::from_file(support::silero_weights()).unwrap();
    let mut endpointer = Endpointer::new(EndpointRules::default(), Box::new(vad)).unwrap();
    let model = support::installed("tiny.en");
    let mut whisper = WhisperRecognizer::load(&model, "tiny.en", DecodingOptions::default()).unwrap();
    let hum = |dbfs: f32| -> Vec<f32> {
        let gain = 10f32.powf(dbfs / 20.0);
        (0..N)
            .map(|i| {
                let t = i as f32 / 16_000.0;
                gain * [50.0, 100.0, 150.0]
                    .iter()
                    .map(|hz| (std::f32::consts::TAU * hz * t).sin())
                    .sum::<f32>()
            })
            .collect()
    };
    let mut noises = vec![("digital silence".to_owned(), vec![0.0; N])];
    for dbfs in [-60.0, -40.0, -20.0] {
        noises.push((format!("white noise at {dbfs} dBFS"), support::white_noise(N, dbfs, 1)));
        noises.push((format!("hum at {dbfs} dBFS"), hum(dbfs)));
    }
    for (what, samples) in noises {
        let mut text = String::new();
        Pipeline::new(&mut endpointer, &mut whisper, PipelineOptions::default())
            .run(Box::new(Samples(samples.into_iter())), &StopSignal::default(), &mut |event| {
                if let Event::Final(result) = event {
                    text.push_str(&result.text);
                }
            })
            .unwrap();
        assert_eq!(text, "", "{what}");
    }
}
