//! The ranges that were lost and of which the server does not know yet.

use crate::telemetry::{LossReason, LostRange};

/// Beyond this, neighbours are merged whatever their reasons: the list is written as a whole with the state.
const MAX_RANGES: usize = 1_000;

/// Sorted ranges that do not overlap; neighbours of one reason are one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LostRanges(Vec<LostRange>);

impl LostRanges {
    /// From a list in any order.
    pub(super) fn new(ranges: Vec<LostRange>) -> Self {
        let mut lost = Self::default();
        for range in ranges {
            lost.add(range);
        }
        lost
    }

    pub(super) fn as_slice(&self) -> &[LostRange] {
        &self.0
    }

    /// Adds what of `range` is not there yet. Returns how many sequences that were.
    pub(super) fn add(&mut self, range: LostRange) -> u64 {
        let mut added = 0;
        for (first, last) in self.missing(range.first_sequence, range.last_sequence) {
            added += last - first + 1;
            let at = self.0.partition_point(|r| r.first_sequence < first);
            self.0.insert(at, LostRange { first_sequence: first, last_sequence: last, reason: range.reason });
            self.merge_around(at, |a, b| a.reason == b.reason);
        }
        if self.0.len() > MAX_RANGES {
            for at in (1..self.0.len()).rev() {
                self.merge_around(at.min(self.0.len() - 1), |_, _| true);
            }
        }
        added
    }

    /// The parts of `first..=last` that are in no range.
    pub(super) fn missing(&self, first: u64, last: u64) -> Vec<(u64, u64)> {
        let mut missing = Vec::new();
        let mut next = first;
        let begin = self.0.partition_point(|r| r.last_sequence < first);
        for range in &self.0[begin..] {
            if range.first_sequence > last {
                break;
            }
            if next < range.first_sequence {
                missing.push((next, range.first_sequence - 1));
            }
            next = next.max(range.last_sequence + 1);
        }
        if next <= last {
            missing.push((next, last));
        }
        missing
    }

    /// The part of a range that begins at `sequence` or covers it.
    pub(super) fn at(&self, sequence: u64) -> Option<LostRange> {
        let range = *self.0.get(self.0.partition_point(|r| r.last_sequence < sequence))?;
        (range.first_sequence <= sequence).then_some(LostRange { first_sequence: sequence, ..range })
    }

    /// The first sequence above `sequence` that was lost.
    pub(super) fn next_above(&self, sequence: u64) -> Option<u64> {
        self.0.get(self.0.partition_point(|r| r.first_sequence <= sequence)).map(|r| r.first_sequence)
    }

    /// Forgets everything up to `sequence`.
    pub(super) fn forget_through(&mut self, sequence: u64) {
        self.0.retain(|range| range.last_sequence > sequence);
        if let Some(range) = self.0.first_mut() {
            range.first_sequence = range.first_sequence.max(sequence + 1);
        }
    }

    /// How many sequences are in `first..=last`.
    pub(super) fn count_within(&self, first: u64, last: u64) -> u64 {
        let all = (last + 1).saturating_sub(first);
        all - self.missing(first, last).iter().map(|(a, b)| b - a + 1).sum::<u64>()
    }

    fn merge_around(&mut self, at: usize, may: impl Fn(&LostRange, &LostRange) -> bool) {
        for left in [at, at.wrapping_sub(1)] {
            let Some([a, b]) = self.0.get(left..).and_then(|rest| rest.first_chunk()).copied() else {
                continue;
            };
            if a.last_sequence + 1 == b.first_sequence && may(&a, &b) {
                let reason = if a.reason == b.reason { a.reason } else { LossReason::Unknown };
                self.0[left] = LostRange { last_sequence: b.last_sequence, reason, ..a };
                self.0.remove(left + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn range(first_sequence: u64, last_sequence: u64, reason: LossReason) -> LostRange {
        LostRange { first_sequence, last_sequence, reason }
    }

    #[test]
    fn neighbours_of_one_reason_are_one_range() {
        let mut lost = LostRanges::default();
        lost.add(range(1, 3, LossReason::SizeCap));
        lost.add(range(7, 9, LossReason::SizeCap));
        lost.add(range(5, 5, LossReason::Corrupt));
        lost.add(range(4, 4, LossReason::SizeCap));
        assert_eq!(
            lost.as_slice(),
            [
                range(1, 4, LossReason::SizeCap),
                range(5, 5, LossReason::Corrupt),
                range(7, 9, LossReason::SizeCap)
            ]
        );
        lost.forget_through(5);
        assert_eq!((lost.at(8), lost.next_above(3)), (Some(range(8, 9, LossReason::SizeCap)), Some(7)));
    }

    #[test]
    fn too_many_neighbours_are_merged_and_none_is_forgotten() {
        let mut lost = LostRanges::default();
        let added: u64 = (1..=3_000)
            .map(|n| {
                lost.add(range(n, n, if n % 2 == 0 { LossReason::DiskFull } else { LossReason::Corrupt }))
            })
            .sum();
        assert_eq!((added, lost.count_within(1, 3_000)), (3_000, 3_000));
        assert!(lost.as_slice().len() <= MAX_RANGES);
    }

    proptest! {
        #[test]
        fn ranges_are_a_set_in_which_the_first_reason_stays(
            steps in prop::collection::vec((1..60_u64, 0..10_u64, 0..3_usize, any::<bool>()), 0..40),
        ) {
            let reasons = [LossReason::SizeCap, LossReason::AgeCap, LossReason::Corrupt];
            let (mut lost, mut model) = (LostRanges::default(), BTreeMap::new());
            for (first, more, reason, forget) in steps {
                if forget {
                    lost.forget_through(first / 4);
                    model.retain(|n, _| *n > first / 4);
                }
                let last = first + more;
                let before = model.len();
                for n in first..=last {
                    model.entry(n).or_insert(reasons[reason]);
                }
                let added = lost.add(range(first, last, reasons[reason]));
                prop_assert_eq!(added as usize, model.len() - before);
                let listed: Vec<_> = lost
                    .as_slice()
                    .iter()
                    .flat_map(|r| (r.first_sequence..=r.last_sequence).map(|n| (n, r.reason)))
                    .collect();
                prop_assert_eq!(&listed, &model.iter().map(|(n, r)| (*n, *r)).collect::<Vec<_>>());
                let merged = lost.as_slice().windows(2).all(|w| {
                    w[0].last_sequence + 1 < w[1].first_sequence || w[0].reason != w[1].reason
                });
                prop_assert!(merged, "{lost:?}");
                prop_assert_eq!(lost.count_within(10, 30) as usize, model.range(10..=30).count());
                for n in 0..70 {
                    prop_assert_eq!(lost.at(n).map(|r| r.reason), model.get(&n).copied());
                }
            }
        }
    }
}
