//! Latencies of two recognizers over a fleet: devices differ in pace, and in how much slower B is.

use earwitness_scoring::fleet::{PairedLatencies, percentile_ratio};

use super::{Coverage, Draws, options};

/// B takes on average twice as long as A.
#[derive(Debug, Clone, Copy)]
pub struct LatencyScenario {
    pub devices: usize,
    pub unequal: bool,
    /// The percentile in question, as a share.
    pub share: f64,
}

type Device = (Vec<f64>, Vec<f64>);

impl LatencyScenario {
    pub fn name(&self) -> String {
        let sizes = if self.unequal { "unequal" } else { "equal" };
        format!("latency    {:>3} devices {sizes:<7} percentile {:.0}", self.devices, self.share * 100.0)
    }

    fn device(&self, draws: &mut Draws) -> Device {
        let spread = if self.unequal { 0.8 } else { 0.0 };
        let utterances =
            (40.0 * (spread * draws.normal() - spread * spread / 2.0).exp()).round().max(1.0) as usize;
        let pace = (0.4 * draws.normal()).exp();
        let slower = 2.0 * (0.2 * draws.normal()).exp();
        let a: Vec<f64> = (0..utterances).map(|_| 100.0 * pace * (0.5 * draws.normal()).exp()).collect();
        let b = a.iter().map(|value| value * slower * (0.2 * draws.normal()).exp()).collect();
        (a, b)
    }

    /// The ratio over all devices: the logarithms are normal, with these variances.
    pub fn truth(&self) -> f64 {
        let (a, b) = (0.4_f64.powi(2) + 0.5_f64.powi(2), 2.0 * 0.2_f64.powi(2));
        let z = match self.share {
            0.5 => 0.0,
            0.95 => 1.644_853_626_951_472_2,
            other => panic!("no normal quantile for {other}"),
        };
        2.0 * (z * ((a + b).sqrt() - a.sqrt())).exp()
    }

    pub fn coverage(&self, fleets: u64) -> Coverage {
        let mut draws = Draws::seeded(7 + self.devices as u64);
        let mut coverage = Coverage::default();
        for fleet in 0..fleets {
            let devices: Vec<_> = (0..self.devices).map(|_| self.device(&mut draws)).collect();
            let views: Vec<_> = devices.iter().map(|(a, b)| PairedLatencies { a, b }).collect();
            coverage.count(percentile_ratio(&views, self.share, &options(fleet)), self.truth());
        }
        coverage
    }
}
