//! Effective bandwidth: how far up a recording has anything to hear.

use std::f64::consts::PI;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::super::SAMPLE_RATE;

/// Samples of a window: 64 ms, bins of 15.6 Hz.
const WINDOW: usize = 1_024;
/// Windows that are looked at, evenly spread: enough for a mean over 10 s without a gap, and a bound on the work for
/// longer recordings.
const MAX_WINDOWS: usize = 160;
/// Hum and breath below this say nothing of the band.
const FROM_HZ: f64 = 200.0;
/// Share of the energy above [`FROM_HZ`] that lies below the bandwidth.
const SHARE: f64 = 0.99;

/// Measures bandwidths; holds its plan and buffers.
pub(super) struct BandwidthMeter {
    plan: Arc<dyn RealToComplex<f32>>,
    hann: Vec<f32>,
    frame: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    energy: Vec<f64>,
}

impl BandwidthMeter {
    pub(super) fn new() -> Self {
        let plan = RealFftPlanner::new().plan_fft_forward(WINDOW);
        let hann = |n: usize| 0.5 - 0.5 * (2.0 * PI * n as f64 / WINDOW as f64).cos();
        Self {
            hann: (0..WINDOW).map(|n| hann(n) as f32).collect(),
            frame: plan.make_input_vec(),
            spectrum: plan.make_output_vec(),
            scratch: plan.make_scratch_vec(),
            energy: vec![0.0; WINDOW / 2 + 1],
            plan,
        }
    }

    /// The frequency below which 99 % of the energy above 200 Hz lies, Hz. `None` for less than one window (64 ms) and
    /// where there is no such energy. `samples` are finite, 16 kHz, mono.
    pub(super) fn measure(&mut self, samples: &[f32]) -> Option<f64> {
        let last = samples.len().checked_sub(WINDOW)?;
        let windows = (last / WINDOW + 1).min(MAX_WINDOWS);
        self.energy.fill(0.0);
        for window in 0..windows {
            let start = if windows > 1 { last * window / (windows - 1) } else { last / 2 };
            let heard = samples[start..start + WINDOW].iter().zip(&self.hann);
            self.frame.iter_mut().zip(heard).for_each(|(to, (x, weight))| *to = x * weight);
            // The buffers are the plan's own: their lengths fit.
            let done = self.plan.process_with_scratch(&mut self.frame, &mut self.spectrum, &mut self.scratch);
            done.ok()?;
            for (sum, bin) in self.energy.iter_mut().zip(&self.spectrum) {
                *sum += f64::from(bin.re).powi(2) + f64::from(bin.im).powi(2);
            }
        }
        let hz_per_bin = f64::from(SAMPLE_RATE.hz()) / WINDOW as f64;
        let first = (FROM_HZ / hz_per_bin).ceil() as usize;
        let total: f64 = self.energy[first..].iter().sum();
        if !(total.is_finite() && total > 0.0) {
            return None;
        }
        let mut sum = 0.0;
        let bin = self.energy[first..].iter().position(|energy| {
            sum += energy;
            sum >= SHARE * total
        })?;
        Some((first + bin) as f64 * hz_per_bin)
    }
}
