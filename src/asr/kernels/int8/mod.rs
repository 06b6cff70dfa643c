//! Matrix products in 8-bit integers: weights scaled by row of the matrix, activations by row of the input.
//!
//! `y[r][o] = Σ_i x[r][i] w[o][i] + b[o]` with `w ≈ scale[o] * i8` and `x ≈ scale[r] * i8`. The sums of
//! products are exact 32-bit integers, so every instruction set gives the same bits; only the last
//! step, back to `f32`, rounds.
//!
//! Weights lie in panels of [`PANEL`] outputs, `[panel][input / 4][output in panel][4]`: four
//! neighbouring inputs of one output are what one lane of a dot-product instruction takes. One
//! layout serves all instruction sets, so a packed file is read as it lies on disk.

#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod portable;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
mod x86_avx512;

use std::ops::Range;

use super::{Epilogue, PANEL};
use crate::isa::{Target, per_isa};

/// Inputs that one lane of a dot product takes.
pub(super) const GROUP: usize = 4;
/// One group of inputs of all outputs of a panel.
type PanelGroup = [[i8; GROUP]; PANEL];

/// The largest quantized magnitude. -128 is left out: products of two such values in pairs would overflow 16 bits.
const LIMIT: f32 = 127.0;

/// An instruction set's dot products.
pub(super) trait Int8Dot: Target {
    /// Activations are stored with their sign bit flipped, that is unsigned with an offset of 128,
    /// because the instruction takes one unsigned operand.
    const OFFSET: bool;

    /// Most rows that [`Int8Dot::tile`] is asked for at once.
    const ROWS: usize;

    /// `sums[r][o] = Σ rows[r] · panel[o]`, each row as long as the panel.
    ///
    /// # Safety
    /// The processor has the instructions that `Self` stands for.
    #[allow(unsafe_code, reason = "implementations use the instructions they are named for")]
    unsafe fn tile<const R: usize>(
        rows: [&[[i8; GROUP]]; R],
        panel: &[PanelGroup],
        sums: &mut [[i32; PANEL]; R],
    );
}

/// A packed matrix of `outputs` x `inputs`; vectors are padded to whole panels.
#[derive(Clone, Copy)]
pub(crate) struct Int8Weights<'a> {
    /// A multiple of 4.
    pub(crate) inputs: usize,
    pub(crate) panels: &'a [i8],
    /// Of each output.
    pub(crate) scales: &'a [f32],
    /// 128 times the sum of each output's weights, which [`Int8Dot::OFFSET`] adds to its products.
    pub(crate) offsets: &'a [i32],
    pub(crate) bias: &'a [f32],
}

/// Quantized input rows.
#[derive(Clone, Copy)]
pub(crate) struct Int8Rows<'a> {
    /// `[rows][inputs]`.
    pub(crate) values: &'a [i8],
    /// Of each row.
    pub(crate) scales: &'a [f32],
}

/// Packs `weights` `[outputs][inputs]`, `inputs` a multiple of 4, into panels, scales and offsets.
pub(crate) fn pack(weights: &[f32], inputs: usize) -> (Vec<i8>, Vec<f32>, Vec<i32>) {
    assert!(inputs > 0 && inputs.is_multiple_of(GROUP), "inputs come in groups of {GROUP}");
    let outputs = weights.len() / inputs;
    let padded = outputs.next_multiple_of(PANEL);
    let mut panels = vec![0i8; padded * inputs];
    let mut scales = vec![0f32; padded];
    let mut offsets = vec![0i32; padded];
    for (output, row) in weights.chunks_exact(inputs).enumerate() {
        let largest = row.iter().fold(0f32, |m, w| m.max(w.abs()));
        let to_int = if largest > 0.0 { LIMIT / largest } else { 0.0 };
        scales[output] = largest / LIMIT;
        let panel = &mut panels[output / PANEL * PANEL * inputs..][..PANEL * inputs];
        let mut sum = 0i32;
        for (i, w) in row.iter().enumerate() {
            let q = (w * to_int).round() as i8;
            panel[(i / GROUP * PANEL + output % PANEL) * GROUP + i % GROUP] = q;
            sum += i32::from(q);
        }
        offsets[output] = 128 * sum;
    }
    (panels, scales, offsets)
}

/// The weights of one output, as `f32`: a row of the embedding.
pub(crate) fn unpack_row(w: Int8Weights<'_>, output: usize, row: &mut [f32]) {
    let panel = &w.panels[output / PANEL * PANEL * w.inputs..];
    let scale = w.scales[output];
    for (i, slot) in row.iter_mut().enumerate().take(w.inputs) {
        *slot = scale * f32::from(panel[(i / GROUP * PANEL + output % PANEL) * GROUP + i % GROUP]);
    }
}

per_isa! {
    /// Quantizes `x` `[rows][inputs]` row by row.
    pub(crate) fn quantize(x: &[f32], inputs: usize, values: &mut [i8], scales: &mut [f32]) = quantize_body;
}

#[inline(always)]
fn quantize_body<T: Int8Dot>(x: &[f32], inputs: usize, values: &mut [i8], scales: &mut [f32]) {
    const LANES: usize = 32;
    /// Adding it rounds to the nearest integer and leaves that in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let flip = if T::OFFSET { 0x80u8 } else { 0 };
    for ((x, values), scale) in x.chunks_exact(inputs).zip(values.chunks_exact_mut(inputs)).zip(scales) {
        let (blocks, rest) = x.as_chunks::<LANES>();
        let mut largest = [0f32; LANES];
        for block in blocks {
            for (m, x) in largest.iter_mut().zip(block) {
                let magnitude = x.abs();
                *m = if magnitude > *m { magnitude } else { *m };
            }
        }
        let largest = largest.iter().chain(rest).fold(0f32, |m, x| m.max(x.abs()));
        *scale = largest / LIMIT;
        let to_int = if largest > 0.0 { LIMIT / largest } else { 0.0 };
        for (x, value) in x.iter().zip(values) {
            let bits = (x * to_int + ROUND).to_bits();
            *value = (bits as u8 ^ flip) as i8;
        }
    }
}

per_isa! {
    /// Products of `x` with the panels in `range`, written at `out[row * stride]`, the first panel first.
    pub(crate) fn multiply(
        x: Int8Rows<'_>, w: Int8Weights<'_>, range: Range<usize>, out: &mut [f32], stride: usize, epilogue: Epilogue,
    ) = multiply_body;
}

#[inline(always)]
fn multiply_body<T: Int8Dot>(
    x: Int8Rows<'_>,
    w: Int8Weights<'_>,
    range: Range<usize>,
    out: &mut [f32],
    stride: usize,
    epilogue: Epilogue,
) {
    let rows = x.scales.len();
    let groups = w.inputs / GROUP;
    let (values, _) = x.values.as_chunks::<GROUP>();
    let (panels, _) = w.panels.as_chunks::<GROUP>();
    let (panels, _) = panels.as_chunks::<PANEL>();
    for (at, panel) in range.enumerate() {
        let job = Strip {
            panel: &panels[panel * groups..][..groups],
            scales: lanes(w.scales, panel),
            offsets: lanes(w.offsets, panel),
            bias: lanes(w.bias, panel),
            epilogue,
        };
        let mut row = 0;
        while row < rows {
            let out = &mut out[row * stride + at * PANEL..];
            let (x, scales) = (&values[row * groups..], &x.scales[row..]);
            row += match T::ROWS.min(rows - row) {
                6.. => job.tile::<T, 6>(x, scales, out, stride),
                4..6 => job.tile::<T, 4>(x, scales, out, stride),
                2..4 => job.tile::<T, 2>(x, scales, out, stride),
                _ => job.tile::<T, 1>(x, scales, out, stride),
            };
        }
    }
}

#[inline(always)]
fn lanes<V>(values: &[V], panel: usize) -> &[V; PANEL] {
    &values.as_chunks::<PANEL>().0[panel]
}

/// One panel and what turns its sums into results.
struct Strip<'a> {
    panel: &'a [PanelGroup],
    scales: &'a [f32; PANEL],
    offsets: &'a [i32; PANEL],
    bias: &'a [f32; PANEL],
    epilogue: Epilogue,
}

impl Strip<'_> {
    /// `R` rows; returns `R`.
    #[inline(always)]
    fn tile<T: Int8Dot, const R: usize>(
        &self,
        x: &[[i8; GROUP]],
        scales: &[f32],
        out: &mut [f32],
        stride: usize,
    ) -> usize {
        let groups = self.panel.len();
        let rows: [&[[i8; GROUP]]; R] = std::array::from_fn(|r| &x[r * groups..][..groups]);
        let mut sums = [[0i32; PANEL]; R];
        // SAFETY: `multiply` is reached through an Isa, which exists only where its instructions do.
        #[allow(unsafe_code, reason = "the tile's instructions are those this copy is compiled for")]
        unsafe {
            T::tile(rows, self.panel, &mut sums);
        }
        for (r, sums) in sums.iter().enumerate() {
            let mut y = [0f32; PANEL];
            for lane in 0..PANEL {
                let sum = if T::OFFSET { sums[lane] - self.offsets[lane] } else { sums[lane] };
                y[lane] = T::mul_add(sum as f32, scales[r] * self.scales[lane], self.bias[lane]);
            }
            if let Some(out) = out[r * stride..].first_chunk_mut::<PANEL>() {
                self.epilogue.finish::<T>(&y, out);
            }
        }
        R
    }
}
