//! The first convolution: 3 taps over 4 steps, padded with a step of zeros at both ends.
//!
//! By its definition the four outputs of an input and a channel are
//!
//! ```text
//! y0 =         w1 x0 + w2 x1        y2 = w0 x1 + w1 x2 + w2 x3
//! y1 = w0 x0 + w1 x1 + w2 x2        y3 = w0 x2 + w1 x3
//! ```
//! Of these ten products eight suffice, because neighbours share one:
//!
//! ```text
//! s = w1 (x0 + x1)                  t = w1 (x2 + x3)
//! y0 = s + (w2 - w1) x1             y2 = t + (w2 - w1) x3 + w0 x1
//! y1 = s + (w0 - w1) x0 + w2 x2     y3 = t + (w0 - w1) x2
//! ```

use super::activation::relu;
use super::lines::{LINE, Line, Registers, add_scaled};

const TAPS: usize = 3;
const STEPS: usize = 4;

/// A convolution of 3 taps, stride 1 and padding 1 over 4 steps, from `N` inputs to `M` channels, a
/// multiple of 16; packed as [line of channels][input][tap][channel in line].
pub(super) struct PackedConv<const N: usize, const M: usize> {
    weights: Vec<[Line; TAPS]>,
    bias: Vec<Line>,
}

impl<const N: usize, const M: usize> PackedConv<N, M> {
    /// Packs `M` x `N` x 3 weights, given as [channel][input][tap], and `M` biases.
    pub(super) fn new(weights: &[f32], bias: &[f32]) -> Self {
        debug_assert_eq!((weights.len(), bias.len()), (M * N * TAPS, M));
        debug_assert!(M.is_multiple_of(LINE), "channels come in lines of {LINE}");
        let at = |channel: usize, input: usize, tap: usize| weights[(channel * N + input) * TAPS + tap];
        let channels = || (0..M).step_by(LINE);
        Self {
            weights: channels()
                .flat_map(|channel| (0..N).map(move |input| (channel, input)))
                .map(|(channel, input)| {
                    std::array::from_fn(|tap| Line::from_fn(|i| at(channel + i, input, tap)))
                })
                .collect(),
            bias: channels().map(|channel| Line::from_fn(|i| bias[channel + i])).collect(),
        }
    }

    /// 4 steps of each input to 4 steps of all channels, then ReLU.
    #[inline(always)]
    pub(super) fn apply<T: Registers>(&self, x: &[[f32; N]; STEPS], y: &mut [[f32; M]; STEPS]) {
        let mut pairs = [[0.0; N]; 2];
        for i in 0..N {
            pairs[0][i] = x[0][i] + x[1][i];
            pairs[1][i] = x[2][i] + x[3][i];
        }
        match T::WIDTH {
            16 => self.apply_by::<T, 16>(x, &pairs, y),
            8 => self.apply_by::<T, 8>(x, &pairs, y),
            _ => self.apply_by::<T, 4>(x, &pairs, y),
        }
    }

    /// Computes `W` channels at once.
    #[inline(always)]
    fn apply_by<T: Registers, const W: usize>(
        &self,
        x: &[[f32; N]; STEPS],
        pairs: &[[f32; N]; 2],
        y: &mut [[f32; M]; STEPS],
    ) {
        for (line, (weights, bias)) in self.weights.as_chunks::<N>().0.iter().zip(&self.bias).enumerate() {
            for part in 0..LINE / W {
                let sums = sums::<T, W, N>(weights, bias.part(part), part, x, pairs);
                for (y, sums) in y.iter_mut().zip(sums) {
                    y.as_chunks_mut().0[line * (LINE / W) + part] = sums;
                }
            }
        }
    }
}

/// The outputs of the `W` channels that are part `part` of a line. Every sum has a variable of its own,
/// and none is added to twice in a round: additions in a row would wait for each other.
#[inline(always)]
fn sums<T: Registers, const W: usize, const N: usize>(
    weights: &[[Line; TAPS]; N],
    bias: &[f32; W],
    part: usize,
    [x0, x1, x2, x3]: &[[f32; N]; STEPS],
    [x01, x23]: &[[f32; N]; 2],
) -> [[f32; W]; STEPS] {
    let [mut s, mut t] = [*bias; 2];
    let [mut y0, mut y1, mut y2, mut y3, mut y1_from_x2, mut y2_from_x1] = [[0.0; W]; 6];
    for (input, [w0, w1, w2]) in weights.iter().enumerate() {
        let [w0, w1, w2]: [&[f32; W]; TAPS] = [w0.part(part), w1.part(part), w2.part(part)];
        let (mut w01, mut w21) = (*w0, *w2);
        for i in 0..W {
            w01[i] -= w1[i];
            w21[i] -= w1[i];
        }
        add_scaled::<T, W>(&mut s, w1, x01[input]);
        add_scaled::<T, W>(&mut t, w1, x23[input]);
        add_scaled::<T, W>(&mut y1_from_x2, w2, x2[input]);
        add_scaled::<T, W>(&mut y2_from_x1, w0, x1[input]);
        add_scaled::<T, W>(&mut y0, &w21, x1[input]);
        add_scaled::<T, W>(&mut y1, &w01, x0[input]);
        add_scaled::<T, W>(&mut y2, &w21, x3[input]);
        add_scaled::<T, W>(&mut y3, &w01, x2[input]);
    }
    for i in 0..W {
        y0[i] = relu(s[i] + y0[i]);
        y1[i] = relu(s[i] + y1[i] + y1_from_x2[i]);
        y2[i] = relu(t[i] + y2[i] + y2_from_x1[i]);
        y3[i] = relu(t[i] + y3[i]);
    }
    [y0, y1, y2, y3]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::{Isa, per_isa};

    per_isa! {
        fn apply(conv: &PackedConv<3, 32>, x: &[[f32; 3]; 4], y: &mut [[f32; 32]; 4]) = apply_body;
    }

    #[inline(always)]
    fn apply_body<T: Registers>(conv: &PackedConv<3, 32>, x: &[[f32; 3]; 4], y: &mut [[f32; 32]; 4]) {
        conv.apply::<T>(x, y);
    }

    fn value(i: usize) -> f32 {
        ((i * 37 + 11) % 101) as f32 / 50.0 - 1.0
    }

    /// A convolution as its definition says, padding and all.
    fn plain(w: &[f32], bias: &[f32], x: &[[f32; 3]; 4], channel: usize, step: usize) -> f32 {
        let mut sum = bias[channel];
        for input in 0..3 {
            for tap in 0..3 {
                let at = (step + tap).checked_sub(1).and_then(|at| x.get(at));
                sum += at.map_or(0.0, |x| x[input]) * w[(channel * 3 + input) * 3 + tap];
            }
        }
        sum.max(0.0)
    }

    #[test]
    fn a_packed_convolution_equals_the_definition_with_every_instruction_set() {
        let w: Vec<f32> = (0..32 * 9).map(value).collect();
        let bias: Vec<f32> = (0..32).map(|i| value(i + 5)).collect();
        let x: [[f32; 3]; 4] = std::array::from_fn(|t| std::array::from_fn(|i| value(t * 3 + i + 50)));
        let conv = PackedConv::new(&w, &bias);
        for isa in Isa::available() {
            let mut y = [[f32::NAN; 32]; 4];
            apply(isa, &conv, &x, &mut y);
            for (step, y) in y.iter().enumerate() {
                for (channel, y) in y.iter().enumerate() {
                    let plain = plain(&w, &bias, &x, channel, step);
                    assert!((y - plain).abs() < 1e-5, "channel {channel}, step {step} with {isa}");
                }
            }
        }
    }
}
