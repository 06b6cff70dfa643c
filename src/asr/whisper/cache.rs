//! Packed weights on disk: made once, mapped from then on.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::load::{self, LoadError};
use super::pack::{self, Image, Precision};
use super::vocabulary::Vocabulary;
use crate::isa::Isa;

/// How a model is loaded.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// How linear layers compute.
    pub precision: Precision,
    /// Threads, the caller's among them; 0 for one per core, less one where there are 4 or more.
    pub threads: usize,
    /// Folder for packed weights; without it they are made anew at each start.
    pub cache: Option<PathBuf>,
    /// Instruction set; the processor's best by default.
    pub isa: Option<Isa>,
}

impl LoadOptions {
    pub(super) fn threads(&self) -> usize {
        if self.threads > 0 {
            return self.threads;
        }
        match std::thread::available_parallelism().map_or(1, usize::from) {
            cores @ 4.. => cores - 1,
            cores => cores,
        }
    }
}

/// The packed weights of the model at `path`, from the cache if they are there.
pub(super) fn open(path: &Path, how: &LoadOptions) -> Result<(Image, Vocabulary), LoadError> {
    let weights = load::weight_file(path)?;
    let folder = weights.parent().unwrap_or(Path::new(".")).to_owned();
    let packed = how.cache.as_ref().and_then(|cache| Some(cache.join(pack_name(&weights, how.precision)?)));
    if let Some(file) = packed.as_deref().filter(|file| file.is_file()) {
        match Image::open(file) {
            Ok(image) => {
                let vocabulary = Vocabulary::from_pack(image.tokens()?, folder);
                return Ok((image, vocabulary));
            }
            Err(why) => tracing::warn!(file = %file.display(), why, "packed weights are made again"),
        }
    }
    let checkpoint = load::load(path)?;
    let tokens = checkpoint.vocabulary.text_tokens().clone();
    let bytes = pack::build(checkpoint, how.precision)?;
    let written = packed.and_then(|file| match write(&file, &bytes) {
        Ok(()) => Image::open(&file).ok(),
        Err(why) => {
            // A full disk costs time at the next start, nothing else.
            tracing::warn!(file = %file.display(), %why, "packed weights could not be kept");
            None
        }
    });
    let image = match written {
        Some(image) => image,
        None => Image::from_bytes(&bytes)?,
    };
    Ok((image, Vocabulary::from_pack(tokens, folder)))
}

/// Names a pack after what it is made of: a changed checkpoint has another.
fn pack_name(weights: &Path, precision: Precision) -> Option<String> {
    use sha2::Digest;
    let path = weights.canonicalize().ok()?;
    let meta = path.metadata().ok()?;
    let modified = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos();
    let what = format!("{} {} {modified} {}", path.display(), meta.len(), pack::VERSION);
    let digest = sha2::Sha256::digest(what.as_bytes());
    let hex: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
    Some(format!("{hex}-{}.pack", precision.name()))
}

/// Whole or not at all: written beside its place and renamed.
fn write(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let partial = file.with_extension(format!("{}.partial", std::process::id()));
    let kept = std::fs::File::create(&partial).and_then(|mut out| {
        out.write_all(bytes)?;
        out.sync_all()?;
        std::fs::rename(&partial, file)
    });
    if kept.is_err() {
        let _ = std::fs::remove_file(&partial); // it may not even exist
    }
    kept
}
