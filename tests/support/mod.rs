//! What integration tests share: installed models and recordings, signals, and the binary.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod fakes;
pub mod formats;
pub mod server;

use std::path::PathBuf;

use earwitness::audio::{ChannelSelect, FileSource, read_all};
use earwitness::models::ModelStore;

/// Where an installed model or recording lies. Tests never skip: what is missing is named.
pub fn installed(name: &str) -> PathBuf {
    ModelStore::open_default()
        .expect("a home folder")
        .locate(name)
        .unwrap_or_else(|e| panic!("{e}\n`make test` installs it; by hand: cargo run -- models pull {name}"))
}

/// Weights of the Silero detector.
pub fn silero_weights() -> PathBuf {
    installed("silero-vad")
}

/// A reading of the first lines of a novel, 44 s, one man.
pub fn two_cities() -> PathBuf {
    installed("two-cities")
}

/// What is said in [`two_cities`], as far as the recording goes.
pub const TWO_CITIES_TEXT: &str = "It was the best of times, it was the worst of times, it was the age of wisdom, \
    it was the age of foolishness, it was the epoch of belief, it was the epoch of incredulity, \
    it was the season of light, it was the season of darkness, it was the spring of hope, \
    it was the winter of despair, we had everything before us, we had nothing before us, \
    we were all going direct to heaven, we were all going direct the other way, \
    in short, the period was so far like the present period, that some of its noisiest authorities \
    insisted on its being received, for good or for evil, in the superlative degree of comparison only.";

/// The whole recording as 16 kHz mono.
pub fn samples_of(file: &std::path::Path) -> Vec<f32> {
    let mut source = FileSource::open(file, ChannelSelect::Mix).expect("the recording opens");
    read_all(&mut source).expect("the recording decodes")
}

/// White noise with a root mean square of `dbfs`, the same for the same seed.
pub fn white_noise(samples: usize, dbfs: f32, seed: u64) -> Vec<f32> {
    let mut rng = fastrand::Rng::with_seed(seed);
    // A uniform value in [-1, 1] has a mean square of 1/3.
    let gain = 10f32.powf(dbfs / 20.0) * 3f32.sqrt();
    (0..samples).map(|_| (rng.f32() * 2.0 - 1.0) * gain).collect()
}

/// Writes 16 kHz mono 16-bit WAV.
pub fn write_wav(path: &std::path::Path, samples: &[f32]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).expect("the folder is writable");
    for s in samples {
        writer.write_sample((s.clamp(-1.0, 1.0) * 32_767.0) as i16).expect("the disk has room");
    }
    writer.finalize().expect("the disk has room");
}

/// The binary under test.
pub fn earwitness() -> assert_cmd::Command {
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_earwitness"))
}
