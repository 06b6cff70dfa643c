//! The bounded queue between the audio thread and the recognizer.
//!
//! Bounded by seconds of audio, because that is what memory and patience are spent on. A file waits
//! when the queue is full; a live source cannot wait, so its utterance comes back to be reported as
//! dropped. Beside the queue lies one slot for the newest draft of an unfinished utterance; it is taken only
//! when no finished utterance waits, and given up for one, unless it is that very utterance.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::draft::{Draft, Purpose, Span};
use super::input::CaptureFacts;
use crate::utterance::Utterance;

/// An utterance that is about to enter the queue.
pub(super) struct Arrival {
    pub(super) utterance: Utterance,
    pub(super) capture: CaptureFacts,
    /// Its name in the spool.
    pub(super) id: Option<String>,
}

/// An utterance and when it entered the queue.
pub(super) struct Queued {
    pub(super) utterance: Utterance,
    pub(super) capture: CaptureFacts,
    pub(super) since: Instant,
    /// Its name in the spool.
    pub(super) id: Option<String>,
    /// Utterances that still waited when it was taken.
    pub(super) depth: u64,
}

/// What the recognizer should do next.
pub(super) enum Work {
    /// A finished utterance.
    Final(Queued),
    /// An unfinished one.
    Draft(Draft),
    /// Nothing for now.
    Idle,
    /// The audio has ended.
    End,
}

#[derive(Default)]
struct State {
    finals: VecDeque<Queued>,
    queued_s: f64,
    draft: Option<Draft>,
    /// The draft that is being recognized.
    running: Option<(Span, Purpose)>,
    /// Something is recognized that waited in the spool.
    in_background: bool,
    /// Utterances in the spool for which there was no room here.
    deferred: Vec<String>,
    closed: bool,
}

pub(super) struct WorkQueue {
    state: Mutex<State>,
    changed: Condvar,
    capacity_s: f64,
    busy: AtomicBool,
    /// Set when the draft that is being recognized is of no more use.
    pub(super) abandon: AtomicBool,
}

impl WorkQueue {
    /// Holds up to `capacity_s` seconds of audio, and always at least one utterance.
    pub(super) fn new(capacity_s: f64) -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            capacity_s,
            busy: AtomicBool::new(false),
            abandon: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the state whole: every change below is complete before it unlocks.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_room(&self, state: &State) -> bool {
        state.finals.is_empty() || state.queued_s < self.capacity_s
    }

    /// Waits for room; gives the utterance back if the recognizer is gone.
    pub(super) fn push_waiting(&self, arrival: Arrival) -> Result<(), Box<Arrival>> {
        let mut state = self.lock();
        while !self.has_room(&state) && !state.closed {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        self.push(state, arrival)
    }

    /// Gives the utterance back if there is no room.
    pub(super) fn try_push(&self, arrival: Arrival) -> Result<(), Box<Arrival>> {
        let state = self.lock();
        if !self.has_room(&state) {
            return Err(Box::new(arrival));
        }
        self.push(state, arrival)
    }

    fn push(&self, mut state: MutexGuard<'_, State>, arrival: Arrival) -> Result<(), Box<Arrival>> {
        if state.closed {
            return Err(Box::new(arrival));
        }
        let Arrival { utterance, capture, id } = arrival;
        state.queued_s += utterance.seconds();
        if state.in_background || state.running.is_some_and(|(span, _)| span != Span::of(&utterance)) {
            self.abandon.store(true, Ordering::Relaxed);
        }
        state.draft = None;
        state.finals.push_back(Queued { utterance, capture, since: Instant::now(), id, depth: 0 });
        self.changed.notify_all();
        Ok(())
    }

    /// Whether the recognizer has nothing to do.
    pub(super) fn is_idle(&self) -> bool {
        !self.busy.load(Ordering::Relaxed) && self.lock().finals.is_empty()
    }

    /// Whether no finished utterance waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().finals.is_empty()
    }

    /// Leaves a draft, replacing an older one. A speculation also ends the partial that is being recognized.
    pub(super) fn offer(&self, draft: Draft) {
        let mut state = self.lock();
        if draft.purpose == Purpose::Speculation && state.running.is_some() {
            self.abandon.store(true, Ordering::Relaxed);
        }
        if state.in_background {
            self.abandon.store(true, Ordering::Relaxed);
        }
        state.draft = Some(draft);
        self.changed.notify_all();
    }

    /// The speaker went on: a speculation has become useless.
    pub(super) fn withdraw_speculation(&self) {
        let mut state = self.lock();
        state.draft.take_if(|draft| draft.purpose == Purpose::Speculation);
        if state.running.is_some_and(|(_, purpose)| purpose == Purpose::Speculation) {
            self.abandon.store(true, Ordering::Relaxed);
        }
    }

    /// Leaves the name of an utterance in the spool for which there was no room.
    pub(super) fn defer(&self, id: String) {
        self.lock().deferred.push(id);
    }

    /// The names that were left.
    pub(super) fn take_deferred(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().deferred)
    }

    /// Begins work in the background unless there is better to do; `abandon` tells when there is.
    pub(super) fn begin_background(&self) -> bool {
        let mut state = self.lock();
        state.in_background = state.finals.is_empty() && state.draft.is_none() && !state.closed;
        if state.in_background {
            self.abandon.store(false, Ordering::Relaxed);
        }
        state.in_background
    }

    /// Waits for work, `patience` long if given.
    pub(super) fn next(&self, patience: Option<Duration>) -> Work {
        self.busy.store(false, Ordering::Relaxed);
        let end = patience.map(|patience| Instant::now() + patience);
        let mut state = self.lock();
        state.running = None;
        state.in_background = false;
        loop {
            if let Some(mut queued) = state.finals.pop_front() {
                state.queued_s -= queued.utterance.seconds();
                queued.depth = state.finals.len() as u64;
                self.busy.store(true, Ordering::Relaxed);
                self.changed.notify_all();
                return Work::Final(queued);
            }
            if state.closed {
                return Work::End;
            }
            if let Some(draft) = state.draft.take() {
                self.busy.store(true, Ordering::Relaxed);
                self.abandon.store(false, Ordering::Relaxed);
                state.running = Some((draft.span(), draft.purpose));
                return Work::Draft(draft);
            }
            state = match end {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(end) => {
                    let left = end.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Work::Idle;
                    }
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Whether either side has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// No more utterances will come.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        if state.in_background {
            self.abandon.store(true, Ordering::Relaxed);
        }
        drop(state);
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utterance(index: u64, seconds: usize) -> Utterance {
        Utterance::whole(index, vec![0.0; seconds * 16_000])
    }

    fn arrival(index: u64, seconds: usize) -> Arrival {
        Arrival { utterance: utterance(index, seconds), capture: CaptureFacts::default(), id: None }
    }

    #[test]
    fn a_full_queue_gives_the_live_utterance_back() {
        let queue = WorkQueue::new(3.0);
        assert!(queue.try_push(arrival(0, 4)).is_ok(), "one utterance always fits");
        assert!(queue.try_push(arrival(1, 1)).is_err_and(|back| back.utterance.index == 1));
        assert!(matches!(queue.next(None), Work::Final(q) if q.utterance.index == 0));
        assert!(queue.try_push(arrival(2, 1)).is_ok());
    }

    #[test]
    fn a_file_waits_for_room_and_loses_nothing() {
        let queue = WorkQueue::new(2.0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for i in 0..20 {
                    assert!(queue.push_waiting(arrival(i, 1)).is_ok());
                }
                queue.close();
            });
            for expected in 0..20 {
                assert!(matches!(queue.next(None), Work::Final(q) if q.utterance.index == expected));
            }
            assert!(matches!(queue.next(None), Work::End));
        });
    }

    #[test]
    fn an_utterance_knows_how_many_waited_behind_it() {
        let queue = WorkQueue::new(10.0);
        (0..3).for_each(|i| assert!(queue.try_push(arrival(i, 1)).is_ok()));
        for expected in [2, 1, 0] {
            assert!(matches!(queue.next(None), Work::Final(q) if q.depth == expected));
        }
    }

    fn draft(index: u64, seconds: usize, purpose: Purpose) -> Draft {
        Draft { utterance: utterance(index, seconds), purpose }
    }

    fn abandoned(queue: &WorkQueue) -> bool {
        queue.abandon.load(Ordering::Relaxed)
    }

    #[test]
    fn finished_utterances_come_before_drafts_and_replace_them() {
        let queue = WorkQueue::new(10.0);
        queue.offer(draft(7, 1, Purpose::Partial));
        assert!(queue.try_push(arrival(7, 2)).is_ok());
        assert!(matches!(queue.next(None), Work::Final(_)));
        queue.close();
        assert!(matches!(queue.next(None), Work::End));
    }

    #[test]
    fn a_draft_is_abandoned_for_another_utterance_but_not_for_itself() {
        let queue = WorkQueue::new(10.0);
        queue.offer(draft(7, 2, Purpose::Speculation));
        assert!(matches!(queue.next(None), Work::Draft(_)));
        assert!(queue.try_push(arrival(7, 2)).is_ok());
        assert!(!abandoned(&queue), "its answer is the one that is waited for");
        assert!(queue.try_push(arrival(8, 3)).is_ok());
        assert!(abandoned(&queue));
    }

    #[test]
    fn a_speculation_ends_a_partial_and_is_ended_by_speech() {
        let queue = WorkQueue::new(10.0);
        queue.offer(draft(7, 1, Purpose::Partial));
        assert!(matches!(queue.next(None), Work::Draft(_)));
        queue.withdraw_speculation();
        assert!(!abandoned(&queue), "a partial is of use while they speak");
        queue.offer(draft(7, 2, Purpose::Speculation));
        assert!(abandoned(&queue));
        assert!(matches!(queue.next(None), Work::Draft(d) if d.purpose == Purpose::Speculation));
        assert!(!abandoned(&queue));
        queue.withdraw_speculation();
        assert!(abandoned(&queue));
    }

    #[test]
    fn a_speculation_that_waits_is_taken_back() {
        let queue = WorkQueue::new(10.0);
        queue.offer(draft(7, 1, Purpose::Speculation));
        queue.withdraw_speculation();
        queue.close();
        assert!(matches!(queue.next(None), Work::End));
    }
}
