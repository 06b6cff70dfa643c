//! What a source loses, told in few words.

use std::time::{Duration, Instant};

use super::event::Event;

/// A microphone that is away loses audio ten times a second, for hours: one event a minute says as much.
const EVERY: Duration = Duration::from_secs(60);

/// Lost audio that was not told yet.
#[derive(Debug, Default)]
pub(super) struct Outage {
    /// Where it begins, s since the stream began.
    at: f64,
    samples: u64,
    told: Option<Instant>,
}

impl Outage {
    pub(super) fn lost(&mut self, samples: u64, at: f64) {
        if self.samples == 0 {
            self.at = at;
        }
        self.samples += samples;
    }

    /// The first loss of an outage is told at once.
    pub(super) fn is_due(&self) -> bool {
        self.told.is_none_or(|told| told.elapsed() >= EVERY)
    }

    /// The event, if anything was lost since the last.
    pub(super) fn tell(&mut self) -> Option<Event> {
        let lost_samples = std::mem::take(&mut self.samples);
        self.told = Some(Instant::now());
        (lost_samples > 0).then_some(Event::Gap { at: self.at, lost_samples })
    }

    /// There is audio again.
    pub(super) fn end(&mut self) {
        self.told = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_outage_is_told_at_its_beginning_and_when_it_is_over() {
        let mut outage = Outage::default();
        let gap = |outage: &mut Outage| match outage.tell() {
            Some(Event::Gap { at, lost_samples }) => Some((at, lost_samples)),
            _ => None,
        };
        outage.lost(100, 1.0);
        assert!(outage.is_due());
        assert_eq!(gap(&mut outage), Some((1.0, 100)));
        for n in 0..5 {
            outage.lost(10, 2.0 + f64::from(n));
            assert!(!outage.is_due());
        }
        assert_eq!(gap(&mut outage), Some((2.0, 50)));
        outage.end();
        assert_eq!(gap(&mut outage), None);
        outage.end();
        outage.lost(7, 9.0);
        assert!(outage.is_due());
    }
}
