//! Layers as views of packed weights, and the buffers that they work in.

use std::ops::Range;

use super::load::LoadError;
use super::pack::{Image, Precision, Span};
use crate::asr::kernels::int8::{self, Int8Rows, Int8Weights};
use crate::asr::kernels::pool::Pool;
use crate::asr::kernels::{Epilogue, PANEL, f32 as single, math};
use crate::isa::Isa;

/// What computes: instructions and threads.
pub(super) struct Compute {
    pub(super) isa: Isa,
    pub(super) pool: Pool,
}

/// `y = W x + b`.
pub(super) struct Linear {
    inputs: usize,
    outputs: usize,
    bias: Span<f32>,
    weights: Weights,
}

enum Weights {
    Int8 { panels: Span<i8>, scales: Span<f32>, offsets: Span<i32> },
    F32 { panels: Span<f32> },
}

/// Input rows as a layer wants them; reused from layer to layer.
#[derive(Default)]
pub(super) struct Input {
    values: Vec<i8>,
    scales: Vec<f32>,
}

impl Linear {
    pub(super) fn new(image: &Image, name: &str, outputs: usize, inputs: usize) -> Result<Self, LoadError> {
        let padded = outputs.next_multiple_of(PANEL);
        let part = |suffix: &str| format!("{name}.{suffix}");
        let weights = match image.index.precision {
            Precision::Int8 => Weights::Int8 {
                panels: image.get(&part("int8"), padded * inputs)?,
                scales: image.get(&part("scales"), padded)?,
                offsets: image.get(&part("offsets"), padded)?,
            },
            Precision::F32 => Weights::F32 { panels: image.get(&part("f32"), padded * inputs)? },
        };
        Ok(Self { inputs, outputs: padded, bias: image.get(&part("bias"), padded)?, weights })
    }

    /// Outputs, padded to whole panels.
    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// The weights of one output.
    pub(super) fn row(&self, output: usize, row: &mut [f32]) {
        match &self.weights {
            Weights::Int8 { .. } => int8::unpack_row(self.int8(), output, row),
            Weights::F32 { .. } => single::unpack_row(self.f32(), output, row),
        }
    }

    fn int8(&self) -> Int8Weights<'_> {
        match &self.weights {
            Weights::Int8 { panels, scales, offsets } => {
                Int8Weights { inputs: self.inputs, panels, scales, offsets, bias: &self.bias }
            }
            Weights::F32 { .. } => {
                Int8Weights { inputs: self.inputs, panels: &[], scales: &[], offsets: &[], bias: &[] }
            }
        }
    }

    fn f32(&self) -> single::F32Weights<'_> {
        let panels: &[f32] = match &self.weights {
            Weights::F32 { panels } => panels,
            Weights::Int8 { .. } => &[],
        };
        single::F32Weights { inputs: self.inputs, panels, bias: &self.bias }
    }

    /// Makes `x`, rows of this layer's inputs, ready for [`Linear::multiply`].
    fn prepare(&self, isa: Isa, x: &[f32], input: &mut Input) {
        if let Weights::Int8 { .. } = self.weights {
            input.values.resize(x.len(), 0);
            input.scales.resize(x.len() / self.inputs, 0.0);
            int8::quantize(isa, x, self.inputs, &mut input.values, &mut input.scales);
        }
    }

    #[allow(clippy::too_many_arguments, reason = "inputs, a range of outputs, and where they go")]
    fn multiply(
        &self,
        isa: Isa,
        x: &[f32],
        input: &Input,
        panels: Range<usize>,
        out: &mut [f32],
        stride: usize,
        epilogue: Epilogue,
    ) {
        match &self.weights {
            Weights::Int8 { .. } => {
                let rows = Int8Rows { values: &input.values, scales: &input.scales };
                int8::multiply(isa, rows, self.int8(), panels, out, stride, epilogue);
            }
            Weights::F32 { .. } => single::multiply(isa, x, self.f32(), panels, out, stride, epilogue),
        }
    }

    /// All outputs of `x`'s rows, on the calling thread.
    pub(super) fn forward(
        &self,
        isa: Isa,
        x: &[f32],
        input: &mut Input,
        out: &mut [f32],
        epilogue: Epilogue,
    ) {
        self.prepare(isa, x, input);
        self.multiply(isa, x, input, 0..self.outputs / PANEL, out, self.outputs, epilogue);
    }

    /// All outputs of a few rows, the outputs shared among the threads.
    pub(super) fn forward_wide(
        &self,
        compute: &Compute,
        x: &[f32],
        wide: &mut Wide,
        out: &mut [f32],
        epilogue: Epilogue,
    ) {
        /// Weights that are worth another thread: some microseconds of reading.
        const WORTH_SHARING: usize = 256 * 1024;
        let rows = x.len() / self.inputs;
        let panels = self.outputs / PANEL;
        let threads = compute.pool.threads();
        let parts = if self.outputs * self.inputs < WORTH_SHARING { 1 } else { (4 * threads).min(panels) };
        if parts == 1 || threads == 1 {
            return self.forward(compute.isa, x, &mut wide.input, out, epilogue);
        }
        self.prepare(compute.isa, x, &mut wide.input);
        let input = &wide.input;
        let share = panels.div_ceil(parts);
        let part = |i: usize, out: &mut [f32], stride: usize| {
            let range = i * share..((i + 1) * share).min(panels);
            self.multiply(compute.isa, x, input, range, out, stride, epilogue);
        };
        if rows == 1 {
            compute.pool.chunks(out, share * PANEL, |i, out| part(i, out, share * PANEL));
            return;
        }
        // Several rows: each part writes its columns together, then they are dealt out to the rows.
        let len = rows * share * PANEL;
        wide.staged.resize(panels.div_ceil(share) * len, 0.0);
        let columns = |i: usize, row: usize| {
            let width = share.min(panels - i * share) * PANEL;
            (row * self.outputs + i * share * PANEL, row * share * PANEL, width)
        };
        for (i, staged) in wide.staged.chunks_mut(len).enumerate() {
            for row in 0..rows {
                let (at, from, width) = columns(i, row);
                staged[from..from + width].copy_from_slice(&out[at..at + width]);
            }
        }
        compute.pool.chunks(&mut wide.staged, len, |i, staged| part(i, staged, share * PANEL));
        for (i, staged) in wide.staged.chunks(len).enumerate() {
            for row in 0..rows {
                let (at, from, width) = columns(i, row);
                out[at..at + width].copy_from_slice(&staged[from..from + width]);
            }
        }
    }
}

/// Buffers of [`Linear::forward_wide`].
#[derive(Default)]
pub(super) struct Wide {
    input: Input,
    staged: Vec<f32>,
}

/// Layer norm over channels.
pub(super) struct LayerNorm {
    weight: Span<f32>,
    bias: Span<f32>,
}

impl LayerNorm {
    pub(super) fn new(image: &Image, name: &str, d: usize) -> Result<Self, LoadError> {
        Ok(Self {
            weight: image.get(&format!("{name}.weight"), d)?,
            bias: image.get(&format!("{name}.bias"), d)?,
        })
    }

    pub(super) fn forward(&self, isa: Isa, x: &[f32], out: &mut [f32]) {
        math::layer_norm(isa, x, &self.weight, &self.bias, out);
    }
}

/// Norm, linear to four times the width, GELU, linear back.
pub(super) struct FeedForward {
    pub(super) norm: LayerNorm,
    pub(super) up: Linear,
    pub(super) down: Linear,
}

impl FeedForward {
    pub(super) fn new(image: &Image, block: &str, d: usize) -> Result<Self, LoadError> {
        Ok(Self {
            norm: LayerNorm::new(image, &format!("{block}.final_layer_norm"), d)?,
            up: Linear::new(image, &format!("{block}.fc1"), 4 * d, d)?,
            down: Linear::new(image, &format!("{block}.fc2"), d, 4 * d)?,
        })
    }
}

/// Norm, fused query/key/value projection, output projection.
pub(super) struct SelfAttention {
    pub(super) norm: LayerNorm,
    pub(super) qkv: Linear,
    pub(super) out: Linear,
}

impl SelfAttention {
    pub(super) fn new(image: &Image, block: &str, d: usize) -> Result<Self, LoadError> {
        Ok(Self {
            norm: LayerNorm::new(image, &format!("{block}.self_attn_layer_norm"), d)?,
            qkv: Linear::new(image, &format!("{block}.self_attn.qkv"), 3 * d, d)?,
            out: Linear::new(image, &format!("{block}.self_attn.out_proj"), d, d)?,
        })
    }
}

/// Norm and query projection; keys and values come from the audio states.
pub(super) struct CrossAttention {
    pub(super) norm: LayerNorm,
    pub(super) q: Linear,
    pub(super) kv: Linear,
    pub(super) out: Linear,
}

impl CrossAttention {
    pub(super) fn new(image: &Image, block: &str, d: usize) -> Result<Self, LoadError> {
        Ok(Self {
            norm: LayerNorm::new(image, &format!("{block}.encoder_attn_layer_norm"), d)?,
            q: Linear::new(image, &format!("{block}.encoder_attn.q"), d, d)?,
            kv: Linear::new(image, &format!("{block}.encoder_attn.kv"), 2 * d, d)?,
            out: Linear::new(image, &format!("{block}.encoder_attn.out_proj"), d, d)?,
        })
    }
}
