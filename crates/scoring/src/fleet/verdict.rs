//! What a difference of word error rates means for the decision at hand.
//!
//! The verdict comes from the two-sided 95 % interval of the difference, B minus A, and a margin: how much worse B may be
//! and still do, because it is smaller or cheaper. That is the rule of trials for non-inferiority (ICH E9, section 3.3.2).
//! Where B is truly worse by the margin, the upper bound should lie below it in 2.5 % of all comparisons. With few and unequal
//! devices it is more, so the wider bounds are taken ([`Bounds::Wider`]); simulation then finds less than 5 %
//! (`tests/coverage.rs`).

use std::fmt;

use serde::Serialize;

use super::cluster::ClusterTable;
use super::interval::{Bounds, IntervalOptions, NoInterval, RatioInterval, ratio_interval};

/// With the same differences, the share of comparisons of the size that [`MoreData`] asks for that come to a verdict:
/// 80 %, the convention of trials.
const POWER_Z: f64 = 0.841_621_233_572_914_3;

/// How much worse B may be and still do.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Margin {
    points: f64,
}

impl Default for Margin {
    /// Half a point.
    fn default() -> Self {
        Self { points: 0.5 }
    }
}

impl Margin {
    /// In percentage points of word error rate, absolute: with 1, from 10 % to 11 % still does. 0 allows nothing.
    /// `None` below 0, above 100 and for what is no number.
    pub fn percentage_points(points: f64) -> Option<Self> {
        (0.0..=100.0).contains(&points).then_some(Self { points })
    }

    /// The same.
    pub fn points(self) -> f64 {
        self.points
    }

    /// As a share, like the rates: 0.01 for one point.
    pub fn share(self) -> f64 {
        self.points / 100.0
    }
}

/// What the interval says of B, the candidate, against A, the incumbent.
///
/// It is neither true nor false, and nothing here makes it so: whoever acts on it names the case.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Verdict {
    /// The upper bound is below 0: B makes fewer errors.
    Better,
    /// The upper bound is at most the margin: B is not worse by more than that. Holds also where the lower bound is above
    /// 0, when B is worse for sure but by less than matters; the interval beside the verdict shows it.
    NotWorse {
        /// The margin that was asked for, percentage points.
        margin_points: f64,
    },
    /// The lower bound is above 0, and the upper one above the margin: B makes more errors.
    Worse,
    /// Neither. This is not "no difference": a difference that matters may be hidden here.
    Inconclusive {
        /// Why.
        doubt: Doubt,
    },
}

/// Why there is no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// The interval holds 0, and its upper bound is above the margin.
    TooWide {
        /// What would probably settle it. `None` where the estimate is so close to 0 and to the margin that no amount of
        /// data would.
        more: Option<MoreData>,
    },
    /// There is no interval.
    NoInterval {
        /// What is missing.
        reason: NoInterval,
    },
}

/// What a comparison still needs, if the difference is what it seems to be now, to come to a verdict with a chance of
/// 80 %. An estimate: it is as uncertain as the difference itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MoreData {
    /// Times as many as there are now, above 1.
    pub factor: f64,
    /// References to make beyond those that there are, if devices grow by the same factor.
    pub references: u64,
    /// Devices beyond those that there are. More references from the same devices help less than the factor says, as
    /// they tell nothing of other devices.
    pub devices: u64,
}

/// A verdict with what it rests on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Assessment {
    /// What it means.
    pub verdict: Verdict,
    /// What the verdict was asked for, percentage points.
    pub margin_points: f64,
    /// References that the comparison rests on.
    pub references: u64,
    /// Difference of word error rates, B minus A, errors per reference word, with the bounds that the verdict was made of;
    /// `None` where there is no interval.
    pub interval: Option<RatioInterval>,
}

/// Assesses the difference of word error rates in `difference` (see
/// [`ClusterSums::of_references`](super::ClusterSums::of_references) and
/// [`Adjudication::difference`](super::Adjudication::difference)), which rests on so many `references`.
///
/// ```
/// # use earwitness_scoring::fleet::*;
/// let mut difference = ClusterTable::default();
/// for device in 0..40 {
///     let extra_errors = if device % 4 == 0 { 1.0 } else { -1.0 };
///     difference.add(&format!("device-{device}"), ClusterSums { numerator: extra_errors, denominator: 200.0 });
/// }
/// let margin = Margin::percentage_points(0.5).unwrap();
/// match assess(&difference, 40 * 20, margin, &IntervalOptions::default()).verdict {
///     Verdict::Better => {}
///     other => panic!("{other}"),
/// }
/// ```
pub fn assess(
    difference: &ClusterTable,
    references: u64,
    margin: Margin,
    options: &IntervalOptions,
) -> Assessment {
    let options = IntervalOptions { bounds: Bounds::Wider, ..*options };
    let interval = ratio_interval(&difference.sums(), &options);
    let verdict = match &interval {
        Ok(interval) if interval.high < 0.0 => Verdict::Better,
        Ok(interval) if interval.high <= margin.share() => {
            Verdict::NotWorse { margin_points: margin.points() }
        }
        Ok(interval) if interval.low > 0.0 => Verdict::Worse,
        Ok(interval) => {
            Verdict::Inconclusive { doubt: Doubt::TooWide { more: more_data(interval, references, margin) } }
        }
        Err(reason) => Verdict::Inconclusive { doubt: Doubt::NoInterval { reason: *reason } },
    };
    Assessment { verdict, margin_points: margin.points(), references, interval: interval.ok() }
}

/// A bound moves to the estimate as 1 over the square root of the data. To fall short of 0 or the margin in most repeated
/// comparisons it must come closer still, by what the estimate itself varies.
fn more_data(interval: &RatioInterval, references: u64, margin: Margin) -> Option<MoreData> {
    let (above, below) = (interval.high - interval.estimate, interval.estimate - interval.low);
    // For each verdict: the half of the interval that is in the way, and the room that it may take.
    let ways = [
        (above, margin.share() - interval.estimate),
        (above, -interval.estimate),
        (below, interval.estimate),
    ];
    let factor = ways
        .into_iter()
        .filter(|(_, room)| *room > 0.0)
        .map(|(half, room)| ((half + POWER_Z * interval.standard_error) / room).powi(2))
        .min_by(f64::total_cmp)?;
    let more = |now: u64| (now as f64 * (factor - 1.0)).ceil().max(0.0) as u64;
    (factor.is_finite() && factor < 1e6).then(|| MoreData {
        factor,
        references: more(references),
        devices: more(interval.clusters as u64),
    })
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Better => f.write_str("better"),
            Self::NotWorse { margin_points } => write!(f, "not worse by more than {margin_points} points"),
            Self::Worse => f.write_str("worse"),
            Self::Inconclusive { doubt: Doubt::NoInterval { reason } } => write!(f, "inconclusive: {reason}"),
            Self::Inconclusive { doubt: Doubt::TooWide { more: Some(more) } } => {
                write!(
                    f,
                    "inconclusive: about {} more references from {} more devices",
                    more.references, more.devices
                )?;
                f.write_str(" may settle it")
            }
            Self::Inconclusive { doubt: Doubt::TooWide { more: None } } => {
                f.write_str("inconclusive: too close to the limit for any amount of data")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::ClusterSums;

    /// Twenty devices of 100 words: half of them with `mean + spread` extra errors, half with `mean - spread`.
    fn fleet(mean: f64, spread: f64) -> ClusterTable {
        let mut table = ClusterTable::default();
        for device in 0..20 {
            let numerator = mean + if device % 2 == 0 { spread } else { -spread };
            table.add(&device.to_string(), ClusterSums { numerator, denominator: 100.0 });
        }
        table
    }

    fn verdict(mean: f64, spread: f64, points: f64) -> Verdict {
        let options = IntervalOptions { resamples: 500, ..IntervalOptions::default() };
        assess(&fleet(mean, spread), 400, Margin::percentage_points(points).unwrap(), &options).verdict
    }

    #[test]
    fn each_place_of_the_interval_has_its_verdict() {
        // The interval is about the mean plus and minus half the spread, in points.
        assert_eq!(verdict(-2.0, 1.0, 1.0), Verdict::Better);
        assert_eq!(verdict(0.0, 1.0, 1.0), Verdict::NotWorse { margin_points: 1.0 });
        assert_eq!(verdict(3.0, 1.0, 1.0), Verdict::Worse);
        assert!(matches!(verdict(0.0, 4.0, 1.0), Verdict::Inconclusive { doubt: Doubt::TooWide { .. } }));
        // Worse for sure, but by less than matters.
        assert_eq!(verdict(0.5, 0.2, 1.0), Verdict::NotWorse { margin_points: 1.0 });
        assert_eq!(verdict(0.5, 0.2, 0.0), Verdict::Worse);
    }

    #[test]
    fn few_devices_and_no_spread_are_inconclusive_whatever_the_difference() {
        let options = IntervalOptions::default();
        let margin = Margin::percentage_points(1.0).unwrap();
        let mut few = ClusterTable::default();
        for device in ["a", "b", "c"] {
            few.add(device, ClusterSums { numerator: -50.0, denominator: 100.0 });
        }
        let assessment = assess(&few, 60, margin, &options);
        let Verdict::Inconclusive { doubt: Doubt::NoInterval { reason } } = assessment.verdict else {
            panic!("{}", assessment.verdict)
        };
        assert!(matches!(reason, NoInterval::TooFewClusters { clusters: 3, .. }));
        assert_eq!(assessment.interval, None);
        let same = verdict(0.0, 0.0, 1.0);
        assert!(same.to_string().starts_with("inconclusive: all but 0 of 20 devices"), "{same}");
    }

    #[test]
    fn more_data_is_what_settles_it() {
        let Verdict::Inconclusive { doubt: Doubt::TooWide { more: Some(more) } } = verdict(0.0, 4.0, 1.0)
        else {
            panic!("not too wide")
        };
        assert!(more.factor > 3.0 && more.factor < 20.0, "{more:?}");
        assert_eq!(more.references, (400.0 * (more.factor - 1.0)).ceil() as u64);
        assert_eq!(more.devices, (20.0 * (more.factor - 1.0)).ceil() as u64);
        // A fleet of that size with the same spread.
        let mut larger = ClusterTable::default();
        for device in 0..20 + more.devices {
            let numerator = if device % 2 == 0 { 4.0 } else { -4.0 };
            larger.add(&device.to_string(), ClusterSums { numerator, denominator: 100.0 });
        }
        let margin = Margin::percentage_points(1.0).unwrap();
        let verdict = assess(&larger, 400, margin, &IntervalOptions::default()).verdict;
        assert_eq!(verdict, Verdict::NotWorse { margin_points: 1.0 });
        let hopeless = super::tests::verdict(0.0, 4.0, 0.0);
        assert_eq!(hopeless, Verdict::Inconclusive { doubt: Doubt::TooWide { more: None } });
    }

    #[test]
    fn margins_are_points_from_0_to_100() {
        assert_eq!(Margin::percentage_points(1.5).unwrap().share(), 0.015);
        for points in [-0.1, 100.5, f64::NAN, f64::INFINITY] {
            assert_eq!(Margin::percentage_points(points), None);
        }
    }

    #[test]
    fn serialized_verdicts_are_the_documented_ones() {
        let options = IntervalOptions { resamples: 500, ..IntervalOptions::default() };
        let margin = Margin::percentage_points(1.0).unwrap();
        let json = serde_json::to_value(assess(&fleet(0.0, 1.0), 400, margin, &options)).unwrap();
        assert_eq!(json["verdict"], serde_json::json!({ "kind": "not_worse", "margin_points": 1.0 }));
        let json = serde_json::to_value(assess(&ClusterTable::default(), 0, margin, &options)).unwrap();
        assert_eq!(json["verdict"]["kind"], "inconclusive");
        assert_eq!(json["verdict"]["doubt"]["no_interval"]["reason"], "no_denominator");
        assert!(json["interval"].is_null());
    }
}
