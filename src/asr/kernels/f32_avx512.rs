//! AVX-512: the compiler does not keep 8 x 32 sums in registers by itself.

use std::arch::x86_64::{
    __m512, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_storeu_ps,
};

use super::{Columns, Tile};
use crate::isa::Avx512Vnni;

/// Columns in a register.
const LANES: usize = 16;

impl Tile for Avx512Vnni {
    #[inline(always)]
    fn multiply(
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
            row += match rows - row {
                8.. => avx512_row::<8>(a, a_stride, b, out, out_stride, columns),
                4..8 => avx512_row::<4>(a, a_stride, b, out, out_stride, columns),
                _ => avx512_row::<1>(a, a_stride, b, out, out_stride, columns),
            };
        }
    }
}

/// `R` rows in strips of 32 columns; returns `R`.
#[inline(always)]
fn avx512_row<const R: usize>(
    a: &[f32],
    a_stride: usize,
    b: Columns<'_>,
    out: &mut [f32],
    out_stride: usize,
    columns: usize,
) -> usize {
    let k = b.k;
    let a: [&[f32]; R] = std::array::from_fn(|r| &a[r * a_stride..][..k]);
    for column in (0..columns).step_by(2 * LANES) {
        // SAFETY: reached through an Isa, so AVX-512 is there; each pointer comes from an array of 16 values or more.
        #[allow(unsafe_code, reason = "intrinsics; loads and stores are of whole arrays of that size")]
        unsafe {
            let mut acc: [[__m512; 2]; R] = [[_mm512_setzero_ps(); 2]; R];
            for (p, b) in b.values.chunks(b.stride).enumerate().take(k) {
                let b = &b[column..column + 2 * LANES];
                let b = [_mm512_loadu_ps(b.as_ptr()), _mm512_loadu_ps(b[LANES..].as_ptr())];
                for r in 0..R {
                    let x = _mm512_set1_ps(a[r][p]);
                    acc[r][0] = _mm512_fmadd_ps(x, b[0], acc[r][0]);
                    acc[r][1] = _mm512_fmadd_ps(x, b[1], acc[r][1]);
                }
            }
            for (r, acc) in acc.iter().enumerate() {
                let out = &mut out[r * out_stride + column..][..2 * LANES];
                for (acc, out) in acc.iter().zip(out.as_chunks_mut::<LANES>().0) {
                    let sum = _mm512_add_ps(*acc, _mm512_loadu_ps(out.as_ptr()));
                    _mm512_storeu_ps(out.as_mut_ptr(), sum);
                }
            }
        }
    }
    R
}
