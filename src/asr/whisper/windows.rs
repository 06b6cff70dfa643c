//! Cutting a recording that nobody endpointed into windows of at most 30 s, at its quietest places.

use std::ops::Range;

use super::log_mel::WINDOW_SAMPLES;

/// How much of a window's end is searched for a quiet place: 10 s.
const SEARCH: usize = 160_000;
/// Length over which quietness is measured: 200 ms, longer than the closure of a plosive.
const QUIET: usize = 3_200;
/// Step of the search: 10 ms.
const STEP: usize = 160;

/// Ranges of samples, in order and without gaps, none longer than a window.
pub(super) fn cut(samples: &[f32]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    while samples.len() - start > WINDOW_SAMPLES {
        let end = quietest(samples, start + WINDOW_SAMPLES - SEARCH, start + WINDOW_SAMPLES);
        ranges.push(start..end);
        start = end;
    }
    if start < samples.len() {
        ranges.push(start..samples.len());
    }
    ranges
}

/// The middle of the quietest stretch between two positions.
fn quietest(samples: &[f32], from: usize, to: usize) -> usize {
    let energy =
        |at: usize| -> f64 { samples[at..at + QUIET].iter().map(|&s| f64::from(s) * f64::from(s)).sum() };
    (from..=to - QUIET)
        .step_by(STEP)
        .min_by(|&a, &b| energy(a).total_cmp(&energy(b)))
        .map_or(to, |at| at + QUIET / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_recordings_are_one_window_and_empty_ones_none() {
        assert_eq!(cut(&[0.1; 100]), vec![0..100; 1]);
        assert!(cut(&[]).is_empty());
    }

    #[test]
    fn long_recordings_are_cut_in_the_pause_without_gaps() {
        let mut samples = vec![0.5; 50 * 16_000];
        samples[24 * 16_000..25 * 16_000].fill(0.0);
        let ranges = cut(&samples);
        assert_eq!(ranges.len(), 2);
        assert!((24 * 16_000..25 * 16_000).contains(&ranges[0].end));
        assert_eq!(ranges[0].end, ranges[1].start);
        assert_eq!(ranges[1].end, samples.len());
    }
}
