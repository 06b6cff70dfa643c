//! The recorder's thread: jobs in, records out, and a heartbeat.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use super::RecorderOptions;
use super::answers::{Answers, WaitingList};
use super::consent::Texts;
use super::job::{Job, Shared, now_unix_ms};
use super::output::on_device;
use crate::actions::{Feedback, FeedbackKind};
use crate::audio::QualityMeter;
use crate::device::{self, DeviceMeter};
use crate::pipeline::Event;
use crate::telemetry::{self, FeedbackRecord, HealthRecord, Record, RecordLine, SessionRecord};
use crate::uplink::sink::RecordSink;

pub(super) struct RecorderThread {
    pub(super) options: RecorderOptions,
    pub(super) sink: Arc<dyn RecordSink>,
    pub(super) shared: Arc<Shared>,
    pub(super) quality: QualityMeter,
    /// Its shares are since the last utterance.
    pub(super) device: DeviceMeter,
    /// Its shares are since the last heartbeat.
    pub(super) pulse: DeviceMeter,
    pub(super) answers: Answers,
    pub(super) waiting: WaitingList,
    pub(super) began: Instant,
    pub(super) records: u64,
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

    /// Records until the run ends, and then what the user makes of it, until nothing more comes.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        let session = self.session();
        self.put(now_unix_ms(), Record::Session(session), Texts::default());
        let mut pulse = self.began + self.options.heartbeat;
        loop {
            match jobs.recv_timeout(pulse.saturating_duration_since(Instant::now())) {
                Ok(Job::Event { event, unix_ms, .. }) => self.hear(&event, unix_ms),
                Ok(Job::Feedback { feedback, unix_ms }) => self.feedback(&feedback, unix_ms),
                Ok(Job::End { audio_ms, utterances, unix_ms, done }) => {
                    self.health(unix_ms);
                    let session = SessionRecord { ended: true, audio_ms, utterances, ..self.session() };
                    self.put(unix_ms, Record::Session(session), Texts::default());
                    // Nobody waits any more: then nobody misses it.
                    let _ = done.send(self.records);
                    return self.afterwards(jobs);
                }
                Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = Instant::now();
            if now >= pulse {
                self.health(now_unix_ms());
                pulse = now + self.options.heartbeat;
            }
        }
    }

    /// A text is often corrected when nobody listens any more.
    fn afterwards(&mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Feedback { feedback, unix_ms } => self.feedback(&feedback, unix_ms),
                Job::Stop => return,
                Job::Event { .. } | Job::End { .. } => self.shared.lose(),
            }
        }
    }

    fn hear(&mut self, event: &Event, unix_ms: u64) {
        match event {
            Event::Final(result) => self.answered(result, unix_ms),
            Event::Failed { utterance, attempt: Some(attempt), .. } => {
                self.failed(*utterance, attempt, unix_ms);
            }
            Event::Dropped { utterance, input: Some(input), .. } => self.dropped(*utterance, input, unix_ms),
            Event::Deferred { utterance, id, input: Some(input), .. } => self.deferred(*utterance, id, input),
            Event::Recovered(kept) => self.kept(kept, false, unix_ms),
            Event::Upgraded(kept) => self.kept(kept, true, unix_ms),
            Event::Rejected { id, .. } => self.rejected(id, unix_ms),
            Event::Shadow(comparison) => self.shadow(comparison, unix_ms),
            Event::ShadowFailed(failure) => self.shadow_failed(failure, unix_ms),
            // Events without their audio: figures would be made up.
            _ => self.shared.lose(),
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

    /// A name in all records of this run.
    pub(super) fn utterance_id(&self, name: impl std::fmt::Display) -> String {
        format!("{}-{name}", self.options.session_id)
    }

    /// Hands a record to the sink, with what of `texts` the consent covers.
    pub(super) fn put(&mut self, recorded_unix_ms: u64, mut record: Record, texts: Texts<'_>) {
        let of_somebody = matches!(record, Record::Utterance(_) | Record::Shadow(_) | Record::Feedback(_));
        let consented = self.options.consent.cover(texts).filter(|_| of_somebody);
        if let Record::Utterance(record) = &mut record {
            record.software = on_device(std::mem::take(&mut record.software), self.device.read());
        }
        self.sink.record(RecordLine { recorded_unix_ms, record, consented });
        self.records += 1;
    }
}

/// The program's version.
pub(super) fn app_version() -> String {
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
