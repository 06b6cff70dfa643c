//! What the spool holds from before: heard when there is nothing else to hear.

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::event::{Event, KeptResult};
use super::input::UtteranceInput;
use super::router::{Routed, Router, Unanswered};
use crate::asr::RecognizerError;
use crate::uplink::spool::{Spool, SpoolEntry, SpoolError, SpoolRecord, SpoolState};
use crate::utterance::Utterance;

pub(super) struct Backlog<'a> {
    spool: &'a Spool,
    /// Whether answers carry their audio.
    keep_input: bool,
    /// Utterances without an answer, oldest first.
    pending: VecDeque<String>,
    /// The last one of earlier runs.
    earlier_to: String,
    /// Those before and at it were tried for an upgrade in this round.
    upgraded_to: String,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// An utterance was dealt with.
    Done,
    /// There is nothing to do now.
    Nothing,
    /// It was interrupted, or must be tried another time.
    Later,
}

impl<'a> Backlog<'a> {
    /// What waits in `spool`.
    pub(super) fn new(spool: &'a Spool, keep_input: bool) -> Self {
        let waiting = spool.entries().into_iter().filter(|e| e.state == SpoolState::Pending);
        let pending: VecDeque<String> = waiting.map(|e| e.id).collect();
        let earlier_to = pending.back().cloned().unwrap_or_default();
        Self { spool, keep_input, pending, earlier_to, upgraded_to: String::new() }
    }

    /// Leaves what earlier runs left to a later one.
    pub(super) fn forget_earlier(&mut self) {
        self.pending.retain(|id| *id > self.earlier_to);
    }

    /// Utterances without a final answer.
    pub(super) fn waiting(&self) -> usize {
        let waits = |e: &SpoolEntry| matches!(e.state, SpoolState::Pending | SpoolState::Provisional);
        self.spool.entries().iter().filter(|e| waits(e)).count()
    }

    /// Hears `id` when there is time.
    pub(super) fn defer(&mut self, id: String) {
        self.pending.push_back(id);
    }

    /// Whether a step would do something.
    pub(super) fn has_work(&self, router: &Router<'_>) -> bool {
        (!self.pending.is_empty() && (router.has_local() || router.cloud_is_open()))
            || (router.cloud_is_open() && self.next_upgrade().is_some())
    }

    fn next_upgrade(&self) -> Option<String> {
        self.spool
            .oldest(SpoolState::Provisional, &self.upgraded_to)
            .or_else(|| self.spool.oldest(SpoolState::Provisional, ""))
    }

    /// Deals with one utterance, unless `stop`.
    pub(super) fn step(
        &mut self,
        router: &mut Router<'_>,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(Event),
    ) -> Step {
        if let step @ (Step::Done | Step::Later) = self.step_pending(router, stop, tell) {
            return step;
        }
        if router.cloud_is_open()
            && let Some(id) = self.next_upgrade()
        {
            self.upgraded_to.clone_from(&id);
            return self.upgrade(&id, router, stop, tell);
        }
        Step::Nothing
    }

    /// The same for one that has no answer yet.
    pub(super) fn step_pending(
        &mut self,
        router: &mut Router<'_>,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(Event),
    ) -> Step {
        if !(router.has_local() || router.cloud_is_open()) {
            return Step::Nothing;
        }
        match self.pending.pop_front() {
            Some(id) => self.recover(id, router, stop, tell),
            None => Step::Nothing,
        }
    }

    /// An utterance that nobody has answered.
    fn recover(
        &mut self,
        id: String,
        router: &mut Router<'_>,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(Event),
    ) -> Step {
        let Some(utterance) = self.load(&id, tell) else { return Step::Done };
        let mut with_id = |event| tell(named(event, &id));
        match router.answer(&utterance, None, Instant::now(), stop, &mut with_id) {
            Ok(routed) => self.deliver(&id, utterance, routed, None, Event::Recovered, tell),
            Err(unanswered) => match self.unanswered(&id, unanswered, router, tell) {
                Step::Later => {
                    self.pending.push_front(id);
                    Step::Later
                }
                step => step,
            },
        }
    }

    /// An utterance that this device has answered, and the cloud shall answer too.
    fn upgrade(
        &mut self,
        id: &str,
        router: &mut Router<'_>,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(Event),
    ) -> Step {
        let Some(utterance) = self.load(id, tell) else { return Step::Done };
        let before = self.spool.record(id).ok().and_then(|record| record.text);
        let mut with_id = |event| tell(named(event, id));
        match router.retry(&utterance, stop, &mut with_id) {
            Ok(routed) => self.deliver(id, utterance, routed, before, Event::Upgraded, tell),
            Err(unanswered) if !unanswered.retry_later() => {
                // The cloud refuses the recording: the local answer is the last.
                let record = self.spool.record(id).unwrap_or(SpoolRecord::new(SpoolState::Answered));
                let error = Some(unanswered.words());
                self.settle(id, &SpoolRecord { state: SpoolState::Answered, error, ..record }, tell);
                Step::Done
            }
            Err(unanswered) => self.unanswered(id, unanswered, router, tell),
        }
    }

    fn unanswered(
        &mut self,
        id: &str,
        unanswered: Unanswered,
        router: &mut Router<'_>,
        tell: &mut dyn FnMut(Event),
    ) -> Step {
        if matches!(unanswered.error, Some(RecognizerError::Cancelled)) {
            return Step::Later;
        }
        if unanswered.retry_later() {
            router.rest();
            return Step::Later;
        }
        let error = unanswered.words();
        let record = SpoolRecord { error: Some(error.clone()), ..SpoolRecord::new(SpoolState::Rejected) };
        if self.settle(id, &record, tell) {
            tell(Event::Rejected { id: id.to_owned(), error });
        }
        Step::Done
    }

    /// The record first, then the event: nothing is delivered twice.
    fn deliver(
        &self,
        id: &str,
        utterance: Utterance,
        routed: Routed,
        previous_text: Option<String>,
        event: impl FnOnce(Box<KeptResult>) -> Event,
        tell: &mut dyn FnMut(Event),
    ) -> Step {
        if self.settle(id, &record_of(&routed), tell) {
            let input = self.keep_input.then(|| UtteranceInput::of_kept(utterance));
            tell(event(Box::new(KeptResult { input, ..KeptResult::new(id, routed, previous_text) })));
        }
        Step::Done
    }

    fn settle(&self, id: &str, record: &SpoolRecord, tell: &mut dyn FnMut(Event)) -> bool {
        match self.spool.settle(id, record) {
            Ok(news) => news,
            Err(error) => {
                tell(not_kept(&error));
                false
            }
        }
    }

    fn load(&self, id: &str, tell: &mut dyn FnMut(Event)) -> Option<Utterance> {
        match self.spool.samples(id) {
            Ok(samples) => Some(Utterance::whole(0, samples)),
            // It was deleted to make room.
            Err(SpoolError::Unknown(_)) => None,
            Err(error) => {
                let error = error.to_string();
                let record =
                    SpoolRecord { error: Some(error.clone()), ..SpoolRecord::new(SpoolState::Rejected) };
                self.settle(id, &record, tell);
                tell(Event::Rejected { id: id.to_owned(), error });
                None
            }
        }
    }
}

pub(super) fn not_kept(error: &SpoolError) -> Event {
    Event::NotKept { error: error.to_string() }
}

/// What an answer leaves in the spool.
pub(super) fn record_of(routed: &Routed) -> SpoolRecord {
    SpoolRecord {
        state: if routed.wants_cloud { SpoolState::Provisional } else { SpoolState::Answered },
        text: Some(routed.transcript.text.clone()),
        language: routed.transcript.language.clone(),
        engine: Some(routed.engine.to_string()),
        error: None,
    }
}

/// A hop of a kept utterance: its index belongs to another run.
fn named(event: Event, id: &str) -> Event {
    match event {
        Event::Hop { host, seconds, cost, .. } => {
            Event::Hop { utterance: None, id: Some(id.to_owned()), host, seconds, cost }
        }
        event => event,
    }
}
