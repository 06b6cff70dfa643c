//! Events that wait to be polled.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::event::{EwEventKind, OwnedEvent};

/// An app that never polls shall not fill memory: then the oldest are lost. 10 000 are an hour of talk.
const MAX_WAITING: usize = 10_000;

/// What a look gave.
pub(super) enum Taken {
    Event(Box<OwnedEvent>),
    /// Nothing came in time.
    Nothing,
    /// The last event was taken before.
    Over,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<OwnedEvent>,
    lost: u64,
    over: bool,
}

/// One thread puts, another takes.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl Queue {
    pub(super) fn put(&self, event: OwnedEvent) {
        let mut waiting = self.locked();
        waiting.over |= event.view().kind == EwEventKind::Ended;
        if waiting.events.len() == MAX_WAITING {
            waiting.events.pop_front();
            waiting.lost += 1;
            if waiting.lost == 1 {
                tracing::warn!("{MAX_WAITING} events wait to be polled: from now on the oldest are lost");
            }
        }
        waiting.events.push_back(event);
        drop(waiting);
        self.changed.notify_one();
    }

    /// The next, waiting for it at most `patience`.
    pub(super) fn take(&self, patience: Duration) -> Taken {
        let waiting = self.locked();
        let (mut waiting, _) = self
            .changed
            .wait_timeout_while(waiting, patience, |waiting| waiting.events.is_empty() && !waiting.over)
            .unwrap_or_else(PoisonError::into_inner);
        match (waiting.events.pop_front(), waiting.over) {
            (Some(event), _) => Taken::Event(Box::new(event)),
            (None, true) => Taken::Over,
            (None, false) => Taken::Nothing,
        }
    }

    /// Whoever waits comes back.
    pub(super) fn end(&self) {
        self.locked().over = true;
        self.changed.notify_all();
    }

    fn locked(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use earwitness::runtime::SessionEvent;

    use super::*;

    fn notice(text: &str) -> OwnedEvent {
        OwnedEvent::of(&SessionEvent::Notice(text.to_owned()))
    }

    #[test]
    fn the_oldest_are_lost_and_the_end_is_not() {
        let queue = Queue::default();
        assert!(matches!(queue.take(Duration::ZERO), Taken::Nothing));
        (0..MAX_WAITING + 3).for_each(|n| queue.put(notice(&n.to_string())));
        queue.put(OwnedEvent::of(&SessionEvent::Ended { end: Ok(Box::default()), cancelled: false }));
        let Taken::Event(first) = queue.take(Duration::ZERO) else { panic!() };
        assert!(first.json().contains("\"4\""), "{}", first.json());
        let mut left = 0;
        while let Taken::Event(_) = queue.take(Duration::ZERO) {
            left += 1;
        }
        assert_eq!(left, MAX_WAITING - 1);
        assert!(matches!(queue.take(Duration::from_secs(60)), Taken::Over));
    }
}
