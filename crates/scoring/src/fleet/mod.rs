//! Comparison of two recognizers over a fleet: what is known of all devices from those that reported.
//!
//! Utterances of one device share a microphone, a room and its speakers, so a thousand of them are not a
//! thousand observations. Everything here counts per device first ([`ClusterSums`]) and takes devices, not
//! utterances, as what chance drew: [`ratio_interval`] for pooled rates, differences of rates and means,
//! [`percentile_ratio`] for latency. What is inferred is the rate of all devices like these, not only of
//! those that were heard; with few of them the interval is wide, and below [`LEAST_EFFECTIVE_CLUSTERS`] there
//! is none.
//!
//! [`assess`] turns the interval of a word error rate difference into a [`Verdict`] that has four values and
//! no conversion to `bool`, so that "not enough data" cannot be read as "fine". The references come from people,
//! who cannot hear everything: [`SamplingDesign`] picks what they hear, with a known probability, and
//! [`Adjudication`] undoes the picking. [`OutcomeMatrix`] counts what has no words to compare.
//!
//! Differences are B minus A, as in [`significance`](crate::significance): below zero, B is better.

mod adjudication;
mod cluster;
mod interval;
mod outcomes;
mod percentile;
mod sampling;
mod student;
mod verdict;

pub use adjudication::{Adjudication, BadPair, HeardPair, Reference};
pub use cluster::{ClusterSums, ClusterTable};
pub use interval::{
    Bounds, IntervalOptions, LEAST_EFFECTIVE_CLUSTERS, NoInterval, RatioInterval, effective_clusters,
    ratio_interval,
};
pub use outcomes::{OutcomeClass, OutcomeMatrix};
pub use percentile::{PairedLatencies, percentile_ratio};
pub use sampling::{PairCounts, SamplingDesign, SamplingKey, effective_probability};
pub use verdict::{Assessment, Doubt, Margin, MoreData, Verdict, assess};
