//! How weights lie in memory, and how sums over them stay in registers.
//!
//! Weights are packed so that neighbouring values belong to neighbouring outputs: a block of outputs
//! is a few fixed-width arrays of sums, each input value is broadcast to them, and the weights stream
//! past once, in memory order. The compiler makes vector instructions of that, as wide as the target
//! has them; what differs between targets is only how many sums their registers hold.

use crate::isa::{Avx2, Avx512Vnni, AvxVnni, Baseline, NeonDotprod, NeonI8mm, Target};

/// Values in a line.
pub(super) const LINE: usize = 16;

/// Weights of 16 neighbouring outputs: a cache line, and a register of AVX-512. The alignment keeps a
/// load from touching two cache lines.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub(super) struct Line(pub(super) [f32; LINE]);

impl Line {
    pub(super) fn from_fn(value: impl FnMut(usize) -> f32) -> Self {
        Self(std::array::from_fn(value))
    }

    /// The values from `part * N` on; `N` divides 16.
    #[inline(always)]
    pub(super) fn part<const N: usize>(&self, part: usize) -> &[f32; N] {
        &self.0.as_chunks().0[part]
    }
}

/// A target, and how many sums its registers hold.
pub(super) trait Registers: Target {
    /// Eight arrays of this many values take half of the registers; weights and inputs need the rest.
    const WIDTH: usize;
}

impl Registers for Baseline {
    // SSE2 has 16 registers of 4 values, NEON 32.
    const WIDTH: usize = if cfg!(target_arch = "aarch64") { 8 } else { 4 };
}

impl Registers for Avx2 {
    const WIDTH: usize = 8;
}

impl Registers for AvxVnni {
    const WIDTH: usize = 8;
}

impl Registers for Avx512Vnni {
    // A fourth of the 32 registers: a line cannot be wider.
    const WIDTH: usize = 16;
}

impl Registers for NeonDotprod {
    const WIDTH: usize = 8;
}

impl Registers for NeonI8mm {
    const WIDTH: usize = 8;
}

/// `sums += weights * x`, value by value.
#[inline(always)]
pub(super) fn add_scaled<T: Target, const N: usize>(sums: &mut [f32; N], weights: &[f32; N], x: f32) {
    for i in 0..N {
        sums[i] = T::mul_add(weights[i], x, sums[i]);
    }
}
