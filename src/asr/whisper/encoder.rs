//! The audio encoder: log-mel spectrogram to audio states.

use candle_core::{Device, Result, Tensor};

use super::dims::ModelDims;
use super::layers::{FeedForward, LayerNorm, SelfAttention, Weights, attention_weights};
use super::load::LoadError;
use super::log_mel::LogMelSpectrogram;

/// Two convolutions (the second halves the rate to 50 positions a second) and transformer blocks.
pub(super) struct Encoder {
    conv1: Convolution,
    conv2: Convolution,
    positions: Tensor,
    blocks: Vec<Block>,
    norm: LayerNorm,
}

struct Convolution {
    weight: Tensor,
    bias: Tensor,
    stride: usize,
}

struct Block {
    attention: SelfAttention,
    feed_forward: FeedForward,
}

impl Encoder {
    pub(super) fn new(weights: &mut Weights<'_>, dims: &ModelDims) -> std::result::Result<Self, LoadError> {
        let d = dims.d_model;
        let mut convolution = |name: &str, input: usize, stride: usize| {
            Ok::<_, LoadError>(Convolution {
                weight: weights.take(&format!("encoder.{name}.weight"), &[d, input, 3])?,
                bias: weights.take(&format!("encoder.{name}.bias"), &[d])?.reshape((1, d, 1))?,
                stride,
            })
        };
        Ok(Self {
            conv1: convolution("conv1", dims.n_mels, 1)?,
            conv2: convolution("conv2", d, 2)?,
            positions: weights.take("encoder.embed_positions.weight", &[dims.n_audio_ctx, d])?,
            blocks: (0..dims.n_audio_layers)
                .map(|i| {
                    let name = format!("encoder.layers.{i}");
                    Ok(Block {
                        attention: weights.self_attention(&name, d)?,
                        feed_forward: weights.feed_forward(&name, d)?,
                    })
                })
                .collect::<std::result::Result<_, LoadError>>()?,
            norm: weights.layer_norm("encoder.layer_norm", d)?,
        })
    }

    /// `[n_mels, 3000]` to audio states `[1500, d_model]`.
    pub(super) fn forward(&self, mel: &LogMelSpectrogram) -> Result<Tensor> {
        let mel = Tensor::from_slice(&mel.values, (1, mel.n_mels, mel.n_frames), &Device::Cpu)?;
        let x = self.conv2.forward(&self.conv1.forward(&mel)?)?;
        let x = x.squeeze(0)?.t()?.contiguous()?;
        let mut x = (&x + &self.positions.narrow(0, 0, x.dim(0)?)?)?;
        for block in &self.blocks {
            let (q, k, v) = block.attention.project(&x)?;
            let heads = attention_weights(&q, &k, None)?.matmul(&v)?;
            x = block.attention.finish(&x, &heads)?;
            x = block.feed_forward.forward(&x)?;
        }
        self.norm.forward(&x)
    }
}

impl Convolution {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.conv1d(&self.weight, 1, self.stride, 1, 1)?.broadcast_add(&self.bias)?.gelu_erf()
    }
}
