//! Endpointing: from speech probabilities to utterances.
//!
//! The [`Endpointer`] cuts the stream into the detector's frames and decides on each frame alone, so the
//! sizes of the blocks that it is fed change nothing. Speech begins when enough recent frames are
//! voiced, reaches back over the frames that led in and a pre-roll, goes on while frames stay above a lower
//! threshold, and ends after a trailing silence. Speech longer than Whisper can hear at once is cut at
//! the least speech-like moment near the limit, without losing or doubling a sample. Utterances never
//! overlap. What is handed on is the audio as it came; only the detector hears quiet audio raised.
//!
//! Each [`EndpointEvent::SpeechStarted`] is followed by exactly one [`EndpointEvent::SpeechEnded`] before the
//! next: an onset is announced only once the utterance can no longer be given up as too faint and short.

mod history;
mod pauses;
mod quiet_gain;
mod rules;
mod scores;
#[cfg(test)]
mod tests;

use self::history::AudioHistory;
use self::pauses::Pauses;
use self::quiet_gain::QuietGain;
pub use self::rules::{EndpointRules, RuleError};
use self::scores::{FrameScore, FrameScores};
use crate::audio::{SamplePosition, samples_in_ms};
use crate::utterance::{Detection, EndReason, Utterance};
use crate::vad::VoiceActivityDetector;

/// A cut is looked for from this share of the longest utterance on.
const CUT_FROM_SHARE: f32 = 0.7;
/// A cut is looked for in this much of the utterance's end, in ms.
const CUT_WITHIN_MS: u32 = 5_000;

/// What the endpointer found, in stream order.
#[derive(Clone, Debug)]
pub enum EndpointEvent {
    /// Somebody speaks.
    SpeechStarted {
        /// Where speech was first detected, without pre-roll; after a cut, the cut.
        position: SamplePosition,
    },
    /// They stopped, or were cut.
    SpeechEnded(Utterance),
}

/// The utterance that is being spoken, as far as it is known.
#[derive(Clone, Copy)]
pub struct OpenUtterance<'a> {
    /// The index that the finished utterance will have.
    pub index: u64,
    /// Position of `samples[0]`, pre-roll included; it will be the finished utterance's.
    pub start: SamplePosition,
    /// The audio so far, to the last whole frame, trailing silence included.
    pub samples: &'a [f32],
    /// Where speech was last detected.
    pub speech_end: SamplePosition,
    /// Samples of silence since `speech_end`; 0 while they speak.
    pub silence: usize,
}

/// Finds utterances in one stream of 16 kHz mono audio.
pub struct Endpointer {
    rules: EndpointRules,
    detector: Box<dyn VoiceActivityDetector>,
    frame_len: usize,
    gain: QuietGain,
    /// The frame being filled.
    frame: Vec<f32>,
    /// The frame as the detector hears it.
    heard: Vec<f32>,
    history: AudioHistory,
    scores: FrameScores,
    pauses: Pauses,
    speech: Option<Speech>,
    /// Index of the next utterance.
    index: u64,
    /// End of the last utterance: no later one begins before it.
    floor: SamplePosition,
    /// Samples of non-speech since the detector's state was last refreshed.
    quiet: usize,
    non_finite: u64,
}

/// Speech that has begun and not ended.
struct Speech {
    /// Where the utterance begins.
    start: SamplePosition,
    /// Where speech began.
    onset: SamplePosition,
    /// End of the last frame that was speech.
    end: SamplePosition,
    /// Samples in voiced frames.
    voiced: usize,
    /// The highest probability.
    loudest: f32,
    /// It is what a cut left over.
    continued: bool,
    announced: bool,
}

impl Endpointer {
    /// An endpointer at the beginning of a stream.
    ///
    /// # Errors
    /// A rule is outside its range.
    pub fn new(rules: EndpointRules, detector: Box<dyn VoiceActivityDetector>) -> Result<Self, RuleError> {
        rules.validate()?;
        let frame_len = detector.frame_len().max(1);
        let longest = samples_in_ms(rules.max_utterance_ms) + 2 * frame_len;
        let mut endpointer = Self {
            frame_len,
            gain: QuietGain::new(&rules, detector.wants_level()),
            frame: Vec::with_capacity(frame_len),
            heard: vec![0.0; frame_len],
            history: AudioHistory::new(longest),
            scores: FrameScores::new(frame_len, longest / frame_len),
            pauses: Pauses::new(frame_len),
            speech: None,
            index: 0,
            floor: SamplePosition(0),
            quiet: 0,
            non_finite: 0,
            rules,
            detector,
        };
        endpointer.detector.reset();
        Ok(endpointer)
    }

    /// Hears the next samples of the stream, any number of them, mono in [-1, 1] at 16 kHz. NaN and
    /// infinite samples are heard and handed on as 0. Allocates only when an utterance ends.
    pub fn push(&mut self, samples: &[f32], emit: &mut dyn FnMut(EndpointEvent)) {
        let mut rest = samples;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(self.frame_len - self.frame.len()));
            for &sample in now {
                self.non_finite += u64::from(!sample.is_finite());
                self.frame.push(if sample.is_finite() { sample } else { 0.0 });
            }
            if self.frame.len() == self.frame_len {
                self.hear_frame(emit);
            }
            rest = later;
        }
    }

    /// Ends the stream, or a stretch of it such as a key release in push-to-talk: decides on the last partial
    /// frame and hands over what is being spoken. Positions and indices go on if more is pushed, with
    /// a detector that has forgotten everything and no pre-roll from before.
    pub fn finish(&mut self, emit: &mut dyn FnMut(EndpointEvent)) {
        if !self.frame.is_empty() {
            self.hear_frame(emit);
        }
        if let Some(speech) = self.speech.take() {
            self.close(&speech, EndReason::EndOfStream, emit);
        }
        self.floor = self.history.end();
        self.history.forget_before(self.floor);
        self.scores.restart_at(self.floor);
        self.detector.reset();
        self.gain.reset();
        self.quiet = 0;
    }

    /// Forgets everything: the next sample is the first of a new stream, at position 0.
    pub fn restart(&mut self) {
        let longest = samples_in_ms(self.rules.max_utterance_ms) + 2 * self.frame_len;
        self.frame.clear();
        self.history = AudioHistory::new(longest);
        self.scores = FrameScores::new(self.frame_len, longest / self.frame_len);
        self.pauses.clear();
        self.speech = None;
        self.index = 0;
        self.floor = SamplePosition(0);
        self.quiet = 0;
        self.non_finite = 0;
        self.detector.reset();
        self.gain.reset();
    }

    /// The utterance being spoken, if any has been announced.
    pub fn in_progress(&self) -> Option<OpenUtterance<'_>> {
        let speech = self.speech.as_ref().filter(|speech| speech.announced)?;
        let now = self.history.end();
        Some(OpenUtterance {
            index: self.index,
            start: speech.start,
            samples: self.history.between(speech.start, now),
            speech_end: speech.end,
            silence: now - speech.end,
        })
    }

    /// The utterance that will end by [`EndReason::Silence`] if nobody speaks until then; `None` until its
    /// post-pad was heard. `decided` is where it would be. Copies its samples.
    pub fn foreseen(&self) -> Option<Utterance> {
        let speech = self.speech.as_ref().filter(|speech| speech.announced)?;
        let end = speech.end + samples_in_ms(self.rules.post_pad_ms);
        (end <= self.history.end()).then(|| Utterance {
            decided: speech.end + samples_in_ms(self.rules.min_trailing_silence_ms),
            ..self.utterance(speech, end, speech.end, EndReason::Silence)
        })
    }

    /// Samples heard so far, a partial frame included.
    pub fn position(&self) -> SamplePosition {
        self.history.end() + self.frame.len()
    }

    /// Samples that were NaN or infinite.
    pub fn non_finite_samples(&self) -> u64 {
        self.non_finite
    }

    /// The rules it follows.
    pub fn rules(&self) -> &EndpointRules {
        &self.rules
    }

    /// The detector's name.
    pub fn detector(&self) -> &'static str {
        self.detector.name()
    }

    /// Scores the frame, of which the end may be missing, and decides.
    fn hear_frame(&mut self, emit: &mut dyn FnMut(EndpointEvent)) {
        let energy = self.frame.iter().map(|x| x * x).sum::<f32>() / self.frame.len() as f32;
        self.heard.fill(0.0);
        self.heard[..self.frame.len()].copy_from_slice(&self.frame);
        self.gain.apply(&mut self.heard, energy);
        let probability = self.detector.speech_probability(&self.heard).0;
        self.gain.learn(energy, probability, self.frame.len());
        self.scores.push(FrameScore { probability, energy });
        // Exact zeros stand for what the source lost, or what a gate cut away: they are no room.
        if probability < self.rules.neg_threshold && energy > 0.0 {
            self.pauses.push(energy);
        }
        self.history.extend(&self.frame);
        self.frame.clear();

        match self.speech.take() {
            None => self.await_speech(probability, emit),
            Some(speech) => self.continue_speech(speech, probability, emit),
        }
    }

    fn await_speech(&mut self, probability: f32, emit: &mut dyn FnMut(EndpointEvent)) {
        let rules = &self.rules;
        let now = self.history.end();
        let pre_roll = samples_in_ms(rules.pre_roll_ms);
        let needed = rules.confirming_frames(self.frame_len);
        let reach = pre_roll / self.frame_len;
        if let Some(onset) = self.scores.onset(needed, rules.threshold, rules.neg_threshold, reach) {
            let onset = onset.max(self.floor);
            let stats = self.scores.stats(onset, now, rules.threshold);
            let speech = Speech {
                start: onset.saturating_sub(pre_roll).max(self.history.start()).max(self.floor),
                onset,
                end: self.scores.speech_end(onset, now, rules.neg_threshold).map_or(now, |end| end.min(now)),
                voiced: stats.voiced * self.frame_len,
                loudest: stats.max,
                continued: false,
                announced: false,
            };
            self.history.forget_before(speech.start);
            self.scores.forget_before(onset);
            self.quiet = 0;
            self.announce_or_split(speech, emit);
            return;
        }
        self.quiet = if probability < rules.threshold { self.quiet + self.frame_len } else { 0 };
        if self.quiet >= samples_in_ms(rules.refresh_after_silence_ms) {
            self.detector.refresh();
            self.quiet = 0;
        }
        let watched = (2 * needed + reach) * self.frame_len;
        self.scores.forget_before(now.saturating_sub(watched));
        self.history.forget_before(now.saturating_sub(watched + pre_roll));
    }

    fn continue_speech(&mut self, mut speech: Speech, probability: f32, emit: &mut dyn FnMut(EndpointEvent)) {
        let now = self.history.end();
        if probability >= self.rules.neg_threshold {
            speech.end = now;
        }
        if probability >= self.rules.threshold {
            speech.voiced += self.frame_len;
        }
        speech.loudest = speech.loudest.max(probability);
        if now - speech.end >= samples_in_ms(self.rules.min_trailing_silence_ms) {
            self.close(&speech, EndReason::Silence, emit);
        } else {
            self.announce_or_split(speech, emit);
        }
    }

    /// Announces speech that is worth it, and cuts it before it gets too long.
    fn announce_or_split(&mut self, mut speech: Speech, emit: &mut dyn FnMut(EndpointEvent)) {
        if !speech.announced && self.is_worth_keeping(&speech) {
            speech.announced = true;
            emit(EndpointEvent::SpeechStarted { position: speech.onset });
        }
        let longest = samples_in_ms(self.rules.max_utterance_ms);
        self.speech = if (self.history.end() - speech.start) + self.frame_len <= longest {
            Some(speech)
        } else if speech.announced {
            Some(self.split(&speech, emit))
        } else {
            self.close(&speech, EndReason::MaxDuration, emit);
            None
        };
    }

    fn is_worth_keeping(&self, speech: &Speech) -> bool {
        if speech.continued {
            // It was worth keeping before the cut; all that counts is that some of it lies behind.
            return speech.end > speech.start;
        }
        speech.voiced >= samples_in_ms(self.rules.discard_below_voiced_ms)
            || speech.loudest >= self.rules.discard_below_probability
    }

    /// Ends over-long speech at its best cut and returns what follows the cut.
    fn split(&mut self, speech: &Speech, emit: &mut dyn FnMut(EndpointEvent)) -> Speech {
        let now = self.history.end();
        let longest = samples_in_ms(self.rules.max_utterance_ms);
        let least = (longest as f32 * CUT_FROM_SHARE) as usize;
        let from = (speech.start + least).max(now.saturating_sub(samples_in_ms(CUT_WITHIN_MS)));
        let cut = self.scores.best_cut(from, now).unwrap_or(now);
        let speech_end = self.scores.speech_end(speech.onset, cut, self.rules.neg_threshold).unwrap_or(cut);
        self.hand_over(speech, cut, speech_end.min(cut), EndReason::MaxDuration, emit);

        let behind = self.scores.stats(cut, now, self.rules.threshold);
        let mut rest = Speech {
            start: cut,
            onset: cut,
            end: speech.end.max(cut),
            voiced: behind.voiced * self.frame_len,
            loudest: behind.max,
            continued: true,
            announced: false,
        };
        if self.is_worth_keeping(&rest) {
            rest.announced = true;
            emit(EndpointEvent::SpeechStarted { position: cut });
        }
        self.scores.forget_before(cut);
        self.history.forget_before(cut);
        rest
    }

    /// Ends speech: hands it over with its post-pad, or gives it up if it was never announced.
    fn close(&mut self, speech: &Speech, reason: EndReason, emit: &mut dyn FnMut(EndpointEvent)) {
        let now = self.history.end();
        if speech.announced {
            let end = (speech.end + samples_in_ms(self.rules.post_pad_ms)).min(now);
            self.hand_over(speech, end, speech.end, reason, emit);
        }
        self.quiet = 0;
        self.scores.restart_at(now);
    }

    fn hand_over(
        &mut self,
        speech: &Speech,
        end: SamplePosition,
        speech_end: SamplePosition,
        end_reason: EndReason,
        emit: &mut dyn FnMut(EndpointEvent),
    ) {
        let utterance = self.utterance(speech, end, speech_end, end_reason);
        self.index += 1;
        self.floor = end;
        emit(EndpointEvent::SpeechEnded(utterance));
    }

    fn utterance(
        &self,
        speech: &Speech,
        end: SamplePosition,
        speech_end: SamplePosition,
        end_reason: EndReason,
    ) -> Utterance {
        let stats = self.scores.stats(speech.onset, speech_end, self.rules.threshold);
        Utterance {
            index: self.index,
            start: speech.start,
            samples: self.history.between(speech.start, end).to_vec(),
            speech_end,
            decided: self.history.end(),
            end_reason,
            mean_speech_probability: stats.mean,
            detection: Some(Detection {
                speech_samples: stats.voiced * self.frame_len,
                speech_power: stats.voiced_power,
                pause_power: self.pauses.power(),
            }),
        }
    }
}

impl std::fmt::Debug for Endpointer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpointer")
            .field("rules", &self.rules)
            .field("detector", &self.detector.name())
            .field("position", &self.position())
            .finish_non_exhaustive()
    }
}
