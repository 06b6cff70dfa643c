//! Reading Whisper checkpoints in the formats that users already own.
//!
//! [`load`] tells the format by content and gives one [`Checkpoint`], whatever it was:
//!
//! | format | file | reader |
//! |---|---|---|
//! | CTranslate2 | `model.bin` beside `tokenizer.json` or `vocabulary.*` | [`ctranslate2`] |
//! | Hugging Face | `model.safetensors`, or shards with an index, beside `tokenizer.json` | [`safetensors`] |
//! | ggml | one `.bin` that holds the vocabulary too | [`ggml`] |
//! | GGUF | one `.gguf` beside `tokenizer.json` | `gguf` |
//!
//! Tensors leave here as `f32` under one set of names, Hugging Face's without the `model.` prefix:
//! `encoder.layers.0.self_attn.q_proj.weight`.

pub mod ctranslate2;
mod error;
pub mod ggml;
mod gguf;
mod hints;
mod names;
pub mod safetensors;

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use candle_core::Tensor;

pub use error::LoadError;

use super::dims::ModelDims;
use super::vocabulary::Vocabulary;

/// The formats that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightFormat {
    /// CTranslate2 `model.bin`, version 6.
    CTranslate2,
    /// Hugging Face safetensors, whole or in shards.
    Safetensors,
    /// whisper.cpp's `.bin`.
    Ggml,
    /// GGUF with Hugging Face or OpenAI tensor names.
    Gguf,
}

/// A Whisper model as read from disk.
pub struct Checkpoint {
    /// Sizes, read from the tensors' shapes.
    pub dims: ModelDims,
    /// Tensors by canonical name, in `f32`, `f16` or `bf16` as they are stored; 8-bit and smaller ones as `f32`.
    pub tensors: HashMap<String, Tensor>,
    /// The tokens.
    pub vocabulary: Vocabulary,
    /// (layer, head) pairs whose cross-attention follows the words, if the files or the model's size tell.
    pub alignment_heads: Option<Vec<(usize, usize)>>,
    /// What the files were.
    pub format: WeightFormat,
    /// How the weights are stored: `f16`, `q5_1`, ...
    pub stored_as: String,
}

/// Tensors and how they were stored, before names and shapes are checked.
struct RawWeights {
    tensors: HashMap<String, Tensor>,
    stored_as: String,
}

/// Reads the model at `path`: a folder that holds one, or the weight file itself.
///
/// # Errors
/// See [`LoadError`]; each says which file and what to do.
pub fn load(path: &Path) -> Result<Checkpoint, LoadError> {
    let weights = weight_file(path)?;
    let folder = weights.parent().unwrap_or(Path::new(".")).to_owned();
    let format = sniff(&weights)?;
    tracing::debug!(?format, file = %weights.display(), "reading weights");
    let (raw, vocabulary) = match format {
        WeightFormat::CTranslate2 => (ctranslate2::read(&weights)?, None),
        WeightFormat::Safetensors => (safetensors::read(&weights)?, None),
        WeightFormat::Gguf => (gguf::read(&weights)?, None),
        WeightFormat::Ggml => {
            let model = ggml::read(&weights)?;
            (model.weights, Some(model.vocabulary))
        }
    };
    let dims = ModelDims::of(&raw.tensors)?;
    let vocabulary = match vocabulary {
        Some(own) => own.with_tokenizer_in(&folder),
        None => Vocabulary::read(&folder)?,
    };
    vocabulary.check(dims.n_vocab)?;
    Ok(Checkpoint {
        // A ggml file stands for itself: what lies beside it may belong to another model.
        alignment_heads: match format {
            WeightFormat::Ggml => hints::published(&dims),
            _ => hints::alignment_heads(&folder, &dims)?,
        },
        dims,
        tensors: raw.tensors,
        vocabulary,
        format,
        stored_as: raw.stored_as,
    })
}

/// The weight file that `path` means, in the order in which folders are usually laid out.
pub(super) fn weight_file(path: &Path) -> Result<PathBuf, LoadError> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    if !path.is_dir() {
        return Err(LoadError::NoSuchFile { path: path.to_owned() });
    }
    for name in ["model.bin", "model.safetensors", "model.safetensors.index.json"] {
        let file = path.join(name);
        if file.is_file() {
            return Ok(file);
        }
    }
    let mut others: Vec<PathBuf> = std::fs::read_dir(path)
        .map_err(|source| LoadError::Io { path: path.to_owned(), source })?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| file.extension().is_some_and(|e| e == "bin" || e == "gguf" || e == "safetensors"))
        .collect();
    others.sort();
    others.into_iter().next().ok_or_else(|| LoadError::NoWeights { path: path.to_owned() })
}

/// Tells the format by the first bytes.
fn sniff(file: &Path) -> Result<WeightFormat, LoadError> {
    if file.file_name().is_some_and(|n| n.to_string_lossy().ends_with(".index.json")) {
        return Ok(WeightFormat::Safetensors);
    }
    let mut head = [0u8; 16];
    let read = File::open(file)
        .and_then(|mut f| f.read(&mut head))
        .map_err(|source| LoadError::Io { path: file.to_owned(), source })?;
    let unknown = || LoadError::UnknownFormat { path: file.to_owned() };
    if read < 16 {
        return Err(unknown());
    }
    let word = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    match word {
        ggml::MAGIC => Ok(WeightFormat::Ggml),
        ctranslate2::VERSION => Ok(WeightFormat::CTranslate2),
        _ if &head[..4] == b"GGUF" => Ok(WeightFormat::Gguf),
        // A safetensors file begins with the length of its JSON header, then the header itself.
        _ if head[8] == b'{' => Ok(WeightFormat::Safetensors),
        1..=99 => Err(LoadError::CTranslate2Version { path: file.to_owned(), version: word }),
        _ => Err(unknown()),
    }
}

/// Maps `path` into memory.
pub(super) fn map(path: &Path) -> Result<memmap2::Mmap, LoadError> {
    let file = File::open(path).map_err(|source| LoadError::Io { path: path.to_owned(), source })?;
    // SAFETY: the mapping is read-only and private. A file that somebody truncates while it is
    // read can end the process with SIGBUS; models are installed by renaming finished files, never
    // written in place.
    #[allow(unsafe_code, reason = "memmap2 has no safe constructor")]
    let map = unsafe { memmap2::Mmap::map(&file) };
    map.map_err(|source| LoadError::Io { path: path.to_owned(), source })
}
