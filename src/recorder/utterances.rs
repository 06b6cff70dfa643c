//! Records of utterances: one for each outcome, and for each later answer.

use super::answers::Waiting;
use super::consent::Texts;
use super::input;
use super::output::{failure, metrics, name_of, software};
use super::thread::{RecorderThread, app_version};
use crate::audio::encode_flac;
use crate::pipeline::{FailedAttempt, KeptResult, UtteranceInput, UtteranceResult};
use crate::telemetry::limits::MAX_CLIP_BYTES;
use crate::telemetry::{InputMetrics, Outcome, OutputMetrics, Record, SoftwareMetrics, UtteranceRecord};
use crate::uplink::sink::Clip;

impl RecorderThread {
    pub(super) fn answered(&mut self, result: &UtteranceResult, unix_ms: u64) {
        let Some(audio) = &result.input else { return self.shared.lose() };
        let utterance_id = self.utterance_id(result.utterance);
        let input = input::measure(&mut self.quality, audio);
        self.answers.remember(result.utterance, &result.text, result.language.as_ref());
        if let Some(id) = result.id.as_ref().filter(|_| result.upgrade_pending) {
            self.waiting.remember(id, Waiting { utterance_id: utterance_id.clone(), input: input.clone() });
        }
        let record = UtteranceRecord {
            engine: result.engine.to_string(),
            route: name_of(result.route),
            reason: name_of(result.reason),
            cost: result.cost,
            output: metrics(
                result.outcome,
                &result.text,
                &result.segments,
                result.language.as_ref(),
                result.fallbacks,
            ),
            software: SoftwareMetrics {
                end_of_speech_to_final_ms: result.latency_ms,
                speculative: result.speculative,
                queue_depth: Some(audio.queue_depth),
                ..software(&result.timings, input.duration_ms)
            },
            ..self.utterance(utterance_id.clone(), input)
        };
        self.put(unix_ms, Record::Utterance(Box::new(record)), Texts::of(&result.text));
        self.clip(&utterance_id, audio);
    }

    pub(super) fn failed(&mut self, utterance: u64, attempt: &FailedAttempt, unix_ms: u64) {
        let utterance_id = self.utterance_id(utterance);
        let input = input::measure(&mut self.quality, &attempt.input);
        let duration_ms = input.duration_ms;
        let engine = attempt.engine.as_ref().map_or_else(|| self.options.engine.clone(), ToString::to_string);
        let record = UtteranceRecord {
            engine,
            route: name_of(attempt.route),
            reason: name_of(attempt.reason),
            output: OutputMetrics { outcome: failure(attempt.timed_out), ..OutputMetrics::default() },
            software: SoftwareMetrics {
                queue_ms: attempt.queue_ms,
                recognize_ms: attempt.recognize_ms,
                real_time_factor: if duration_ms > 0.0 { attempt.recognize_ms / duration_ms } else { 0.0 },
                queue_depth: Some(attempt.input.queue_depth),
                ..SoftwareMetrics::default()
            },
            ..self.utterance(utterance_id.clone(), input)
        };
        self.put(unix_ms, Record::Utterance(Box::new(record)), Texts::default());
        self.clip(&utterance_id, &attempt.input);
    }

    pub(super) fn dropped(&mut self, utterance: u64, audio: &UtteranceInput, unix_ms: u64) {
        let utterance_id = self.utterance_id(utterance);
        let input = input::measure(&mut self.quality, audio);
        let record = UtteranceRecord {
            output: OutputMetrics { outcome: Outcome::Dropped, ..OutputMetrics::default() },
            ..self.utterance(utterance_id.clone(), input)
        };
        self.put(unix_ms, Record::Utterance(Box::new(record)), Texts::default());
        self.clip(&utterance_id, audio);
    }

    /// Its record is made when it has an answer.
    pub(super) fn deferred(&mut self, utterance: u64, id: &str, audio: &UtteranceInput) {
        let utterance_id = self.utterance_id(utterance);
        self.clip(&utterance_id, audio);
        let input = input::measure(&mut self.quality, audio);
        self.waiting.remember(id, Waiting { utterance_id, input });
    }

    /// The answer to what waited in the spool: of this run under the name it has, of an earlier one under a new name.
    pub(super) fn kept(&mut self, kept: &KeptResult, replaces_earlier: bool, unix_ms: u64) {
        let Some(audio) = &kept.input else { return self.shared.lose() };
        let Waiting { utterance_id, input } = match self.waiting.get(&kept.id) {
            Some(known) => known.clone(),
            None => {
                let utterance_id = self.utterance_id(&kept.id);
                // The recording that an earlier run gave has another name.
                if !replaces_earlier {
                    self.clip(&utterance_id, audio);
                }
                Waiting { utterance_id, input: input::measure(&mut self.quality, audio) }
            }
        };
        if kept.upgrade_pending {
            let waiting = Waiting { utterance_id: utterance_id.clone(), input: input.clone() };
            self.waiting.remember(&kept.id, waiting);
        }
        let record = UtteranceRecord {
            engine: kept.engine.to_string(),
            route: name_of(kept.route),
            reason: name_of(kept.reason),
            replaces_earlier,
            cost: kept.cost,
            output: metrics(kept.outcome, &kept.text, &kept.segments, kept.language.as_ref(), kept.fallbacks),
            software: software(&kept.timings, input.duration_ms),
            ..self.utterance(utterance_id, input)
        };
        self.put(unix_ms, Record::Utterance(Box::new(record)), Texts::of(&kept.text));
    }

    /// What waited cannot be answered. Of an earlier run's nothing is known that could be recorded.
    pub(super) fn rejected(&mut self, id: &str, unix_ms: u64) {
        let Some(Waiting { utterance_id, input }) = self.waiting.get(id).cloned() else { return };
        let record = UtteranceRecord {
            output: OutputMetrics { outcome: Outcome::Error, ..OutputMetrics::default() },
            ..self.utterance(utterance_id, input)
        };
        self.put(unix_ms, Record::Utterance(Box::new(record)), Texts::default());
    }

    /// What all records of utterances have in common.
    fn utterance(&self, utterance_id: String, input: InputMetrics) -> UtteranceRecord {
        UtteranceRecord {
            utterance_id,
            session_id: self.options.session_id.clone(),
            engine: self.options.engine.clone(),
            profile: self.options.profile.clone(),
            app_version: app_version(),
            replayed: self.options.replayed,
            input,
            ..UtteranceRecord::default()
        }
    }

    /// The recording, with consent.
    fn clip(&self, utterance_id: &str, audio: &UtteranceInput) {
        let consent = &self.options.consent;
        if !consent.audio {
            return;
        }
        let flac = encode_flac(&audio.utterance.samples);
        let Some(flac) = flac.filter(|flac| flac.len() <= MAX_CLIP_BYTES) else { return };
        self.sink.clip(Clip {
            utterance_id: utterance_id.to_owned(),
            flac,
            granted_unix_ms: consent.granted_unix_ms,
            subject_id: consent.speaker.as_ref().map(|speaker| speaker.subject_id.clone()),
        });
    }
}
