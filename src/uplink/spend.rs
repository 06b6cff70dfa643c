//! What the cloud has cost today, so that a cap can hold across restarts.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::spool::atomic_write;

const SECONDS_PER_DAY: u64 = 86_400;

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Ledger {
    /// Days since 1970-01-01, UTC.
    day: u64,
    spent: f64,
}

/// Counts what requests cost, in the currency of `cost_per_minute`.
#[derive(Debug)]
pub struct SpendMeter {
    cost_per_minute: f64,
    cap_per_day: Option<f64>,
    ledger: Ledger,
    file: Option<PathBuf>,
}

impl SpendMeter {
    /// Counts in memory, from nothing.
    pub fn new(cost_per_minute: f64, cap_per_day: Option<f64>) -> Self {
        Self { cost_per_minute, cap_per_day, ledger: Ledger::default(), file: None }
    }

    /// Goes on from what `file` says, and writes it there. A file that cannot be read is taken for one that says
    /// the cap is reached: spending too little is the smaller harm.
    pub fn kept_in(mut self, file: &Path) -> Self {
        self.ledger = match std::fs::read(file) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|_| {
                tracing::warn!("{} is damaged: the cap counts as reached until tomorrow", file.display());
                Ledger { day: today(), spent: f64::MAX }
            }),
            Err(_) => Ledger::default(),
        };
        self.file = Some(file.to_owned());
        self
    }

    /// What `seconds` of audio cost.
    pub fn cost(&self, seconds: f64) -> f64 {
        seconds / 60.0 * self.cost_per_minute
    }

    /// Whether `seconds` more fit below today's cap.
    pub fn allows(&mut self, seconds: f64) -> bool {
        self.turn_page(today());
        self.cap_per_day.is_none_or(|cap| self.ledger.spent + self.cost(seconds) <= cap)
    }

    /// Counts a request of `seconds`, before it is sent: a crash must not make it free.
    pub fn count(&mut self, seconds: f64) {
        self.turn_page(today());
        self.add(self.cost(seconds));
    }

    /// Takes back a request that was not sent after all.
    pub fn refund(&mut self, seconds: f64) {
        self.add(-self.cost(seconds));
    }

    fn add(&mut self, cost: f64) {
        self.ledger.spent = (self.ledger.spent + cost).max(0.0);
        let Some(file) = self.file.as_ref().filter(|_| self.cost_per_minute > 0.0) else { return };
        let written =
            serde_json::to_vec(&self.ledger).map_err(Into::into).and_then(|b| atomic_write(file, &b));
        if let Err(error) = written {
            tracing::warn!(%error, "what the cloud cost could not be written to {}", file.display());
        }
    }

    /// Spent today.
    pub fn spent_today(&self) -> f64 {
        self.ledger.spent
    }

    /// A clock that jumps back does not open the purse again.
    fn turn_page(&mut self, today: u64) {
        if today > self.ledger.day {
            self.ledger = Ledger { day: today, spent: 0.0 };
        }
    }
}

fn today() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_secs() / SECONDS_PER_DAY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cap_holds_across_restarts_and_clocks_that_jump_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("spend.json");
        let meter = || SpendMeter::new(0.6, Some(0.02)).kept_in(&file);
        let mut first = meter();
        assert!(first.allows(1.0));
        first.count(1.0);
        assert!((first.spent_today() - 0.01).abs() < 1e-9);
        let mut second = meter();
        assert!(second.allows(1.0) && !second.allows(1.5));
        second.count(1.0);
        assert!(!second.allows(0.1));
        second.turn_page(today() - 1);
        assert!(!second.allows(0.1), "yesterday is over");
        second.turn_page(today() + 1);
        assert_eq!(second.spent_today(), 0.0);
    }

    #[test]
    fn a_damaged_ledger_stops_spending_and_no_cap_never_does() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("spend.json");
        std::fs::write(&file, "{").unwrap();
        assert!(!SpendMeter::new(0.1, Some(100.0)).kept_in(&file).allows(0.1));
        assert!(SpendMeter::new(0.1, None).allows(1e9));
    }
}
