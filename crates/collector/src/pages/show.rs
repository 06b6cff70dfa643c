//! What templates call to write figures. Arguments are references because templates pass those.

use earwitness_scoring::fleet::OutcomeClass;

use super::figure::{self, UNKNOWN, Unit};

/// A count.
pub(crate) fn count(value: &u64) -> String {
    figure::count(*value)
}

/// A count, or a dash.
pub(crate) fn count_if(value: &Option<u64>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), figure::count)
}

/// `1 device`, `2 devices`.
pub(crate) fn counted(value: &u64, one: &str, many: &str) -> String {
    format!("{} {}", figure::count(*value), if *value == 1 { one } else { many })
}

/// A share in percent.
pub(crate) fn ratio(value: &Option<f64>) -> String {
    Unit::Ratio.show(*value)
}

/// A time.
pub(crate) fn ms(value: &Option<f64>) -> String {
    Unit::Milliseconds.show(*value)
}

/// How a recognition ended.
pub(crate) fn outcome(class: &OutcomeClass) -> String {
    class.name().replace('_', " ")
}

/// A duration, in seconds.
pub(crate) fn seconds(ms: &f64) -> String {
    if ms.is_finite() { format!("{:.1} s", ms / 1000.0) } else { UNKNOWN.to_owned() }
}

/// Bytes.
pub(crate) fn bytes(value: &u64) -> String {
    Unit::Bytes.show(Some(*value as f64))
}

/// Bytes, or a dash.
pub(crate) fn bytes_if(value: &Option<u64>) -> String {
    Unit::Bytes.show(value.map(|value| value as f64))
}

/// A temperature.
pub(crate) fn celsius(value: &Option<f64>) -> String {
    Unit::Celsius.show(*value)
}

/// dB.
pub(crate) fn db(value: &Option<f64>) -> String {
    Unit::Db.show(*value)
}

/// A figure without unit.
pub(crate) fn plain(value: &Option<f64>) -> String {
    Unit::Times.show(*value)
}

/// A text, or a dash.
pub(crate) fn text(value: &Option<String>) -> &str {
    value.as_deref().filter(|value| !value.is_empty()).unwrap_or(UNKNOWN)
}

/// A part of an address.
pub(crate) fn segment(text: &str) -> String {
    super::segment(text)
}

/// A language code as it can stand in `lang`: letters, digits and hyphens (RFC 5646). Devices may send anything.
pub(crate) fn language(code: &Option<String>) -> Option<&str> {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '-';
    code.as_deref().filter(|code| code.len() >= 2 && code.len() <= 35 && code.chars().all(letter))
}
