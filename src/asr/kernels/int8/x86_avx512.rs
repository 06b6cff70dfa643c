//! AVX-512 with VNNI: `vpdpbusd` on 16 outputs at once.

use std::arch::x86_64::{
    __m512i, _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_setzero_si512,
    _mm512_storeu_si512,
};

use super::{GROUP, Int8Dot, PANEL, PanelGroup};
use crate::isa::Avx512Vnni;

/// Outputs in a register.
const LANES: usize = 16;
/// Registers that hold a panel's sums.
const REGISTERS: usize = PANEL / LANES;

impl Int8Dot for Avx512Vnni {
    const OFFSET: bool = true;
    // 6 x 4 sums, 4 weights and an activation: 29 of 32 registers.
    const ROWS: usize = 6;

    #[inline(always)]
    #[allow(unsafe_code, reason = "intrinsics; loads and stores are of whole arrays of that size")]
    unsafe fn tile<const R: usize>(
        rows: [&[[i8; GROUP]]; R],
        panel: &[PanelGroup],
        sums: &mut [[i32; PANEL]; R],
    ) {
        let rows = rows.map(|row| &row[..panel.len()]);
        // SAFETY: the caller vouches for the instructions; each pointer comes from an array of 64 bytes or more.
        unsafe {
            let mut acc = [[_mm512_setzero_si512(); REGISTERS]; R];
            for (i, group) in panel.iter().enumerate() {
                let (weights, _) = group.as_chunks::<LANES>();
                let w: [__m512i; REGISTERS] =
                    std::array::from_fn(|v| _mm512_loadu_si512(weights[v].as_ptr().cast()));
                for r in 0..R {
                    let x = _mm512_set1_epi32(i32::from_ne_bytes(rows[r][i].map(|b| b as u8)));
                    for v in 0..REGISTERS {
                        acc[r][v] = _mm512_dpbusd_epi32(acc[r][v], x, w[v]);
                    }
                }
            }
            for (acc, sums) in acc.iter().zip(sums) {
                for (acc, sums) in acc.iter().zip(sums.as_chunks_mut::<LANES>().0) {
                    _mm512_storeu_si512(sums.as_mut_ptr().cast(), *acc);
                }
            }
        }
    }
}
