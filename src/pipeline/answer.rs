//! The recognizer thread: takes utterances and drafts from the queue, gives events.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use super::agreement::Agreement;
use super::backlog::{Backlog, Step, not_kept, record_of};
use super::draft::{Draft, Purpose, Span};
use super::event::{Event, FailedAttempt, UtteranceResult};
use super::input::UtteranceInput;
use super::queue::{Queued, Work, WorkQueue};
use super::route::Route;
use super::router::{Router, Unanswered};
use super::shadow::{ShadowQueue, ShadowRules};
use super::timings::{StageTimings, milliseconds, recognize};
use super::{PipelineOptions, StopSignal};
use crate::asr::{RecognizerError, Transcript};
use crate::audio::seconds_of;
use crate::uplink::spool::{Spool, SpoolRecord, SpoolState};

/// Quiet after which what waits in the spool is heard.
const BACKGROUND_AFTER: Duration = Duration::from_millis(100);
/// How often to look whether something in the spool can be heard now.
const BACKGROUND_POLL: Duration = Duration::from_secs(1);

/// How often an utterance was recognized before its end was sure.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Speculations {
    pub(super) begun: u64,
    pub(super) used: u64,
}

/// An answer that waits for the endpointer to decide.
struct Ready {
    span: Span,
    transcript: Transcript,
    timings: StageTimings,
}

pub(super) struct RecognizerThread<'a, 'e> {
    router: Router<'e>,
    queue: &'a WorkQueue,
    events: SyncSender<Event>,
    options: &'a PipelineOptions,
    spool: Option<&'a Spool>,
    backlog: Option<Backlog<'a>>,
    shadow: Option<(&'a ShadowQueue, &'a ShadowRules)>,
    ready: Option<Ready>,
    agreement: Agreement,
    speculations: Speculations,
    stop: &'a StopSignal,
}

impl<'a, 'e> RecognizerThread<'a, 'e> {
    pub(super) fn new(
        router: Router<'e>,
        queue: &'a WorkQueue,
        events: SyncSender<Event>,
        options: &'a PipelineOptions,
        spool: Option<&'a Spool>,
        shadow: Option<(&'a ShadowQueue, &'a ShadowRules)>,
        stop: &'a StopSignal,
    ) -> Self {
        Self {
            router,
            queue,
            events,
            options,
            spool,
            backlog: spool.map(|spool| Backlog::new(spool, options.keep_input)),
            shadow,
            ready: None,
            agreement: Agreement::default(),
            speculations: Speculations::default(),
            stop,
        }
    }

    /// Answers until the audio has ended and the queue is empty.
    pub(super) fn run(mut self) -> Speculations {
        loop {
            if let Some((shadow, _)) = self.shadow
                && self.queue.is_empty()
            {
                shadow.set_working(false);
            }
            let work = self.queue.next(self.patience());
            if let Some((shadow, _)) = self.shadow {
                shadow.set_working(!matches!(work, Work::Idle));
            }
            let event = match work {
                Work::End => {
                    self.finish_deferred();
                    return self.speculations;
                }
                Work::Idle => {
                    self.work_in_background();
                    None
                }
                Work::Final(queued) => self.answer(queued),
                Work::Draft(draft) => self.try_draft(draft),
            };
            if let Some(event) = event
                && self.events.send(event).is_err()
            {
                return self.speculations;
            }
        }
    }

    /// How long to wait for work before looking into the spool.
    fn patience(&mut self) -> Option<Duration> {
        let backlog = self.backlog.as_mut()?;
        self.queue.take_deferred().into_iter().for_each(|id| backlog.defer(id));
        Some(if backlog.has_work(&self.router) { BACKGROUND_AFTER } else { BACKGROUND_POLL })
    }

    fn work_in_background(&mut self) {
        let Some(backlog) = &mut self.backlog else { return };
        if backlog.has_work(&self.router) && self.queue.begin_background() {
            let events = &self.events;
            backlog.step(&mut self.router, &self.queue.abandon, &mut |event| drop(events.send(event)));
        }
    }

    /// What this run had no time for gets its answer before the run ends; what was there before waits on.
    fn finish_deferred(&mut self) {
        let Some(backlog) = &mut self.backlog else { return };
        backlog.forget_earlier();
        self.queue.take_deferred().into_iter().for_each(|id| backlog.defer(id));
        let events = &self.events;
        let stop = &*self.stop.aborted;
        let mut tell = |event| drop(events.send(event));
        while !self.stop.is_aborted()
            && self.router.has_local()
            && backlog.step_pending(&mut self.router, stop, &mut tell) == Step::Done
        {}
    }

    fn answer(&mut self, queued: Queued) -> Option<Event> {
        let utterance = &queued.utterance;
        let span = Span::of(utterance);
        let begun = Instant::now();
        let queue_ms = milliseconds(begun - queued.since);
        let ready = self.ready.take().filter(|ready| ready.span == span);
        let speculative = ready.is_some();
        let ready = ready.map(|ready| (ready.transcript, ready.timings));
        let events = &self.events;
        let stop = &*self.stop.aborted;
        let mut tell = |event| drop(events.send(event));
        if self.stop.is_aborted() {
            return Some(self.given_up(queued));
        }
        let mut routed = match self.router.answer(utterance, ready, queued.since, stop, &mut tell) {
            // What comes after the run was given up is not told.
            Ok(_) | Err(_) if self.stop.is_aborted() => return Some(self.given_up(queued)),
            Ok(routed) => routed,
            Err(unanswered) => return self.unanswered(queued, &unanswered, begun),
        };
        self.speculations.used += u64::from(speculative && routed.route == Route::Local);
        routed.timings.queue_ms = queue_ms;
        if let (Some(spool), Some(id)) = (self.spool, &queued.id) {
            match spool.settle(id, &record_of(&routed)) {
                Ok(true) => {}
                // It has its answer already.
                Ok(false) => return None,
                // The answer is there, and worth more than its record.
                Err(error) => tell(not_kept(&error)),
            }
        }
        let speculative = speculative && routed.route == Route::Local;
        let mut result = UtteranceResult::new(utterance, routed, queued.id.clone());
        if self.options.live {
            let after_endpoint_ms = milliseconds(queued.since.elapsed());
            let hangover_ms = seconds_of(utterance.decided - utterance.speech_end) * 1e3;
            result.speculative = speculative;
            result.after_endpoint_ms = Some(after_endpoint_ms);
            result.latency_ms = Some(hangover_ms + after_endpoint_ms);
        }
        if let Some((shadow, rules)) = self.shadow
            && fastrand::f64() < rules.sample
        {
            shadow.offer(utterance, &result, rules);
        }
        if self.options.keep_input {
            result.input = Some(input_of(queued));
        }
        Some(Event::Final(Box::new(result)))
    }

    /// The run was ended at once. In the spool it waits for another.
    fn given_up(&self, queued: Queued) -> Event {
        let utterance = &queued.utterance;
        let (index, start, end) = (utterance.index, utterance.start.seconds(), utterance.end().seconds());
        let id = queued.id.clone();
        let input = self.options.keep_input.then(|| input_of(queued));
        match id.filter(|_| self.spool.is_some()) {
            Some(id) => {
                let error = "the run was ended at once".to_owned();
                Event::Deferred { utterance: index, start, end, id, error, input }
            }
            None => Event::Dropped { utterance: index, start, end, input },
        }
    }

    /// What cannot be answered now waits in the spool, if it may.
    fn unanswered(&self, queued: Queued, unanswered: &Unanswered, begun: Instant) -> Option<Event> {
        let utterance = &queued.utterance;
        let (index, start, end) = (utterance.index, utterance.start.seconds(), utterance.end().seconds());
        let error = unanswered.words();
        if let (Some(spool), Some(id)) = (self.spool, queued.id.clone()) {
            if unanswered.retry_later() {
                self.queue.defer(id.clone());
                let input = self.options.keep_input.then(|| input_of(queued));
                return Some(Event::Deferred { utterance: index, start, end, id, error, input });
            }
            let record = SpoolRecord { error: Some(error.clone()), ..SpoolRecord::new(SpoolState::Rejected) };
            if let Err(error) = spool.settle(&id, &record) {
                let _ = self.events.send(not_kept(&error));
            }
        }
        let attempt = self.options.keep_input.then(|| {
            let route = self.router.last_resort();
            Box::new(FailedAttempt {
                engine: self.router.engine_of(route).cloned(),
                route,
                reason: unanswered.reason,
                timed_out: unanswered.timed_out(),
                queue_ms: milliseconds(begun - queued.since),
                recognize_ms: milliseconds(begun.elapsed()),
                input: input_of(queued),
            })
        });
        Some(Event::Failed { utterance: index, start, end, error, attempt })
    }

    fn try_draft(&mut self, draft: Draft) -> Option<Event> {
        let speculation = draft.purpose == Purpose::Speculation;
        self.speculations.begun += u64::from(speculation);
        let local = self.router.local()?;
        let useless = || self.queue.abandon.load(Ordering::Relaxed) || self.stop.is_aborted();
        let (transcript, timings) = match recognize(local, &draft.utterance, &useless) {
            Ok(answer) => answer,
            Err(RecognizerError::Cancelled) => return None,
            Err(error) => {
                // The finished utterance is tried again, and its failure reported.
                tracing::warn!(%error, "an unfinished utterance could not be transcribed");
                return None;
            }
        };
        let wanted = self.options.partial_interval.is_some() && !transcript.text.is_empty();
        let partial = wanted.then(|| {
            let utterance = draft.utterance.index;
            let heard = self.agreement.hear(utterance, &transcript.text);
            Event::Partial { utterance, text: heard.text, committed: heard.committed }
        });
        if speculation {
            self.ready = Some(Ready { span: draft.span(), transcript, timings });
        }
        partial
    }
}

fn input_of(queued: Queued) -> Arc<UtteranceInput> {
    let Queued { utterance, capture, depth, .. } = queued;
    Arc::new(UtteranceInput { utterance, capture, queue_depth: depth })
}
