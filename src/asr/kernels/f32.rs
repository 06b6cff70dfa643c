//! Matrix products in `f32`: attention, and linear layers of unquantized models.
//!
//! Written once with fixed-size arrays, which the compiler keeps in vector registers; only the
//! tile's size differs between instruction sets.

#[cfg(target_arch = "x86_64")]
#[path = "f32_avx512.rs"]
mod avx512;

use std::ops::Range;

use super::{Epilogue, PANEL};
use crate::isa::{Avx2, AvxVnni, Baseline, NeonDotprod, NeonI8mm, Target, per_isa};

/// `b` of a product: `[k][columns]`, rows `stride` apart.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a> {
    pub(super) values: &'a [f32],
    pub(super) stride: usize,
    pub(super) k: usize,
}

/// A tile's size for each instruction set: accumulators, a row of `b` and a broadcast fill the registers.
pub(super) trait Tile: Target {
    /// `out += a · b` for `columns` columns, a multiple of 32; rows of `a` and of `out` are given strides apart.
    fn multiply(
        a: &[f32],
        a_stride: usize,
        b: Columns<'_>,
        out: &mut [f32],
        out_stride: usize,
        rows: usize,
        columns: usize,
    );
}

macro_rules! tile {
    ($($target:ident: $rows:literal x $columns:literal;)*) => {
        $(impl Tile for $target {
            #[inline(always)]
            fn multiply(a: &[f32], a_stride: usize, b: Columns<'_>, out: &mut [f32], out_stride: usize, rows: usize, columns: usize) {
                tiles::<Self, $rows, $columns>(a, a_stride, b, out, out_stride, rows, columns);
            }
        })*
    };
}

tile! {
    AvxVnni: 4 x 16;
    Avx2: 4 x 16;
    NeonI8mm: 4 x 16;
    NeonDotprod: 4 x 16;
}
#[cfg(target_arch = "aarch64")]
tile! { Baseline: 4 x 16; }
#[cfg(not(target_arch = "aarch64"))]
tile! { Baseline: 4 x 8; }

#[inline(always)]
fn tiles<T: Target, const R: usize, const N: usize>(
    a: &[f32],
    a_stride: usize,
    b: Columns<'_>,
    out: &mut [f32],
    out_stride: usize,
    rows: usize,
    columns: usize,
) {
    let mut row = 0;
    while row < rows {
        let (a, out) = (&a[row * a_stride..], &mut out[row * out_stride..]);
        if rows - row >= R {
            for column in (0..columns).step_by(N) {
                tile::<T, R, N>(a, a_stride, b, out, out_stride, column);
            }
            row += R;
        } else {
            // A single row has few accumulators: 32 columns hide the latency.
            for column in (0..columns).step_by(32) {
                tile::<T, 1, 32>(a, a_stride, b, out, out_stride, column);
            }
            row += 1;
        }
    }
}

#[inline(always)]
fn tile<T: Target, const R: usize, const N: usize>(
    a: &[f32],
    a_stride: usize,
    b: Columns<'_>,
    out: &mut [f32],
    out_stride: usize,
    column: usize,
) {
    let k = b.k;
    let a: [&[f32]; R] = std::array::from_fn(|r| &a[r * a_stride..][..k]);
    let mut acc: [[f32; N]; R] =
        std::array::from_fn(|r| out[r * out_stride + column..].first_chunk().copied().unwrap_or([0.0; N]));
    for (p, b) in b.values.chunks(b.stride).enumerate().take(k) {
        let Some(b) = b[column..].first_chunk::<N>() else { break };
        for r in 0..R {
            let x = a[r][p];
            for lane in 0..N {
                acc[r][lane] = T::mul_add(x, b[lane], acc[r][lane]);
            }
        }
    }
    for (r, acc) in acc.iter().enumerate() {
        if let Some(out) = out[r * out_stride + column..].first_chunk_mut() {
            *out = *acc;
        }
    }
}

/// A matrix of `outputs` x `inputs` in panels `[panel][input][output in panel]`.
#[derive(Clone, Copy)]
pub(crate) struct F32Weights<'a> {
    pub(crate) inputs: usize,
    pub(crate) panels: &'a [f32],
    pub(crate) bias: &'a [f32],
}

/// Packs `weights` `[outputs][inputs]`.
pub(crate) fn pack(weights: &[f32], inputs: usize) -> Vec<f32> {
    let outputs = weights.len() / inputs;
    let mut panels = vec![0f32; outputs.next_multiple_of(PANEL) * inputs];
    for (output, row) in weights.chunks_exact(inputs).enumerate() {
        for (i, w) in row.iter().enumerate() {
            panels[(output / PANEL * inputs + i) * PANEL + output % PANEL] = *w;
        }
    }
    panels
}

/// The weights of one output.
pub(crate) fn unpack_row(w: F32Weights<'_>, output: usize, row: &mut [f32]) {
    for (i, slot) in row.iter_mut().enumerate().take(w.inputs) {
        *slot = w.panels[(output / PANEL * w.inputs + i) * PANEL + output % PANEL];
    }
}

per_isa! {
    /// Products of `x` `[rows][inputs]` with the panels in `range`, written at `out[row * stride]`.
    pub(crate) fn multiply(
        x: &[f32], w: F32Weights<'_>, range: Range<usize>, out: &mut [f32], stride: usize, epilogue: Epilogue,
    ) = multiply_body;
}

#[inline(always)]
fn multiply_body<T: Tile>(
    x: &[f32],
    w: F32Weights<'_>,
    range: Range<usize>,
    out: &mut [f32],
    stride: usize,
    epilogue: Epilogue,
) {
    /// Rows whose sums are held at once.
    const ROWS: usize = 8;
    for (at, panel) in range.enumerate() {
        let values = &w.panels[panel * PANEL * w.inputs..][..PANEL * w.inputs];
        let b = Columns { values, stride: PANEL, k: w.inputs };
        let bias: &[f32; PANEL] = &w.bias.as_chunks().0[panel];
        for (block, x) in x.chunks(ROWS * w.inputs).enumerate() {
            let rows = x.len() / w.inputs;
            let mut sums = [[0f32; PANEL]; ROWS];
            sums[..rows].fill(*bias);
            T::multiply(x, w.inputs, b, sums.as_flattened_mut(), PANEL, rows, PANEL);
            for (r, sums) in sums.iter().take(rows).enumerate() {
                if let Some(out) = out[(block * ROWS + r) * stride + at * PANEL..].first_chunk_mut() {
                    epilogue.finish::<T>(sums, out);
                }
            }
        }
    }
}
