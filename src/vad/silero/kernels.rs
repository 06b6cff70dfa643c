//! The arithmetic of Silero's network: matrix times vector, short convolutions, LSTM gates.
//!
//! Weights are packed so that neighbouring values belong to neighbouring outputs: a block of
//! outputs is a fixed-width array of accumulators that the compiler keeps in vector registers, each
//! input value is broadcast to it, and the weights stream past once, in memory order. Nothing here
//! allocates after construction, and nothing depends on the machine's instruction set.

/// Outputs that a matrix block computes at once: 8 registers of 4 lanes.
const ROWS: usize = 32;
/// Output channels that a convolution block computes at once; times up to 4 steps.
const CHANNELS: usize = 8;
const TAPS: usize = 3;

/// A matrix and a bias, `y = M x + b`, packed as [row block][column][row in block].
pub(super) struct PackedMatrix {
    cols: usize,
    weights: Vec<[f32; ROWS]>,
    bias: Vec<[f32; ROWS]>,
}

impl PackedMatrix {
    /// Packs the matrix whose entry is `at(row, column)`; `bias.len()` rows, a multiple of 32.
    pub(super) fn new(bias: &[f32], cols: usize, at: impl Fn(usize, usize) -> f32) -> Self {
        let (bias, rest) = bias.as_chunks::<ROWS>();
        debug_assert!(rest.is_empty(), "rows come in blocks of {ROWS}");
        let weights = (0..bias.len())
            .flat_map(|block| (0..cols).map(move |col| (block, col)))
            .map(|(block, col)| std::array::from_fn(|lane| at(block * ROWS + lane, col)))
            .collect();
        Self { cols, weights, bias: bias.to_vec() }
    }

    /// Writes `M x + b` to `y`; `x` has one value per column, `y` one per row. If `x` is shorter, it
    /// meets the last columns: a convolution's taps that hang over the beginning meet zeros.
    pub(super) fn apply(&self, x: &[f32], y: &mut [f32]) {
        let skipped = self.cols.saturating_sub(x.len());
        let (y, _) = y.as_chunks_mut::<ROWS>();
        for ((y, bias), weights) in y.iter_mut().zip(&self.bias).zip(self.weights.chunks_exact(self.cols)) {
            let mut sum = *bias;
            for (w, &x) in weights[skipped..].iter().zip(x) {
                add_scaled(&mut sum, w, x);
            }
            *y = sum;
        }
    }
}

/// A convolution of 3 taps, stride 1 and padding 1 over 4 steps, packed as [channel block][input][tap][channel].
pub(super) struct PackedConv {
    inputs: usize,
    weights: Vec<[[f32; CHANNELS]; TAPS]>,
    bias: Vec<[f32; CHANNELS]>,
}

impl PackedConv {
    /// Packs weights given as [output][input][tap]; `bias.len()` outputs, a multiple of 8.
    pub(super) fn new(weights: &[f32], bias: &[f32], inputs: usize) -> Self {
        let (bias, rest) = bias.as_chunks::<CHANNELS>();
        debug_assert!(rest.is_empty(), "channels come in blocks of {CHANNELS}");
        let at = |output: usize, input: usize, tap: usize| weights[(output * inputs + input) * TAPS + tap];
        let weights = (0..bias.len())
            .flat_map(|block| (0..inputs).map(move |input| (block, input)))
            .map(|(block, input)| {
                std::array::from_fn(|tap| std::array::from_fn(|lane| at(block * CHANNELS + lane, input, tap)))
            })
            .collect();
        Self { inputs, weights, bias: bias.to_vec() }
    }

    /// 4 steps of `N` inputs to 4 steps of `M` outputs, then ReLU.
    pub(super) fn apply<const N: usize, const M: usize>(&self, x: &[[f32; N]; 4], y: &mut [[f32; M]; 4]) {
        for (block, (weights, bias)) in self.weights.chunks_exact(self.inputs).zip(&self.bias).enumerate() {
            let [mut y0, mut y1, mut y2, mut y3] = [*bias; 4];
            for (input, w) in weights.iter().enumerate().take(N) {
                let [x0, x1, x2, x3] = [x[0][input], x[1][input], x[2][input], x[3][input]];
                for lane in 0..CHANNELS {
                    y0[lane] += w[1][lane] * x0 + w[2][lane] * x1;
                    y1[lane] += w[0][lane] * x0 + w[1][lane] * x1 + w[2][lane] * x2;
                    y2[lane] += w[0][lane] * x1 + w[1][lane] * x2 + w[2][lane] * x3;
                    y3[lane] += w[0][lane] * x2 + w[1][lane] * x3;
                }
            }
            for (y, sums) in y.iter_mut().zip([y0, y1, y2, y3]) {
                store_relu(y, block, sums);
            }
        }
    }
}

/// `sum += weights * x`, lane by lane.
#[inline(always)]
fn add_scaled<const N: usize>(sum: &mut [f32; N], weights: &[f32; N], x: f32) {
    for lane in 0..N {
        sum[lane] += weights[lane] * x;
    }
}

fn store_relu<const M: usize>(y: &mut [f32; M], block: usize, sums: [f32; CHANNELS]) {
    if let Some(y) = y.as_chunks_mut::<CHANNELS>().0.get_mut(block) {
        *y = sums;
        relu(y);
    }
}

/// Replaces what is not above 0 by 0, NaN included.
pub(super) fn relu(values: &mut [f32]) {
    for value in values {
        *value = if *value > 0.0 { *value } else { 0.0 };
    }
}

/// One LSTM step from the gates' sums [input, forget, cell, output] x `N`: updates cell and hidden state.
pub(super) fn lstm_step<const N: usize>(gates: &[[f32; N]; 4], cell: &mut [f32; N], hidden: &mut [f32; N]) {
    let [input, forget, candidate, output] = gates;
    for i in 0..N {
        cell[i] = sigmoid(forget[i]) * cell[i] + sigmoid(input[i]) * tanh(candidate[i]);
        hidden[i] = sigmoid(output[i]) * tanh(cell[i]);
    }
}

/// The logistic function, within 3e-7.
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[inline(always)]
fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (1.0 + exp(2.0 * x))
}

/// e^x by range reduction and a polynomial, clamped to finite results; relative error below 4e-7. It has
/// no branch and no table, so a loop over it is vectorized.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low mantissa bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, so that n * LN2_HIGH is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // NaN fails the comparison and becomes the bound.
    let x = if x < 80.0 { x } else { 80.0 };
    let x = if x > -80.0 { x } else { -80.0 };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    // Taylor up to r^6 / 720 on |r| <= ln 2 / 2.
    let tail = 0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0))));
    let mantissa = 1.0 + r + r * r * tail;
    let power = f32::from_bits((shifted.to_bits().wrapping_add(127)) << 23);
    mantissa * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(i: usize) -> f32 {
        ((i * 37 + 11) % 101) as f32 / 50.0 - 1.0
    }

    #[test]
    fn exp_is_within_4e_7_of_the_exact_value() {
        for i in -7_900..7_900 {
            let x = i as f32 / 100.0;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 4e-7, "exp({x}) is off by {error:e}");
        }
    }

    #[test]
    fn gates_saturate_and_stay_finite() {
        for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30] {
            assert!((0.0..=1.0).contains(&sigmoid(x)) && tanh(x).abs() <= 1.0, "at {x}");
        }
        assert_eq!((sigmoid(100.0), tanh(-100.0)), (1.0, -1.0));
    }

    #[test]
    fn packed_matrix_equals_the_plain_product() {
        let (rows, cols) = (64, 5);
        let at = |row: usize, col: usize| value(row * cols + col);
        let bias: Vec<f32> = (0..rows).map(|i| value(i + 7)).collect();
        let x: Vec<f32> = (0..cols).map(|i| value(i + 3)).collect();
        let mut y = vec![0.0; rows];
        PackedMatrix::new(&bias, cols, at).apply(&x, &mut y);
        for row in 0..rows {
            let plain = bias[row] + (0..cols).map(|col| at(row, col) * x[col]).sum::<f32>();
            assert!((y[row] - plain).abs() < 1e-5);
        }
    }

    #[test]
    fn a_shorter_input_meets_the_last_columns() {
        let matrix = PackedMatrix::new(&[1.0; ROWS], 3, |row, col| (row * 3 + col) as f32);
        let (mut padded, mut short) = ([0.0; ROWS], [0.0; ROWS]);
        matrix.apply(&[0.0, 2.0, 5.0], &mut padded);
        matrix.apply(&[2.0, 5.0], &mut short);
        assert_eq!(padded, short);
    }

    /// A convolution as its definition says, padding and all.
    fn plain_conv(w: &[f32], bias: &[f32], x: &[[f32; 3]; 4], output: usize, step: usize) -> f32 {
        let mut sum = bias[output];
        for input in 0..3 {
            for tap in 0..3 {
                let at = (step + tap).checked_sub(1).and_then(|at| x.get(at));
                sum += at.map_or(0.0, |x| x[input]) * w[(output * 3 + input) * 3 + tap];
            }
        }
        sum.max(0.0)
    }

    #[test]
    fn a_packed_convolution_equals_the_definition() {
        let w: Vec<f32> = (0..16 * 9).map(value).collect();
        let bias: Vec<f32> = (0..16).map(|i| value(i + 5)).collect();
        let x: [[f32; 3]; 4] = std::array::from_fn(|t| std::array::from_fn(|i| value(t * 3 + i + 50)));
        let conv = PackedConv::new(&w, &bias, 3);
        let mut y = [[0.0; 16]; 4];
        conv.apply(&x, &mut y);
        for (step, y) in y.iter().enumerate() {
            for (output, y) in y.iter().enumerate() {
                assert!((y - plain_conv(&w, &bias, &x, output, step)).abs() < 1e-5);
            }
        }
    }
}
