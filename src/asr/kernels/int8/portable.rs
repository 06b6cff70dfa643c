//! Any processor: plain loops, which the compiler may vectorize.

use super::{GROUP, Int8Dot, PANEL, PanelGroup};
use crate::isa::Baseline;

impl Int8Dot for Baseline {
    const OFFSET: bool = false;
    const ROWS: usize = 1;

    #[inline(always)]
    #[allow(unsafe_code, reason = "the trait's signature; nothing here is unsafe")]
    unsafe fn tile<const R: usize>(
        rows: [&[[i8; GROUP]]; R],
        panel: &[PanelGroup],
        sums: &mut [[i32; PANEL]; R],
    ) {
        for (row, sums) in rows.iter().zip(sums) {
            for (x, group) in row.iter().zip(panel) {
                for (sum, w) in sums.iter_mut().zip(group) {
                    *sum += x.iter().zip(w).map(|(x, w)| i32::from(*x) * i32::from(*w)).sum::<i32>();
                }
            }
        }
    }
}
