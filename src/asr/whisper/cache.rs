//! Packed weights on disk: made once, mapped from then on.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::load::{self, LoadError};
use super::pack::{self, Image, Precision};
use super::vocabulary::Vocabulary;
use crate::asr::kernels::cores::default_threads;
use crate::isa::Isa;

/// How a model is loaded.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// How linear layers compute.
    pub precision: Precision,
    /// Threads, the caller's among them; 0 for one per fast core, less one where there are 4 or more.
    pub threads: usize,
    /// Folder for packed weights; without it they are made anew at each start.
    pub cache: Option<PathBuf>,
    /// Packs are named by where the weights lie below this folder, so that a store which moves, as apps' do with an
    /// update, keeps its packs. Weights elsewhere are named by their whole path.
    pub root: Option<PathBuf>,
    /// Instruction set; the processor's best by default.
    pub isa: Option<Isa>,
}

impl LoadOptions {
    pub(super) fn threads(&self) -> usize {
        if self.threads > 0 { self.threads } else { default_threads() }
    }
}

/// The packed weights of the model at `path`, from the cache if they are there.
pub(super) fn open(path: &Path, how: &LoadOptions) -> Result<(Image, Vocabulary), LoadError> {
    let weights = load::weight_file(path)?;
    let folder = weights.parent().unwrap_or(Path::new(".")).to_owned();
    let packed = how.cache.as_ref().and_then(|cache| {
        let source = source_name(&weights, how.root.as_deref())?;
        Some(cache.join(format!("{source}-{}-{}", state_name(&weights)?, suffix(how.precision))))
    });
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
    if let Some(file) = packed {
        match write(&file, &bytes) {
            Ok(()) => {
                drop(bytes);
                let others = |name: &str| name.ends_with(&suffix(how.precision)) && !file.ends_with(name);
                remove_packs(file.parent().unwrap_or(Path::new(".")), &weights, how.root.as_deref(), others);
                let damaged = |why| LoadError::Damaged { path: file.clone(), why };
                return Ok((Image::open(&file).map_err(damaged)?, Vocabulary::from_pack(tokens, folder)));
            }
            // A full disk costs time at the next start, nothing else.
            Err(why) => tracing::warn!(file = %file.display(), %why, "packed weights could not be kept"),
        }
    }
    let image = Image::from_bytes(&bytes)?;
    Ok((image, Vocabulary::from_pack(tokens, folder)))
}

/// Removes what [`WhisperRecognizer::load_with`](super::WhisperRecognizer::load_with) keeps in the folder `cache`
/// of the model at `path` in the store `root`, before the model itself is removed. A path that is no model has nothing there.
pub fn forget_packed(cache: &Path, path: &Path, root: &Path) {
    if let Ok(weights) = load::weight_file(path) {
        remove_packs(cache, &weights, Some(root), |_| true);
    }
}

/// Removes the packs of `weights` whose names `which` picks.
fn remove_packs(cache: &Path, weights: &Path, root: Option<&Path>, which: impl Fn(&str) -> bool) {
    let Some(source) = source_name(weights, root) else { return };
    for entry in std::fs::read_dir(cache).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with(&source) && which(name) && std::fs::remove_file(entry.path()).is_err() {
            tracing::debug!(file = name, "a pack could not be removed");
        }
    }
}

/// Where the weights lie, as part of a pack's name.
fn source_name(weights: &Path, root: Option<&Path>) -> Option<String> {
    let whole = weights.canonicalize().ok()?;
    let below = root
        .and_then(|root| root.canonicalize().ok())
        .and_then(|root| whole.strip_prefix(root).ok().map(Path::to_owned));
    Some(digest(&below.unwrap_or(whole).display().to_string()))
}

/// What the weights are, as part of a pack's name: a changed checkpoint has another. Its time alone does not tell: installers
/// give every file the same.
fn state_name(weights: &Path) -> Option<String> {
    let meta = weights.metadata().ok()?;
    let modified = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos();
    let sample = sample(weights, meta.len()).ok()?;
    Some(digest(&format!("{} {modified} {sample} {}", meta.len(), pack::VERSION)))
}

/// A digest of pieces from all over a file of `length` bytes.
fn sample(file: &Path, length: u64) -> std::io::Result<String> {
    use sha2::Digest;
    use std::io::{Read, Seek, SeekFrom};
    const PIECES: u64 = 16;
    const PIECE: u64 = 4096;
    let mut file = std::fs::File::open(file)?;
    let mut sum = sha2::Sha256::new();
    let mut piece = Vec::new();
    for n in 0..PIECES {
        file.seek(SeekFrom::Start(length.saturating_sub(PIECE) * n / (PIECES - 1)))?;
        piece.clear();
        Read::by_ref(&mut file).take(PIECE).read_to_end(&mut piece)?;
        sum.update(&piece);
    }
    Ok(sum.finalize().iter().take(6).map(|b| format!("{b:02x}")).collect())
}

fn suffix(precision: Precision) -> String {
    format!("{}.pack", precision.name())
}

/// 12 hexadecimal digits of SHA-256.
fn digest(text: &str) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(text.as_bytes()).iter().take(6).map(|b| format!("{b:02x}")).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_of_other_weights_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        std::fs::create_dir(&cache).unwrap();
        let mut names = Vec::new();
        for model in ["one", "two"] {
            let weights = folder.path().join(model).join("model.bin");
            std::fs::create_dir(folder.path().join(model)).unwrap();
            std::fs::write(&weights, model).unwrap();
            for precision in [Precision::Int8, Precision::F32] {
                let (source, state) = (source_name(&weights, None).unwrap(), state_name(&weights).unwrap());
                names.push(format!("{source}-{state}-{}", suffix(precision)));
                std::fs::write(cache.join(names.last().unwrap()), "pack").unwrap();
            }
        }
        let left = || names.iter().map(|name| cache.join(name).exists()).collect::<Vec<_>>();
        remove_packs(&cache, &folder.path().join("one/model.bin"), None, |name| name.ends_with("f32.pack"));
        assert_eq!(left(), [true, false, true, true]);
        let elsewhere = folder.path().join("elsewhere");
        forget_packed(&cache, &folder.path().join("one"), &elsewhere);
        assert_eq!(left(), [false, false, true, true]);
        forget_packed(&cache, &folder.path().join("missing"), &elsewhere);
        assert_eq!(left(), [false, false, true, true]);
    }

    #[test]
    fn a_store_that_moves_keeps_its_packs() {
        let folder = tempfile::tempdir().unwrap();
        let name_in = |store: &str| {
            let (root, weights) =
                (folder.path().join(store), folder.path().join(store).join("tiny/model.bin"));
            std::fs::create_dir_all(weights.parent().unwrap()).unwrap();
            std::fs::write(&weights, "weights").unwrap();
            (source_name(&weights, Some(&root)), source_name(&weights, None))
        };
        let ((before, whole_before), (after, whole_after)) = (name_in("before"), name_in("after"));
        assert!(before.is_some() && before == after && whole_before != whole_after);
    }

    #[test]
    fn other_weights_of_the_same_length_and_time_have_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let weights = folder.path().join("model.bin");
        let name_of = |last: u8| {
            let mut bytes = vec![7_u8; 1_000_000];
            bytes[999_999] = last;
            std::fs::write(&weights, bytes).unwrap();
            let file = std::fs::File::options().write(true).open(&weights).unwrap();
            file.set_modified(UNIX_EPOCH + std::time::Duration::from_secs(315_532_800)).unwrap();
            state_name(&weights).unwrap()
        };
        assert_ne!(name_of(1), name_of(2));
        assert_eq!(name_of(1), name_of(1));
    }
}
