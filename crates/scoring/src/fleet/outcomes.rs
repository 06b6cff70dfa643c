//! How two recognizers ended, side by side: what an error rate over words cannot show.
//!
//! Where one has a text and the other heard no speech, ran out of time or failed, that is the finding. The matrix is
//! counts, so hours, devices and servers add up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How a recognition ended. The names on the wire are those of the devices' records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeClass {
    /// There is a text.
    Transcript,
    /// The recognizer heard no speech.
    NoSpeech,
    /// It heard speech and no words.
    Empty,
    /// It was cut short by its deadline.
    Timeout,
    /// It failed.
    Error,
    /// It never began, or ended in a way that this version does not know.
    #[serde(other)]
    Other,
}

impl OutcomeClass {
    /// All, in the order in which a table shows them.
    pub const ALL: [Self; 6] =
        [Self::Transcript, Self::NoSpeech, Self::Empty, Self::Timeout, Self::Error, Self::Other];

    /// By its name on the wire.
    pub fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|class| class.name() == name).unwrap_or(Self::Other)
    }

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Transcript => "transcript",
            Self::NoSpeech => "no_speech",
            Self::Empty => "empty",
            Self::Timeout => "timeout",
            Self::Error => "error",
            Self::Other => "other",
        }
    }
}

/// Utterances by the outcome of A and that of B.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Cell>", into = "Vec<Cell>")]
pub struct OutcomeMatrix {
    counts: BTreeMap<(OutcomeClass, OutcomeClass), u64>,
}

/// One cell as it is stored: `{"a": "transcript", "b": "empty", "utterances": 3}`.
#[derive(Serialize, Deserialize)]
struct Cell {
    a: OutcomeClass,
    b: OutcomeClass,
    utterances: u64,
}

impl OutcomeMatrix {
    /// Counts `utterances` that ended like this.
    pub fn add(&mut self, a: OutcomeClass, b: OutcomeClass, utterances: u64) {
        if utterances > 0 {
            *self.counts.entry((a, b)).or_default() += utterances;
        }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (&(a, b), &utterances) in &other.counts {
            self.add(a, b, utterances);
        }
    }

    /// Utterances that ended so under A and under B.
    pub fn count(&self, a: OutcomeClass, b: OutcomeClass) -> u64 {
        self.counts.get(&(a, b)).copied().unwrap_or(0)
    }

    /// Utterances that ended so under A.
    pub fn count_a(&self, a: OutcomeClass) -> u64 {
        OutcomeClass::ALL.iter().map(|b| self.count(a, *b)).sum()
    }

    /// Utterances that ended so under B.
    pub fn count_b(&self, b: OutcomeClass) -> u64 {
        OutcomeClass::ALL.iter().map(|a| self.count(*a, b)).sum()
    }

    /// All utterances.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Utterances for which only A has a text.
    pub fn only_a_has_text(&self) -> u64 {
        self.count_a(OutcomeClass::Transcript)
            - self.count(OutcomeClass::Transcript, OutcomeClass::Transcript)
    }

    /// Utterances for which only B has a text.
    pub fn only_b_has_text(&self) -> u64 {
        self.count_b(OutcomeClass::Transcript)
            - self.count(OutcomeClass::Transcript, OutcomeClass::Transcript)
    }
}

impl From<Vec<Cell>> for OutcomeMatrix {
    fn from(cells: Vec<Cell>) -> Self {
        let mut matrix = Self::default();
        for cell in cells {
            matrix.add(cell.a, cell.b, cell.utterances);
        }
        matrix
    }
}

impl From<OutcomeMatrix> for Vec<Cell> {
    fn from(matrix: OutcomeMatrix) -> Self {
        matrix.counts.into_iter().map(|((a, b), utterances)| Cell { a, b, utterances }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::OutcomeClass::{Empty, Error, NoSpeech, Other, Timeout, Transcript};
    use super::*;

    fn matrix(cells: &[(OutcomeClass, OutcomeClass, u64)]) -> OutcomeMatrix {
        let mut matrix = OutcomeMatrix::default();
        for &(a, b, utterances) in cells {
            matrix.add(a, b, utterances);
        }
        matrix
    }

    #[test]
    fn who_alone_has_a_text_is_counted() {
        let matrix = matrix(&[
            (Transcript, Transcript, 90),
            (Transcript, Empty, 4),
            (Transcript, Timeout, 2),
            (NoSpeech, Transcript, 3),
            (Error, NoSpeech, 1),
        ]);
        assert_eq!((matrix.only_a_has_text(), matrix.only_b_has_text(), matrix.total()), (6, 3, 100));
        assert_eq!((matrix.count_a(Transcript), matrix.count_b(NoSpeech)), (96, 1));
        assert_eq!(matrix.count(Empty, Empty), 0);
    }

    #[test]
    fn names_are_those_of_the_stored_form() {
        for class in OutcomeClass::ALL {
            assert_eq!(serde_json::to_value(class).unwrap(), class.name());
            assert_eq!(OutcomeClass::from_name(class.name()), class);
        }
        assert_eq!(OutcomeClass::from_name("sung"), Other);
    }

    #[test]
    fn merging_adds_cell_by_cell_in_any_order() {
        let (left, right) =
            (matrix(&[(Transcript, Empty, 1), (Error, Error, 2)]), matrix(&[(Error, Error, 3)]));
        let (mut there, mut back) = (left.clone(), right.clone());
        there.merge(&right);
        back.merge(&left);
        assert_eq!(there, back);
        assert_eq!((there.count(Error, Error), there.total()), (5, 6));
    }

    #[test]
    fn the_stored_form_is_the_documented_one_and_reads_later_outcomes() {
        let stored = matrix(&[(Transcript, NoSpeech, 3)]);
        let json = serde_json::to_string(&stored).unwrap();
        assert_eq!(json, r#"[{"a":"transcript","b":"no_speech","utterances":3}]"#);
        assert_eq!(serde_json::from_str::<OutcomeMatrix>(&json).unwrap(), stored);
        let later = r#"[{"a":"transcript","b":"sung","utterances":2}]"#;
        assert_eq!(serde_json::from_str::<OutcomeMatrix>(later).unwrap().count(Transcript, Other), 2);
    }
}
