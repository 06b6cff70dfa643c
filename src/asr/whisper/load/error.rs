//! Why a checkpoint cannot be read, and what to do about it.

use std::path::PathBuf;

/// Why a checkpoint cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Neither a file nor a folder.
    #[error("{} does not exist: `earwitness models list` shows what is installed", path.display())]
    NoSuchFile {
        /// What was asked for.
        path: PathBuf,
    },
    /// A folder without weights.
    #[error("{} holds no model.bin, model.safetensors, .bin or .gguf file: point to the folder that holds the weights", path.display())]
    NoWeights {
        /// The folder.
        path: PathBuf,
    },
    /// Reading failed.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Unknown first bytes.
    #[error("{} is no weight file this program reads (CTranslate2, safetensors, ggml, GGUF): check that the download is whole with `earwitness models verify`", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// A CTranslate2 file of another version.
    #[error("{} is a CTranslate2 model of version {version}, and version 6 is read: convert it again with ctranslate2 4.x", path.display())]
    CTranslate2Version {
        /// The file.
        path: PathBuf,
        /// The version found.
        version: u32,
    },
    /// The file breaks its format.
    #[error("{} is damaged ({why}): check it with `earwitness models verify`, or install it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where it breaks.
        why: String,
    },
    /// A well-formed file with a number format that is not read.
    #[error("{} stores weights as {what}, which is not read: use f32, f16, bf16, int8, q8_0, q5_1 or another ggml block type", path.display())]
    UnsupportedType {
        /// The file.
        path: PathBuf,
        /// The number format.
        what: String,
    },
    /// Tensors of some other model.
    #[error("this is not a Whisper model: {why}")]
    NotWhisper {
        /// What tells.
        why: String,
    },
    /// A tensor is not there.
    #[error("the weights have no tensor `{name}`: the file is incomplete or not a Whisper model")]
    MissingTensor {
        /// Canonical name.
        name: String,
    },
    /// A tensor of another shape than the model's sizes ask for.
    #[error(
        "tensor `{name}` has shape {found:?} where {expected} was expected: the file is not a Whisper model of one size"
    )]
    Shape {
        /// Canonical name.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// What it should be.
        expected: String,
    },
    /// No vocabulary beside the weights.
    #[error("{} holds no tokenizer.json, vocabulary.json or vocabulary.txt: copy it from where the weights came from", folder.display())]
    NoVocabulary {
        /// The folder.
        folder: PathBuf,
    },
    /// The vocabulary cannot be read or does not fit.
    #[error("the vocabulary does not fit this model: {why}")]
    Vocabulary {
        /// What is wrong.
        why: String,
    },
    /// The tensor library refused.
    #[error("cannot build a tensor: {0}")]
    Tensor(#[from] candle_core::Error),
}
