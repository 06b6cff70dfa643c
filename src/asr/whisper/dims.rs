//! [`ModelDims`]: the sizes that define a Whisper model, read from the shapes of its weights.
//!
//! Weight formats disagree on which sizes they write down (CTranslate2 writes none), but every
//! checkpoint's tensors tell them, so shapes are the one source for all formats.

use std::collections::HashMap;

use candle_core::Tensor;

use super::load::LoadError;

/// Every published Whisper model has attention heads of 64 channels.
pub(super) const HEAD_DIM: usize = 64;

/// Sizes of a Whisper model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ModelDims {
    /// Mel bands of the spectrogram: 80, or 128 for large-v3.
    pub n_mels: usize,
    /// Encoder positions of a full window: 1500, 50 a second.
    pub n_audio_ctx: usize,
    /// Channels.
    pub d_model: usize,
    /// Attention heads, the same in encoder and decoder.
    pub n_heads: usize,
    /// Encoder blocks.
    pub n_audio_layers: usize,
    /// Decoder blocks.
    pub n_text_layers: usize,
    /// Longest token sequence, prompt included: 448.
    pub n_text_ctx: usize,
    /// Tokens, special ones included.
    pub n_vocab: usize,
}

/// What a computation takes; a multiplication with its addition counts as two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operations {
    /// In linear layers and convolutions.
    pub linear: f64,
    /// In products of queries, keys and values.
    pub attention: f64,
    /// Weights of the linear layers, each once.
    pub weights: f64,
}

impl ModelDims {
    /// Of the encoder over `positions`, the decoder's keys and values of them included.
    pub fn encoder_operations(&self, positions: usize) -> Operations {
        let (n, d) = (positions as f64, self.d_model as f64);
        let conv1 = 3.0 * self.n_mels as f64 * d;
        let rest = 3.0 * d * d + (12 * self.n_audio_layers + 2 * self.n_text_layers) as f64 * d * d;
        Operations {
            // The first convolution runs at twice the rate of positions.
            linear: 2.0 * n * (2.0 * conv1 + rest),
            attention: 4.0 * n * n * d * self.n_audio_layers as f64,
            weights: conv1 + rest,
        }
    }

    /// Of the decoder for one token that attends to `positions`; attention to earlier tokens is left out.
    pub fn token_operations(&self, positions: usize) -> Operations {
        let d = self.d_model as f64;
        let weights = 14.0 * d * d * self.n_text_layers as f64 + self.n_vocab as f64 * d;
        let attention = 4.0 * positions as f64 * d * self.n_text_layers as f64;
        Operations { linear: 2.0 * weights, attention, weights }
    }

    /// Reads the sizes off canonically named tensors.
    ///
    /// # Errors
    /// [`LoadError::MissingTensor`] or [`LoadError::Shape`] if they are not those of a Whisper model.
    pub(super) fn of(tensors: &HashMap<String, Tensor>) -> Result<Self, LoadError> {
        let [d_model, n_mels, _kernel] = shape(tensors, "encoder.conv1.weight")?;
        let [n_audio_ctx, _] = shape(tensors, "encoder.embed_positions.weight")?;
        let [n_text_ctx, _] = shape(tensors, "decoder.embed_positions.weight")?;
        let [n_vocab, _] = shape(tensors, "decoder.embed_tokens.weight")?;
        let dims = Self {
            n_mels,
            n_audio_ctx,
            d_model,
            n_heads: d_model / HEAD_DIM,
            n_audio_layers: count_layers(tensors, "encoder"),
            n_text_layers: count_layers(tensors, "decoder"),
            n_text_ctx,
            n_vocab,
        };
        dims.check()?;
        Ok(dims)
    }

    pub(super) fn check(&self) -> Result<(), LoadError> {
        let wrong = |what: &str| Err(LoadError::NotWhisper { why: what.to_owned() });
        if self.d_model == 0 || !self.d_model.is_multiple_of(HEAD_DIM) {
            return wrong("its width is not a multiple of the head size 64");
        }
        // Twice and more what the largest model has: sizes beyond it are damage.
        if self.d_model > 4096 || self.n_audio_layers > 128 || self.n_text_layers > 128 {
            return wrong("it is larger than any Whisper model");
        }
        if self.n_heads != self.d_model / HEAD_DIM {
            return wrong("its heads do not make up its width");
        }
        if self.n_mels != 80 && self.n_mels != 128 {
            return wrong("its spectrogram has neither 80 nor 128 mel bands");
        }
        if self.n_audio_layers == 0 || self.n_text_layers == 0 {
            return wrong("it has no encoder or no decoder blocks");
        }
        if self.n_vocab < 51_864 || self.n_vocab > 51_866 {
            return wrong("its vocabulary has none of Whisper's sizes (51864 to 51866)");
        }
        if self.n_audio_ctx != 1500 || self.n_text_ctx != 448 {
            return wrong("its window is not 1500 positions of audio and 448 tokens of text");
        }
        Ok(())
    }

    /// Whether it speaks other languages than English.
    pub fn is_multilingual(&self) -> bool {
        self.n_vocab >= 51_865
    }
}

fn shape<const N: usize>(tensors: &HashMap<String, Tensor>, name: &str) -> Result<[usize; N], LoadError> {
    let tensor = tensors.get(name).ok_or_else(|| LoadError::MissingTensor { name: name.to_owned() })?;
    <[usize; N]>::try_from(tensor.dims()).map_err(|_| LoadError::Shape {
        name: name.to_owned(),
        found: tensor.dims().to_vec(),
        expected: format!("{N} dimensions"),
    })
}

fn count_layers(tensors: &HashMap<String, Tensor>, side: &str) -> usize {
    (0..).take_while(|i| tensors.contains_key(&format!("{side}.layers.{i}.fc1.weight"))).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_full_window_of_tiny_takes_what_its_layers_add_up_to() {
        let dims = ModelDims {
            n_mels: 80,
            n_audio_ctx: 1500,
            d_model: 384,
            n_heads: 6,
            n_audio_layers: 4,
            n_text_layers: 4,
            n_text_ctx: 448,
            n_vocab: 51_864,
        };
        let encoder = dims.encoder_operations(1500);
        // 3 + 48 + 8 d^2 for the second convolution, 4 blocks and the decoder's keys and values; 0.18 M for the first.
        assert!((encoder.linear / 1e9 - 26.65).abs() < 0.02, "{encoder:?}");
        assert!((encoder.attention / 1e9 - 13.82).abs() < 0.01, "{encoder:?}");
        let token = dims.token_operations(320);
        assert!((token.weights / 1e6 - 28.17).abs() < 0.02, "{token:?}");
    }
}
