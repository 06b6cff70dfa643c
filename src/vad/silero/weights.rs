//! Silero v6's 16 kHz network as packed for the kernels.
//!
//! Taken from the tensors of `silero_vad_16k_op15.onnx` by name, with every shape checked. A frame
//! of 512 samples gives four spectra, and strides and padding leave few places where a tap meets
//! real data: the convolutions after the first become plain matrices here, and taps that only ever meet
//! padding are dropped.

use std::f64::consts::TAU;

use super::SileroError;
use super::conv::PackedConv;
use super::matrix::PackedMatrix;
use super::onnx::{self, Tensor};

/// Frequency bins of one spectrum: 0 to 8 kHz in 62.5 Hz steps.
pub(super) const BINS: usize = 129;
/// Width of the LSTM and of its input.
pub(super) const HIDDEN: usize = 128;
/// Channels between the second and the third convolution.
pub(super) const NARROW: usize = 64;
/// Points of the Fourier transform.
pub(super) const FFT_LEN: usize = 256;
const TAPS: usize = 3;

/// Everything a frame is multiplied with; about 890 kB.
pub(super) struct Weights {
    /// 129 bins -> 128 channels, over 4 spectra.
    pub(super) conv1: PackedConv<BINS, HIDDEN>,
    /// 3 steps x 128 -> 64 channels, 1 step; applied to steps (-), 0, 1 and to 1, 2, 3.
    pub(super) conv2: PackedMatrix<{ TAPS * HIDDEN }>,
    /// 2 steps x 64 -> 64 channels, 1 step.
    pub(super) conv3: PackedMatrix<{ 2 * NARROW }>,
    /// 64 -> 128 channels.
    pub(super) conv4: PackedMatrix<NARROW>,
    /// [input 128, hidden 128] -> input, forget, cell and output gates, 128 each.
    pub(super) lstm: PackedMatrix<{ 2 * HIDDEN }>,
    /// Hidden state -> logit.
    pub(super) out: Vec<f32>,
    /// The logit's bias.
    pub(super) out_bias: f32,
}

impl Weights {
    /// Reads and checks the tensors of the ONNX model in `file`.
    pub(super) fn from_onnx(file: &[u8]) -> Result<Self, SileroError> {
        let tensors = onnx::tensors(file)?;
        let get = |name, shape| floats(&tensors, name, shape);

        check_basis(&get("model.stft.forward_basis_buffer", &[258, 1, 256])?)?;
        let conv1 = get("model.encoder.0.reparam_conv.weight", &[128, 129, 3])?;
        let conv2 = get("model.encoder.1.reparam_conv.weight", &[64, 128, 3])?;
        let conv3 = get("model.encoder.2.reparam_conv.weight", &[64, 64, 3])?;
        let conv4 = get("model.encoder.3.reparam_conv.weight", &[128, 64, 3])?;
        let w_ih = get("model.decoder.rnn.weight_ih", &[512, 128])?;
        let w_hh = get("model.decoder.rnn.weight_hh", &[512, 128])?;
        let mut gate_bias = get("model.decoder.rnn.bias_ih", &[512])?;
        for (bias, recurrent) in gate_bias.iter_mut().zip(get("model.decoder.rnn.bias_hh", &[512])?) {
            *bias += recurrent;
        }
        let out_bias = get("model.decoder.decoder.2.bias", &[1])?;

        Ok(Self {
            conv1: PackedConv::new(&conv1, &get("model.encoder.0.reparam_conv.bias", &[128])?),
            conv2: PackedMatrix::new(&get("model.encoder.1.reparam_conv.bias", &[64])?, |row, col| {
                conv2[(row * HIDDEN + col % HIDDEN) * TAPS + col / HIDDEN]
            }),
            // Stride 2, padding 1, 2 steps in, 1 out: step 0 meets tap 1, step 1 tap 2.
            conv3: PackedMatrix::new(&get("model.encoder.2.reparam_conv.bias", &[64])?, |row, col| {
                conv3[(row * NARROW + col % NARROW) * TAPS + 1 + col / NARROW]
            }),
            // One step in, one out: only the middle tap meets it.
            conv4: PackedMatrix::new(&get("model.encoder.3.reparam_conv.bias", &[128])?, |row, col| {
                conv4[(row * NARROW + col) * TAPS + 1]
            }),
            lstm: PackedMatrix::new(&gate_bias, |row, col| match col.checked_sub(HIDDEN) {
                None => w_ih[row * HIDDEN + col],
                Some(col) => w_hh[row * HIDDEN + col],
            }),
            out: get("model.decoder.decoder.2.weight", &[1, 128, 1])?,
            out_bias: out_bias[0],
        })
    }
}

/// The values of tensor `name`, once its shape, length and finiteness are checked.
fn floats(
    tensors: &[Tensor<'_>],
    name: &'static str,
    shape: &'static [u64],
) -> Result<Vec<f32>, SileroError> {
    let tensor = tensors
        .iter()
        .find(|tensor| tensor.name == name && !tensor.raw.is_empty())
        .ok_or(SileroError::MissingTensor { name })?;
    if tensor.dims != shape {
        return Err(SileroError::Shape { name, expected: shape, found: tensor.dims.clone() });
    }
    let expected = shape.iter().product::<u64>() as usize * size_of::<f32>();
    if tensor.raw.len() != expected {
        return Err(SileroError::Length { name, expected, found: tensor.raw.len() });
    }
    let values: Vec<f32> = tensor
        .raw
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        .collect();
    if values.iter().any(|value| !value.is_finite()) {
        return Err(SileroError::NotFinite { name });
    }
    Ok(values)
}

/// A periodic Hann window of [`FFT_LEN`] points.
pub(super) fn hann() -> Vec<f32> {
    (0..FFT_LEN).map(|n| (0.5 - 0.5 * (TAU * n as f64 / FFT_LEN as f64).cos()) as f32).collect()
}

/// Checks that the exported front end, [real rows, imaginary rows] x 256, is the windowed DFT that
/// the spectrum is computed with: its rows are then not needed.
fn check_basis(basis: &[f32]) -> Result<(), SileroError> {
    let (real, imaginary) = basis.split_at(BINS * FFT_LEN);
    let window = hann();
    let turn: Vec<(f32, f32)> = (0..FFT_LEN)
        .map(|n| TAU * n as f64 / FFT_LEN as f64)
        .map(|angle| (angle.cos() as f32, -angle.sin() as f32))
        .collect();
    for (k, (real, imaginary)) in real.chunks_exact(FFT_LEN).zip(imaginary.chunks_exact(FFT_LEN)).enumerate()
    {
        for (n, ((re, im), hann)) in real.iter().zip(imaginary).zip(&window).enumerate() {
            let (cos, sin) = turn[k * n % FFT_LEN];
            if (re - hann * cos).abs() > 1e-5 || (im - hann * sin).abs() > 1e-5 {
                return Err(SileroError::FrontEnd);
            }
        }
    }
    Ok(())
}
