//! [`Draft`]: an unfinished utterance that is recognized all the same.

use crate::audio::SamplePosition;
use crate::utterance::Utterance;

/// What a draft is recognized for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To show what is being said.
    Partial,
    /// To have the answer when the endpointer decides: the samples are those of the finished
    /// utterance if nobody speaks until then.
    Speculation,
}

/// An utterance as it stands, and what for.
pub(super) struct Draft {
    pub(super) utterance: Utterance,
    pub(super) purpose: Purpose,
}

impl Draft {
    /// Where it lies on the stream.
    pub(super) fn span(&self) -> Span {
        Span::of(&self.utterance)
    }
}

/// A stretch of one stream. Equal spans hold equal samples, and a recognizer hears nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    start: SamplePosition,
    end: SamplePosition,
}

impl Span {
    pub(super) fn of(utterance: &Utterance) -> Self {
        Self { start: utterance.start, end: utterance.end() }
    }
}
