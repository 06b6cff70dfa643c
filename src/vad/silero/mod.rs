//! Silero VAD v6.2 at 16 kHz: a small recurrent network that hears 32 ms at a time.
//!
//! A frame of 512 samples, preceded by the last 64 samples of the frame before, becomes four
//! magnitude spectra; four convolutions reduce them to 128 features; an LSTM of width 128 carries
//! the stream's history; one sigmoid gives the probability. The weights are read from the project's
//! own ONNX export, and the scores agree with ONNX Runtime on that file to within 1e-4 (a golden
//! test holds them to it), so thresholds published for Silero v6.2 mean the same here.
//!
//! The whole step is about 0.25 million multiply-adds, single precision, over the 0.6 to 0.7 MB of the
//! weights that meet something else than 0. It is compiled for several instruction sets
//! ([`crate::isa`]), whose scores differ by rounding only.

mod activation;
mod conv;
mod error;
mod lines;
mod matrix;
mod onnx;
mod spectrum;
mod weights;

use std::path::Path;

pub use error::SileroError;

use self::activation::{lstm_step, relu, sigmoid};
use self::lines::Registers;
use self::spectrum::{SPAN, STEPS, Spectrum};
use self::weights::{BINS, HIDDEN, NARROW, Weights};
use super::{SpeechProbability, VoiceActivityDetector};
use crate::isa::{Isa, per_isa};

/// Samples in a frame: 32 ms at 16 kHz.
const FRAME_LEN: usize = 512;
/// Samples of the previous frame that the network hears again.
const CONTEXT: usize = 64;
/// Context and frame; what follows in a span is their end, mirrored.
const HEARD: usize = CONTEXT + FRAME_LEN;

/// Silero VAD v6.2 for one stream of 16 kHz mono audio.
pub struct SileroVad {
    isa: Isa,
    weights: Weights,
    spectrum: Spectrum,
    /// [context, frame, mirrored end].
    span: [f32; SPAN],
    magnitudes: [[f32; BINS]; STEPS],
    wide: [[f32; HIDDEN]; STEPS],
    narrow: [[f32; NARROW]; 2],
    squeezed: [f32; NARROW],
    /// The LSTM's input: [features, hidden state].
    joined: [[f32; HIDDEN]; 2],
    gates: [[f32; HIDDEN]; 4],
    cell: [f32; HIDDEN],
}

impl SileroVad {
    /// Reads `silero_vad_16k_op15.onnx` of the Silero VAD 6.2 release from `path` (1.3 MB).
    ///
    /// # Errors
    /// The file cannot be read, is not ONNX, or holds another network.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, SileroError> {
        let path = path.as_ref();
        let bytes =
            std::fs::read(path).map_err(|source| SileroError::Read { path: path.to_owned(), source })?;
        Self::from_bytes(&bytes)
    }

    /// Takes the weights from the bytes of `silero_vad_16k_op15.onnx`.
    ///
    /// # Errors
    /// The bytes are not ONNX or hold another network.
    pub fn from_bytes(onnx: &[u8]) -> Result<Self, SileroError> {
        Ok(Self {
            isa: Isa::detect(),
            weights: Weights::from_onnx(onnx)?,
            spectrum: Spectrum::new(),
            span: [0.0; SPAN],
            magnitudes: [[0.0; BINS]; STEPS],
            wide: [[0.0; HIDDEN]; STEPS],
            narrow: [[0.0; NARROW]; 2],
            squeezed: [0.0; NARROW],
            joined: [[0.0; HIDDEN]; 2],
            gates: [[0.0; HIDDEN]; 4],
            cell: [0.0; HIDDEN],
        })
    }

    /// Computes with `isa` instead of the most capable set of the processor: for tests and measurements.
    #[doc(hidden)]
    pub fn with_isa(self, isa: Isa) -> Self {
        Self { isa, ..self }
    }

    /// Shifts the context in and lays the frame, then its mirrored end, behind it.
    #[inline(always)]
    fn hear(&mut self, frame: &[f32]) {
        self.span.copy_within(FRAME_LEN..HEARD, 0);
        self.span[CONTEXT..HEARD].fill(0.0);
        for (kept, heard) in self.span[CONTEXT..HEARD].iter_mut().zip(frame) {
            *kept = *heard;
        }
        let (heard, mirrored) = self.span.split_at_mut(HEARD);
        // The last sample is the mirror and is not repeated.
        for (mirrored, heard) in mirrored.iter_mut().zip(heard[..HEARD - 1].iter().rev()) {
            *mirrored = *heard;
        }
    }

    /// Spectra to 128 features, into the LSTM's input.
    #[inline(always)]
    fn encode<T: Registers>(&mut self) {
        self.spectrum.magnitudes(&self.span, &mut self.magnitudes);
        self.weights.conv1.apply::<T>(&self.magnitudes, &mut self.wide);
        // Stride 2 and padding 1: the first window hangs over the beginning by one step.
        self.weights.conv2.apply::<T>(self.wide[..2].as_flattened(), &mut self.narrow[0]);
        self.weights.conv2.apply::<T>(self.wide[1..].as_flattened(), &mut self.narrow[1]);
        let rectify = |values: &mut [f32]| values.iter_mut().for_each(|x| *x = relu(*x));
        rectify(self.narrow.as_flattened_mut());
        self.weights.conv3.apply::<T>(self.narrow.as_flattened(), &mut self.squeezed);
        rectify(&mut self.squeezed);
        self.weights.conv4.apply::<T>(&self.squeezed, &mut self.joined[0]);
        rectify(&mut self.joined[0]);
    }

    /// One LSTM step and the output layer.
    #[inline(always)]
    fn decode<T: Registers>(&mut self) -> f32 {
        self.weights.lstm.apply::<T>(self.joined.as_flattened(), self.gates.as_flattened_mut());
        let [_, hidden] = &mut self.joined;
        lstm_step::<T, HIDDEN>(&self.gates, &mut self.cell, hidden);
        let logit: f32 = hidden.iter().zip(&self.weights.out).map(|(h, w)| h.max(0.0) * w).sum();
        sigmoid::<T>(logit + self.weights.out_bias)
    }
}

per_isa! {
    /// The whole network, from samples to probability: one function, so that everything in it is
    /// compiled for the same instruction set.
    fn step(vad: &mut SileroVad, frame: &[f32]) -> f32 = step_for;
}

#[inline(always)]
fn step_for<T: Registers>(vad: &mut SileroVad, frame: &[f32]) -> f32 {
    vad.hear(frame);
    vad.encode::<T>();
    vad.decode::<T>()
}

impl VoiceActivityDetector for SileroVad {
    fn frame_len(&self) -> usize {
        FRAME_LEN
    }

    fn speech_probability(&mut self, frame: &[f32]) -> SpeechProbability {
        debug_assert_eq!(frame.len(), FRAME_LEN);
        SpeechProbability(step(self.isa, self, frame))
    }

    fn reset(&mut self) {
        self.refresh();
        self.span.fill(0.0);
    }

    /// Zeroes the LSTM's state and keeps the 64 samples of context. Minutes of steady noise raise the
    /// share of missed speech from about 6 % to 16 %; this undoes it.
    fn refresh(&mut self) {
        self.cell.fill(0.0);
        self.joined[1].fill(0.0);
    }

    fn name(&self) -> &'static str {
        "silero"
    }

    fn wants_level(&self) -> bool {
        true
    }
}

impl std::fmt::Debug for SileroVad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SileroVad").finish_non_exhaustive()
    }
}
