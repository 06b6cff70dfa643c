//! Judging one disagreement, blind: two texts in random order, and no word on whose they are.

use askama::Template;

use super::figure::{UNKNOWN, digits};
use super::{Shell, show};

/// `/adjudicate`: one disagreement to judge.
///
/// The form goes by POST to `/adjudicate` with `csrf`, `item_id`, `order`, `choice` ([`Choice::key`]), `reference` (may be
/// empty) and `action` (`submit` or `skip`).
#[derive(Clone, Debug, Template)]
#[template(path = "adjudicate.html")]
pub struct AdjudicatePage {
    /// The frame.
    pub shell: Shell,
    /// What to judge; `None` when nothing waits.
    pub item: Option<AdjudicationItem>,
    /// How far the sample is; `None` where none was drawn.
    pub progress: Option<Progress>,
    /// Judgements so far by this person.
    pub judged_by_you: u64,
}

impl AdjudicatePage {
    pub(crate) fn probability(&self) -> String {
        self.progress.map_or_else(|| UNKNOWN.to_owned(), |progress| digits(progress.inclusion_probability))
    }
}

/// What is judged.
#[derive(Clone, Debug)]
pub struct AdjudicationItem {
    /// Names it in the form.
    pub item_id: String,
    /// Which text is A, in a form that only the server reads; comes back as `order`.
    pub order: String,
    /// Where the recording is; `None` without consent to audio: then judge by the texts alone.
    pub clip_href: Option<String>,
    /// Duration, ms.
    pub duration_ms: f64,
    /// Code of the language, for the texts' `lang`.
    pub language: Option<String>,
    /// One of the two texts; may be empty.
    pub text_a: String,
    /// The other one.
    pub text_b: String,
}

/// How far a sample is judged.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Judged or skipped.
    pub done: u64,
    /// In the sample.
    pub total: u64,
    /// The chance that a disagreement like this one had to get into the sample, in `]0, 1]`.
    pub inclusion_probability: f64,
}

impl Progress {
    /// The rank of the item shown.
    pub(crate) fn current(&self) -> u64 {
        (self.done + 1).min(self.total.max(1))
    }
}

/// What a person can say of two texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// A is closer to what was said.
    A,
    /// B is.
    B,
    /// Both are right.
    Both,
    /// Both are wrong.
    Neither,
    /// It cannot be told.
    Unsure,
}

impl Choice {
    /// In the order of the keys 1 to 5.
    pub const ALL: [Self; 5] = [Self::A, Self::B, Self::Both, Self::Neither, Self::Unsure];

    /// Its value in the form.
    pub fn key(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::Both => "both",
            Self::Neither => "neither",
            Self::Unsure => "unsure",
        }
    }

    /// The choice of that value.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.key() == key)
    }

    /// In words.
    pub fn label(self) -> &'static str {
        match self {
            Self::A => "A is right, or closer",
            Self::B => "B is right, or closer",
            Self::Both => "Both are right",
            Self::Neither => "Both are wrong",
            Self::Unsure => "Cannot tell",
        }
    }
}
