//! What crosses to the recorder's thread, and the counts that both sides keep.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::actions::Feedback;
use crate::audio::SAMPLE_RATE;
use crate::pipeline::{Event, RunSummary};

/// Audio that may wait for the recorder beyond the utterance at its head: one minute, 3.8 MB.
const MAX_HELD_SAMPLES: u64 = 60 * SAMPLE_RATE.hz() as u64;

/// What happened, with the device's clock at that moment.
pub(super) enum Job {
    Event {
        event: Box<Event>,
        unix_ms: u64,
        _audio: HeldAudio,
    },
    Feedback {
        feedback: Feedback,
        unix_ms: u64,
    },
    /// The run ended as it should. What the user makes of it may still come.
    End {
        audio_ms: u64,
        utterances: u64,
        unix_ms: u64,
        /// Told how many records there were.
        done: SyncSender<u64>,
    },
    /// Nothing more comes. Before an end: the run was given up.
    Stop,
}

impl Job {
    /// `None` for events that leave no record, and where too much audio waits already: that one is lost.
    pub(super) fn of_event(event: &Event, shared: &Arc<Shared>) -> Option<Self> {
        let samples = match event {
            Event::Final(result) => result.input.as_ref(),
            Event::Failed { attempt, .. } => attempt.as_ref().map(|attempt| &attempt.input),
            Event::Dropped { input, .. } | Event::Deferred { input, .. } => input.as_ref(),
            Event::Recovered(kept) | Event::Upgraded(kept) => kept.input.as_ref(),
            Event::Rejected { .. } | Event::Shadow(_) | Event::ShadowFailed(_) => None,
            _ => return None,
        };
        let samples = samples.map_or(0, |input| input.utterance.samples.len() as u64);
        let audio = HeldAudio::take(samples, shared)?;
        Some(Self::Event { event: Box::new(event.clone()), unix_ms: now_unix_ms(), _audio: audio })
    }

    pub(super) fn of_feedback(feedback: &Feedback) -> Self {
        Self::Feedback { feedback: feedback.clone(), unix_ms: now_unix_ms() }
    }

    pub(super) fn of_end(summary: &RunSummary, done: SyncSender<u64>) -> Self {
        let audio_ms = (summary.audio_s * 1e3).round() as u64;
        Self::End { audio_ms, utterances: summary.utterances, unix_ms: now_unix_ms(), done }
    }

    /// To the recorder's thread, if there is room.
    pub(super) fn hand_in(self, jobs: &SyncSender<Self>, shared: &Shared) {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = jobs.try_send(self) {
            shared.lose();
        }
    }
}

/// Counts since the run began.
#[derive(Debug, Default)]
pub(super) struct Shared {
    lost: AtomicU64,
    held_samples: AtomicU64,
    utterances: AtomicU64,
    errors: AtomicU64,
    dropped: AtomicU64,
}

/// What has come of the run so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub(super) utterances: u64,
    pub(super) errors: u64,
    pub(super) dropped: u64,
}

impl Shared {
    /// Counts what a heartbeat tells, whether or not there is room for its record.
    pub(super) fn count(&self, event: &Event) {
        let counter = match event {
            Event::SpeechEnded { .. } => &self.utterances,
            Event::Failed { .. } | Event::Rejected { .. } => &self.errors,
            Event::Dropped { .. } => &self.dropped,
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            utterances: self.utterances.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
        }
    }

    /// A record that will not be made.
    pub(super) fn lose(&self) {
        if self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!("the recorder is too far behind: a record is lost; further ones are only counted");
        }
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// Audio that waits; given back when it was dealt with.
pub(super) struct HeldAudio {
    samples: u64,
    shared: Arc<Shared>,
}

impl HeldAudio {
    /// `None` if there is no room, which counts as a loss. One utterance always fits.
    fn take(samples: u64, shared: &Arc<Shared>) -> Option<Self> {
        let before = shared.held_samples.fetch_add(samples, Ordering::Relaxed);
        let held = Self { samples, shared: shared.clone() };
        if samples > 0 && before > 0 && before + samples > MAX_HELD_SAMPLES {
            shared.lose();
            return None;
        }
        Some(held)
    }
}

impl Drop for HeldAudio {
    fn drop(&mut self) {
        self.shared.held_samples.fetch_sub(self.samples, Ordering::Relaxed);
    }
}

/// The device's clock, ms since 1970-01-01 UTC.
pub(super) fn now_unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}
