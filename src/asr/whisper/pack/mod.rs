//! Packed weights: one file that is mapped into memory and used as it lies there.
//!
//! Reading a checkpoint, fusing its projections, quantizing and rearranging them takes a second;
//! mapping the result takes a millisecond, and pages that are never touched are never read. Layout,
//! little endian:
//! ```text
//! "EARWPACK" u32 version=1 u32 zero | data, each tensor on a 64-byte boundary | JSON index
//! u64 index offset, u64 index length, u32 CRC-32 of the index, "PACK"
//! ```
//! The index is an [`Index`]. A pack is a cache: anything wrong with it, and it is made again.

mod build;
mod image;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(super) use build::build;
pub(super) use image::{Image, Span, of_parts};

use super::dims::ModelDims;

/// How linear layers compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 8-bit weights by output and 8-bit activations by position: a quarter of the memory, several times the speed.
    #[default]
    Int8,
    /// Single precision throughout: the yardstick.
    F32,
}

impl Precision {
    /// `int8` or `f32`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::F32 => "f32",
        }
    }
}

pub(super) const MAGIC: &[u8; 8] = b"EARWPACK";
pub(super) const FOOTER_MAGIC: &[u8; 4] = b"PACK";
/// Grows with every change of layout or of how weights are packed.
pub(super) const VERSION: u32 = 1;
/// Boundary of each tensor: a cache line, and the widest register.
pub(super) const ALIGN: usize = 64;
pub(super) const FOOTER_LEN: usize = 24;

/// What a pack holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Index {
    pub(super) dims: ModelDims,
    pub(super) precision: Precision,
    /// How the checkpoint stored its weights.
    pub(super) stored_as: String,
    pub(super) alignment_heads: Option<Vec<(usize, usize)>>,
    /// Tokens that are annotation, not speech; finding them takes the tokenizer, which is slow to read.
    pub(super) non_speech: Vec<u32>,
    /// Byte lengths of the text tokens, whose bytes are the tensor `vocabulary`.
    pub(super) token_lengths: Vec<u16>,
    pub(super) tensors: BTreeMap<String, Place>,
}

/// Where a tensor lies, in bytes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    pub(super) offset: usize,
    pub(super) len: usize,
}
