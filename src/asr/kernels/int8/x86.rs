//! x86-64 below AVX-512: AVX-VNNI, AVX2, and the SSE2 that every such processor has.

use std::arch::x86_64::{
    __m128i, __m256i, _mm_add_epi32, _mm_castps_si128, _mm_castsi128_ps, _mm_loadu_si128, _mm_madd_epi16,
    _mm_set1_epi64x, _mm_setzero_si128, _mm_shuffle_ps, _mm_srai_epi16, _mm_storeu_si128, _mm_unpackhi_epi8,
    _mm_unpacklo_epi8, _mm256_abs_epi8, _mm256_add_epi32, _mm256_dpbusd_avx_epi32, _mm256_loadu_si256,
    _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_setzero_si256,
    _mm256_sign_epi8, _mm256_storeu_si256,
};

use super::{GROUP, Int8Dot, PANEL, PanelGroup};
use crate::isa::{Avx2, AvxVnni, Baseline};

/// Outputs in a 256-bit register.
const LANES: usize = 8;

#[inline(always)]
fn word(bytes: [i8; GROUP]) -> i32 {
    i32::from_ne_bytes(bytes.map(|b| b as u8))
}

/// Tiles of R rows by V registers of 8 outputs, over the panel's strips, with a given multiply-accumulate.
macro_rules! tiles_of_8 {
    ($rows:ident, $panel:ident, $sums:ident, $wide:literal, $narrow:literal, $prepare:expr, $accumulate:expr) => {
        if R == 1 {
            strips::<R, $wide, _>($rows, $panel, $sums, $prepare, $accumulate)
        } else {
            strips::<R, $narrow, _>($rows, $panel, $sums, $prepare, $accumulate)
        }
    };
}

/// Walks a panel in strips of `V` registers; `prepare` makes an operand of a broadcast activation,
/// `accumulate` adds one product of it and 8 outputs' weights.
///
/// # Safety
/// AVX2 is present, and what the closures use.
#[inline(always)]
#[allow(unsafe_code, reason = "intrinsics; loads and stores are of whole arrays of that size")]
unsafe fn strips<const R: usize, const V: usize, A: Copy>(
    rows: [&[[i8; GROUP]]; R],
    panel: &[PanelGroup],
    sums: &mut [[i32; PANEL]; R],
    prepare: impl Fn(__m256i) -> A,
    accumulate: impl Fn(__m256i, A, __m256i) -> __m256i,
) {
    let rows = rows.map(|row| &row[..panel.len()]);
    // SAFETY: the caller vouches for the instructions; each pointer comes from an array of 32 bytes or more.
    unsafe {
        for strip in 0..PANEL / LANES / V {
            let mut acc = [[_mm256_setzero_si256(); V]; R];
            for (i, group) in panel.iter().enumerate() {
                let (weights, _) = group.as_chunks::<LANES>();
                let w: [__m256i; V] =
                    std::array::from_fn(|v| _mm256_loadu_si256(weights[strip * V + v].as_ptr().cast()));
                for r in 0..R {
                    let x = prepare(_mm256_set1_epi32(word(rows[r][i])));
                    for v in 0..V {
                        acc[r][v] = accumulate(acc[r][v], x, w[v]);
                    }
                }
            }
            for (acc, sums) in acc.iter().zip(&mut *sums) {
                let (sums, _) = sums.as_chunks_mut::<LANES>();
                for (v, acc) in acc.iter().enumerate() {
                    _mm256_storeu_si256(sums[strip * V + v].as_mut_ptr().cast(), *acc);
                }
            }
        }
    }
}

impl Int8Dot for AvxVnni {
    const OFFSET: bool = true;
    // 4 x 2 sums at a time leave room in 16 registers.
    const ROWS: usize = 4;

    #[inline(always)]
    #[allow(unsafe_code, reason = "intrinsics of AVX-VNNI, which the caller vouches for")]
    unsafe fn tile<const R: usize>(
        rows: [&[[i8; GROUP]]; R],
        panel: &[PanelGroup],
        sums: &mut [[i32; PANEL]; R],
    ) {
        // SAFETY: the caller vouches for AVX-VNNI.
        unsafe {
            tiles_of_8!(rows, panel, sums, 8, 2, |x| x, |acc, x, w| _mm256_dpbusd_avx_epi32(acc, x, w));
        }
    }
}

impl Int8Dot for Avx2 {
    const OFFSET: bool = false;
    const ROWS: usize = 4;

    /// The instruction takes one unsigned operand and adds pairs in 16 bits: magnitudes of the
    /// activations times weights that took over their signs, 2 * 127 * 127 at most.
    #[inline(always)]
    #[allow(unsafe_code, reason = "intrinsics of AVX2, which the caller vouches for")]
    unsafe fn tile<const R: usize>(
        rows: [&[[i8; GROUP]]; R],
        panel: &[PanelGroup],
        sums: &mut [[i32; PANEL]; R],
    ) {
        // SAFETY: the caller vouches for AVX2.
        unsafe {
            let ones = _mm256_set1_epi16(1);
            tiles_of_8!(rows, panel, sums, 8, 2, |x| (x, _mm256_abs_epi8(x)), |acc, (x, magnitude), w| {
                let pairs = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(w, x));
                _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, ones))
            });
        }
    }
}

impl Int8Dot for Baseline {
    const OFFSET: bool = false;
    const ROWS: usize = 2;

    /// Weights are widened to 16 bits; products of an output come out as two halves, joined at the end.
    #[inline(always)]
    #[allow(
        unsafe_code,
        reason = "intrinsics of SSE2, which every x86-64 processor has; loads of whole arrays"
    )]
    unsafe fn tile<const R: usize>(
        rows: [&[[i8; GROUP]]; R],
        panel: &[PanelGroup],
        sums: &mut [[i32; PANEL]; R],
    ) {
        /// Outputs of a 128-bit load.
        const QUAD: usize = 4;
        const QUADS: usize = 2;
        let rows = rows.map(|row| &row[..panel.len()]);
        // SAFETY: SSE2 is part of x86-64; each pointer comes from an array of 16 bytes or more.
        unsafe {
            for strip in 0..PANEL / QUAD / QUADS {
                let mut acc = [[[_mm_setzero_si128(); 2]; QUADS]; R];
                for (i, group) in panel.iter().enumerate() {
                    let (weights, _) = group.as_chunks::<QUAD>();
                    let w: [[__m128i; 2]; QUADS] = std::array::from_fn(|q| {
                        let w = _mm_loadu_si128(weights[strip * QUADS + q].as_ptr().cast());
                        // A byte in the upper half of a 16-bit lane, shifted down with its sign.
                        [
                            _mm_srai_epi16(_mm_unpacklo_epi8(w, w), 8),
                            _mm_srai_epi16(_mm_unpackhi_epi8(w, w), 8),
                        ]
                    });
                    for r in 0..R {
                        let x = rows[r][i].map(|b| u64::from(i16::from(b) as u16));
                        let x = _mm_set1_epi64x((x[0] | x[1] << 16 | x[2] << 32 | x[3] << 48) as i64);
                        for q in 0..QUADS {
                            for half in 0..2 {
                                let product = _mm_madd_epi16(x, w[q][half]);
                                acc[r][q][half] = _mm_add_epi32(acc[r][q][half], product);
                            }
                        }
                    }
                }
                for (acc, sums) in acc.iter().zip(&mut *sums) {
                    let (sums, _) = sums.as_chunks_mut::<QUAD>();
                    for (q, [low, high]) in acc.iter().enumerate() {
                        let (low, high) = (_mm_castsi128_ps(*low), _mm_castsi128_ps(*high));
                        let even = _mm_castps_si128(_mm_shuffle_ps(low, high, 0b10_00_10_00));
                        let odd = _mm_castps_si128(_mm_shuffle_ps(low, high, 0b11_01_11_01));
                        let sum = _mm_add_epi32(even, odd);
                        _mm_storeu_si128(sums[strip * QUADS + q].as_mut_ptr().cast(), sum);
                    }
                }
            }
        }
    }
}
