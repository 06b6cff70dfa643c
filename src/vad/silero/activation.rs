//! What comes after the sums: ReLU, the gates of an LSTM.

use crate::isa::Target;

/// `x`, or 0 where it is not above 0, NaN included.
#[inline(always)]
pub(super) fn relu(x: f32) -> f32 {
    if x > 0.0 { x } else { 0.0 }
}

/// One LSTM step from the gates' sums [input, forget, cell, output] x `N`: updates cell and hidden state.
#[inline(always)]
pub(super) fn lstm_step<T: Target, const N: usize>(
    gates: &[[f32; N]; 4],
    cell: &mut [f32; N],
    hidden: &mut [f32; N],
) {
    let [input, forget, candidate, output] = gates;
    for i in 0..N {
        cell[i] = sigmoid::<T>(forget[i]) * cell[i] + sigmoid::<T>(input[i]) * tanh::<T>(candidate[i]);
        hidden[i] = sigmoid::<T>(output[i]) * tanh::<T>(cell[i]);
    }
}

/// The logistic function, within 3e-7.
#[inline(always)]
pub(super) fn sigmoid<T: Target>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<T>(-x))
}

#[inline(always)]
fn tanh<T: Target>(x: f32) -> f32 {
    1.0 - 2.0 / (1.0 + exp::<T>(2.0 * x))
}

/// e^x by range reduction and a polynomial, clamped to finite results; relative error below 4e-7. It has
/// no branch and no table, so a loop over it is vectorized.
#[inline(always)]
fn exp<T: Target>(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low mantissa bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, so that n * LN2_HIGH is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Taylor, r^6 / 720 first, on |r| <= ln 2 / 2.
    const TAYLOR: [f32; 7] = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    // NaN fails the comparison and becomes the bound.
    let x = if x < 80.0 { x } else { 80.0 };
    let x = if x > -80.0 { x } else { -80.0 };
    let shifted = T::mul_add(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = T::mul_add(n, -LN2_LOW, T::mul_add(n, -LN2_HIGH, x));
    let mantissa = TAYLOR.into_iter().fold(0.0, |sum, term| T::mul_add(sum, r, term));
    let power = f32::from_bits((shifted.to_bits().wrapping_add(127)) << 23);
    mantissa * power
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::{Isa, per_isa};

    per_isa! {
        fn exp_with(x: f32) -> f32 = exp;
    }
    per_isa! {
        fn sigmoid_with(x: f32) -> f32 = sigmoid;
    }
    per_isa! {
        fn tanh_with(x: f32) -> f32 = tanh;
    }

    #[test]
    fn exp_is_within_4e_7_of_the_exact_value() {
        for (isa, i) in Isa::available().flat_map(|isa| (-7_900..7_900).map(move |i| (isa, i))) {
            let x = i as f32 / 100.0;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp_with(isa, x)) - exact).abs() / exact;
            assert!(error < 4e-7, "exp({x}) is off by {error:e} with {isa}");
        }
    }

    #[test]
    fn gates_saturate_and_stay_finite() {
        for isa in Isa::available() {
            for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30] {
                let (sigmoid, tanh) = (sigmoid_with(isa, x), tanh_with(isa, x));
                assert!((0.0..=1.0).contains(&sigmoid) && tanh.abs() <= 1.0, "at {x} with {isa}");
            }
            assert_eq!((sigmoid_with(isa, 100.0), tanh_with(isa, -100.0)), (1.0, -1.0));
        }
    }
}
