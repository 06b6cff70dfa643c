//! The part of OTLP/HTTP's JSON that metrics need (opentelemetry-proto 1.x, `ExportMetricsServiceRequest`).
//!
//! JSON is one of the protocol's two encodings, so no protobuf code is needed: keys are in lowerCamelCase, 64-bit
//! integers are strings of decimal digits, enumerations are numbers.

use serde::{Serialize, Serializer};

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`: sums since the run began. A lost export loses nothing but resolution.
const CUMULATIVE: u8 = 2;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExportRequest {
    pub(super) resource_metrics: [ResourceMetrics; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceMetrics {
    pub(super) resource: Resource,
    pub(super) scope_metrics: [ScopeMetrics; 1],
}

#[derive(Debug, Serialize)]
pub(super) struct Resource {
    pub(super) attributes: Vec<Attribute>,
}

#[derive(Debug, Serialize)]
pub(super) struct ScopeMetrics {
    pub(super) scope: Scope,
    pub(super) metrics: Vec<Metric>,
}

#[derive(Debug, Serialize)]
pub(super) struct Scope {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
}

/// A name and a string.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Attribute {
    key: &'static str,
    value: StringValue,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StringValue {
    string_value: String,
}

impl Attribute {
    pub(super) fn new(key: &'static str, value: impl Into<String>) -> Self {
        Self { key, value: StringValue { string_value: value.into() } }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) unit: &'static str,
    #[serde(flatten)]
    pub(super) data: Data,
}

/// A metric's points, by its kind.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Data {
    Gauge(Gauge),
    Sum(Sum),
    Histogram(Histogram),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Gauge {
    pub(super) data_points: Vec<NumberPoint>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sum {
    pub(super) data_points: Vec<NumberPoint>,
    aggregation_temporality: u8,
    is_monotonic: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Histogram {
    pub(super) data_points: Vec<HistogramPoint>,
    aggregation_temporality: u8,
}

impl Data {
    pub(super) fn sum(data_points: Vec<NumberPoint>) -> Self {
        Self::Sum(Sum { data_points, aggregation_temporality: CUMULATIVE, is_monotonic: true })
    }

    pub(super) fn histogram(data_points: Vec<HistogramPoint>) -> Self {
        Self::Histogram(Histogram { data_points, aggregation_temporality: CUMULATIVE })
    }
}

/// When a point was counted from and to, ns since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Span {
    #[serde(serialize_with = "digits")]
    pub(super) start_time_unix_nano: u64,
    #[serde(serialize_with = "digits")]
    pub(super) time_unix_nano: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct NumberPoint {
    pub(super) attributes: Vec<Attribute>,
    #[serde(flatten)]
    pub(super) span: Span,
    #[serde(flatten)]
    pub(super) value: Number,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Number {
    AsDouble(f64),
    #[serde(serialize_with = "digits")]
    AsInt(u64),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HistogramPoint {
    pub(super) attributes: Vec<Attribute>,
    #[serde(flatten)]
    pub(super) span: Span,
    #[serde(serialize_with = "digits")]
    pub(super) count: u64,
    pub(super) sum: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    /// One more than bounds.
    #[serde(serialize_with = "all_digits")]
    pub(super) bucket_counts: Vec<u64>,
    pub(super) explicit_bounds: &'static [f64],
}

fn digits<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

fn all_digits<S: Serializer>(numbers: &[u64], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(numbers.iter().map(u64::to_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_written_as_the_json_mapping_wants_them() {
        let span = Span { start_time_unix_nano: 1, time_unix_nano: 1_764_000_000_000_000_000 };
        let point =
            NumberPoint { attributes: vec![Attribute::new("route", "local")], span, value: Number::AsInt(3) };
        let metric = Metric { name: "n", description: "d", unit: "1", data: Data::sum(vec![point]) };
        assert_eq!(
            serde_json::to_value(&metric).unwrap(),
            serde_json::json!({
                "name": "n", "description": "d", "unit": "1",
                "sum": {
                    "dataPoints": [{
                        "attributes": [{"key": "route", "value": {"stringValue": "local"}}],
                        "startTimeUnixNano": "1", "timeUnixNano": "1764000000000000000", "asInt": "3",
                    }],
                    "aggregationTemporality": 2, "isMonotonic": true,
                },
            })
        );
    }
}
