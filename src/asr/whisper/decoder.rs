//! The text decoder, one step at a time, with its key/value caches.
//!
//! Cross-attention keys and values come from the encoder once a window; self-attention keys and
//! values grow by the tokens fed, so a step costs what its own tokens cost. A step of one token is
//! bound by reading the weights: outputs are shared among the threads.

use super::dims::ModelDims;
use super::layers::{Compute, CrossAttention, FeedForward, Input, LayerNorm, Linear, SelfAttention, Wide};
use super::load::LoadError;
use super::pack::{Image, Span};
use crate::asr::kernels::Epilogue;
use crate::asr::kernels::attention::{HEAD, KEYS, KvBlock, Queries, attend};
use crate::isa::Isa;

/// Token and position embeddings, transformer blocks, and the embedding again as output layer.
pub(super) struct Decoder {
    dims: ModelDims,
    embedding: Linear,
    positions: Span<f32>,
    blocks: Vec<Block>,
    norm: LayerNorm,
}

struct Block {
    attention: SelfAttention,
    cross: CrossAttention,
    feed_forward: FeedForward,
}

/// What the decoder remembers of one window: the audio, and the tokens so far; and its work space.
pub(super) struct DecoderState {
    /// `[layer][block]`.
    audio: Vec<Vec<KvBlock>>,
    audio_bias: Vec<f32>,
    text: Vec<Vec<KvBlock>>,
    /// Tokens fed so far.
    fed: usize,
    work: Work,
}

/// Buffers that grow to their size in the first steps.
#[derive(Default)]
struct Work {
    x: Vec<f32>,
    normed: Vec<f32>,
    projected: Vec<f32>,
    heads: Vec<f32>,
    weights: Vec<f32>,
    bias: Vec<f32>,
    wide: Wide,
}

impl DecoderState {
    /// For a window's audio, as [`super::encoder::Encoder::forward`] gives it.
    pub(super) fn new(audio: Vec<Vec<KvBlock>>, audio_bias: Vec<f32>) -> Self {
        let text = audio.iter().map(|_| Vec::new()).collect();
        Self { audio, audio_bias, text, fed: 0, work: Work::default() }
    }

    /// Forgets the tokens and keeps the audio.
    pub(super) fn rewind(&mut self) {
        self.fed = 0;
    }
}

/// A decoder and what computes it.
#[derive(Clone, Copy)]
pub(super) struct Engine<'a> {
    pub(super) decoder: &'a Decoder,
    pub(super) compute: &'a Compute,
}

/// Sees, for layer, head and row of a step, the attention to each audio position, not normalized.
pub(super) type AttentionProbe<'a> = dyn FnMut(usize, usize, usize, &[f32]) + 'a;

impl Decoder {
    pub(super) fn new(image: &Image, dims: &ModelDims) -> Result<Self, LoadError> {
        let d = dims.d_model;
        Ok(Self {
            dims: *dims,
            embedding: Linear::new(image, "decoder.embed_tokens", dims.n_vocab, d)?,
            positions: image.get("decoder.embed_positions.weight", dims.n_text_ctx * d)?,
            blocks: (0..dims.n_text_layers)
                .map(|i| {
                    let name = format!("decoder.layers.{i}");
                    Ok(Block {
                        attention: SelfAttention::new(image, &name, d)?,
                        cross: CrossAttention::new(image, &name, d)?,
                        feed_forward: FeedForward::new(image, &name, d)?,
                    })
                })
                .collect::<Result<_, LoadError>>()?,
            norm: LayerNorm::new(image, "decoder.layer_norm", d)?,
        })
    }

    /// Cross-attention keys and values of `n` audio states, for each layer.
    pub(super) fn hear(
        &self,
        isa: Isa,
        states: &[f32],
        n: usize,
        input: &mut Input,
        projected: &mut Vec<f32>,
    ) -> Vec<KvBlock> {
        let d = self.dims.d_model;
        projected.resize(states.len() * 2, 0.0);
        let keys_values = |block: &Block| {
            block.cross.kv.forward(isa, states, input, projected, Epilogue::Store);
            let mut kv = KvBlock::new(self.dims.n_heads);
            for (at, row) in projected.chunks_exact(2 * d).enumerate().take(n) {
                kv.set(at, &row[..d], &row[d..]);
            }
            kv
        };
        self.blocks.iter().map(keys_values).collect()
    }

    /// Longest token sequence, prompt included.
    pub(super) fn capacity(&self) -> usize {
        self.dims.n_text_ctx
    }
}

impl Engine<'_> {
    /// Feeds `tokens` after those fed before.
    pub(super) fn step(&self, state: &mut DecoderState, tokens: &[u32]) {
        self.run(state, tokens, None);
    }

    /// Feeds `tokens` and shows the cross-attention.
    pub(super) fn step_with_attention(
        &self,
        state: &mut DecoderState,
        tokens: &[u32],
        probe: &mut AttentionProbe<'_>,
    ) {
        self.run(state, tokens, Some(probe));
    }

    /// Logits over the vocabulary at one token of the last step; `None` is its last.
    pub(super) fn logits(&self, state: &mut DecoderState, at: Option<usize>, logits: &mut Vec<f32>) {
        let d = self.decoder.dims.d_model;
        let row = at.unwrap_or(state.work.normed.len() / d - 1);
        logits.resize(self.decoder.embedding.outputs(), 0.0);
        let work = &mut state.work;
        let hidden = &work.normed[row * d..][..d];
        self.decoder.embedding.forward_wide(self.compute, hidden, &mut work.wide, logits, Epilogue::Store);
        logits.truncate(self.decoder.dims.n_vocab);
    }

    fn run(&self, state: &mut DecoderState, tokens: &[u32], mut probe: Option<&mut AttentionProbe<'_>>) {
        let d = self.decoder.dims.d_model;
        let (compute, isa, rows) = (self.compute, self.compute.isa, tokens.len());
        let DecoderState { audio, audio_bias, text, fed, work } = state;
        work.x.resize(rows * d, 0.0);
        work.normed.resize(rows * d, 0.0);
        work.heads.resize(rows * d, 0.0);
        for (row, (x, token)) in work.x.chunks_exact_mut(d).zip(tokens).enumerate() {
            self.decoder.embedding.row(*token as usize, x);
            for (x, p) in x.iter_mut().zip(&self.decoder.positions[(*fed + row) * d..]) {
                *x += p;
            }
        }
        for (layer, block) in self.decoder.blocks.iter().enumerate() {
            // Self-attention: each token hears those before it and itself.
            block.attention.norm.forward(isa, &work.x, &mut work.normed);
            work.projected.resize(rows * 3 * d, 0.0);
            block.attention.qkv.forward_wide(
                compute,
                &work.normed,
                &mut work.wide,
                &mut work.projected,
                Epilogue::Store,
            );
            let cache = &mut text[layer];
            for (row, qkv) in work.projected.chunks_exact(3 * d).enumerate() {
                let at = *fed + row;
                if cache.len() <= at / KEYS {
                    cache.push(KvBlock::new(self.decoder.dims.n_heads));
                }
                cache[at / KEYS].set(at % KEYS, &qkv[d..2 * d], &qkv[2 * d..]);
            }
            for row in 0..rows {
                let known = *fed + row + 1;
                let blocks: &[KvBlock] = &cache[..known.div_ceil(KEYS)];
                work.bias.clear();
                work.bias.resize(known, 0.0);
                work.bias.resize(blocks.len() * KEYS, f32::NEG_INFINITY);
                for head in 0..self.decoder.dims.n_heads {
                    let queries =
                        Queries { values: &work.projected[row * 3 * d + head * HEAD..], stride: d, rows: 1 };
                    let out = &mut work.heads[row * d + head * HEAD..];
                    attend(isa, queries, head, blocks, &work.bias, &mut work.weights, &mut [0.0], out, HEAD);
                }
            }
            block.attention.out.forward_wide(
                compute,
                &work.heads,
                &mut work.wide,
                &mut work.x,
                Epilogue::Add,
            );

            block.cross.norm.forward(isa, &work.x, &mut work.normed);
            work.projected.resize(rows * d, 0.0);
            block.cross.q.forward_wide(
                compute,
                &work.normed,
                &mut work.wide,
                &mut work.projected,
                Epilogue::Store,
            );
            for row in 0..rows {
                for head in 0..self.decoder.dims.n_heads {
                    let queries =
                        Queries { values: &work.projected[row * d + head * HEAD..], stride: d, rows: 1 };
                    let out = &mut work.heads[row * d + head * HEAD..];
                    attend(
                        isa,
                        queries,
                        head,
                        &audio[layer],
                        audio_bias,
                        &mut work.weights,
                        &mut [0.0],
                        out,
                        HEAD,
                    );
                    if let Some(probe) = &mut probe {
                        probe(layer, head, row, &work.weights);
                    }
                }
            }
            block.cross.out.forward_wide(compute, &work.heads, &mut work.wide, &mut work.x, Epilogue::Add);

            block.feed_forward.norm.forward(isa, &work.x, &mut work.normed);
            work.projected.resize(rows * 4 * d, 0.0);
            block.feed_forward.up.forward_wide(
                compute,
                &work.normed,
                &mut work.wide,
                &mut work.projected,
                Epilogue::Gelu,
            );
            block.feed_forward.down.forward_wide(
                compute,
                &work.projected,
                &mut work.wide,
                &mut work.x,
                Epilogue::Add,
            );
        }
        *fed += rows;
        self.decoder.norm.forward(isa, &work.x, &mut work.normed);
    }
}
