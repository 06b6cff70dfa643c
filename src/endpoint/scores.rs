//! [`FrameScores`]: what the detector said of each recent frame, and what follows from it.

use std::collections::VecDeque;

use crate::audio::SamplePosition;

/// Probabilities closer than this are equally good places to cut; then the quieter one wins.
const CUT_STEP: f32 = 0.05;
/// Frames on either side of a cut that are averaged.
const CUT_REACH: usize = 2;

/// One frame's score.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameScore {
    /// Speech probability in [0, 1].
    pub(super) probability: f32,
    /// Mean square of its samples.
    pub(super) energy: f32,
}

/// Scores of consecutive frames.
#[derive(Debug)]
pub(super) struct FrameScores {
    frames: VecDeque<FrameScore>,
    /// Position of the first kept frame's first sample.
    start: SamplePosition,
    frame_len: usize,
}

/// Sums over the frames of a span.
#[derive(Debug, Default, PartialEq)]
pub(super) struct SpanStats {
    /// Mean speech probability; 0 for an empty span.
    pub(super) mean: f32,
    /// Highest speech probability.
    pub(super) max: f32,
    /// Frames at or above the threshold asked for.
    pub(super) voiced: usize,
    /// Mean over these of their energy; 0 if there are none.
    pub(super) voiced_power: f32,
}

impl FrameScores {
    /// No frames yet; `capacity` of them fit without allocating.
    pub(super) fn new(frame_len: usize, capacity: usize) -> Self {
        Self { frames: VecDeque::with_capacity(capacity + 1), start: SamplePosition(0), frame_len }
    }

    pub(super) fn push(&mut self, score: FrameScore) {
        self.frames.push_back(score);
    }

    /// Forgets frames that end at or before `position`.
    pub(super) fn forget_before(&mut self, position: SamplePosition) {
        while self.start + self.frame_len <= position && self.frames.pop_front().is_some() {
            self.start = self.start + self.frame_len;
        }
    }

    /// Forgets all frames; the next one begins at `position`.
    pub(super) fn restart_at(&mut self, position: SamplePosition) {
        self.frames.clear();
        self.start = position;
    }

    /// Where speech began, if `needed` of the last `2 * needed` frames are at or above `enter`: the first of
    /// these, and before it all frames without a gap at or above `stay`, up to `reach` frames.
    pub(super) fn onset(&self, needed: usize, enter: f32, stay: f32, reach: usize) -> Option<SamplePosition> {
        let window = self.frames.len().saturating_sub(2 * needed);
        let recent = self.frames.range(window..);
        if recent.clone().filter(|frame| frame.probability >= enter).count() < needed {
            return None;
        }
        let first = window + recent.clone().position(|frame| frame.probability >= enter)?;
        let led_in = self
            .frames
            .range(..first)
            .rev()
            .take(reach)
            .take_while(|frame| frame.probability >= stay)
            .count();
        Some(self.start + (first - led_in) * self.frame_len)
    }

    /// Sums over frames that begin in [`from`, `to`), a frame astride `from` included.
    pub(super) fn stats(&self, from: SamplePosition, to: SamplePosition, threshold: f32) -> SpanStats {
        let mut stats = SpanStats::default();
        let mut count = 0_usize;
        for (_, frame) in self.span(from, to) {
            count += 1;
            stats.mean += frame.probability;
            stats.max = stats.max.max(frame.probability);
            if frame.probability >= threshold {
                stats.voiced += 1;
                stats.voiced_power += frame.energy;
            }
        }
        stats.mean /= count.max(1) as f32;
        stats.voiced_power /= stats.voiced.max(1) as f32;
        stats
    }

    /// End of the last frame at or above `stay` within [`from`, `to`).
    pub(super) fn speech_end(
        &self,
        from: SamplePosition,
        to: SamplePosition,
        stay: f32,
    ) -> Option<SamplePosition> {
        let last = self.span(from, to).filter(|(_, frame)| frame.probability >= stay).last();
        last.map(|(start, _)| start + self.frame_len)
    }

    /// The frame boundary in [`from`, `to`] at which to cut: where the two frames on either side have the lowest
    /// mean probability, in steps of 0.05, then the lowest energy, then the latest.
    pub(super) fn best_cut(&self, from: SamplePosition, to: SamplePosition) -> Option<SamplePosition> {
        let first = (from - self.start).div_ceil(self.frame_len).max(1);
        let last = ((to - self.start) / self.frame_len).min(self.frames.len().saturating_sub(1));
        (first..=last)
            .map(|at| (at, self.cut_cost(at)))
            .reduce(|best, other| if other.1 <= best.1 { other } else { best })
            .map(|(at, _)| self.start + at * self.frame_len)
    }

    /// Probability step and energy around the boundary before frame `at`; the nearest frames count double.
    fn cut_cost(&self, at: usize) -> (u32, f32) {
        let (from, to) = (at.saturating_sub(CUT_REACH), (at + CUT_REACH).min(self.frames.len()));
        let (mut probability, mut energy, mut weights) = (0.0, 0.0, 0.0);
        for (n, frame) in (from..to).zip(self.frames.range(from..to)) {
            let weight = if n + 1 == at || n == at { 2.0 } else { 1.0 };
            probability += weight * frame.probability;
            energy += weight * frame.energy;
            weights += weight;
        }
        ((probability / weights / CUT_STEP) as u32, energy / weights)
    }

    fn span(
        &self,
        from: SamplePosition,
        to: SamplePosition,
    ) -> impl Iterator<Item = (SamplePosition, &FrameScore)> {
        let starts = (0..).map(|n| self.start + n * self.frame_len);
        starts
            .zip(&self.frames)
            .skip_while(move |(start, _)| *start + self.frame_len <= from)
            .take_while(move |(start, _)| *start < to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(probabilities: &[f32]) -> FrameScores {
        let mut scores = FrameScores::new(10, 64);
        for &probability in probabilities {
            scores.push(FrameScore { probability, energy: 1.0 });
        }
        scores
    }

    #[test]
    fn one_click_is_no_onset_and_two_frames_of_four_are() {
        assert_eq!(scores(&[0.0, 0.9, 0.0, 0.0]).onset(2, 0.3, 0.15, 9), None);
        let onset = scores(&[0.0, 0.9, 0.0, 0.9]).onset(2, 0.3, 0.15, 9);
        assert_eq!(onset, Some(SamplePosition(10)));
    }

    #[test]
    fn the_onset_reaches_back_over_frames_that_would_continue_speech() {
        let scores = scores(&[0.2, 0.0, 0.2, 0.2, 0.9, 0.9]);
        assert_eq!(scores.onset(2, 0.3, 0.15, 9), Some(SamplePosition(20)));
        assert_eq!(scores.onset(2, 0.3, 0.15, 1), Some(SamplePosition(30)));
    }

    #[test]
    fn the_cut_is_in_the_dip_and_the_quieter_of_two_equal_dips() {
        let mut dips = scores(&[0.9, 0.9, 0.1, 0.1, 0.9, 0.9, 0.9, 0.11, 0.11, 0.9, 0.9]);
        assert_eq!(dips.best_cut(SamplePosition(0), SamplePosition(60)), Some(SamplePosition(30)));
        assert_eq!(dips.best_cut(SamplePosition(0), SamplePosition(110)), Some(SamplePosition(80)));
        dips.frames[2].energy = 0.5;
        assert_eq!(dips.best_cut(SamplePosition(0), SamplePosition(110)), Some(SamplePosition(30)));
    }

    #[test]
    fn sums_and_speech_end_cover_the_span_only() {
        let mut scores = scores(&[1.0, 0.5, 0.0, 0.2, 1.0]);
        scores.forget_before(SamplePosition(15));
        let stats = scores.stats(SamplePosition(10), SamplePosition(40), 0.3);
        assert_eq!((stats.voiced, stats.max, stats.voiced_power), (1, 0.5, 1.0));
        assert!((stats.mean - 0.7 / 3.0).abs() < 1e-6);
        assert_eq!(scores.speech_end(SamplePosition(10), SamplePosition(40), 0.15), Some(SamplePosition(40)));
    }
}
