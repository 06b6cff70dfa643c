//! The shadow: a second recognizer that hears the same utterances later, and is never believed.
//!
//! It works only while nobody speaks and the primary has nothing to do: between any two of its layers and tokens
//! it waits until that is so. What it cannot keep up with it skips, whole, and the skips are counted.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::event::{Event, UtteranceResult};
use super::route::Route;
use super::shadow_report::{ShadowComparison, ShadowFailure, ShadowSubject, ShadowTotals};
use super::timings::milliseconds;
use super::{Relief, StopSignal};
use crate::asr::{RecognitionObserver, Recognizer, RecognizerError, Transcript};
use crate::scoring::{BasicNormalizer, EnglishNormalizer, Normalizer, disagreement};
use crate::utterance::Utterance;

/// How often a resting shadow looks whether it may go on.
const COOLING_POLL: Duration = Duration::from_secs(1);

/// How the shadow hears.
#[derive(Clone, Debug, PartialEq)]
pub struct ShadowRules {
    /// Share of utterances that it hears, in [0, 1], chosen at random.
    pub sample: f64,
    /// Utterances that have waited longer are skipped. 60 s: after a minute's talk it has caught up or never will.
    pub max_lag: Duration,
    /// Whether comparisons carry both texts; the user's recorded consent.
    pub texts: bool,
    /// Whether [`ShadowSubject`] carries them for who keeps records; another consent.
    pub recorded_texts: bool,
    /// Where it answers.
    pub route: Route,
    /// What a minute of audio costs there.
    pub cost_per_minute: f64,
}

impl Default for ShadowRules {
    fn default() -> Self {
        Self {
            sample: 1.0,
            max_lag: Duration::from_secs(60),
            texts: false,
            recorded_texts: false,
            route: Route::Local,
            cost_per_minute: 0.0,
        }
    }
}

/// What the primary said, and the audio.
struct ShadowJob {
    utterance: Utterance,
    text: String,
    confidence: Option<f32>,
    subject: ShadowSubject,
    since: Instant,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<ShadowJob>,
    /// Audio in `jobs`, s.
    queued_s: f64,
    /// Utterances for which there was no room.
    skipped: u64,
    closed: bool,
}

/// The queue between the primary and its shadow.
#[derive(Default)]
pub(super) struct ShadowQueue {
    state: Mutex<State>,
    changed: Condvar,
    /// Somebody speaks.
    speaking: AtomicBool,
    /// The primary works.
    working: AtomicBool,
    /// The device is hot.
    relief: Relief,
}

impl ShadowQueue {
    pub(super) fn new(relief: Relief) -> Self {
        Self { relief, ..Self::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody speaks, or does not any more.
    pub(super) fn set_speaking(&self, speaking: bool) {
        self.set(&self.speaking, speaking);
    }

    /// The primary works, or does not.
    pub(super) fn set_working(&self, working: bool) {
        self.set(&self.working, working);
    }

    fn set(&self, flag: &AtomicBool, value: bool) {
        if flag.swap(value, Ordering::AcqRel) && !value {
            // Locked, so that nobody misses it between looking and waiting.
            drop(self.lock());
            self.changed.notify_all();
        }
    }

    fn must_wait(&self) -> bool {
        self.speaking.load(Ordering::Acquire)
            || self.working.load(Ordering::Acquire)
            || self.relief.is_wanted()
    }

    /// Waits for a change. Nobody tells of a device that has cooled down: that is looked for.
    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, COOLING_POLL).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Holds the shadow's thread as long as the primary or the endpointer needs the processor.
    fn give_way(&self) {
        if !self.must_wait() {
            return;
        }
        let mut state = self.lock();
        while self.must_wait() && !state.closed {
            state = self.wait(state);
        }
    }

    /// Leaves what the primary answered, if no more audio waits than may be late.
    pub(super) fn offer(&self, utterance: &Utterance, result: &UtteranceResult, rules: &ShadowRules) {
        let mut state = self.lock();
        if state.queued_s + utterance.seconds() > rules.max_lag.as_secs_f64() {
            state.skipped += 1;
            return;
        }
        let job = ShadowJob {
            utterance: utterance.clone(),
            text: result.text.clone(),
            confidence: result.confidence,
            subject: ShadowSubject {
                primary_engine: result.engine.clone(),
                primary_outcome: result.outcome,
                primary_cost: result.cost,
                primary_ms: result.timings.recognize_ms,
                sample_ratio: rules.sample,
                duration_ms: utterance.seconds() * 1e3,
                snr_db: utterance.detection.and_then(|detection| detection.snr_db()),
                language: result.language.clone(),
                texts: None,
            },
            since: Instant::now(),
        };
        state.queued_s += utterance.seconds();
        state.jobs.push_back(job);
        drop(state);
        self.changed.notify_all();
    }

    /// No more will come; what waits is still compared.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.set_speaking(false);
        self.set_working(false);
        self.changed.notify_all();
    }

    fn next(&self) -> Option<ShadowJob> {
        let mut state = self.lock();
        loop {
            if !self.must_wait() || state.closed {
                if let Some(job) = state.jobs.pop_front() {
                    state.queued_s -= job.utterance.seconds();
                    return Some(job);
                }
                if state.closed {
                    return None;
                }
            }
            state = self.wait(state);
        }
    }
}

/// Lets the primary go first.
struct GivesWay<'a> {
    queue: &'a ShadowQueue,
    stop: &'a StopSignal,
}

impl RecognitionObserver for GivesWay<'_> {
    fn cancelled(&self) -> bool {
        self.queue.give_way();
        self.stop.is_aborted()
    }
}

pub(super) struct ShadowThread<'a, 'e> {
    recognizer: &'e mut dyn Recognizer,
    rules: &'a ShadowRules,
    queue: &'a ShadowQueue,
    events: SyncSender<Event>,
    stop: &'a StopSignal,
    totals: ShadowTotals,
}

impl<'a, 'e> ShadowThread<'a, 'e> {
    pub(super) fn new(
        recognizer: &'e mut dyn Recognizer,
        rules: &'a ShadowRules,
        queue: &'a ShadowQueue,
        events: SyncSender<Event>,
        stop: &'a StopSignal,
    ) -> Self {
        Self { recognizer, rules, queue, events, stop, totals: ShadowTotals::default() }
    }

    /// Compares until the queue is closed and empty.
    pub(super) fn run(mut self) -> ShadowTotals {
        while let Some(job) = self.queue.next() {
            if job.since.elapsed() > self.rules.max_lag || self.stop.is_aborted() {
                self.totals.skipped += 1;
                continue;
            }
            let begun = Instant::now();
            let answer = self
                .recognizer
                .transcribe(&job.utterance, &mut GivesWay { queue: self.queue, stop: self.stop });
            let shadow_ms = milliseconds(begun.elapsed());
            let event = match answer {
                Ok(transcript) => {
                    let comparison = self.compare(job, transcript, shadow_ms);
                    self.totals.compared += 1;
                    self.totals.disagreement += comparison.disagreement;
                    Event::Shadow(Box::new(comparison))
                }
                Err(RecognizerError::Cancelled) => {
                    self.totals.skipped += 1;
                    continue;
                }
                Err(error) => {
                    self.totals.failed += 1;
                    tracing::warn!(%error, "the shadow failed on an utterance");
                    Event::ShadowFailed(Box::new(self.failure(job, &error, shadow_ms)))
                }
            };
            if self.events.send(event).is_err() {
                break;
            }
        }
        self.totals.skipped += self.queue.lock().skipped;
        self.totals
    }

    fn compare(&self, job: ShadowJob, transcript: Transcript, shadow_ms: f64) -> ShadowComparison {
        let mut subject = job.subject;
        subject.language = subject.language.or_else(|| transcript.language.clone());
        let normalizer: &dyn Normalizer = match subject.language.as_deref() {
            Some("en") | None => &EnglishNormalizer,
            Some(_) => &BasicNormalizer::default(),
        };
        let disagreement = disagreement(normalizer, &job.text, &transcript.text);
        let cost = self.rules.cost_per_minute * job.utterance.seconds() / 60.0;
        let shown = |text: &str| self.rules.texts.then(|| text.to_owned());
        let (primary_text, shadow_text) = (shown(&job.text), shown(&transcript.text));
        let (primary_confidence, shadow_confidence) = (job.confidence, transcript.confidence());
        subject.texts = self.rules.recorded_texts.then_some((job.text, transcript.text));
        ShadowComparison {
            utterance: job.utterance.index,
            engine: self.recognizer.engine().clone(),
            route: self.rules.route,
            disagreement,
            primary_outcome: subject.primary_outcome,
            shadow_outcome: transcript.outcome,
            primary_confidence,
            shadow_confidence,
            primary_ms: subject.primary_ms,
            shadow_ms,
            lag_ms: milliseconds(job.since.elapsed()),
            cost: (cost > 0.0).then_some(cost),
            primary_text,
            shadow_text,
            subject,
        }
    }

    fn failure(&self, job: ShadowJob, error: &RecognizerError, shadow_ms: f64) -> ShadowFailure {
        ShadowFailure {
            utterance: job.utterance.index,
            error: error.to_string(),
            engine: self.recognizer.engine().clone(),
            route: self.rules.route,
            timed_out: error.is_timeout(),
            shadow_ms,
            lag_ms: milliseconds(job.since.elapsed()),
            subject: job.subject,
        }
    }
}
