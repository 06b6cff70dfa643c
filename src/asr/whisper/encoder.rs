//! The audio encoder: log-mel frames to the decoder's keys and values.
//!
//! Positions are worked on in blocks of 32, each by one thread from layer to layer: between two
//! attentions nothing crosses positions, so threads meet once a layer.

use super::context::Positions;
use super::decoder::Decoder;
use super::dims::ModelDims;
use super::layers::{Compute, FeedForward, Input, LayerNorm, Linear, SelfAttention};
use super::load::LoadError;
use super::pack::{Image, Span};
use crate::asr::kernels::Epilogue;
use crate::asr::kernels::attention::{HEAD, KEYS, KvBlock, QUERIES, Queries, attend};
use crate::isa::Isa;

/// Two convolutions (the second halves the rate to 50 positions a second) and transformer blocks.
pub(super) struct Encoder {
    dims: ModelDims,
    conv1: Linear,
    conv2: Linear,
    positions: Span<f32>,
    blocks: Vec<Block>,
    norm: LayerNorm,
}

struct Block {
    attention: SelfAttention,
    feed_forward: FeedForward,
}

/// One block of positions on its way through the layers.
struct Rows {
    first: usize,
    /// `[32][d]`.
    x: Vec<f32>,
    queries: Vec<f32>,
    /// Keys and values for the next attention.
    next: KvBlock,
    /// Keys and values of the finished states, for each decoder layer.
    cross: Vec<KvBlock>,
}

/// A thread's work space.
#[derive(Default)]
struct Scratch {
    input: Input,
    frames: Vec<f32>,
    normed: Vec<f32>,
    wide: Vec<f32>,
    heads: Vec<f32>,
    weights: Vec<f32>,
}

impl Encoder {
    pub(super) fn new(image: &Image, dims: &ModelDims) -> Result<Self, LoadError> {
        let d = dims.d_model;
        Ok(Self {
            dims: *dims,
            conv1: Linear::new(image, "encoder.conv1", d, 3 * dims.n_mels)?,
            conv2: Linear::new(image, "encoder.conv2", d, 3 * d)?,
            positions: image.get("encoder.embed_positions.weight", dims.n_audio_ctx * d)?,
            blocks: (0..dims.n_audio_layers)
                .map(|i| {
                    let name = format!("encoder.layers.{i}");
                    Ok(Block {
                        attention: SelfAttention::new(image, &name, d)?,
                        feed_forward: FeedForward::new(image, &name, d)?,
                    })
                })
                .collect::<Result<_, LoadError>>()?,
            norm: LayerNorm::new(image, "encoder.layer_norm", d)?,
        })
    }

    /// `mel` is `[frames][n_mels]`; frames past it are silent (0). Gives, for each decoder layer, the
    /// cross-attention's keys and values at `positions`; `None` once `cancelled`, which is asked before each layer.
    pub(super) fn forward(
        &self,
        compute: &Compute,
        decoder: &Decoder,
        mel: &[f32],
        positions: &Positions,
        cancelled: &dyn Fn() -> bool,
    ) -> Option<Vec<Vec<KvBlock>>> {
        let heads = self.dims.n_heads;
        let n_blocks = positions.places.len().div_ceil(KEYS);
        let mut rows: Vec<Rows> = (0..n_blocks)
            .map(|i| Rows {
                first: i * QUERIES,
                x: vec![0.0; QUERIES * self.dims.d_model],
                queries: vec![0.0; QUERIES * self.dims.d_model],
                next: KvBlock::new(heads),
                cross: Vec::new(),
            })
            .collect();
        let mut scratch: Vec<Scratch> = (0..compute.pool.threads()).map(|_| Scratch::default()).collect();
        let isa = compute.isa;

        compute.pool.each(&mut rows, &mut scratch, |_, rows, scratch| {
            self.embed(isa, mel, positions, rows, scratch);
            self.project(isa, 0, rows, scratch, positions);
        });
        let mut current: Vec<KvBlock> = (0..n_blocks).map(|_| KvBlock::new(heads)).collect();
        for layer in 0..self.blocks.len() {
            if cancelled() {
                return None;
            }
            for (current, rows) in current.iter_mut().zip(&mut rows) {
                std::mem::swap(current, &mut rows.next);
            }
            let keys = &current;
            compute.pool.each(&mut rows, &mut scratch, |_, rows, scratch| {
                self.layer(isa, layer, keys, positions, rows, scratch);
                if layer + 1 < self.blocks.len() {
                    self.project(isa, layer + 1, rows, scratch, positions);
                } else {
                    scratch.normed.resize(rows.x.len(), 0.0);
                    self.norm.forward(isa, &rows.x, &mut scratch.normed);
                    // What the layers needed makes room for what the decoder needs.
                    (rows.x, rows.queries, rows.next) = Default::default();
                    let n = KEYS.min(positions.places.len() - rows.first);
                    rows.cross = decoder.hear(isa, &scratch.normed, n, &mut scratch.input, &mut scratch.wide);
                }
            });
        }
        let mut layers: Vec<Vec<KvBlock>> = (0..self.dims.n_text_layers).map(|_| Vec::new()).collect();
        for rows in rows {
            for (layer, block) in layers.iter_mut().zip(rows.cross) {
                layer.push(block);
            }
        }
        Some(layers)
    }

    /// Convolutions and positional embedding.
    fn embed(&self, isa: Isa, mel: &[f32], positions: &Positions, rows: &mut Rows, scratch: &mut Scratch) {
        let (d, n_mels) = (self.dims.d_model, self.dims.n_mels);
        let places = &positions.places[rows.first..positions.places.len().min(rows.first + QUERIES)];
        // Two frames a position and one before them; each frame of the first convolution meets three of the spectrogram.
        let frames = 2 * QUERIES + 1;
        let first = 2 * places[0] as isize - 1;
        let consecutive = rows.first + places.len() <= positions.live;
        scratch.wide.clear();
        scratch.wide.resize(frames * 3 * n_mels, 0.0);
        for (i, row) in scratch.wide.chunks_exact_mut(3 * n_mels).enumerate() {
            for (tap, slot) in row.chunks_exact_mut(n_mels).enumerate() {
                // Silent rows of a block see silence; live ones are consecutive from its first.
                let live_frames = 2 * (positions.live.saturating_sub(rows.first)).min(QUERIES) + 1;
                let at = first + i as isize + tap as isize - 1;
                let heard = consecutive || i < live_frames;
                if heard
                    && let Some(frame) =
                        usize::try_from(at).ok().and_then(|at| mel.get(at * n_mels..(at + 1) * n_mels))
                {
                    slot.copy_from_slice(frame);
                }
            }
        }
        scratch.frames.resize(frames * d, 0.0);
        self.conv1.forward(isa, &scratch.wide, &mut scratch.input, &mut scratch.frames, Epilogue::Gelu);
        if first < 0 {
            scratch.frames[..d].fill(0.0);
        }
        scratch.wide.clear();
        for i in 0..QUERIES {
            scratch.wide.extend_from_slice(&scratch.frames[2 * i * d..(2 * i + 3) * d]);
        }
        self.conv2.forward(isa, &scratch.wide, &mut scratch.input, &mut rows.x, Epilogue::Gelu);
        for (x, place) in rows.x.chunks_exact_mut(d).zip(places) {
            for (x, p) in x.iter_mut().zip(&self.positions[place * d..]) {
                *x += p;
            }
        }
    }

    /// Queries, and keys and values for everybody's next attention.
    fn project(&self, isa: Isa, layer: usize, rows: &mut Rows, scratch: &mut Scratch, positions: &Positions) {
        let d = self.dims.d_model;
        let attention = &self.blocks[layer].attention;
        scratch.normed.resize(QUERIES * d, 0.0);
        attention.norm.forward(isa, &rows.x, &mut scratch.normed);
        scratch.wide.resize(QUERIES * 3 * d, 0.0);
        attention.qkv.forward(isa, &scratch.normed, &mut scratch.input, &mut scratch.wide, Epilogue::Store);
        let n = KEYS.min(positions.places.len() - rows.first);
        for (at, qkv) in scratch.wide.chunks_exact(3 * d).enumerate().take(n) {
            rows.queries[at * d..][..d].copy_from_slice(&qkv[..d]);
            rows.next.set(at, &qkv[d..2 * d], &qkv[2 * d..]);
        }
    }

    /// Attention and feed-forward of one layer.
    fn layer(
        &self,
        isa: Isa,
        layer: usize,
        keys: &[KvBlock],
        positions: &Positions,
        rows: &mut Rows,
        scratch: &mut Scratch,
    ) {
        let d = self.dims.d_model;
        let block = &self.blocks[layer];
        scratch.heads.resize(QUERIES * d, 0.0);
        let mut totals = [0.0; QUERIES];
        for head in 0..self.dims.n_heads {
            let queries = Queries { values: &rows.queries[head * HEAD..], stride: d, rows: QUERIES };
            let out = &mut scratch.heads[head * HEAD..];
            attend(isa, queries, head, keys, &positions.bias, &mut scratch.weights, &mut totals, out, d);
        }
        block.attention.out.forward(isa, &scratch.heads, &mut scratch.input, &mut rows.x, Epilogue::Add);
        scratch.normed.resize(QUERIES * d, 0.0);
        block.feed_forward.norm.forward(isa, &rows.x, &mut scratch.normed);
        scratch.wide.resize(QUERIES * 4 * d, 0.0);
        block.feed_forward.up.forward(
            isa,
            &scratch.normed,
            &mut scratch.input,
            &mut scratch.wide,
            Epilogue::Gelu,
        );
        block.feed_forward.down.forward(isa, &scratch.wide, &mut scratch.input, &mut rows.x, Epilogue::Add);
    }
}
