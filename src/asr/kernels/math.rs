//! Elementwise functions and reductions, written so that loops over them are vectorized.

use crate::isa::{Target, per_isa};

/// Values that reductions keep apart, so that they need no order.
const LANES: usize = 32;

/// e^x by range reduction and a polynomial, 0 below -87 and clamped at e^87; relative error below 4e-7.
#[inline(always)]
pub(super) fn exp<T: Target>(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low mantissa bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, so that n * LN2_HIGH is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let bounded = if x < 87.0 { x } else { 87.0 };
    let bounded = if bounded > -87.0 { bounded } else { -87.0 };
    let shifted = T::mul_add(bounded, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = T::mul_add(n, -LN2_LOW, T::mul_add(n, -LN2_HIGH, bounded));
    // Taylor up to r^6 / 720 on |r| <= ln 2 / 2.
    let mut tail = T::mul_add(r, 1.0 / 720.0, 1.0 / 120.0);
    tail = T::mul_add(r, tail, 1.0 / 24.0);
    tail = T::mul_add(r, tail, 1.0 / 6.0);
    tail = T::mul_add(r, tail, 0.5);
    let mantissa = T::mul_add(r * r, tail, 1.0 + r);
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    if x < -87.0 { 0.0 } else { mantissa * power }
}

/// `x · Φ(x)` by the error function (Abramowitz and Stegun 7.1.26, |error| < 1.5e-7), not by tanh.
#[inline(always)]
pub(super) fn gelu<T: Target>(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / T::mul_add(z, 0.327_591_1, 1.0);
    let mut p = T::mul_add(t, 1.061_405_4, -1.453_152_1);
    p = T::mul_add(t, p, 1.421_413_8);
    p = T::mul_add(t, p, -0.284_496_72);
    p = T::mul_add(t, p, 0.254_829_6);
    // erfc of |x| / sqrt 2, halved: what is missing to 1.
    let missing = 0.5 * (p * t * exp::<T>(-z * z));
    let phi = if x >= 0.0 { 1.0 - missing } else { missing };
    x * phi
}

per_isa! {
    /// Layer norm, epsilon 1e-5, of each row of `x`, as long as `weight`, into `out`.
    pub(crate) fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32]) = layer_norm_body;
}

#[inline(always)]
fn layer_norm_body<T: Target>(x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32]) {
    let d = weight.len();
    for (x, out) in x.chunks_exact(d).zip(out.chunks_exact_mut(d)) {
        let mean = sum(x.iter().copied()) / d as f32;
        let variance = {
            let (blocks, rest) = x.as_chunks::<LANES>();
            let mut squares = [0f32; LANES];
            for block in blocks {
                for lane in 0..LANES {
                    let off = block[lane] - mean;
                    squares[lane] = T::mul_add(off, off, squares[lane]);
                }
            }
            (fold(squares) + rest.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>()) / d as f32
        };
        let scale = 1.0 / (variance + 1e-5).sqrt();
        for (((out, x), w), b) in out.iter_mut().zip(x).zip(weight).zip(bias) {
            *out = T::mul_add((x - mean) * scale, *w, *b);
        }
    }
}

/// The sum over lanes, halving: the same order for every instruction set.
#[inline(always)]
fn fold(lanes: [f32; LANES]) -> f32 {
    let mut lanes = lanes;
    let mut n = LANES / 2;
    while n > 0 {
        for i in 0..n {
            lanes[i] += lanes[i + n];
        }
        n /= 2;
    }
    lanes[0]
}

#[inline(always)]
fn sum(values: impl ExactSizeIterator<Item = f32>) -> f32 {
    let mut lanes = [0f32; LANES];
    let mut values = values;
    while values.len() >= LANES {
        for lane in &mut lanes {
            *lane += values.next().unwrap_or(0.0);
        }
    }
    let rest: f32 = values.sum();
    fold(lanes) + rest
}

/// The largest value; minus infinity if there is none.
#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    let (blocks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for block in blocks {
        for lane in 0..LANES {
            lanes[lane] = if block[lane] > lanes[lane] { block[lane] } else { lanes[lane] };
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |m, x| if *x > m { *x } else { m })
}

/// Replaces `x` by `exp(x - max)` and returns the sum.
#[inline(always)]
fn exp_in_place<T: Target>(x: &mut [f32], max: f32) -> f32 {
    let (blocks, rest) = x.as_chunks_mut::<LANES>();
    let mut lanes = [0f32; LANES];
    for block in blocks {
        for lane in 0..LANES {
            block[lane] = exp::<T>(block[lane] - max);
            lanes[lane] += block[lane];
        }
    }
    let mut total = fold(lanes);
    for x in rest {
        *x = exp::<T>(*x - max);
        total += *x;
    }
    total
}

/// Softmax of `x + bias` in place, without the division; returns what to divide by.
#[inline(always)]
pub(super) fn softmax_unscaled<T: Target>(x: &mut [f32], bias: &[f32]) -> f32 {
    for (x, b) in x.iter_mut().zip(bias) {
        *x += b;
    }
    let max = largest(x);
    exp_in_place::<T>(x, max)
}

per_isa! {
    /// `ln Σ exp(x)`; minus infinity where every value is.
    pub(crate) fn log_sum_exp(x: &[f32]) -> f32 = log_sum_exp_body;
}

#[inline(always)]
fn log_sum_exp_body<T: Target>(x: &[f32]) -> f32 {
    let max = largest(x);
    if max == f32::NEG_INFINITY {
        return max;
    }
    let (blocks, rest) = x.as_chunks::<LANES>();
    let mut lanes = [0f32; LANES];
    for block in blocks {
        for lane in 0..LANES {
            lanes[lane] += exp::<T>(block[lane] - max);
        }
    }
    max + (fold(lanes) + rest.iter().map(|x| exp::<T>(x - max)).sum::<f32>()).ln()
}

per_isa! {
    /// The largest value; minus infinity if there is none.
    pub(crate) fn maximum(x: &[f32]) -> f32 = maximum_body;
}

#[inline(always)]
fn maximum_body<T: Target>(x: &[f32]) -> f32 {
    largest(x)
}

/// Where the largest value is, the first of equals; 0 if there is none.
pub(crate) fn index_of_maximum(isa: crate::isa::Isa, x: &[f32]) -> usize {
    let max = maximum(isa, x);
    x.iter().position(|x| *x == max).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::{Baseline, Isa};

    #[test]
    fn exp_is_within_4e_7_of_the_exact_value() {
        for i in -8_600..8_600 {
            let x = i as f32 / 100.0;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp::<Baseline>(x)) - exact).abs() / exact;
            assert!(error < 4e-7, "exp({x}) is off by {error:e}");
        }
        assert_eq!(exp::<Baseline>(f32::NEG_INFINITY), 0.0);
    }

    /// Φ by the series of the error function, in f64.
    fn exact_gelu(x: f64) -> f64 {
        let z = x / std::f64::consts::SQRT_2;
        let mut term = z;
        let mut erf = z;
        for n in 1..200 {
            term *= -z * z / f64::from(n);
            erf += term / f64::from(2 * n + 1);
        }
        0.5 * x * (1.0 + erf * std::f64::consts::FRAC_2_SQRT_PI)
    }

    #[test]
    fn gelu_is_the_exact_one_not_the_approximation_by_tanh() {
        for i in -400..=400 {
            let x = i as f32 / 100.0;
            let error = f64::from(gelu::<Baseline>(x)) - exact_gelu(f64::from(x));
            assert!(error.abs() < 1.5e-6, "gelu({x}) is off by {error:e}");
        }
        assert_eq!((gelu::<Baseline>(-40.0), gelu::<Baseline>(40.0)), (0.0, 40.0));
    }

    fn values(n: usize) -> Vec<f32> {
        let mut rng = fastrand::Rng::with_seed(n as u64);
        (0..n).map(|_| rng.f32() * 8.0 - 4.0).collect()
    }

    #[test]
    fn every_instruction_set_agrees_with_the_definition() {
        for isa in Isa::available() {
            for n in [1, 31, 32, 384, 1501] {
                let x = values(n);
                let exact = x.iter().map(|x| f64::from(*x).exp()).sum::<f64>().ln();
                assert!((f64::from(log_sum_exp(isa, &x)) - exact).abs() < 1e-5, "{isa} {n}");
                let best = (0..n).max_by(|&a, &b| x[a].total_cmp(&x[b])).unwrap();
                assert_eq!(index_of_maximum(isa, &x), best, "{isa} {n}");
            }
            let (x, w, b) = (values(3 * 384), values(384), values(384));
            let mut out = vec![0.0; 3 * 384];
            layer_norm(isa, &x, &w, &b, &mut out);
            for (x, out) in x.chunks_exact(384).zip(out.chunks_exact(384)) {
                let mean = x.iter().map(|x| f64::from(*x)).sum::<f64>() / 384.0;
                let variance = x.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / 384.0;
                for i in 0..384 {
                    let exact = (f64::from(x[i]) - mean) / (variance + 1e-5).sqrt() * f64::from(w[i])
                        + f64::from(b[i]);
                    assert!((f64::from(out[i]) - exact).abs() < 1e-5, "{isa}");
                }
            }
        }
    }

    #[test]
    fn nothing_allowed_sums_to_nothing() {
        for isa in Isa::available() {
            assert_eq!(log_sum_exp(isa, &[f32::NEG_INFINITY; 40]), f32::NEG_INFINITY);
            assert_eq!(index_of_maximum(isa, &[2.0, 7.0, 7.0]), 1);
        }
    }
}
