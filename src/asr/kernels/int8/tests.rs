//! Every instruction set against plain loops: sums of products bit for bit.

use proptest::prelude::*;

use super::*;
use crate::isa::Isa;

fn random(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = fastrand::Rng::with_seed(seed);
    (0..n).map(|_| rng.f32() * 2.0 - 1.0).collect()
}

/// The quantized value, from whichever form `isa` keeps it in.
fn plain(isa: Isa, value: i8) -> i32 {
    let mut probe = [0i8; 4];
    quantize(isa, &[0.0, 0.0, 0.0, 1.0], 4, &mut probe, &mut [0.0]);
    i32::from((value as u8 ^ probe[0] as u8) as i8)
}

/// The whole layer in plain integer and floating-point arithmetic, on the packed values.
fn definition(isa: Isa, x: Int8Rows<'_>, w: Int8Weights<'_>, outputs: usize) -> Vec<f32> {
    let k = w.inputs;
    let weight = |o: usize, i: usize| {
        let at = ((o / PANEL * (k / GROUP) + i / GROUP) * PANEL + o % PANEL) * GROUP + i % GROUP;
        i32::from(w.panels[at])
    };
    let mut out = Vec::new();
    for (r, scale) in x.scales.iter().enumerate() {
        for o in 0..outputs {
            let sum: i32 = (0..k).map(|i| plain(isa, x.values[r * k + i]) * weight(o, i)).sum();
            out.push(sum as f32 * (scale * w.scales[o]) + w.bias[o]);
        }
    }
    out
}

fn check(rows: usize, inputs: usize, outputs: usize, seed: u64) {
    let weights = random(outputs * inputs, seed);
    let (panels, scales, offsets) = pack(&weights, inputs);
    let padded = outputs.next_multiple_of(PANEL);
    let bias = random(padded, seed + 1);
    let w = Int8Weights { inputs, panels: &panels, scales: &scales, offsets: &offsets, bias: &bias };
    let x = random(rows * inputs, seed + 2);
    for isa in Isa::available() {
        let (mut values, mut row_scales) = (vec![0; rows * inputs], vec![0.0; rows]);
        quantize(isa, &x, inputs, &mut values, &mut row_scales);
        let q = Int8Rows { values: &values, scales: &row_scales };
        let mut out = vec![0.0; rows * padded];
        multiply(isa, q, w, 0..padded / PANEL, &mut out, padded, Epilogue::Store);
        let expected = definition(isa, q, w, outputs);
        for (r, (out, expected)) in out.chunks(padded).zip(expected.chunks(outputs)).enumerate() {
            for (o, (found, expected)) in out.iter().zip(expected).enumerate() {
                // The integer sums are equal; a fused last step may round differently.
                let tolerance = 1e-6 * expected.abs().max(1.0);
                assert!(
                    (found - expected).abs() <= tolerance,
                    "{isa} row {r} output {o}: {found} for {expected}"
                );
            }
        }
        // And the quantized product is near the product itself.
        let exact: f32 = (0..inputs).map(|i| x[i] * weights[i]).sum::<f32>() + bias[0];
        assert!((out[0] - exact).abs() < 0.02 * (inputs as f32).sqrt(), "{isa}: {} for {exact}", out[0]);
    }
}

#[test]
fn layers_of_whispers_shapes_equal_the_definition() {
    for (rows, inputs, outputs) in
        [(1, 384, 384), (32, 384, 192), (7, 1536, 64), (2, 240, 100), (5, 4, 65), (3, 12, 1)]
    {
        check(rows, inputs, outputs, 3);
    }
}

#[test]
fn extreme_values_do_not_overflow() {
    // All weights and activations at the limit, with equal and with opposite signs.
    for sign in [1.0f32, -1.0] {
        let (panels, scales, offsets) = pack(&vec![sign; PANEL * 64], 64);
        let bias = [0.0; PANEL];
        let w = Int8Weights { inputs: 64, panels: &panels, scales: &scales, offsets: &offsets, bias: &bias };
        for isa in Isa::available() {
            let (mut values, mut row_scales) = ([0; 128], [0.0; 2]);
            let x: Vec<f32> = (0..128).map(|i| if i < 64 { 1.0 } else { -1.0 }).collect();
            quantize(isa, &x, 64, &mut values, &mut row_scales);
            let mut out = [0.0; 2 * PANEL];
            let rows = Int8Rows { values: &values, scales: &row_scales };
            multiply(isa, rows, w, 0..1, &mut out, PANEL, Epilogue::Store);
            assert!(out[..PANEL].iter().all(|y| (y - 64.0 * sign).abs() < 1e-4), "{isa} {out:?}");
            assert!(out[PANEL..].iter().all(|y| (y + 64.0 * sign).abs() < 1e-4), "{isa}");
        }
    }
}

#[test]
fn rows_of_zeros_stay_zeros() {
    for isa in Isa::available() {
        let (panels, scales, offsets) = pack(&random(PANEL * 8, 1), 8);
        let bias = [0.5; PANEL];
        let w = Int8Weights { inputs: 8, panels: &panels, scales: &scales, offsets: &offsets, bias: &bias };
        let (mut values, mut row_scales) = ([7; 8], [7.0; 1]);
        quantize(isa, &[0.0; 8], 8, &mut values, &mut row_scales);
        let mut out = [0.0; PANEL];
        let rows = Int8Rows { values: &values, scales: &row_scales };
        multiply(isa, rows, w, 0..1, &mut out, PANEL, Epilogue::Add);
        assert_eq!(out, [0.5; PANEL], "{isa}");
    }
}

#[test]
fn an_unpacked_row_is_the_row_to_within_half_a_step() {
    let weights = random(70 * 12, 5);
    let (panels, scales, offsets) = pack(&weights, 12);
    let w = Int8Weights { inputs: 12, panels: &panels, scales: &scales, offsets: &offsets, bias: &[] };
    let mut row = [0.0; 12];
    for output in [0, 63, 64, 69] {
        unpack_row(w, output, &mut row);
        for (found, expected) in row.iter().zip(&weights[output * 12..]) {
            assert!((found - expected).abs() <= scales[output] * 0.501);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn any_shape_equals_the_definition(rows in 1usize..14, groups in 1usize..40, outputs in 1usize..150, seed: u64) {
        check(rows, groups * GROUP, outputs, seed);
    }
}
