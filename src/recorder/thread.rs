//! The recorder's thread: jobs in, records out, and a heartbeat.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use super::RecorderOptions;
use super::answers::{Answers, Waiting, WaitingList};
use super::consent::Texts;
use super::job::{Job, Shared, now_unix_ms};
use super::output::{failure, metrics, name_of, on_device, outcome, software};
use super::{input, output};
use crate::actions::{Feedback, FeedbackKind};
use crate::audio::{QualityMeter, encode_flac};
use crate::device::{self, DeviceMeter};
use crate::pipeline::{
    Event, FailedAttempt, KeptResult, ShadowComparison, ShadowFailure, ShadowSubject, UtteranceInput,
    UtteranceResult,
};
use crate::telemetry::limits::MAX_CLIP_BYTES;
use crate::telemetry::{
    self, FeedbackRecord, HealthRecord, InputMetrics, Outcome, OutputMetrics, Record, RecordLine,
    SessionRecord, ShadowRecord, SoftwareMetrics, UtteranceRecord,
};
use crate::uplink::sink::{Clip, RecordSink};

pub(super) struct RecorderThread {
    options: RecorderOptions,
    sink: Arc<dyn RecordSink>,
    shared: Arc<Shared>,
    quality: QualityMeter,
    /// Its shares are since the last utterance.
    device: DeviceMeter,
    /// Its shares are since the last heartbeat.
    pulse: DeviceMeter,
    answers: Answers,
    waiting: WaitingList,
    began: Instant,
    records: u64,
}

impl RecorderThread {
    pub(super) fn new(options: RecorderOptions, sink: Arc<dyn RecordSink>, shared: Arc<Shared>) -> Self {
        let mut thread = Self {
            options,
            sink,
            shared,
            quality: QualityMeter::new(),
            device: DeviceMeter::new(),
            pulse: DeviceMeter::new(),
            answers: Answers::default(),
            waiting: WaitingList::default(),
            began: Instant::now(),
            records: 0,
        };
        // Shares are counted from here.
        thread.device.read();
        thread.pulse.read();
        thread
    }

    /// Records until the run ends; returns how many.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) -> u64 {
        let session = self.session();
        self.put(now_unix_ms(), Record::Session(session), Texts::default());
        let mut pulse = self.began + self.options.heartbeat;
        loop {
            match jobs.recv_timeout(pulse.saturating_duration_since(Instant::now())) {
                Ok(Job::Event { event, unix_ms, .. }) => self.hear(&event, unix_ms),
                Ok(Job::Feedback { feedback, unix_ms }) => self.feedback(&feedback, unix_ms),
                Ok(Job::End { audio_ms, utterances, unix_ms }) => {
                    self.health(unix_ms);
                    let session = SessionRecord { ended: true, audio_ms, utterances, ..self.session() };
                    self.put(unix_ms, Record::Session(session), Texts::default());
                    return self.records;
                }
                Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => return self.records,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = Instant::now();
            if now >= pulse {
                self.health(now_unix_ms());
                pulse = now + self.options.heartbeat;
            }
        }
    }

    fn hear(&mut self, event: &Event, unix_ms: u64) {
        match event {
            Event::Final(result) => self.answered(result, unix_ms),
            Event::Failed { utterance, attempt: Some(attempt), .. } => {
                self.failed(*utterance, attempt, unix_ms)
            }
            Event::Dropped { utterance, input: Some(input), .. } => self.dropped(*utterance, input, unix_ms),
            Event::Deferred { utterance, id, input: Some(input), .. } => {
                let utterance_id = self.utterance_id(utterance);
                self.clip(&utterance_id, input);
                let input = input::measure(&mut self.quality, input);
                self.waiting.remember(id, Waiting { utterance_id, input });
            }
            Event::Recovered(kept) | Event::Upgraded(kept) => self.kept(kept, unix_ms),
            Event::Rejected { id, .. } => self.rejected(id, unix_ms),
            Event::Shadow(comparison) => self.shadow(comparison, unix_ms),
            Event::ShadowFailed(failure) => self.shadow_failed(failure, unix_ms),
            // Events without their audio: figures would be made up.
            _ => self.shared.lose(),
        }
    }

    fn answered(&mut self, result: &UtteranceResult, unix_ms: u64) {
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

    fn failed(&mut self, utterance: u64, attempt: &FailedAttempt, unix_ms: u64) {
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

    fn dropped(&mut self, utterance: u64, audio: &UtteranceInput, unix_ms: u64) {
        let utterance_id = self.utterance_id(utterance);
        let input = input::measure(&mut self.quality, audio);
        let record = UtteranceRecord {
            output: OutputMetrics { outcome: Outcome::Dropped, ..OutputMetrics::default() },
            ..self.utterance(utterance_id.clone(), input)
        };
        self.put(unix_ms, Record::Utterance(Box::new(record)), Texts::default());
        self.clip(&utterance_id, audio);
    }

    /// The answer to what waited in the spool: of this run under the name it has, of an earlier one under a new name.
    fn kept(&mut self, kept: &KeptResult, unix_ms: u64) {
        let Some(audio) = &kept.input else { return self.shared.lose() };
        let Waiting { utterance_id, input } = match self.waiting.get(&kept.id) {
            Some(known) => known.clone(),
            None => Waiting {
                utterance_id: self.utterance_id(&kept.id),
                input: input::measure(&mut self.quality, audio),
            },
        };
        if kept.upgrade_pending {
            let waiting = Waiting { utterance_id: utterance_id.clone(), input: input.clone() };
            self.waiting.remember(&kept.id, waiting);
        }
        let record = UtteranceRecord {
            engine: kept.engine.to_string(),
            route: name_of(kept.route),
            reason: name_of(kept.reason),
            cost: kept.cost,
            output: metrics(kept.outcome, &kept.text, &kept.segments, kept.language.as_ref(), kept.fallbacks),
            software: software(&kept.timings, input.duration_ms),
            ..self.utterance(utterance_id, input)
        };
        self.put(unix_ms, Record::Utterance(Box::new(record)), Texts::of(&kept.text));
    }

    /// What waited cannot be answered. Of an earlier run's nothing is known that could be recorded.
    fn rejected(&mut self, id: &str, unix_ms: u64) {
        let Some(Waiting { utterance_id, input }) = self.waiting.get(id).cloned() else { return };
        let record = UtteranceRecord {
            output: OutputMetrics { outcome: Outcome::Error, ..OutputMetrics::default() },
            ..self.utterance(utterance_id, input)
        };
        self.put(unix_ms, Record::Utterance(Box::new(record)), Texts::default());
    }

    fn shadow(&mut self, comparison: &ShadowComparison, unix_ms: u64) {
        let subject = &comparison.subject;
        let edits = comparison.disagreement.edits;
        let record = ShadowRecord {
            shadow_engine: comparison.engine.to_string(),
            shadow_route: name_of(comparison.route),
            shadow_outcome: outcome(comparison.shadow_outcome),
            substitutions: edits.substitutions,
            deletions: edits.deletions,
            insertions: edits.insertions,
            primary_words: edits.reference_words,
            shadow_words: (edits.reference_words + edits.insertions).saturating_sub(edits.deletions),
            shadow_ms: comparison.shadow_ms,
            lag_ms: comparison.lag_ms,
            shadow_cost: comparison.cost,
            ..self.shadow_of(comparison.utterance, subject)
        };
        let texts = subject.texts.as_ref().map(|(primary, shadow)| Texts {
            primary: Some(primary),
            shadow: Some(shadow),
            ..Texts::default()
        });
        self.put(unix_ms, Record::Shadow(Box::new(record)), texts.unwrap_or_default());
    }

    /// There is no second text: nothing was compared, and no word is told from another.
    fn shadow_failed(&mut self, failure: &ShadowFailure, unix_ms: u64) {
        let record = ShadowRecord {
            shadow_engine: failure.engine.to_string(),
            shadow_route: name_of(failure.route),
            shadow_outcome: output::failure(failure.timed_out),
            shadow_ms: failure.shadow_ms,
            lag_ms: failure.lag_ms,
            ..self.shadow_of(failure.utterance, &failure.subject)
        };
        self.put(unix_ms, Record::Shadow(Box::new(record)), Texts::default());
    }

    fn shadow_of(&self, utterance: u64, subject: &ShadowSubject) -> ShadowRecord {
        ShadowRecord {
            utterance_id: self.utterance_id(utterance),
            session_id: self.options.session_id.clone(),
            primary_engine: subject.primary_engine.to_string(),
            primary_outcome: outcome(subject.primary_outcome),
            primary_ms: subject.primary_ms,
            primary_cost: subject.primary_cost,
            sample_ratio: subject.sample_ratio,
            duration_ms: subject.duration_ms,
            snr_db: subject.snr_db,
            language: subject.language.clone(),
            profile: self.options.profile.clone(),
            app_version: app_version(),
            ..ShadowRecord::default()
        }
    }

    fn feedback(&mut self, feedback: &Feedback, unix_ms: u64) {
        let corrected = feedback.text.as_deref();
        let edits = corrected.and_then(|text| self.answers.edits(feedback.utterance, text));
        let record = FeedbackRecord {
            utterance_id: self.utterance_id(feedback.utterance),
            session_id: self.options.session_id.clone(),
            feedback: kind(feedback.feedback),
            substitutions: edits.map(|edits| edits.substitutions),
            deletions: edits.map(|edits| edits.deletions),
            insertions: edits.map(|edits| edits.insertions),
            words: edits.map(|e| (e.reference_words + e.insertions).saturating_sub(e.deletions)),
        };
        let primary =
            self.answers.text(feedback.utterance).filter(|_| corrected.is_some()).map(str::to_owned);
        let texts = Texts { primary: primary.as_deref(), corrected, ..Texts::default() };
        self.put(unix_ms, Record::Feedback(record), texts);
    }

    fn health(&mut self, unix_ms: u64) {
        let (counts, journal, device) = (self.shared.counts(), self.sink.status(), self.pulse.read());
        let record = HealthRecord {
            session_id: self.options.session_id.clone(),
            uptime_ms: self.began.elapsed().as_millis() as u64,
            profile: self.options.profile.clone(),
            app_version: app_version(),
            utterances: counts.utterances,
            errors: counts.errors,
            dropped: counts.dropped,
            journal_records: journal.records,
            journal_bytes: journal.bytes,
            journal_lost: journal.lost + self.shared.lost(),
            rss_bytes: device.rss_bytes,
            cpu_share: device.cpu_share,
            disk_free_bytes: device::disk_free_bytes(&self.options.folder),
            temperature_celsius: device.temperature_celsius,
            throttled: device.throttled,
        };
        self.put(unix_ms, Record::Health(record), Texts::default());
    }

    fn session(&self) -> SessionRecord {
        SessionRecord {
            session_id: self.options.session_id.clone(),
            app_version: app_version(),
            profile: self.options.profile.clone(),
            engine: self.options.engine.clone(),
            shadow_engine: self.options.shadow_engine.clone(),
            platform: device::platform(),
            cores: device::cores(),
            ..SessionRecord::default()
        }
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

    fn utterance_id(&self, name: impl std::fmt::Display) -> String {
        format!("{}-{name}", self.options.session_id)
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

    fn put(&mut self, recorded_unix_ms: u64, mut record: Record, texts: Texts<'_>) {
        let of_somebody = matches!(record, Record::Utterance(_) | Record::Shadow(_) | Record::Feedback(_));
        let consented = self.options.consent.cover(texts).filter(|_| of_somebody);
        if let Record::Utterance(record) = &mut record {
            record.software = on_device(std::mem::take(&mut record.software), self.device.read());
        }
        self.sink.record(RecordLine { recorded_unix_ms, record, consented });
        self.records += 1;
    }
}

fn app_version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

fn kind(kind: FeedbackKind) -> telemetry::FeedbackKind {
    match kind {
        FeedbackKind::Accepted => telemetry::FeedbackKind::Accepted,
        FeedbackKind::Edited => telemetry::FeedbackKind::Edited,
        FeedbackKind::Redo => telemetry::FeedbackKind::Redo,
        FeedbackKind::SwitchedInput => telemetry::FeedbackKind::SwitchedInput,
        FeedbackKind::ResultClicked => telemetry::FeedbackKind::ResultClicked,
        FeedbackKind::Abandoned => telemetry::FeedbackKind::Abandoned,
    }
}
