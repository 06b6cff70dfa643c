//! Time of each stage on real weights and real speech. `make bench`; how to read it: benches/README.md.

use std::path::PathBuf;
use std::time::Duration;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::whisper::{Config, model::Whisper};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use earwitness::asr::whisper::log_mel::{LogMel, N_FRAMES};
use earwitness::asr::whisper::{Context, DecodingOptions, WhisperRecognizer, load};
use earwitness::asr::{Recognizer, Transcript};
use earwitness::audio::{ChannelSelect, FileSource, QualityMeter, Resampler, SampleRate, read_all};
use earwitness::device::DeviceMeter;
use earwitness::models::ModelStore;
use earwitness::pipeline::{StageTimings, recognize};
use earwitness::utterance::Utterance;
use earwitness::vad::{EnergyVad, SileroVad, VoiceActivityDetector};

fn installed(name: &str) -> PathBuf {
    let store = ModelStore::open_default().expect("a home folder");
    store.locate(name).unwrap_or_else(|e| panic!("{e}; or `make test`, which installs it"))
}

fn speech(seconds: usize) -> Vec<f32> {
    let mut source =
        FileSource::open(&installed("two-cities"), ChannelSelect::Mix).expect("the recording opens");
    let mut samples = read_all(&mut source).expect("the recording decodes");
    samples.truncate(seconds * 16_000);
    samples
}

fn log_mel(c: &mut Criterion) {
    let mut group = c.benchmark_group("log_mel");
    for seconds in [2, 8, 28] {
        let samples = speech(seconds);
        let mut mel = LogMel::new(80);
        group.bench_function(BenchmarkId::new("seconds", seconds), |b| b.iter(|| mel.window(&samples)));
    }
}

fn detectors(c: &mut Criterion) {
    let samples = speech(8);
    let mut group = c.benchmark_group("vad_8_s");
    let silero = SileroVad::from_file(installed("silero-vad")).expect("the detector loads");
    let mut detectors: Vec<Box<dyn VoiceActivityDetector>> =
        vec![Box::new(silero), Box::new(EnergyVad::new())];
    #[cfg(feature = "webrtc")]
    detectors.push(Box::new(earwitness::vad::WebRtcVad::new(Default::default())));
    for mut detector in detectors {
        group.bench_function(detector.name(), |b| {
            b.iter(|| {
                let frames = samples.chunks_exact(detector.frame_len());
                frames.map(|frame| detector.speech_probability(frame).0).sum::<f32>()
            });
        });
    }
}

fn resampling(c: &mut Criterion) {
    let mut group = c.benchmark_group("resample_1_s");
    for hz in [8_000, 44_100, 48_000] {
        let samples = vec![0.1; hz as usize];
        group.throughput(Throughput::Elements(u64::from(hz)));
        group.bench_function(BenchmarkId::from_parameter(hz), |b| {
            let mut resampler =
                Resampler::new(SampleRate::new(hz).expect("a supported rate")).expect("it builds");
            let mut out = Vec::new();
            b.iter(|| {
                out.clear();
                resampler.push(&samples, &mut out).expect("it resamples");
            });
        });
    }
}

/// What figures cost: the audio of one utterance, and a look at the device.
fn telemetry(c: &mut Criterion) {
    let mut group = c.benchmark_group("input_quality");
    for seconds in [1, 10, 28] {
        let samples = speech(seconds);
        let mut meter = QualityMeter::new();
        group.throughput(Throughput::Elements(samples.len() as u64));
        group.bench_function(BenchmarkId::new("seconds", seconds), |b| b.iter(|| meter.measure(&samples)));
    }
    group.finish();
    let mut device = DeviceMeter::new();
    c.bench_function("device_reading", |b| b.iter(|| device.read()));
}

/// A recognizer without fallback, whose times are those of one decode.
fn whisper(context: Context) -> WhisperRecognizer {
    let options =
        DecodingOptions { timestamps: false, temperatures: vec![0.0], context, ..Default::default() };
    WhisperRecognizer::load(&installed("tiny.en"), "tiny.en", options).expect("the model loads")
}

/// `stage` of `rounds` recognitions, by the pipeline's own clock.
fn time_of(
    whisper: &mut WhisperRecognizer,
    utterance: &Utterance,
    rounds: u64,
    stage: impl Fn(&StageTimings, &Transcript) -> f64,
) -> Duration {
    let milliseconds: f64 = (0..rounds)
        .map(|_| {
            let (transcript, timings) = recognize(whisper, utterance, &|| false).expect("it transcribes");
            stage(&timings, &transcript)
        })
        .sum();
    Duration::from_secs_f64(milliseconds / 1e3)
}

fn encoder(c: &mut Criterion) {
    for (name, context) in [("encoder_tail", Context::Tail), ("encoder_full", Context::Full)] {
        let mut group = c.benchmark_group(name);
        group.sample_size(10);
        let mut whisper = whisper(context);
        for seconds in [1, 2, 5, 10, 20, 28] {
            let utterance = Utterance::whole(0, speech(seconds));
            group.bench_function(BenchmarkId::new("seconds", seconds), |b| {
                b.iter_custom(|rounds| time_of(&mut whisper, &utterance, rounds, |t, _| t.encode_ms));
            });
        }
    }
}

/// One token: the decoder's time over its steps (prompt, tokens of text, end).
fn decoder_step(c: &mut Criterion) {
    let mut group = c.benchmark_group("decoder_step");
    group.sample_size(10);
    let mut whisper = whisper(Context::Tail);
    for seconds in [2, 8, 28] {
        let utterance = Utterance::whole(0, speech(seconds));
        group.bench_function(BenchmarkId::new("seconds", seconds), |b| {
            b.iter_custom(|rounds| {
                time_of(&mut whisper, &utterance, rounds, |t, transcript| {
                    let text: usize = transcript.segments.iter().map(|s| s.tokens.len()).sum();
                    t.decode_ms / (text + 2) as f64
                })
            });
        });
    }
}

fn end_to_end(c: &mut Criterion) {
    let mut group = c.benchmark_group("transcribe_tiny_en");
    group.sample_size(10);
    let mut whisper = whisper(Context::Tail);
    for seconds in [2, 8, 28] {
        let utterance = Utterance::whole(0, speech(seconds));
        group.bench_function(BenchmarkId::new("seconds", seconds), |b| {
            b.iter(|| whisper.transcribe(&utterance, &mut ()).expect("it transcribes"));
        });
    }
}

/// The stock implementation on the same weights: encoder, then 20 greedy steps, which feed the whole prefix each time.
fn stock_candle(c: &mut Criterion) {
    let checkpoint = load::load(&installed("tiny.en")).expect("the model loads");
    let d = checkpoint.dims;
    let config = Config {
        num_mel_bins: d.n_mels,
        max_source_positions: d.n_audio_ctx,
        d_model: d.d_model,
        encoder_attention_heads: d.n_heads,
        encoder_layers: d.n_audio_layers,
        vocab_size: d.n_vocab,
        max_target_positions: d.n_text_ctx,
        decoder_attention_heads: d.n_heads,
        decoder_layers: d.n_text_layers,
        suppress_tokens: vec![],
    };
    let tensors = checkpoint
        .tensors
        .into_iter()
        .map(|(name, t)| {
            let t = t.contiguous().and_then(|t| t.to_dtype(DType::F32)).expect("a copy");
            (format!("model.{name}"), t)
        })
        .collect();
    let vb = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    let mut whisper = Whisper::load(&vb, config).expect("the reference loads");
    let mel = LogMel::new(80).window(&speech(8));
    let mel = Tensor::from_vec(mel.values, (1, 80, N_FRAMES), &Device::Cpu).expect("a tensor");
    let mut group = c.benchmark_group("stock_candle_tiny_en");
    group.sample_size(10);
    group.bench_function("encoder_and_20_tokens", |b| {
        b.iter(|| {
            let audio = whisper.encoder.forward(&mel, true).expect("it encodes");
            let mut tokens = vec![50_257u32, 50_362];
            for step in 0..20 {
                let ids = Tensor::new(tokens.as_slice(), &Device::Cpu)
                    .expect("a tensor")
                    .unsqueeze(0)
                    .expect("a row");
                let hidden = whisper.decoder.forward(&ids, &audio, step == 0).expect("it decodes");
                let last = hidden.narrow(1, tokens.len() - 1, 1).expect("a row");
                let logits =
                    whisper.decoder.final_linear(&last).expect("logits").flatten_all().expect("a row");
                tokens.push(logits.argmax(0).expect("a token").to_scalar::<u32>().expect("a number"));
            }
            tokens
        });
    });
}

criterion_group!(
    benches,
    log_mel,
    detectors,
    resampling,
    telemetry,
    encoder,
    decoder_step,
    end_to_end,
    stock_candle
);
criterion_main!(benches);
