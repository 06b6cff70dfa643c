//! [`Resampler`]: a mono stream at any supported rate to 16 kHz, aligned with its input.
//!
//! The filter's delay is cut off at the start and its tail flushed at the end, so output sample `n`
//! is the input at time `n / 16000`: word times do not shift. Each whole stream of `n` samples gives
//! `round(n * 16000 / rate)`. At 16 kHz samples pass through bit for bit.
//!
//! The work is done by FFT in blocks of about 20 ms for the usual rates. A rate whose ratio to
//! 16 kHz has large terms needs longer blocks, up to 2 s for a rate like 12,347 Hz: harmless for a
//! file, and no microphone has such a rate. Nothing is allocated per block once buffers have grown.

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler as _};

use super::{AudioError, SAMPLE_RATE, SampleRate};

/// Input per FFT block: the delay of live audio against the sharpness of the filter. At 20 ms the
/// output has 320 samples per block and its pass band ends above 7 kHz.
const BLOCK_SECONDS: f64 = 0.02;

/// Streaming mono conversion to [`SAMPLE_RATE`].
pub struct Resampler {
    from: SampleRate,
    /// `None` at 16 kHz.
    engine: Option<Fft<f32>>,
    /// Input waiting for a whole engine block.
    pending: Vec<f32>,
    /// One engine block of output.
    converted: Vec<f32>,
    /// Output still to be dropped: the rest of the filter's delay.
    skip: usize,
    fed: u64,
    given: u64,
}

impl Resampler {
    /// A converter from `from` to 16 kHz.
    ///
    /// # Errors
    /// [`AudioError::Resample`] if the engine cannot be built.
    pub fn new(from: SampleRate) -> Result<Self, AudioError> {
        let engine = if from == SAMPLE_RATE { None } else { Some(engine(from)?) };
        let (skip, longest) = engine.as_ref().map_or((0, 0), |e| (e.output_delay(), e.output_frames_max()));
        Ok(Self { from, engine, pending: Vec::new(), converted: vec![0.0; longest], skip, fed: 0, given: 0 })
    }

    /// The rate it converts from.
    pub fn from(&self) -> SampleRate {
        self.from
    }

    /// Converts `input`, appending whatever output is ready to `out`.
    ///
    /// # Errors
    /// [`AudioError::Resample`] if the engine refuses a block.
    pub fn push(&mut self, input: &[f32], out: &mut Vec<f32>) -> Result<(), AudioError> {
        self.fed += input.len() as u64;
        if self.engine.is_none() {
            out.extend_from_slice(input);
            self.given = self.fed;
            return Ok(());
        }
        self.pending.extend_from_slice(input);
        self.convert_pending(out)
    }

    /// Ends the stream: appends the tail to `out` and gets ready for another stream.
    ///
    /// # Errors
    /// [`AudioError::Resample`] if the engine refuses a block.
    pub fn finish(&mut self, out: &mut Vec<f32>) -> Result<(), AudioError> {
        let total = output_length(self.fed, self.from);
        while self.given < total {
            let need = self.engine.as_ref().map_or(0, |e| e.input_frames_next());
            let padded = self.pending.len().max(need);
            self.pending.resize(padded, 0.0);
            self.convert_pending(out)?;
        }
        out.truncate(out.len() - (self.given - total) as usize);
        self.reset();
        Ok(())
    }

    fn reset(&mut self) {
        self.pending.clear();
        (self.fed, self.given) = (0, 0);
        if let Some(engine) = &mut self.engine {
            engine.reset();
            self.skip = engine.output_delay();
        }
    }

    fn convert_pending(&mut self, out: &mut Vec<f32>) -> Result<(), AudioError> {
        let Some(engine) = &mut self.engine else { return Ok(()) };
        let failed = |source: super::error::Cause| AudioError::Resample { hz: self.from.hz(), source };
        let mut used = 0;
        while self.pending.len() - used >= engine.input_frames_next() {
            let input = &self.pending[used..];
            let room = self.converted.len();
            let block = SequentialSlice::new(input, 1, input.len()).map_err(|e| failed(e.into()))?;
            let mut output =
                SequentialSlice::new_mut(&mut self.converted, 1, room).map_err(|e| failed(e.into()))?;
            let (read, written) =
                engine.process_into_buffer(&block, &mut output, None).map_err(|e| failed(e.into()))?;
            used += read;
            let dropped = self.skip.min(written);
            self.skip -= dropped;
            self.given += (written - dropped) as u64;
            out.extend_from_slice(&self.converted[dropped..written]);
        }
        self.pending.drain(..used);
        Ok(())
    }
}

/// How many samples at 16 kHz `input` samples at `from` make, rounded to the nearest.
pub fn output_length(input: u64, from: SampleRate) -> u64 {
    let (to, from) = (u128::from(SAMPLE_RATE.hz()), u128::from(from.hz()));
    ((u128::from(input) * to + from / 2) / from) as u64
}

fn engine(from: SampleRate) -> Result<Fft<f32>, AudioError> {
    let (hz, to) = (from.hz() as usize, SAMPLE_RATE.hz() as usize);
    // An even number of the smallest blocks: the delay of half a block is then a whole number of samples.
    let step = 2 * (hz / gcd(hz, to));
    let block = ((BLOCK_SECONDS * hz as f64) as usize).next_multiple_of(step);
    Fft::new(hz, to, block, 1, FixedSync::Both)
        .map_err(|e| AudioError::Resample { hz: from.hz(), source: e.into() })
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests;
