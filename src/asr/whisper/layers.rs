//! The three building blocks of a Whisper block: linear layer, layer norm, attention.
//!
//! Activations are `[positions, channels]`; heads are `[heads, positions, 64]`.

use std::collections::HashMap;

use candle_core::{D, Result, Tensor};
use candle_nn::ops::{layer_norm, softmax_last_dim};

use super::dims::HEAD_DIM;
use super::load::LoadError;

/// Canonically named tensors, taken one by one with their shapes checked.
pub(super) struct Weights<'a> {
    pub(super) tensors: &'a mut HashMap<String, Tensor>,
}

impl Weights<'_> {
    pub(super) fn take(&mut self, name: &str, shape: &[usize]) -> std::result::Result<Tensor, LoadError> {
        let tensor =
            self.tensors.remove(name).ok_or_else(|| LoadError::MissingTensor { name: name.to_owned() })?;
        if tensor.dims() != shape {
            return Err(LoadError::Shape {
                name: name.to_owned(),
                found: tensor.dims().to_vec(),
                expected: format!("{shape:?}"),
            });
        }
        Ok(tensor.contiguous()?)
    }

    fn linear(&mut self, name: &str, out: usize, input: usize) -> std::result::Result<Linear, LoadError> {
        Ok(Linear {
            weight: self.take(&format!("{name}.weight"), &[out, input])?,
            bias: self.take(&format!("{name}.bias"), &[out])?,
        })
    }

    /// Joins projections into one; keys have no bias in Whisper, so theirs is zero.
    fn fused(&mut self, names: &[String], d: usize) -> std::result::Result<Linear, LoadError> {
        let mut weights = Vec::new();
        let mut biases = Vec::new();
        for name in names {
            weights.push(self.take(&format!("{name}.weight"), &[d, d])?);
            let bias = format!("{name}.bias");
            biases.push(if self.tensors.contains_key(&bias) {
                self.take(&bias, &[d])?
            } else {
                Tensor::zeros(d, candle_core::DType::F32, &candle_core::Device::Cpu)?
            });
        }
        Ok(Linear { weight: Tensor::cat(&weights, 0)?, bias: Tensor::cat(&biases, 0)? })
    }

    pub(super) fn layer_norm(&mut self, name: &str, d: usize) -> std::result::Result<LayerNorm, LoadError> {
        Ok(LayerNorm {
            weight: self.take(&format!("{name}.weight"), &[d])?,
            bias: self.take(&format!("{name}.bias"), &[d])?,
        })
    }

    pub(super) fn self_attention(
        &mut self,
        block: &str,
        d: usize,
    ) -> std::result::Result<SelfAttention, LoadError> {
        let at = format!("{block}.self_attn");
        let qkv = ["q", "k", "v"].map(|p| format!("{at}.{p}_proj"));
        Ok(SelfAttention {
            norm: self.layer_norm(&format!("{block}.self_attn_layer_norm"), d)?,
            qkv: self.fused(&qkv, d)?,
            out: self.linear(&format!("{at}.out_proj"), d, d)?,
        })
    }

    pub(super) fn cross_attention(
        &mut self,
        block: &str,
        d: usize,
    ) -> std::result::Result<CrossAttention, LoadError> {
        let at = format!("{block}.encoder_attn");
        let kv = ["k", "v"].map(|p| format!("{at}.{p}_proj"));
        Ok(CrossAttention {
            norm: self.layer_norm(&format!("{block}.encoder_attn_layer_norm"), d)?,
            q: self.linear(&format!("{at}.q_proj"), d, d)?,
            kv: self.fused(&kv, d)?,
            out: self.linear(&format!("{at}.out_proj"), d, d)?,
        })
    }

    pub(super) fn feed_forward(
        &mut self,
        block: &str,
        d: usize,
    ) -> std::result::Result<FeedForward, LoadError> {
        Ok(FeedForward {
            norm: self.layer_norm(&format!("{block}.final_layer_norm"), d)?,
            up: self.linear(&format!("{block}.fc1"), 4 * d, d)?,
            down: self.linear(&format!("{block}.fc2"), d, 4 * d)?,
        })
    }
}

/// `x W^T + b`, weight `[out, in]`.
pub(super) struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)
    }
}

/// Layer norm over channels, epsilon 1e-5.
pub(super) struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
}

impl LayerNorm {
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        layer_norm(x, &self.weight, &self.bias, 1e-5)
    }
}

/// Norm, fused query/key/value projection, output projection.
pub(super) struct SelfAttention {
    norm: LayerNorm,
    qkv: Linear,
    out: Linear,
}

impl SelfAttention {
    /// Queries, keys and values of `x` as heads.
    pub(super) fn project(&self, x: &Tensor) -> Result<(Tensor, Tensor, Tensor)> {
        let qkv = self.qkv.forward(&self.norm.forward(x)?)?;
        let d = qkv.dim(D::Minus1)? / 3;
        let part = |i: usize| split_heads(&qkv.narrow(D::Minus1, i * d, d)?);
        Ok((part(0)?, part(1)?, part(2)?))
    }

    /// Adds the attention's answer to `x`.
    pub(super) fn finish(&self, x: &Tensor, heads: &Tensor) -> Result<Tensor> {
        x + self.out.forward(&merge_heads(heads)?)?
    }
}

/// Norm, query projection; keys and values come from the audio states.
pub(super) struct CrossAttention {
    norm: LayerNorm,
    q: Linear,
    kv: Linear,
    out: Linear,
}

impl CrossAttention {
    pub(super) fn queries(&self, x: &Tensor) -> Result<Tensor> {
        split_heads(&self.q.forward(&self.norm.forward(x)?)?)
    }

    /// Keys and values of audio states `[positions, d]`, as heads.
    pub(super) fn keys_values(&self, audio: &Tensor) -> Result<(Tensor, Tensor)> {
        let kv = self.kv.forward(audio)?;
        let d = kv.dim(D::Minus1)? / 2;
        Ok((split_heads(&kv.narrow(D::Minus1, 0, d)?)?, split_heads(&kv.narrow(D::Minus1, d, d)?)?))
    }

    pub(super) fn finish(&self, x: &Tensor, heads: &Tensor) -> Result<Tensor> {
        x + self.out.forward(&merge_heads(heads)?)?
    }
}

/// Norm, linear to four times the width, GELU (exact), linear back.
pub(super) struct FeedForward {
    norm: LayerNorm,
    up: Linear,
    down: Linear,
}

impl FeedForward {
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x + self.down.forward(&self.up.forward(&self.norm.forward(x)?)?.gelu_erf()?)?
    }
}

/// Attention weights `[heads, queries, keys]`; `mask` is added to the logits.
pub(super) fn attention_weights(q: &Tensor, k: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    let scale = 1.0 / (HEAD_DIM as f64).sqrt();
    let logits = (q * scale)?.matmul(&k.t()?)?;
    let logits = match mask {
        Some(mask) => logits.broadcast_add(mask)?,
        None => logits,
    };
    softmax_last_dim(&logits)
}

/// `[positions, d]` to `[heads, positions, 64]`.
fn split_heads(x: &Tensor) -> Result<Tensor> {
    let (t, d) = x.dims2()?;
    x.reshape((t, d / HEAD_DIM, HEAD_DIM))?.transpose(0, 1)?.contiguous()
}

/// `[heads, positions, 64]` to `[positions, d]`.
fn merge_heads(x: &Tensor) -> Result<Tensor> {
    let (h, t, c) = x.dims3()?;
    x.transpose(0, 1)?.reshape((t, h * c))
}
