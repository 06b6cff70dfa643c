//! An estimate with its interval, and what may be concluded from it.

use super::figure::Unit;

/// A value and where it may lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The value. For shares and their differences: a ratio, not percent.
    pub value: f64,
    /// Lower bound of the 95 % interval.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

impl Estimate {
    /// `4.2 % (3.9 % to 4.6 %)`.
    pub fn show(&self, unit: Unit) -> String {
        let of = |value| unit.show(Some(value));
        format!("{} ({} to {})", of(self.value), of(self.low), of(self.high))
    }

    /// Whether all three can be drawn.
    pub fn finite(&self) -> bool {
        self.value.is_finite() && self.low.is_finite() && self.high.is_finite()
    }
}

/// The value by itself, or a dash.
pub(crate) fn value(estimate: &Option<Estimate>, unit: Unit) -> String {
    unit.show(estimate.map(|estimate| estimate.value))
}

/// Value and interval, or a dash.
pub(crate) fn full(estimate: &Option<Estimate>, unit: Unit) -> String {
    estimate.filter(Estimate::finite).map_or_else(|| value(estimate, unit), |estimate| estimate.show(unit))
}

/// What a difference of word error rates says about the shadow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The whole interval is below 0.
    Better,
    /// The whole interval is below the margin, but not below 0.
    NotWorse,
    /// The whole interval is above 0 and not all of it below the margin.
    Worse,
    /// Neither can be ruled out: not decided. Never to be read as fine.
    Inconclusive,
}

impl Verdict {
    /// In words.
    pub fn label(self) -> &'static str {
        match self {
            Self::Better => "Better",
            Self::NotWorse => "Not worse within the margin",
            Self::Worse => "Worse",
            Self::Inconclusive => "Not decided",
        }
    }

    /// In one or two words, for tables.
    pub fn short(self) -> &'static str {
        match self {
            Self::NotWorse => "Not worse",
            other => other.label(),
        }
    }

    /// What it means.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Better => "The shadow makes fewer errors: the whole interval is below zero.",
            Self::NotWorse => {
                "The shadow makes at most the margin more errors: the whole interval is below the margin."
            }
            Self::Worse => "The shadow makes more errors: the whole interval is above zero.",
            Self::Inconclusive => {
                "The references so far allow both better and worse. This is no sign that the shadow is fine."
            }
        }
    }

    /// A sign that differs in shape, not only in colour.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Better => "▲",
            Self::NotWorse => "≈",
            Self::Worse => "▼",
            Self::Inconclusive => "?",
        }
    }

    /// Its class in the style sheet.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::NotWorse => "not-worse",
            Self::Worse => "worse",
            Self::Inconclusive => "undecided",
        }
    }
}
