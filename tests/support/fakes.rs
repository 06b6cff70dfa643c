//! A detector, a source and a recognizer that do as they are told.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use earwitness::asr::{EngineId, RecognitionObserver, Recognizer, RecognizerError, Segment, Transcript};
use earwitness::audio::{AudioError, AudioSource, NativeFormat, Read, SampleRate, samples_in_ms};
use earwitness::utterance::Utterance;
use earwitness::vad::{SpeechProbability, VoiceActivityDetector};

/// Takes a frame for speech if its first sample is loud: a test writes speech by writing 0.5.
pub struct LoudIsSpeech;

impl VoiceActivityDetector for LoudIsSpeech {
    fn frame_len(&self) -> usize {
        512
    }
    fn speech_probability(&mut self, frame: &[f32]) -> SpeechProbability {
        SpeechProbability(if frame[0] > 0.1 { 1.0 } else { 0.0 })
    }
    fn reset(&mut self) {}
    fn name(&self) -> &'static str {
        "loud"
    }
}

/// Answers each utterance with its index and length, after `delay`; fails on those in `fail_on`.
pub struct FakeRecognizer {
    pub engine: EngineId,
    pub delay: Duration,
    pub fail_on: Vec<u64>,
    pub heard: Arc<Mutex<Vec<u64>>>,
    /// Mean log-probability of its texts.
    pub avg_logprob: f32,
    /// Recognitions that were begun.
    pub begun: Arc<AtomicUsize>,
}

impl FakeRecognizer {
    pub fn new(delay_ms: u64) -> Self {
        Self {
            engine: EngineId::new("fake", "utterance", "none"),
            delay: Duration::from_millis(delay_ms),
            fail_on: vec![],
            heard: Arc::default(),
            begun: Arc::default(),
            avg_logprob: 0.0,
        }
    }
}

impl Recognizer for FakeRecognizer {
    fn engine(&self) -> &EngineId {
        &self.engine
    }

    fn transcribe(
        &mut self,
        utterance: &Utterance,
        observer: &mut dyn RecognitionObserver,
    ) -> Result<Transcript, RecognizerError> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        let begin = Instant::now();
        loop {
            if observer.cancelled() {
                return Err(RecognizerError::Cancelled);
            }
            let left = self.delay.saturating_sub(begin.elapsed());
            if left.is_zero() {
                break;
            }
            std::thread::sleep(left.min(Duration::from_millis(5)));
        }
        self.heard.lock().unwrap().push(utterance.index);
        if self.fail_on.contains(&utterance.index) {
            return Err(RecognizerError::Engine("as told".into()));
        }
        let text = format!("{} {}", self.engine.model, utterance.index);
        let segment = Segment {
            start: 0.0,
            end: utterance.seconds(),
            text: text.clone(),
            tokens: vec![1],
            avg_logprob: Some(self.avg_logprob),
            ..Segment::default()
        };
        Ok(Transcript::new(&text, None, vec![segment]))
    }
}

/// Gives `script` in blocks; `Err` at its end if `fails`.
pub struct Script {
    pub blocks: Vec<Step>,
    pub fails: bool,
}

pub enum Step {
    Speech(u32),
    Silence(u32),
    Gap(u64),
    /// No sample until so many recognitions were begun.
    Await(Arc<AtomicUsize>, usize),
}

impl AudioSource for Script {
    fn read(&mut self, block: &mut Vec<f32>) -> Result<Read, AudioError> {
        block.clear();
        if self.blocks.is_empty() {
            if self.fails {
                return Err(AudioError::NoMicrophone { detail: "unplugged".into() });
            }
            return Ok(Read::End);
        }
        match self.blocks.remove(0) {
            Step::Speech(ms) => block.resize(samples_in_ms(ms), 0.5),
            Step::Silence(ms) => block.resize(samples_in_ms(ms), 0.0),
            Step::Gap(n) => return Ok(Read::Gap(n)),
            Step::Await(begun, n) => {
                let deadline = Instant::now() + Duration::from_secs(20);
                while begun.load(Ordering::Relaxed) < n {
                    assert!(Instant::now() < deadline, "recognition {n} was never begun");
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
        Ok(Read::Samples)
    }
    fn native(&self) -> NativeFormat {
        NativeFormat { rate: SampleRate::new(16_000).unwrap(), channels: 1 }
    }
}

pub fn talk(utterances: usize) -> Vec<Step> {
    (0..utterances).flat_map(|_| [Step::Speech(1_000), Step::Silence(1_000)]).collect()
}
