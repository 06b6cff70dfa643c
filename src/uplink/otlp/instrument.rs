//! Instruments that add up over a run: counters, histograms, gauges, each by attributes.

use std::collections::BTreeMap;

use super::wire::{Attribute, Data, Gauge, HistogramPoint, Metric, Number, NumberPoint, Span};

/// Series of one instrument. Attributes come from engines, routes and languages, which are few; a run that makes more
/// of them is cut off here, and the rest goes to one series with the value `other`.
const MAX_SERIES: usize = 64;

/// Values of an instrument's attributes, in the order of its keys.
type Key = Vec<String>;

/// What a metric is, apart from its points.
#[derive(Clone, Copy, Debug)]
pub(super) struct Description {
    pub(super) name: &'static str,
    /// In the Unified Code for Units of Measure; counted things in braces.
    pub(super) unit: &'static str,
    pub(super) description: &'static str,
    pub(super) attributes: &'static [&'static str],
}

impl Description {
    fn metric(&self, data: Data) -> Metric {
        Metric { name: self.name, description: self.description, unit: self.unit, data }
    }

    fn attributes(&self, key: &Key) -> Vec<Attribute> {
        self.attributes.iter().zip(key).map(|(name, value)| Attribute::new(name, value.as_str())).collect()
    }
}

/// The series for `values`, made if there is none.
fn series<'a, T: Default>(all: &'a mut BTreeMap<Key, T>, values: &[&str]) -> &'a mut T {
    let mut key: Key = values.iter().map(|&value| value.to_owned()).collect();
    if all.len() >= MAX_SERIES && !all.contains_key(&key) {
        key.fill("other".to_owned());
    }
    all.entry(key).or_default()
}

/// A sum that only grows.
#[derive(Debug)]
pub(super) struct Counter {
    description: Description,
    /// Whole numbers are sent as such.
    whole: bool,
    series: BTreeMap<Key, f64>,
}

impl Counter {
    pub(super) fn whole(description: Description) -> Self {
        Self { description, whole: true, series: BTreeMap::new() }
    }

    pub(super) fn fractional(description: Description) -> Self {
        Self { description, whole: false, series: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, amount: f64, values: &[&str]) {
        if amount.is_finite() && amount >= 0.0 {
            *series(&mut self.series, values) += amount;
        }
    }

    fn number(&self, value: f64) -> Number {
        if self.whole { Number::AsInt(value as u64) } else { Number::AsDouble(value) }
    }

    pub(super) fn metric(&self, span: Span) -> Option<Metric> {
        let points = self.series.iter().map(|(key, &value)| NumberPoint {
            attributes: self.description.attributes(key),
            span,
            value: self.number(value),
        });
        let points: Vec<_> = points.collect();
        (!points.is_empty()).then(|| self.description.metric(Data::sum(points)))
    }
}

/// The last value, if there is one.
#[derive(Debug)]
pub(super) struct LastValue {
    description: Description,
    value: Option<f64>,
}

impl LastValue {
    pub(super) fn new(description: Description) -> Self {
        Self { description, value: None }
    }

    pub(super) fn set(&mut self, value: Option<f64>) {
        self.value = value.filter(|value| value.is_finite());
    }

    pub(super) fn metric(&self, span: Span) -> Option<Metric> {
        let value = Number::AsDouble(self.value?);
        let data_points = vec![NumberPoint { attributes: Vec::new(), span, value }];
        Some(self.description.metric(Data::Gauge(Gauge { data_points })))
    }
}

#[derive(Clone, Debug, Default)]
struct Distribution {
    buckets: Vec<u64>,
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
}

/// How values are distributed over buckets. The first holds all up to and including the first bound, the last all above the
/// last.
#[derive(Debug)]
pub(super) struct Distributions {
    description: Description,
    bounds: &'static [f64],
    series: BTreeMap<Key, Distribution>,
}

impl Distributions {
    pub(super) fn new(description: Description, bounds: &'static [f64]) -> Self {
        Self { description, bounds, series: BTreeMap::new() }
    }

    pub(super) fn record(&mut self, value: f64, values: &[&str]) {
        if !value.is_finite() {
            return;
        }
        let distribution = series(&mut self.series, values);
        distribution.buckets.resize(self.bounds.len() + 1, 0);
        distribution.buckets[self.bounds.partition_point(|&bound| bound < value)] += 1;
        let first = distribution.count == 0;
        distribution.count += 1;
        distribution.sum += value;
        distribution.min = if first { value } else { distribution.min.min(value) };
        distribution.max = if first { value } else { distribution.max.max(value) };
    }

    pub(super) fn metric(&self, span: Span) -> Option<Metric> {
        let points = self.series.iter().map(|(key, distribution)| HistogramPoint {
            attributes: self.description.attributes(key),
            span,
            count: distribution.count,
            sum: distribution.sum,
            min: distribution.min,
            max: distribution.max,
            bucket_counts: distribution.buckets.clone(),
            explicit_bounds: self.bounds,
        });
        let points: Vec<_> = points.collect();
        (!points.is_empty()).then(|| self.description.metric(Data::histogram(points)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Description = Description { name: "n", unit: "1", description: "", attributes: &["a"] };
    const SPAN: Span = Span { start_time_unix_nano: 0, time_unix_nano: 1 };

    fn json(metric: Option<Metric>) -> serde_json::Value {
        serde_json::to_value(metric.unwrap()).unwrap()
    }

    #[test]
    fn a_value_at_a_bound_lies_below_it_and_counts_add_up() {
        let mut histogram = Distributions::new(NAME, &[1.0, 2.0]);
        [0.5, 1.0, 1.5, 2.0, 2.5, f64::NAN].into_iter().for_each(|value| histogram.record(value, &["x"]));
        let point = &json(histogram.metric(SPAN))["histogram"]["dataPoints"][0];
        assert_eq!(point["bucketCounts"], serde_json::json!(["2", "2", "1"]));
        assert_eq!((point["count"].as_str(), point["sum"].as_f64()), (Some("5"), Some(7.5)));
        assert_eq!((point["min"].as_f64(), point["max"].as_f64()), (Some(0.5), Some(2.5)));
    }

    #[test]
    fn what_was_never_seen_is_not_sent() {
        assert!(Distributions::new(NAME, &[1.0]).metric(SPAN).is_none());
        assert!(Counter::whole(NAME).metric(SPAN).is_none());
        let mut gauge = LastValue::new(NAME);
        gauge.set(Some(f64::NAN));
        assert!(gauge.metric(SPAN).is_none());
    }

    #[test]
    fn series_are_bounded_and_nothing_is_lost_beyond() {
        let mut counter = Counter::whole(NAME);
        (0..1_000).for_each(|n| counter.add(1.0, &[&n.to_string()]));
        let json = json(counter.metric(SPAN));
        let points = json["sum"]["dataPoints"].as_array().unwrap();
        assert_eq!(points.len(), MAX_SERIES + 1);
        let total: u64 = points.iter().map(|p| p["asInt"].as_str().unwrap().parse::<u64>().unwrap()).sum();
        assert_eq!(total, 1_000);
    }
}
