//! The text decoder, one step at a time, with its key/value caches.
//!
//! Cross-attention keys and values are computed once per window ([`Decoder::listen`]);
//! self-attention keys and values grow by the tokens fed in each step, so a step costs what its own
//! tokens cost.

use candle_core::{Device, Result, Tensor};
use candle_nn::kv_cache::KvCache;

use super::dims::ModelDims;
use super::layers::{CrossAttention, FeedForward, LayerNorm, SelfAttention, Weights, attention_weights};
use super::load::LoadError;

/// Token and position embeddings, transformer blocks, and the embedding again as output layer.
pub(super) struct Decoder {
    embedding: Tensor,
    positions: Tensor,
    blocks: Vec<Block>,
    norm: LayerNorm,
    n_text_ctx: usize,
}

struct Block {
    attention: SelfAttention,
    cross: CrossAttention,
    feed_forward: FeedForward,
}

/// What the decoder remembers of one window: the audio, and the tokens so far.
pub(super) struct DecoderState {
    layers: Vec<LayerState>,
    /// Tokens fed so far.
    fed: usize,
}

struct LayerState {
    text: KvCache,
    audio_keys: Tensor,
    audio_values: Tensor,
}

impl DecoderState {
    /// Forgets the tokens and keeps the audio.
    pub(super) fn rewind(&mut self) {
        for layer in &mut self.layers {
            layer.text.reset();
        }
        self.fed = 0;
    }
}

/// Hidden states of the tokens of one step, `[tokens, d_model]`.
pub(super) struct Hidden(Tensor);

impl Decoder {
    pub(super) fn new(weights: &mut Weights<'_>, dims: &ModelDims) -> std::result::Result<Self, LoadError> {
        let d = dims.d_model;
        Ok(Self {
            embedding: weights.take("decoder.embed_tokens.weight", &[dims.n_vocab, d])?,
            positions: weights.take("decoder.embed_positions.weight", &[dims.n_text_ctx, d])?,
            blocks: (0..dims.n_text_layers)
                .map(|i| {
                    let name = format!("decoder.layers.{i}");
                    Ok(Block {
                        attention: weights.self_attention(&name, d)?,
                        cross: weights.cross_attention(&name, d)?,
                        feed_forward: weights.feed_forward(&name, d)?,
                    })
                })
                .collect::<std::result::Result<_, LoadError>>()?,
            norm: weights.layer_norm("decoder.layer_norm", d)?,
            n_text_ctx: dims.n_text_ctx,
        })
    }

    /// Prepares for a window's audio states `[positions, d_model]`.
    pub(super) fn listen(&self, audio: &Tensor) -> Result<DecoderState> {
        let layers = self
            .blocks
            .iter()
            .map(|block| {
                let (audio_keys, audio_values) = block.cross.keys_values(audio)?;
                Ok(LayerState { text: KvCache::new(1, self.n_text_ctx), audio_keys, audio_values })
            })
            .collect::<Result<_>>()?;
        Ok(DecoderState { layers, fed: 0 })
    }

    /// Feeds `tokens` after those fed before.
    pub(super) fn step(&self, state: &mut DecoderState, tokens: &[u32]) -> Result<Hidden> {
        self.run(state, tokens, |_, _| Ok(()))
    }

    /// Feeds `tokens` and shows each layer's cross-attention weights `[heads, tokens, positions]`.
    pub(super) fn step_with_attention(
        &self,
        state: &mut DecoderState,
        tokens: &[u32],
        attention: impl FnMut(usize, &Tensor) -> Result<()>,
    ) -> Result<Hidden> {
        self.run(state, tokens, attention)
    }

    fn run(
        &self,
        state: &mut DecoderState,
        tokens: &[u32],
        mut attention: impl FnMut(usize, &Tensor) -> Result<()>,
    ) -> Result<Hidden> {
        let ids = Tensor::from_slice(tokens, tokens.len(), &Device::Cpu)?;
        let positions = self.positions.narrow(0, state.fed, tokens.len())?;
        let mut x = (self.embedding.index_select(&ids, 0)? + positions)?;
        let mask = causal_mask(tokens.len(), state.fed)?;
        for (i, (block, layer)) in self.blocks.iter().zip(&mut state.layers).enumerate() {
            let (q, k, v) = block.attention.project(&x)?;
            let (k, v) = layer.text.append(&k, &v)?;
            let heads = attention_weights(&q, &k, mask.as_ref())?.matmul(&v.contiguous()?)?;
            x = block.attention.finish(&x, &heads)?;

            let q = block.cross.queries(&x)?;
            let weights = attention_weights(&q, &layer.audio_keys, None)?;
            attention(i, &weights)?;
            x = block.cross.finish(&x, &weights.matmul(&layer.audio_values)?)?;
            x = block.feed_forward.forward(&x)?;
        }
        state.fed += tokens.len();
        Ok(Hidden(self.norm.forward(&x)?))
    }

    /// Logits over the vocabulary at one token of a step; `None` is its last.
    pub(super) fn logits(&self, hidden: &Hidden, at: Option<usize>) -> Result<Vec<f32>> {
        let at = at.unwrap_or(hidden.0.dim(0)? - 1);
        let row = hidden.0.narrow(0, at, 1)?;
        row.matmul(&self.embedding.t()?)?.squeeze(0)?.to_vec1()
    }

    /// Longest token sequence, prompt included.
    pub(super) fn capacity(&self) -> usize {
        self.n_text_ctx
    }
}

/// `[tokens, fed + tokens]`: 0 where a token may look, minus infinity ahead of it. One token needs none.
fn causal_mask(tokens: usize, fed: usize) -> Result<Option<Tensor>> {
    if tokens == 1 {
        return Ok(None);
    }
    let total = fed + tokens;
    let mask: Vec<f32> = (0..tokens)
        .flat_map(|row| (0..total).map(move |col| if col > fed + row { f32::NEG_INFINITY } else { 0.0 }))
        .collect();
    Tensor::from_vec(mask, (tokens, total), &Device::Cpu).map(Some)
}
