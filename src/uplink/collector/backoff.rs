//! How long to wait after a failure.

use std::time::Duration;

use super::{CollectorError, CollectorSettings};

/// A server that asks for more is asked again after this.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Exponential, with full jitter: each pause is drawn from zero to its bound, which doubles with every failure.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    initial: Duration,
    max: Duration,
    failures: u32,
}

impl Backoff {
    pub(super) fn new(settings: &CollectorSettings) -> Self {
        Self { initial: settings.backoff_initial, max: settings.backoff_max, failures: 0 }
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// The pause after `error`. `random` is in `[0, 1[`.
    pub(super) fn failed(&mut self, error: &CollectorError, random: f64) -> Duration {
        let bound = self.initial.saturating_mul(1 << self.failures.min(20)).min(self.max);
        self.failures = self.failures.saturating_add(1);
        match error.retry_after() {
            // Not before, and a fleet not all at once.
            Some(wished) => wished.min(MAX_RETRY_AFTER) + bound.mul_f64(random),
            // Asking often would change nothing.
            None if error.needs_a_person() => self.max.mul_f64(0.5 + random / 2.0),
            None => bound.mul_f64(random),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::ApiKey;

    fn status(status: u16, retry_after_s: Option<u64>) -> CollectorError {
        CollectorError::Status {
            host: "h".into(),
            status,
            message: String::new(),
            retry_after: retry_after_s.map(Duration::from_secs),
            expected_sequence: None,
        }
    }

    fn backoff() -> Backoff {
        Backoff::new(&CollectorSettings::new("http://127.0.0.1", ApiKey::new("t").unwrap()).unwrap())
    }

    #[test]
    fn bounds_double_to_a_quarter_of_an_hour_and_begin_anew_after_a_success() {
        let mut backoff = backoff();
        let bounds: Vec<u64> = (0..12).map(|_| backoff.failed(&status(503, None), 1.0).as_secs()).collect();
        assert_eq!(bounds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
        assert_eq!(backoff.failed(&status(503, None), 0.0), Duration::ZERO, "full jitter");
        for _ in 0..100 {
            backoff.failed(&status(503, None), 1.0);
        }
        backoff.succeeded();
        assert_eq!(backoff.failed(&status(500, None), 1.0).as_secs(), 1);
    }

    #[test]
    fn a_server_is_not_asked_before_it_wants_to_be() {
        for random in [0.0, 0.5, 0.99] {
            assert!(backoff().failed(&status(429, Some(40)), random).as_secs() >= 40);
        }
        assert!(backoff().failed(&status(503, Some(u64::MAX / 2)), 0.0) <= MAX_RETRY_AFTER);
    }

    #[test]
    fn what_needs_a_person_is_not_asked_often() {
        for code in [301, 401, 403, 404] {
            assert!(backoff().failed(&status(code, None), 0.0).as_secs() >= 450, "{code}");
        }
    }
}
