//! aarch64: `smmla`, `sdot`, and the NEON that every such processor has.
//!
//! The compiler has no stable intrinsics for the first two, hence a line of assembly each.

use std::arch::aarch64::{
    int8x16_t, int16x8_t, int32x4_t, vcombine_s8, vdup_n_s32, vdupq_n_s32, vget_low_s8, vld1_s8, vld1q_s8,
    vmull_high_s8, vmull_s8, vpadalq_s16, vpaddq_s32, vreinterpret_s8_s32, vreinterpretq_s8_s32,
    vreinterpretq_s32_s8, vreinterpretq_s32_s64, vreinterpretq_s64_s32, vst1q_s32, vuzp1q_s64, vuzp2q_s64,
    vzip1q_s32, vzip2q_s32,
};
use std::arch::asm;

use super::{GROUP, Int8Dot, PANEL, PanelGroup};
use crate::isa::{Baseline, NeonDotprod, NeonI8mm};

/// Outputs in a register.
const LANES: usize = 4;

#[inline(always)]
fn word(bytes: [i8; GROUP]) -> i32 {
    i32::from_ne_bytes(bytes.map(|b| b as u8))
}

/// Four dot products of four bytes each, added to `acc`.
///
/// # Safety
/// The processor has the dotprod extension.
#[inline(always)]
#[allow(unsafe_code, reason = "one instruction without a stable intrinsic")]
unsafe fn sdot(mut acc: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    // SAFETY: registers only; the caller vouches for the instruction.
    unsafe {
        asm!("sdot {0:v}.4s, {1:v}.16b, {2:v}.16b", inout(vreg) acc, in(vreg) w, in(vreg) x,
            options(pure, nomem, nostack, preserves_flags));
    }
    acc
}

/// `acc` (2 x 2) plus the product of two rows of eight bytes and two columns of eight bytes.
///
/// # Safety
/// The processor has the i8mm extension.
#[inline(always)]
#[allow(unsafe_code, reason = "one instruction without a stable intrinsic")]
unsafe fn smmla(mut acc: int32x4_t, x: int8x16_t, w: int8x16_t) -> int32x4_t {
    // SAFETY: registers only; the caller vouches for the instruction.
    unsafe {
        asm!("smmla {0:v}.4s, {1:v}.16b, {2:v}.16b", inout(vreg) acc, in(vreg) x, in(vreg) w,
            options(pure, nomem, nostack, preserves_flags));
    }
    acc
}

/// # Safety
/// The processor has the dotprod extension.
#[inline(always)]
#[allow(unsafe_code, reason = "intrinsics; loads and stores are of whole arrays of that size")]
unsafe fn dotprod_strips<const R: usize, const V: usize>(
    rows: [&[[i8; GROUP]]; R],
    panel: &[PanelGroup],
    sums: &mut [[i32; PANEL]; R],
) {
    let rows = rows.map(|row| &row[..panel.len()]);
    // SAFETY: the caller vouches for the instruction; each pointer comes from an array of 16 bytes or more.
    unsafe {
        for strip in 0..PANEL / LANES / V {
            let mut acc = [[vdupq_n_s32(0); V]; R];
            for (i, group) in panel.iter().enumerate() {
                let (weights, _) = group.as_chunks::<LANES>();
                let w: [int8x16_t; V] =
                    std::array::from_fn(|v| vld1q_s8(weights[strip * V + v].as_ptr().cast()));
                for r in 0..R {
                    let x = vreinterpretq_s8_s32(vdupq_n_s32(word(rows[r][i])));
                    for v in 0..V {
                        acc[r][v] = sdot(acc[r][v], w[v], x);
                    }
                }
            }
            for (acc, sums) in acc.iter().zip(&mut *sums) {
                let (sums, _) = sums.as_chunks_mut::<LANES>();
                for (v, acc) in acc.iter().enumerate() {
                    vst1q_s32(sums[strip * V + v].as_mut_ptr(), *acc);
                }
            }
        }
    }
}

impl Int8Dot for NeonDotprod {
    const OFFSET: bool = false;
    // 4 x 4 sums and 4 weights at a time leave room in 32 registers.
    const ROWS: usize = 4;

    #[inline(always)]
    #[allow(unsafe_code, reason = "intrinsics of dotprod, which the caller vouches for")]
    unsafe fn tile<const R: usize>(
        rows: [&[[i8; GROUP]]; R],
        panel: &[PanelGroup],
        sums: &mut [[i32; PANEL]; R],
    ) {
        // SAFETY: the caller vouches for dotprod.
        unsafe {
            if R == 1 {
                dotprod_strips::<R, 16>(rows, panel, sums);
            } else {
                dotprod_strips::<R, 4>(rows, panel, sums);
            }
        }
    }
}

impl Int8Dot for NeonI8mm {
    const OFFSET: bool = false;
    const ROWS: usize = 4;

    /// Two rows by two outputs by eight inputs at once. A single row, and a last odd group of four
    /// inputs, go to `sdot`.
    #[inline(always)]
    #[allow(unsafe_code, reason = "intrinsics of i8mm, which the caller vouches for; loads of whole arrays")]
    unsafe fn tile<const R: usize>(
        rows: [&[[i8; GROUP]]; R],
        panel: &[PanelGroup],
        sums: &mut [[i32; PANEL]; R],
    ) {
        /// Loads of 4 outputs in a strip.
        const V: usize = 2;
        let (pairs, odd) = panel.as_chunks::<2>();
        // SAFETY: the caller vouches for i8mm and dotprod; each pointer comes from an array of 8 bytes or more.
        unsafe {
            if R == 1 {
                return dotprod_strips::<R, 16>(rows, panel, sums);
            }
            if !odd.is_empty() {
                dotprod_strips::<R, 4>(rows.map(|row| &row[2 * pairs.len()..]), odd, sums);
            }
            for strip in 0..PANEL / LANES / V {
                // [pair of rows][load][pair of outputs]
                let mut acc = [[[vdupq_n_s32(0); 2]; V]; R];
                for (i, [first, second]) in pairs.iter().enumerate() {
                    let w: [[int8x16_t; 2]; V] = std::array::from_fn(|v| {
                        let at = strip * V + v;
                        let load = |g: &PanelGroup| {
                            vreinterpretq_s32_s8(vld1q_s8(g.as_chunks::<LANES>().0[at].as_ptr().cast()))
                        };
                        let (a, b) = (load(first), load(second));
                        // Outputs 0 and 1, outputs 2 and 3, eight inputs of each.
                        [vreinterpretq_s8_s32(vzip1q_s32(a, b)), vreinterpretq_s8_s32(vzip2q_s32(a, b))]
                    });
                    for r in 0..R / 2 {
                        let eight =
                            |row: &[[i8; GROUP]]| vld1_s8(row[2 * i..2 * i + 2].as_flattened().as_ptr());
                        let x = vcombine_s8(eight(rows[2 * r]), eight(rows[2 * r + 1]));
                        for v in 0..V {
                            for p in 0..2 {
                                acc[r][v][p] = smmla(acc[r][v][p], x, w[v][p]);
                            }
                        }
                    }
                }
                for r in 0..R / 2 {
                    for v in 0..V {
                        let [a, b] = acc[r][v].map(|x| vreinterpretq_s64_s32(x));
                        let at = (strip * V + v) * LANES;
                        for (row, half) in [(2 * r, vuzp1q_s64(a, b)), (2 * r + 1, vuzp2q_s64(a, b))] {
                            let mut quad = [0i32; LANES];
                            vst1q_s32(quad.as_mut_ptr(), vreinterpretq_s32_s64(half));
                            for (sum, value) in sums[row][at..at + LANES].iter_mut().zip(quad) {
                                *sum += value;
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Int8Dot for Baseline {
    const OFFSET: bool = false;
    const ROWS: usize = 4;

    /// Products in 16 bits, added in pairs to 32; an output's two halves are joined at the end.
    #[inline(always)]
    #[allow(
        unsafe_code,
        reason = "intrinsics of NEON, which every aarch64 processor has; loads of whole arrays"
    )]
    unsafe fn tile<const R: usize>(
        rows: [&[[i8; GROUP]]; R],
        panel: &[PanelGroup],
        sums: &mut [[i32; PANEL]; R],
    ) {
        const V: usize = 2;
        let rows = rows.map(|row| &row[..panel.len()]);
        // SAFETY: NEON is part of aarch64; each pointer comes from an array of 16 bytes or more.
        unsafe {
            for strip in 0..PANEL / LANES / V {
                let mut acc = [[[vdupq_n_s32(0); 2]; V]; R];
                for (i, group) in panel.iter().enumerate() {
                    let (weights, _) = group.as_chunks::<LANES>();
                    let w: [int8x16_t; V] =
                        std::array::from_fn(|v| vld1q_s8(weights[strip * V + v].as_ptr().cast()));
                    for r in 0..R {
                        let x = vreinterpret_s8_s32(vdup_n_s32(word(rows[r][i])));
                        let x16 = vcombine_s8(x, x);
                        for v in 0..V {
                            let low: int16x8_t = vmull_s8(vget_low_s8(w[v]), x);
                            let high: int16x8_t = vmull_high_s8(w[v], x16);
                            acc[r][v][0] = vpadalq_s16(acc[r][v][0], low);
                            acc[r][v][1] = vpadalq_s16(acc[r][v][1], high);
                        }
                    }
                }
                for (acc, sums) in acc.iter().zip(&mut *sums) {
                    let (sums, _) = sums.as_chunks_mut::<LANES>();
                    for (v, [low, high]) in acc.iter().enumerate() {
                        vst1q_s32(sums[strip * V + v].as_mut_ptr(), vpaddq_s32(*low, *high));
                    }
                }
            }
        }
    }
}
