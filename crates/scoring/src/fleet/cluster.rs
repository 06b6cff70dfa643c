//! Sums per device: all that an interval over devices needs.

use std::collections::BTreeMap;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

use crate::significance::UtterancePair;
use crate::{Disagreement, EditCounts};

/// Numerator and denominator of one device, added up over its utterances. What they are depends on the question:
///
/// | question | numerator | denominator |
/// |---|---|---|
/// | disagreement | word edits between A and B | words of the longer text |
/// | difference of word error rates | errors of B less errors of A | reference words |
/// | mean difference of latency | sum of B's less A's, ms | utterances |
/// | mean difference of cost | sum of B's less A's | utterances |
///
/// The ratio over the fleet is the sum of numerators over the sum of denominators: a device counts by what was said
/// to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterSums {
    /// Any finite number.
    pub numerator: f64,
    /// Finite. An estimate by sampling may be negative for one device, not for the fleet.
    pub denominator: f64,
}

impl ClusterSums {
    /// Of one utterance that two recognizers heard and nobody transcribed.
    pub fn of_disagreement(pair: &Disagreement) -> Self {
        Self { numerator: pair.edits.errors() as f64, denominator: pair.longer_words as f64 }
    }

    /// Of one utterance, or of many added up, with the same references for both.
    pub fn of_references(a: &EditCounts, b: &EditCounts) -> Self {
        let extra = b.errors() as f64 - a.errors() as f64;
        Self { numerator: extra, denominator: a.reference_words as f64 }
    }

    /// Of one utterance that took `a` and `b`, in the unit that the mean shall have.
    pub fn of_values(a: f64, b: f64) -> Self {
        Self { numerator: b - a, denominator: 1.0 }
    }

    /// Both sums times `weight`: 1 over the probability with which the utterance came into the sample.
    #[must_use]
    pub fn weighted(self, weight: f64) -> Self {
        Self { numerator: self.numerator * weight, denominator: self.denominator * weight }
    }
}

impl Add for ClusterSums {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            numerator: self.numerator + other.numerator,
            denominator: self.denominator + other.denominator,
        }
    }
}

impl AddAssign for ClusterSums {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for ClusterSums {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), Add::add)
    }
}

/// Sums of every device, in the order of their names, so that a seed means the same on every machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterTable {
    devices: BTreeMap<String, ClusterSums>,
    utterances: u64,
}

impl ClusterTable {
    /// Adds one utterance of `device`.
    pub fn add(&mut self, device: &str, sums: ClusterSums) {
        self.add_many(device, sums, 1);
    }

    /// Adds the sums of `utterances` utterances of `device`.
    pub fn add_many(&mut self, device: &str, sums: ClusterSums, utterances: u64) {
        self.utterances += utterances;
        match self.devices.get_mut(device) {
            Some(known) => *known += sums,
            None => {
                self.devices.insert(device.to_owned(), sums);
            }
        }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.utterances += other.utterances;
        for (device, sums) in &other.devices {
            self.add_many(device, *sums, 0);
        }
    }

    /// One entry a device.
    pub fn sums(&self) -> Vec<ClusterSums> {
        self.devices.values().copied().collect()
    }

    /// Devices and their sums.
    pub fn devices(&self) -> impl Iterator<Item = (&str, ClusterSums)> {
        self.devices.iter().map(|(device, sums)| (device.as_str(), *sums))
    }

    /// Utterances added.
    pub fn utterances(&self) -> u64 {
        self.utterances
    }
}

/// The difference of word error rates, with `group` as the device. Utterances without one are a device each.
impl<'a> FromIterator<UtterancePair<'a>> for ClusterTable {
    fn from_iter<I: IntoIterator<Item = UtterancePair<'a>>>(pairs: I) -> Self {
        let mut table = Self::default();
        for (number, pair) in pairs.into_iter().enumerate() {
            let sums = ClusterSums::of_references(&pair.a, &pair.b);
            match pair.group {
                Some(group) => table.add(group, sums),
                // No device has such a name.
                None => table.add(&format!("\0{number:020}"), sums),
            }
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BasicNormalizer, disagreement};

    fn edits(substitutions: u64, reference_words: u64) -> EditCounts {
        EditCounts { substitutions, reference_words, ..EditCounts::default() }
    }

    #[test]
    fn each_question_has_its_numerator_and_denominator() {
        let apart = disagreement(&BasicNormalizer::default(), "one two", "one three four");
        assert_eq!(ClusterSums::of_disagreement(&apart), ClusterSums { numerator: 2.0, denominator: 3.0 });
        let difference = ClusterSums::of_references(&edits(3, 8), &edits(1, 8));
        assert_eq!(difference, ClusterSums { numerator: -2.0, denominator: 8.0 });
        assert_eq!(
            ClusterSums::of_values(120.0, 90.0).weighted(4.0),
            ClusterSums { numerator: -120.0, denominator: 4.0 }
        );
    }

    #[test]
    fn merged_tables_equal_one_table_whatever_the_order() {
        let sums = |n: u32| ClusterSums { numerator: f64::from(n), denominator: 10.0 };
        let names = ["b", "a", "c", "a", "b", "a"];
        let (mut all, mut left, mut right) =
            (ClusterTable::default(), ClusterTable::default(), ClusterTable::default());
        for (number, name) in (0..).zip(names) {
            all.add(name, sums(number));
            if number % 2 == 0 { &mut left } else { &mut right }.add(name, sums(number));
        }
        let mut other_way = right.clone();
        other_way.merge(&left);
        left.merge(&right);
        assert_eq!((&left, &other_way), (&all, &all));
        assert_eq!(all.utterances(), 6);
        assert!(all.devices().map(|(name, _)| name).eq(["a", "b", "c"]));
    }

    #[test]
    fn utterances_without_a_group_are_a_device_each() {
        let pair = UtterancePair::new(edits(1, 4), edits(0, 4));
        let named = UtterancePair { group: Some("kitchen"), ..pair };
        let table: ClusterTable = [pair, named, pair, named].into_iter().collect();
        assert_eq!(table.sums().len(), 3);
        assert_eq!(table.sums().into_iter().sum::<ClusterSums>().numerator, -4.0);
    }
}
