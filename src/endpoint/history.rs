//! [`AudioHistory`]: the stretch of the stream that may still become part of an utterance.

use crate::audio::SamplePosition;

/// Forgotten samples that are kept until it pays to move the rest: 1 s.
const SLACK: usize = 16_000;

/// The stream's latest samples, contiguous, with their position.
#[derive(Debug)]
pub(super) struct AudioHistory {
    samples: Vec<f32>,
    /// Samples at the front that are forgotten but not yet moved out.
    forgotten: usize,
    end: SamplePosition,
}

impl AudioHistory {
    /// An empty history that holds `capacity` samples without allocating.
    pub(super) fn new(capacity: usize) -> Self {
        Self { samples: Vec::with_capacity(capacity + SLACK), forgotten: 0, end: SamplePosition(0) }
    }

    /// Appends what follows in the stream.
    pub(super) fn extend(&mut self, samples: &[f32]) {
        self.samples.extend_from_slice(samples);
        self.end = self.end + samples.len();
    }

    /// Forgets everything before `position`.
    pub(super) fn forget_before(&mut self, position: SamplePosition) {
        self.forgotten = self.index_of(position);
        if self.forgotten >= SLACK {
            self.samples.drain(..self.forgotten);
            self.forgotten = 0;
        }
    }

    /// The samples from `start` to `end`, or as much of them as is remembered.
    pub(super) fn between(&self, start: SamplePosition, end: SamplePosition) -> &[f32] {
        let start = self.index_of(start);
        self.samples.get(start..self.index_of(end)).unwrap_or_default()
    }

    /// Position of the oldest remembered sample.
    pub(super) fn start(&self) -> SamplePosition {
        self.end.saturating_sub(self.samples.len() - self.forgotten)
    }

    /// Position just after the newest sample.
    pub(super) fn end(&self) -> SamplePosition {
        self.end
    }

    /// Where `position`, moved into what is remembered, lies in `samples`.
    fn index_of(&self, position: SamplePosition) -> usize {
        self.samples.len() - (self.end - position).min(self.samples.len() - self.forgotten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgetting_keeps_positions_and_samples_aligned_and_memory_bounded() {
        let mut history = AudioHistory::new(1_000);
        let capacity = history.samples.capacity();
        for block in 0..1_000_u64 {
            let first = block * 100;
            let samples: Vec<f32> = (first..first + 100).map(|n| n as f32).collect();
            history.extend(&samples);
            history.forget_before(history.end().saturating_sub(900));
            let start = history.start();
            assert_eq!(history.between(start, start + 2), [start.0 as f32, start.0 as f32 + 1.0]);
        }
        assert_eq!((history.start(), history.end()), (SamplePosition(99_100), SamplePosition(100_000)));
        assert_eq!(history.samples.capacity(), capacity);
    }

    #[test]
    fn a_span_that_is_partly_forgotten_is_cut_to_what_is_remembered() {
        let mut history = AudioHistory::new(10);
        history.extend(&[0.0, 1.0, 2.0, 3.0]);
        history.forget_before(SamplePosition(2));
        assert_eq!(history.between(SamplePosition(0), SamplePosition(3)), [2.0]);
        assert!(history.between(SamplePosition(3), SamplePosition(1)).is_empty());
    }
}
