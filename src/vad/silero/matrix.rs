//! Matrix times vector.
//!
//! The time goes into reading the weights from the second-level cache. What comes out of a ReLU is 0
//! in half of the places or more, so the columns of such inputs are not read at all.

use super::lines::{LINE, Line, Registers, add_scaled};

/// Lines of outputs in a block.
const LINES: usize = 4;
/// Outputs in a block.
const ROWS: usize = LINES * LINE;

/// A matrix of `COLS` columns and a bias, `y = M x + b`, packed as [row block][column][row in block].
pub(super) struct PackedMatrix<const COLS: usize> {
    weights: Vec<[Line; LINES]>,
    bias: Vec<[Line; LINES]>,
}

impl<const COLS: usize> PackedMatrix<COLS> {
    /// Packs the matrix whose entry is `at(row, column)`; `bias.len()` rows, a multiple of 64.
    pub(super) fn new(bias: &[f32], at: impl Fn(usize, usize) -> f32) -> Self {
        debug_assert!(bias.len().is_multiple_of(ROWS), "rows come in blocks of {ROWS}");
        let rows = || (0..bias.len()).step_by(ROWS);
        Self {
            weights: rows()
                .flat_map(|row| (0..COLS).map(move |col| (row, col)))
                .map(|(row, col)| block(|i| at(row + i, col)))
                .collect(),
            bias: rows().map(|row| block(|i| bias[row + i])).collect(),
        }
    }

    /// Writes `M x + b` to `y`; `x` has one value per column, `y` one per row. If `x` is shorter, it
    /// meets the last columns: a convolution's taps that hang over the beginning meet zeros.
    #[inline(always)]
    pub(super) fn apply<T: Registers>(&self, x: &[f32], y: &mut [f32]) {
        let mut columns = [0; COLS];
        let columns = nonzero(x, &mut columns);
        let skipped = COLS.saturating_sub(x.len());
        let (y, _) = y.as_chunks_mut::<LINE>();
        let (y, _) = y.as_chunks_mut::<LINES>();
        for ((y, bias), weights) in y.iter_mut().zip(&self.bias).zip(self.weights.chunks_exact(COLS)) {
            let weights = &weights[skipped..];
            if T::WIDTH == 4 {
                part::<T, 2>(weights, bias, x, columns, 0, y);
                part::<T, 2>(weights, bias, x, columns, 1, y);
            } else {
                part::<T, LINES>(weights, bias, x, columns, 0, y);
            }
        }
    }
}

fn block(value: impl Fn(usize) -> f32) -> [Line; LINES] {
    std::array::from_fn(|line| Line::from_fn(|i| value(line * LINE + i)))
}

/// The places of the inputs that are not 0.
#[inline(always)]
fn nonzero<'a, const COLS: usize>(x: &[f32], found: &'a mut [u32; COLS]) -> &'a [u32] {
    let mut len = 0;
    for (at, &x) in (0..COLS).zip(x) {
        // No branch: which inputs are 0 cannot be foretold.
        found[len] = at as u32;
        len += usize::from(x.to_bits() != 0);
    }
    &found[..len]
}

/// The outputs in lines `part * N..(part + 1) * N` of a block.
#[inline(always)]
fn part<T: Registers, const N: usize>(
    weights: &[[Line; LINES]],
    bias: &[Line; LINES],
    x: &[f32],
    columns: &[u32],
    part: usize,
    y: &mut [[f32; LINE]; LINES],
) {
    let mut sums: [Line; N] = bias.as_chunks().0[part];
    for &col in columns {
        let weights: &[Line; N] = &weights[col as usize].as_chunks().0[part];
        for (sums, weights) in sums.iter_mut().zip(weights) {
            add_scaled::<T, LINE>(&mut sums.0, &weights.0, x[col as usize]);
        }
    }
    y.as_chunks_mut().0[part] = sums.map(|sums| sums.0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::{Isa, per_isa};

    per_isa! {
        fn apply(matrix: &PackedMatrix<5>, x: &[f32], y: &mut [f32]) = apply_body;
    }

    #[inline(always)]
    fn apply_body<T: Registers>(matrix: &PackedMatrix<5>, x: &[f32], y: &mut [f32]) {
        matrix.apply::<T>(x, y);
    }

    fn value(i: usize) -> f32 {
        ((i * 37 + 11) % 101) as f32 / 50.0 - 1.0
    }

    #[test]
    fn a_packed_matrix_equals_the_plain_product_with_every_instruction_set() {
        let bias: Vec<f32> = (0..2 * ROWS).map(|i| value(i + 7)).collect();
        let matrix = PackedMatrix::new(&bias, |row, col| value(row * 5 + col));
        for x in [[0.5, -1.0, 0.25, 2.0, 1.5], [0.0, 3.0, 0.0, 0.0, -2.0], [0.0; 5]] {
            for isa in Isa::available() {
                let mut y = vec![f32::NAN; 2 * ROWS];
                apply(isa, &matrix, &x, &mut y);
                for row in 0..2 * ROWS {
                    let plain = bias[row] + (0..5).map(|col| value(row * 5 + col) * x[col]).sum::<f32>();
                    assert!((y[row] - plain).abs() < 1e-5, "row {row} of {x:?} with {isa}");
                }
            }
        }
    }

    #[test]
    fn a_shorter_input_meets_the_last_columns() {
        let matrix = PackedMatrix::new(&[1.0; ROWS], |row, col| (row * 5 + col) as f32);
        let (mut padded, mut short) = ([0.0; ROWS], [0.0; ROWS]);
        apply(Isa::detect(), &matrix, &[0.0, 0.0, 0.0, 2.0, 5.0], &mut padded);
        apply(Isa::detect(), &matrix, &[2.0, 5.0], &mut short);
        assert_eq!(padded, short);
    }
}
