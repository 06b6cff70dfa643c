//! The hot loops: matrix products, attention, and what lies between them; and the threads that share them.
//!
//! Everything here takes an [`Isa`](crate::isa::Isa) first and computes the same on each. Integer
//! results are equal bit for bit; floating-point ones differ in rounding only, and tests hold each
//! to its definition.

pub(crate) mod attention;
pub(crate) mod cores;
pub(crate) mod f32;
pub(crate) mod int8;
pub(crate) mod math;
pub(crate) mod pool;

use crate::isa::Target;

/// Outputs of a matrix that lie together. Vectors over outputs are padded to a multiple of it.
pub(crate) const PANEL: usize = 64;

/// What becomes of a linear layer's results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Epilogue {
    /// They are stored.
    Store,
    /// They are added to what is there: a residual connection.
    Add,
    /// Their GELU is stored.
    Gelu,
}

impl Epilogue {
    #[inline(always)]
    fn finish<T: Target>(self, y: &[f32; PANEL], out: &mut [f32; PANEL]) {
        match self {
            Self::Store => *out = *y,
            Self::Add => {
                for lane in 0..PANEL {
                    out[lane] += y[lane];
                }
            }
            Self::Gelu => {
                for lane in 0..PANEL {
                    out[lane] = math::gelu::<T>(y[lane]);
                }
            }
        }
    }
}
