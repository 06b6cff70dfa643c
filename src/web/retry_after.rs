//! When a server wants to be asked again.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};

/// `Retry-After` in seconds, or as a date counted from the answer's own `Date`, so that this machine's clock
/// does not matter.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim);
    if let Some(ms) = text("retry-after-ms").and_then(|ms| ms.parse::<f64>().ok()) {
        return Duration::try_from_secs_f64(ms / 1e3).ok();
    }
    let after = text(RETRY_AFTER.as_str())?;
    if let Ok(seconds) = after.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = |text| httpdate::parse_http_date(text).ok();
    let wait = date(after)?.duration_since(date(text("date")?)?);
    Some(wait.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn retry_after_is_read_in_each_of_its_forms() {
        let seconds = |pairs: &[_]| retry_after(&headers(pairs)).map(|d| d.as_secs_f64());
        assert_eq!(seconds(&[("retry-after", "7")]), Some(7.0));
        assert_eq!(seconds(&[("retry-after", "0.5")]), Some(0.5));
        assert_eq!(seconds(&[("retry-after-ms", "250"), ("retry-after", "9")]), Some(0.25));
        let (then, now) = ("Wed, 21 Oct 2026 07:28:30 GMT", "Wed, 21 Oct 2026 07:28:00 GMT");
        assert_eq!(seconds(&[("retry-after", then), ("date", now)]), Some(30.0));
        assert_eq!(seconds(&[("retry-after", now), ("date", then)]), Some(0.0));
        for odd in ["", "-3", "soon", "NaN", "inf", "1e300"] {
            assert_eq!(retry_after(&headers(&[("retry-after", odd)])), None, "{odd:?}");
        }
    }
}
