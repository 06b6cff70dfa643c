//! Checkpoint to pack: fuses, folds, quantizes and rearranges.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Tensor};

use super::{ALIGN, FOOTER_MAGIC, Index, MAGIC, Place, Precision, VERSION};
use crate::asr::kernels::{PANEL, f32 as single, int8};
use crate::asr::whisper::dims::HEAD_DIM;
use crate::asr::whisper::filter::non_speech_tokens;
use crate::asr::whisper::load::{Checkpoint, LoadError};

/// The bytes of a pack of `checkpoint`.
pub(in crate::asr::whisper) fn build(
    checkpoint: Checkpoint,
    precision: Precision,
) -> Result<Vec<u8>, LoadError> {
    let dims = checkpoint.dims;
    let d = dims.d_model;
    // Grown by doubling, the pack would take up to three times its size for a moment.
    let weights: usize = checkpoint.tensors.values().map(Tensor::elem_count).sum();
    let size = match precision {
        Precision::Int8 => weights + weights / 8,
        Precision::F32 => 4 * (weights + weights / 32),
    };
    let mut bytes = Vec::with_capacity(size + (4 << 20));
    bytes.extend(MAGIC);
    let mut p = Packer { tensors: checkpoint.tensors, precision, bytes, places: BTreeMap::new() };
    p.bytes.extend(VERSION.to_le_bytes());
    p.bytes.extend([0; 4]);

    for (name, inputs) in [("encoder.conv1", dims.n_mels), ("encoder.conv2", d)] {
        p.convolution(name, d, inputs)?;
    }
    p.vector("encoder.embed_positions.weight", &[dims.n_audio_ctx, d])?;
    p.vector("decoder.embed_positions.weight", &[dims.n_text_ctx, d])?;
    for (side, layers) in [("encoder", dims.n_audio_layers), ("decoder", dims.n_text_layers)] {
        p.norm(&format!("{side}.layer_norm"), d)?;
        for layer in 0..layers {
            let at = format!("{side}.layers.{layer}");
            p.norm(&format!("{at}.self_attn_layer_norm"), d)?;
            p.norm(&format!("{at}.final_layer_norm"), d)?;
            p.fused(&format!("{at}.self_attn"), &["q", "k", "v"], "qkv", d)?;
            p.linear(&format!("{at}.self_attn.out_proj"), d, d)?;
            p.linear(&format!("{at}.fc1"), 4 * d, d)?;
            p.linear(&format!("{at}.fc2"), d, 4 * d)?;
            if side == "decoder" {
                p.norm(&format!("{at}.encoder_attn_layer_norm"), d)?;
                p.fused(&format!("{at}.encoder_attn"), &["q"], "q", d)?;
                p.fused(&format!("{at}.encoder_attn"), &["k", "v"], "kv", d)?;
                p.linear(&format!("{at}.encoder_attn.out_proj"), d, d)?;
            }
        }
    }
    let embedding = p.take("decoder.embed_tokens.weight", &[dims.n_vocab, d])?;
    p.matrix("decoder.embed_tokens", &embedding, d, &[]);

    let tokens = checkpoint.vocabulary.text_tokens();
    let token_lengths = tokens.iter().map(|t| u16::try_from(t.len()).unwrap_or(u16::MAX)).collect();
    let text: Vec<u8> = tokens.iter().flat_map(|t| t.iter().take(usize::from(u16::MAX))).copied().collect();
    p.put("vocabulary", &text);
    let index = Index {
        dims,
        precision,
        stored_as: checkpoint.stored_as,
        alignment_heads: checkpoint.alignment_heads,
        non_speech: non_speech_tokens(&checkpoint.vocabulary),
        token_lengths,
        tensors: p.places,
    };
    Ok(finish(p.bytes, &index))
}

pub(super) fn finish(mut bytes: Vec<u8>, index: &Index) -> Vec<u8> {
    let offset = bytes.len() as u64;
    let json = serde_json::to_vec(index).unwrap_or_default(); // maps of strings and numbers do not fail
    let mut crc = flate2::Crc::new();
    crc.update(&json);
    bytes.extend(&json);
    bytes.extend(offset.to_le_bytes());
    bytes.extend((json.len() as u64).to_le_bytes());
    bytes.extend(crc.sum().to_le_bytes());
    bytes.extend(FOOTER_MAGIC);
    bytes
}

struct Packer {
    tensors: HashMap<String, Tensor>,
    precision: Precision,
    bytes: Vec<u8>,
    places: BTreeMap<String, Place>,
}

impl Packer {
    fn put(&mut self, name: &str, data: &[u8]) {
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGN), 0);
        self.places.insert(name.to_owned(), Place { offset: self.bytes.len(), len: data.len() });
        self.bytes.extend(data);
    }

    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        let tensor =
            self.tensors.remove(name).ok_or_else(|| LoadError::MissingTensor { name: name.to_owned() })?;
        if tensor.dims() != shape {
            return Err(LoadError::Shape {
                name: name.to_owned(),
                found: tensor.dims().to_vec(),
                expected: format!("{shape:?}"),
            });
        }
        Ok(tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
    }

    fn vector(&mut self, name: &str, shape: &[usize]) -> Result<(), LoadError> {
        let values = self.take(name, shape)?;
        self.put(name, bytemuck::cast_slice(&values));
        Ok(())
    }

    fn norm(&mut self, name: &str, d: usize) -> Result<(), LoadError> {
        self.vector(&format!("{name}.weight"), &[d])?;
        self.vector(&format!("{name}.bias"), &[d])
    }

    fn linear(&mut self, name: &str, outputs: usize, inputs: usize) -> Result<(), LoadError> {
        let weights = self.take(&format!("{name}.weight"), &[outputs, inputs])?;
        let bias = self.take(&format!("{name}.bias"), &[outputs])?;
        self.matrix(name, &weights, inputs, &bias);
        Ok(())
    }

    /// `[out][in][3]` to `[out][3 * in]`, time first: three neighbouring frames of a spectrogram lie so.
    fn convolution(&mut self, name: &str, outputs: usize, inputs: usize) -> Result<(), LoadError> {
        let weights = self.take(&format!("{name}.weight"), &[outputs, inputs, 3])?;
        let bias = self.take(&format!("{name}.bias"), &[outputs])?;
        let mut by_time = Vec::with_capacity(weights.len());
        for row in weights.chunks_exact(3 * inputs) {
            for tap in 0..3 {
                by_time.extend(row[tap..].iter().step_by(3));
            }
        }
        self.matrix(name, &by_time, 3 * inputs, &bias);
        Ok(())
    }

    /// Joins projections into one. Queries are scaled by 1/8 (a head has 64 channels), exactly.
    /// Keys have no bias in Whisper, so theirs is zero.
    fn fused(&mut self, block: &str, parts: &[&str], name: &str, d: usize) -> Result<(), LoadError> {
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for part in parts {
            let scale = if *part == "q" { 1.0 / (HEAD_DIM as f32).sqrt() } else { 1.0 };
            let at = format!("{block}.{part}_proj");
            weights.extend(self.take(&format!("{at}.weight"), &[d, d])?.iter().map(|w| w * scale));
            let bias = format!("{at}.bias");
            match self.tensors.contains_key(&bias) {
                true => biases.extend(self.take(&bias, &[d])?.iter().map(|b| b * scale)),
                false => biases.extend(vec![0.0; d]),
            }
        }
        self.matrix(&format!("{block}.{name}"), &weights, d, &biases);
        Ok(())
    }

    /// A layer's matrix in the chosen precision; vectors over outputs are padded to whole panels.
    fn matrix(&mut self, name: &str, weights: &[f32], inputs: usize, bias: &[f32]) {
        let mut padded = bias.to_vec();
        padded.resize((weights.len() / inputs).next_multiple_of(PANEL), 0.0);
        self.put(&format!("{name}.bias"), bytemuck::cast_slice(&padded));
        match self.precision {
            Precision::Int8 => {
                let (panels, scales, offsets) = int8::pack(weights, inputs);
                self.put(&format!("{name}.int8"), bytemuck::cast_slice(&panels));
                self.put(&format!("{name}.scales"), bytemuck::cast_slice(&scales));
                self.put(&format!("{name}.offsets"), bytemuck::cast_slice(&offsets));
            }
            Precision::F32 => {
                let panels = single::pack(weights, inputs);
                self.put(&format!("{name}.f32"), bytemuck::cast_slice(&panels));
            }
        }
    }
}
