//! From values to px, and where the ticks are.

use crate::pages::{utc_date, utc_minute};

/// A linear scale.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    from_px: f64,
    to_px: f64,
}

impl Scale {
    /// `low` is drawn at `from_px`, `high` at `to_px`. Where both are equal, room is made around them.
    pub(super) fn new(low: f64, high: f64, from_px: f64, to_px: f64) -> Self {
        let (low, high) = with_room(low, high);
        Self { low, high, from_px, to_px }
    }

    /// Where `value` is, px; held within the scale.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.from_px + share * (self.to_px - self.from_px)
    }

    /// Whether `value` is on the scale.
    pub(super) fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// The range, or where it has no width one around it that doubles can tell apart.
fn with_room(low: f64, high: f64) -> (f64, f64) {
    let room = 0.5_f64.max(low.abs() * 1e-3);
    if high > low { (low, high) } else { (low - room, low + room) }
}

/// Round values, about `wanted` of them, the outer ones around `low` and `high`. The step is 1, 2 or 5 times a power of 10.
pub(super) fn round_ticks(low: f64, high: f64, wanted: usize) -> Vec<f64> {
    let (low, high) = with_room(low, high);
    let rough = (high - low) / wanted.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = power * [1.0, 2.0, 5.0, 10.0].into_iter().find(|m| m * power >= rough * 0.999).unwrap_or(10.0);
    let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
    // Steps are counted, not added up, so that 0 is 0. A range beyond the precision of doubles has two ticks.
    let count = ((last - first) as usize).clamp(1, 50);
    (0..=count).map(|n| (first + n as f64) * step).collect()
}

/// Times at round UTC times, at most `most` of them, with what to write there: the time of day, or the date at midnight
/// and where a day is less than two ticks.
pub(super) fn time_ticks(from_unix_ms: u64, to_unix_ms: u64, most: u64) -> Vec<(u64, String)> {
    const MINUTE: u64 = 60_000;
    const DAY: u64 = 1440 * MINUTE;
    const STEPS: [u64; 13] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880];
    let span = to_unix_ms.saturating_sub(from_unix_ms);
    let fits = |step: &u64| span / step <= most;
    let step =
        STEPS.into_iter().map(|m| m * MINUTE).find(fits).unwrap_or_else(|| (span / most / DAY + 1) * DAY);
    let first = from_unix_ms.div_ceil(step).saturating_mul(step);
    let times = (0..=most).map(|n| first.saturating_add(n * step)).take_while(|time| *time <= to_unix_ms);
    times
        .map(|time| {
            let text = if time % DAY == 0 {
                utc_date(time)[5..].to_owned()
            } else {
                utc_minute(time)[11..].to_owned()
            };
            (time, text)
        })
        .collect()
}
