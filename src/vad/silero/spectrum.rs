//! The front end: magnitudes of four overlapping 256-point Fourier transforms.

use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{RealFftPlanner, RealToComplex};

use super::weights::{BINS, FFT_LEN, hann};

/// Samples between the beginnings of two spectra: 8 ms.
const HOP: usize = 128;
/// Spectra of one frame.
pub(super) const STEPS: usize = 4;
/// Samples that the spectra of one frame span.
pub(super) const SPAN: usize = FFT_LEN + (STEPS - 1) * HOP;

/// Computes spectra with buffers of its own, so a frame allocates nothing.
pub(super) struct Spectrum {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    windowed: Vec<f32>,
    bins: Vec<Complex32>,
    scratch: Vec<Complex32>,
}

impl Spectrum {
    pub(super) fn new() -> Self {
        let fft = RealFftPlanner::new().plan_fft_forward(FFT_LEN);
        Self {
            window: hann(),
            windowed: fft.make_input_vec(),
            bins: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            fft,
        }
    }

    /// Writes the linear magnitudes of bins 0 to 8 kHz for each of the four steps of `samples`.
    #[inline(always)]
    pub(super) fn magnitudes(&mut self, samples: &[f32; SPAN], out: &mut [[f32; BINS]; STEPS]) {
        for (step, out) in out.iter_mut().enumerate() {
            let samples = &samples[step * HOP..step * HOP + FFT_LEN];
            for ((windowed, sample), hann) in self.windowed.iter_mut().zip(samples).zip(&self.window) {
                *windowed = sample * hann;
            }
            let done = self.fft.process_with_scratch(&mut self.windowed, &mut self.bins, &mut self.scratch);
            debug_assert!(done.is_ok(), "the buffers were made by this transform");
            for (out, bin) in out.iter_mut().zip(&self.bins) {
                *out = (bin.re * bin.re + bin.im * bin.im).sqrt();
            }
        }
    }
}
