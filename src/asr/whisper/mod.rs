//! Whisper: log-mel spectrogram, encoder, decoder with key/value caches, text.
//!
//! ```text
//! samples ─ log_mel ─► [n_mels, 3000] ─ encoder ─► [1500, d] ─ decoder ⇄ filter ─► tokens
//!                                                                  │
//!                              segments ◄─ decoding (fallback) ◄───┘      alignment ─► word times
//! ```
//! An utterance is at most one window of 30 s when it comes from the endpointer. A longer one (a
//! whole recording without endpointing) is cut at its quietest places. No text is carried from one
//! window to the next: a mistake must not breed.

mod alignment;
mod cache;
mod context;
mod decoder;
mod decoding;
mod dims;
mod encoder;
mod filter;
mod language;
mod layers;
pub mod load;
pub mod log_mel;
mod options;
mod pack;
mod repetition;
mod segments;
mod vocabulary;
mod windows;

use std::path::Path;

pub use cache::{LoadOptions, forget_packed};
pub use context::Context;
pub use dims::{ModelDims, Operations};
pub use filter::non_speech_tokens;
pub use language::{LANGUAGES, Language, find_language};
pub use load::{LoadError, WeightFormat};
pub use options::{DecodingOptions, LanguageChoice, Task};
pub use pack::Precision;
pub use vocabulary::{SpecialTokens, Vocabulary};

use crate::asr::kernels::pool::Pool;
use crate::asr::{
    EngineId, Outcome, RecognitionObserver, Recognizer, RecognizerError, Segment, Stage, Transcript,
};
use crate::audio::seconds_of;
use crate::isa::Isa;
use crate::utterance::Utterance;
use alignment::Aligner;
use context::Positions;
use decoder::{Decoder, DecoderState, Engine};
use decoding::{DecodingContext, Hypothesis};
use encoder::Encoder;
use filter::Suppress;
use layers::Compute;
use log_mel::LogMel;

/// A window that stopped early is resumed only if this much audio is left: less holds no word.
const MIN_RESUME_S: f64 = 0.5;
/// A window must have come this far to be resumed, so that every window makes progress.
const MIN_PROGRESS_S: f64 = 1.0;

/// Above this no-speech probability a text must be more probable than [`UNLIKELY_LOGPROB`] to be believed.
///
/// The reference's test alone (0.6 and -1.0) lets "Thank you." through on instrumental music, at 0.83 to
/// 0.93 and -0.91 to -1.0. On 206 segments of real speech, short spoken digits and far voices among
/// them, none lay beyond both values.
const UNLIKELY_SPEECH: f32 = 0.8;
/// See [`UNLIKELY_SPEECH`].
const UNLIKELY_LOGPROB: f32 = -0.8;

/// A Whisper model, ready to transcribe.
pub struct WhisperRecognizer {
    engine: EngineId,
    dims: ModelDims,
    compute: Compute,
    encoder: Encoder,
    decoder: Decoder,
    log_mel: LogMel,
    /// The spectrogram of the window at hand.
    mel: Vec<f32>,
    vocabulary: Vocabulary,
    special: SpecialTokens,
    suppress: Suppress,
    non_speech: Vec<u32>,
    aligner: Aligner,
    options: DecodingOptions,
}

impl WhisperRecognizer {
    /// Loads the model in the folder or file `path` with default [`LoadOptions`]; `name` is what the user calls it.
    ///
    /// # Errors
    /// [`LoadError`], which says what is wrong with which file and what to do.
    pub fn load(path: &Path, name: &str, options: DecodingOptions) -> Result<Self, LoadError> {
        Self::load_with(path, name, options, &LoadOptions::default())
    }

    /// Loads the model in the folder or file `path`.
    ///
    /// # Errors
    /// As for [`WhisperRecognizer::load`].
    pub fn load_with(
        path: &Path,
        name: &str,
        options: DecodingOptions,
        how: &LoadOptions,
    ) -> Result<Self, LoadError> {
        let (image, vocabulary) = cache::open(path, how)?;
        let dims = image.index.dims;
        let special = SpecialTokens::of(dims.n_vocab);
        let recognizer = Self {
            engine: EngineId::new("whisper", name, how.precision.name()),
            compute: Compute { isa: how.isa.unwrap_or_else(Isa::detect), pool: Pool::new(how.threads()) },
            encoder: Encoder::new(&image, &dims)?,
            decoder: Decoder::new(&image, &dims)?,
            log_mel: LogMel::new(dims.n_mels),
            mel: Vec::new(),
            suppress: Suppress::new(&special, non_speech(&image.index.non_speech, &options)),
            non_speech: image.index.non_speech.clone(),
            aligner: Aligner::new(image.index.alignment_heads.clone(), &dims),
            vocabulary,
            special,
            dims,
            options,
        };
        tracing::debug!(?dims, stored_as = image.index.stored_as, isa = %recognizer.compute.isa, "model loaded");
        Ok(recognizer)
    }

    /// The model's sizes.
    pub fn dims(&self) -> &ModelDims {
        &self.dims
    }

    /// Encoder positions that are computed for `samples` of audio, at most 30 s.
    pub fn positions(&self, samples: usize) -> usize {
        let frames = (samples / log_mel::HOP_LENGTH + 1).min(log_mel::N_FRAMES);
        let total = self.dims.n_audio_ctx;
        Positions::choose(self.options.context, frames.div_ceil(2), total).places.len()
    }

    /// How it decodes.
    pub fn options(&self) -> &DecodingOptions {
        &self.options
    }

    /// Changes how it decodes, from the next utterance on.
    pub fn set_options(&mut self, options: DecodingOptions) {
        self.suppress = Suppress::new(&self.special, non_speech(&self.non_speech, &options));
        self.options = options;
    }

    /// Logits at each of `tokens` for a window of `samples`; for comparison with other implementations.
    #[doc(hidden)]
    pub fn logits(&mut self, samples: &[f32], tokens: &[u32]) -> Result<Vec<Vec<f32>>, RecognizerError> {
        self.log_mel.frames(samples, &mut self.mel);
        let (mut state, _) = self.encode(Context::Full, &())?;
        let engine = self.engine_ref();
        engine.step(&mut state, tokens);
        let mut logits = Vec::new();
        let mut row = |i| {
            engine.logits(&mut state, Some(i), &mut logits);
            logits.clone()
        };
        Ok((0..tokens.len()).map(&mut row).collect())
    }

    /// The spectrogram at hand to a decoder's state, and whether the window was shortened.
    fn encode(
        &self,
        context: Context,
        observer: &dyn RecognitionObserver,
    ) -> Result<(DecoderState, bool), RecognizerError> {
        let speech = (self.mel.len() / self.dims.n_mels).div_ceil(2);
        let positions = Positions::choose(context, speech, self.dims.n_audio_ctx);
        let cancelled = || observer.cancelled();
        let audio = self
            .encoder
            .forward(&self.compute, &self.decoder, &self.mel, &positions, &cancelled)
            .ok_or(RecognizerError::Cancelled)?;
        let shortened = positions.live < self.dims.n_audio_ctx;
        Ok((DecoderState::new(audio, positions.bias), shortened))
    }

    fn engine_ref(&self) -> Engine<'_> {
        Engine { decoder: &self.decoder, compute: &self.compute }
    }

    fn context(&self) -> DecodingContext<'_> {
        DecodingContext {
            engine: self.engine_ref(),
            vocabulary: &self.vocabulary,
            special: self.special,
            options: &self.options,
            suppress: &self.suppress,
        }
    }

    /// The language token to prompt with; none for English-only models.
    fn language(&self, state: &mut DecoderState) -> Result<Option<u32>, RecognizerError> {
        if !self.dims.is_multilingual() {
            return Ok(None);
        }
        match &self.options.language {
            LanguageChoice::Pinned(code) => self.special.language(code).map(Some).ok_or_else(|| {
                RecognizerError::Engine(format!("the model does not know the language `{code}`").into())
            }),
            LanguageChoice::Detect(candidates) => {
                let (token, probability) = self.context().detect_language(state, candidates)?;
                tracing::debug!(probability, "language detected");
                Ok(Some(token))
            }
        }
    }

    fn language_code(&self, token: Option<u32>) -> Option<String> {
        match token {
            Some(token) => {
                let index = (token - self.special.first_language) as usize;
                LANGUAGES.get(index).map(|l| l.code.to_owned())
            }
            None => Some("en".to_owned()),
        }
    }

    /// Transcribes at most 30 s and appends to `transcript`; returns where it must be resumed, in samples.
    fn transcribe_window(
        &mut self,
        samples: &[f32],
        offset: usize,
        language: &mut Option<Option<u32>>,
        transcript: &mut Transcript,
        observer: &mut dyn RecognitionObserver,
    ) -> Result<Option<usize>, RecognizerError> {
        observer.enter(Stage::LogMel);
        self.log_mel.frames(samples, &mut self.mel);
        observer.enter(Stage::Encode);
        let (mut state, shortened) = self.encode(self.options.context, observer)?;
        observer.enter(Stage::Decode);
        let token = match *language {
            Some(token) => token,
            None => *language.insert(self.language(&mut state)?),
        };
        let seconds = seconds_of(samples.len());
        let mut hypothesis =
            self.context().decode(&mut state, token, shortened.then_some(seconds), observer)?;
        if hypothesis.doubted {
            tracing::debug!(
                "the text of a shortened window is doubted: it is decoded again from the full one"
            );
            observer.enter(Stage::Encode);
            (state, _) = self.encode(Context::Full, observer)?;
            observer.enter(Stage::Decode);
            hypothesis = self.context().decode(&mut state, token, None, observer)?;
            transcript.full_windows += 1;
        }
        transcript.fallbacks += hypothesis.fallbacks;
        if self.is_silence(&hypothesis) {
            return Ok(None);
        }
        transcript.outcome = Outcome::Empty;
        let found = segments::split(&hypothesis.tokens, &self.special, seconds, hypothesis.complete);
        if !hypothesis.complete && found.resume_at.is_none() {
            tracing::warn!(
                "a window of {seconds:.1} s ended in the middle of its text; what follows it may be missing"
            );
        }
        let first = transcript.segments.len();
        for span in &found.spans {
            transcript.segments.extend(self.segment(span, &hypothesis));
        }
        if self.options.word_timestamps {
            observer.enter(Stage::Align);
            let start = self.context().start_sequence(token);
            let context = alignment::AlignmentContext {
                engine: self.engine_ref(),
                vocabulary: &self.vocabulary,
                special: self.special,
                by_character: self.language_code(token).is_some_and(|c| language::written_without_spaces(&c)),
                seconds,
            };
            self.aligner.align(&context, &mut state, &start, &mut transcript.segments[first..]);
        }
        let shift = seconds_of(offset);
        for segment in &mut transcript.segments[first..] {
            segment.shift(shift);
        }
        let resume = found.resume_at.filter(|at| *at >= MIN_PROGRESS_S && seconds - at > MIN_RESUME_S);
        Ok(resume.map(|at| offset + (at * 16_000.0) as usize))
    }

    /// An improbable text where silence is probable: the reference's test, and a second one for when
    /// silence is very probable.
    fn is_silence(&self, h: &Hypothesis) -> bool {
        let beyond = |no_speech: f32, logprob: f32| h.no_speech_prob > no_speech && h.avg_logprob < logprob;
        beyond(self.options.no_speech_threshold, self.options.logprob_threshold)
            || (self.options.no_speech_threshold < UNLIKELY_SPEECH
                && beyond(UNLIKELY_SPEECH, UNLIKELY_LOGPROB))
    }

    /// `None` for a text without a letter or digit: punctuation alone is what the model says to noise.
    fn segment(&self, span: &segments::Span, hypothesis: &Hypothesis) -> Option<Segment> {
        let text = self.vocabulary.decode(&span.tokens, &self.special).trim().to_owned();
        text.chars().any(char::is_alphanumeric).then(|| Segment {
            start: span.start,
            end: span.end,
            text,
            tokens: span.tokens.clone(),
            temperature: Some(hypothesis.temperature),
            avg_logprob: Some(hypothesis.avg_logprob),
            no_speech_prob: Some(hypothesis.no_speech_prob),
            compression_ratio: Some(hypothesis.compression_ratio),
            words: Vec::new(),
        })
    }
}

/// Opens packed weights with an untrusted index and builds a model on them; for fuzzing.
#[doc(hidden)]
pub fn fuzz_pack(bytes: &[u8]) {
    let (body, json) = bytes.split_at(bytes.len().min(64));
    let Ok(image) = pack::of_parts(body, json) else { return };
    let dims = image.index.dims;
    let _ = image.tokens().map(|tokens| tokens.len());
    let _ = Encoder::new(&image, &dims).and_then(|_| Decoder::new(&image, &dims));
}

/// Those of `tokens` that are to be suppressed.
fn non_speech<'a>(tokens: &'a [u32], options: &DecodingOptions) -> &'a [u32] {
    if options.suppress_non_speech { tokens } else { &[] }
}

impl Recognizer for WhisperRecognizer {
    fn engine(&self) -> &EngineId {
        &self.engine
    }

    fn transcribe(
        &mut self,
        utterance: &Utterance,
        observer: &mut dyn RecognitionObserver,
    ) -> Result<Transcript, RecognizerError> {
        let mut transcript = Transcript::without_text(Outcome::NoSpeech, None);
        let mut language = None;
        for window in windows::cut(&utterance.samples) {
            let mut at = window.start;
            while at < window.end {
                let samples = &utterance.samples[at..window.end];
                let resume = self.transcribe_window(samples, at, &mut language, &mut transcript, observer)?;
                match resume {
                    Some(next) if next > at => at = next,
                    _ => break,
                }
            }
        }
        transcript.language = language.and_then(|token| self.language_code(token));
        transcript.text = join(&transcript.segments, transcript.language.as_deref());
        if !transcript.text.is_empty() {
            transcript.outcome = Outcome::Transcript;
        }
        Ok(transcript)
    }
}

/// Segments' texts as one, with a space between them where the language is written with spaces.
pub fn join(segments: &[Segment], language: Option<&str>) -> String {
    let separator = if language.is_some_and(language::written_without_spaces) { "" } else { " " };
    segments.iter().map(|s| s.text.as_str()).collect::<Vec<_>>().join(separator)
}
