//! Loudness by ITU-R BS.1770-4 of a mono recording: K-weighted, gated.
//!
//! The recommendation gives its two filters as coefficients for 48 kHz only. Here they are made for any rate by the
//! bilinear transform of the analog filters that those coefficients stand for, so that at 48 kHz the
//! recommendation's own numbers come out.

use std::f64::consts::PI;

use super::super::SAMPLE_RATE;

/// Steps per gating block: blocks of 400 ms overlap by 75 %.
const STEPS_PER_BLOCK: usize = 4;
/// Samples per step: 100 ms.
const STEP: usize = SAMPLE_RATE.hz() as usize / 10;
/// Loudness of a mean square of 1 after the filters, LUFS.
const OFFSET_LUFS: f64 = -0.691;
/// Blocks below this are not heard at all, LUFS.
const ABSOLUTE_GATE_LUFS: f64 = -70.0;
/// Nor those so far below the mean of the others, LU.
const RELATIVE_GATE_LU: f64 = -10.0;

/// A second-order filter, transposed direct form II.
#[derive(Clone, Copy, Debug)]
pub(super) struct Biquad {
    pub(super) b: [f64; 3],
    /// Without the leading 1.
    pub(super) a: [f64; 2],
    state: [f64; 2],
}

impl Biquad {
    /// The first filter: how a head raises what is above 1.5 kHz, by 4 dB.
    pub(super) fn shelf(rate_hz: f64) -> Self {
        const CENTRE_HZ: f64 = 1_681.974_450_955_533;
        const QUALITY: f64 = 0.707_175_236_955_420;
        const GAIN_DB: f64 = 3.999_843_853_973_347;
        // Of the gain, in decibels, what is reached at the centre.
        const AT_CENTRE: f64 = 0.499_666_774_154_541_6;
        let high = 10_f64.powf(GAIN_DB / 20.0);
        let middle = high.powf(AT_CENTRE);
        let k = (PI * CENTRE_HZ / rate_hz).tan();
        let a0 = 1.0 + k / QUALITY + k * k;
        Self {
            b: [
                (high + middle * k / QUALITY + k * k) / a0,
                2.0 * (k * k - high) / a0,
                (high - middle * k / QUALITY + k * k) / a0,
            ],
            a: [2.0 * (k * k - 1.0) / a0, (1.0 - k / QUALITY + k * k) / a0],
            state: [0.0; 2],
        }
    }

    /// The second: a high pass at 38 Hz. Its numerator is the recommendation's, whose gain is not quite 1.
    pub(super) fn high_pass(rate_hz: f64) -> Self {
        const CORNER_HZ: f64 = 38.135_470_876_024_44;
        const QUALITY: f64 = 0.500_327_037_323_877_3;
        let k = (PI * CORNER_HZ / rate_hz).tan();
        let a0 = 1.0 + k / QUALITY + k * k;
        Self {
            b: [1.0, -2.0, 1.0],
            a: [2.0 * (k * k - 1.0) / a0, (1.0 - k / QUALITY + k * k) / a0],
            state: [0.0; 2],
        }
    }

    fn next(&mut self, x: f64) -> f64 {
        let y = self.b[0] * x + self.state[0];
        self.state[0] = self.b[1] * x - self.a[0] * y + self.state[1];
        self.state[1] = self.b[2] * x - self.a[1] * y;
        y
    }
}

/// The integrated loudness of `samples` (16 kHz, mono, finite), LUFS. `None` below 400 ms, and where every block is
/// below the absolute gate.
pub(super) fn loudness_lufs(samples: &[f32]) -> Option<f64> {
    let rate = f64::from(SAMPLE_RATE.hz());
    let (mut shelf, mut high_pass) = (Biquad::shelf(rate), Biquad::high_pass(rate));
    let steps: Vec<f64> = samples
        .chunks_exact(STEP)
        .map(|step| {
            let weighted = step.iter().map(|&x| high_pass.next(shelf.next(f64::from(x))));
            weighted.map(|y| y * y).sum::<f64>() / STEP as f64
        })
        .collect();
    let blocks: Vec<f64> = steps
        .windows(STEPS_PER_BLOCK)
        .map(|steps| steps.iter().sum::<f64>() / STEPS_PER_BLOCK as f64)
        .collect();
    let absolute = mean_above(&blocks, ABSOLUTE_GATE_LUFS)?;
    let relative = lufs(absolute) + RELATIVE_GATE_LU;
    mean_above(&blocks, relative.max(ABSOLUTE_GATE_LUFS)).map(lufs).filter(|lufs| lufs.is_finite())
}

/// Mean of the blocks that are louder than `gate_lufs`.
fn mean_above(blocks: &[f64], gate_lufs: f64) -> Option<f64> {
    let heard = blocks.iter().copied().filter(|&power| lufs(power) > gate_lufs);
    let (sum, count) = heard.fold((0.0, 0_usize), |(sum, count), power| (sum + power, count + 1));
    (count > 0).then(|| sum / count as f64)
}

fn lufs(power: f64) -> f64 {
    OFFSET_LUFS + 10.0 * power.log10()
}
