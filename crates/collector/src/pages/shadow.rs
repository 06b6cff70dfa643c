//! Two engines on the same speech: how far apart, whether the shadow is better, and for whom.

use askama::Template;
use earwitness_scoring::DiffRow;
use earwitness_scoring::fleet::{OutcomeClass, OutcomeMatrix};

use super::figure::{UNKNOWN, Unit, count, digits};
use super::plot::{self, IntervalScale};
use super::{Estimate, FilterBar, Pager, Role, Shell, Verdict, diff, estimate, show};

/// `/shadow`: comparison of engines.
#[derive(Clone, Debug, Template)]
#[template(path = "shadow.html")]
pub struct ShadowPage {
    /// The frame.
    pub shell: Shell,
    /// Range, device, profile, version; action `/shadow`. [`FilterBar::kept`] has `primary` and `shadow`.
    pub filters: FilterBar,
    /// Every pair with utterances in the range.
    pub pairs: Vec<PairSummary>,
    /// The chosen pair, or the first.
    pub detail: Option<PairDetail>,
    /// Its disagreements, the largest or the newest first.
    pub disagreements: Vec<DisagreementRow>,
    /// Where in that list.
    pub pager: Pager,
}

/// A pair in the table of pairs.
#[derive(Clone, Debug)]
pub struct PairSummary {
    /// The engine that answers.
    pub primary_engine: String,
    /// The engine in question.
    pub shadow_engine: String,
    /// Where its detail is; see [`FilterBar::href_with`].
    pub href: String,
    /// Whether the page shows its detail.
    pub chosen: bool,
    /// Utterances that both heard.
    pub utterances: u64,
    /// Devices that they came from.
    pub devices: u64,
    /// Pooled disagreement in `[0, 1]` with its interval; see `earwitness_scoring::Disagreement::rate`.
    pub disagreement: Option<Estimate>,
    /// What references say; [`Verdict::Inconclusive`] without any.
    pub verdict: Verdict,
}

/// All about one pair.
#[derive(Clone, Debug)]
pub struct PairDetail {
    /// The engine that answers.
    pub primary_engine: String,
    /// The engine in question.
    pub shadow_engine: String,
    /// Utterances that both heard.
    pub utterances: u64,
    /// Devices that they came from.
    pub devices: u64,
    /// Pooled disagreement in `[0, 1]`; interval by bootstrap over devices.
    pub disagreement: Option<Estimate>,
    /// Why that has no interval, in words.
    pub no_interval: Option<String>,
    /// Median recognition time of the primary, ms.
    pub primary_p50_ms: Option<f64>,
    /// Median recognition time of the shadow, ms.
    pub shadow_p50_ms: Option<f64>,
    /// Mean over utterances of shadow less primary, ms, with its interval.
    pub latency_difference_ms: Option<Estimate>,
    /// What 1000 utterances cost with the primary, in the currency of the devices' settings.
    pub primary_cost_per_1000: Option<f64>,
    /// The same with the shadow.
    pub shadow_cost_per_1000: Option<f64>,
    /// How both ended.
    pub outcomes: OutcomeMatrix,
    /// Against what people wrote down or judged.
    pub wer: WerComparison,
    /// The same by groups of utterances.
    pub slices: Vec<SliceGroup>,
}

/// The scales of the table of slices.
pub(crate) struct SliceScales {
    pub(crate) disagreement: IntervalScale,
    pub(crate) wer: IntervalScale,
}

impl PairDetail {
    pub(crate) fn disagreement_scale(&self) -> IntervalScale {
        IntervalScale::holding(self.disagreement.as_ref(), Unit::Ratio, None)
    }

    /// Common scales of all slices, so that they can be compared by eye.
    pub(crate) fn slice_scales(&self) -> SliceScales {
        let rows = || self.slices.iter().flat_map(|group| &group.rows);
        SliceScales {
            disagreement: IntervalScale::holding(
                rows().filter_map(|row| row.disagreement.as_ref()),
                Unit::Ratio,
                None,
            ),
            wer: IntervalScale::holding(
                rows().filter_map(|row| row.wer_difference.as_ref()),
                Unit::RatioDifference,
                Some(self.wer.margin),
            ),
        }
    }

    pub(crate) fn slice_count(&self) -> u64 {
        self.slices.iter().map(|group| group.rows.len() as u64).sum()
    }

    pub(crate) fn latency_shown(&self) -> String {
        let Some(estimate) = self.latency_difference_ms.filter(Estimate::finite) else {
            return UNKNOWN.to_owned();
        };
        let of = |value: f64| format!("{}{}", if value > 0.0 { "+" } else { "" }, digits(value));
        format!("{} ms ({} to {})", of(estimate.value), of(estimate.low), of(estimate.high))
    }

    /// The classes that a row or column is shown for; that of later versions only where there is one.
    pub(crate) fn outcome_classes(&self) -> Vec<OutcomeClass> {
        let seen = |class| self.outcomes.count_a(class) + self.outcomes.count_b(class) > 0;
        OutcomeClass::ALL.into_iter().filter(|class| *class != OutcomeClass::Other || seen(*class)).collect()
    }

    /// A row's class with its cells: the count, and a style for its share of all, in steps of a power of ten.
    pub(crate) fn outcome_rows(&self) -> Vec<(OutcomeClass, Vec<(String, String)>)> {
        let total = self.outcomes.total().max(1) as f64;
        let cell = |row, column| {
            let value = self.outcomes.count(row, column);
            let heat = match value as f64 / total {
                share if share >= 0.1 => 4,
                share if share >= 0.01 => 3,
                share if share >= 0.001 => 2,
                share if share > 0.0 => 1,
                _ => 0,
            };
            let same = if row == column { " same" } else { "" };
            (count(value), format!("heat-{heat}{same}"))
        };
        let classes = self.outcome_classes();
        let cells = |row| classes.iter().map(|column| cell(row, *column)).collect();
        classes.iter().map(|row| (*row, cells(*row))).collect()
    }

    pub(crate) fn cost_shown(&self) -> String {
        match self
            .primary_cost_per_1000
            .zip(self.shadow_cost_per_1000)
            .map(|(primary, shadow)| shadow - primary)
        {
            Some(more) if more > 0.0 => format!("+{}", digits(more)),
            Some(less) if less.is_finite() => digits(less),
            _ => UNKNOWN.to_owned(),
        }
    }
}

/// Difference of word error rates, shadow less primary, where references exist.
#[derive(Clone, Debug)]
pub struct WerComparison {
    /// Utterances with a reference: labelled, corrected by the user, or judged.
    pub utterances: u64,
    /// Devices that they came from.
    pub devices: u64,
    /// Words of these references.
    pub reference_words: u64,
    /// Word error rate of the primary.
    pub primary_wer: Option<f64>,
    /// Word error rate of the shadow.
    pub shadow_wer: Option<f64>,
    /// Shadow less primary, weighted by inclusion probability: below 0 the shadow is better.
    pub difference: Option<Estimate>,
    /// How much more the shadow may err and still count as not worse: a ratio above 0.
    pub margin: f64,
    /// What follows.
    pub verdict: Verdict,
    /// With [`Verdict::Inconclusive`]: what would decide it, in words, such as "about 300 more references".
    pub missing: Option<String>,
}

impl WerComparison {
    /// The verdict as it is shown: without an interval nothing is decided, whatever the field says.
    pub(crate) fn shown(&self) -> Verdict {
        let known = self.difference.is_some_and(|difference| difference.finite());
        if known { self.verdict } else { Verdict::Inconclusive }
    }

    pub(crate) fn scale(&self) -> IntervalScale {
        IntervalScale::holding(self.difference.as_ref(), Unit::RatioDifference, Some(self.margin))
    }

    pub(crate) fn margin_shown(&self) -> String {
        Unit::RatioDifference.show(Some(self.margin))
    }
}

/// The comparison by one property of utterances.
#[derive(Clone, Debug)]
pub struct SliceGroup {
    /// The property: `Profile`, `App version`, `Language`, `Signal to noise`, `Duration`.
    pub dimension: String,
    /// Its values.
    pub rows: Vec<SliceRow>,
}

/// The comparison for one value of a property.
#[derive(Clone, Debug)]
pub struct SliceRow {
    /// The value: `kiosk`, `5 to 10 dB`.
    pub name: String,
    /// Utterances that both heard.
    pub utterances: u64,
    /// Devices that they came from.
    pub devices: u64,
    /// As in [`PairDetail::disagreement`].
    pub disagreement: Option<Estimate>,
    /// As in [`WerComparison::difference`].
    pub wer_difference: Option<Estimate>,
    /// What follows; [`Verdict::Inconclusive`] without references.
    pub verdict: Verdict,
}

/// An utterance that the two engines understood differently.
#[derive(Clone, Debug)]
pub struct DisagreementRow {
    /// Names the utterance.
    pub utterance_id: String,
    /// Where it was heard.
    pub device_id: String,
    /// When, ms since 1970-01-01 UTC.
    pub recorded_unix_ms: u64,
    /// Word edits between the two.
    pub edits: u64,
    /// Words of the longer one.
    pub longer_words: u64,
    /// How the primary ended: `transcript`.
    pub primary_outcome: String,
    /// How the shadow ended.
    pub shadow_outcome: String,
    /// Code of the language.
    pub language: Option<String>,
    /// Signal to noise, dB.
    pub snr_db: Option<f64>,
    /// The texts, aligned: [`earwitness_scoring::diff_texts`] of primary and shadow without a reference. `None` without
    /// consent to text.
    pub words: Option<Vec<DiffRow>>,
    /// Where the recording is; `None` without consent to audio.
    pub clip_href: Option<String>,
}

impl DisagreementRow {
    pub(crate) fn ends_differ(&self) -> bool {
        self.primary_outcome != self.shadow_outcome
    }
}
