//! Taking the user's own models into the store: copied or linked, recognized by their first bytes.
//!
//! Only magic numbers are read here; whether the weights make sense is for the loader. A folder's files are taken by an
//! allow-list of what loaders read, so that a checkpoint's optimizer state and notes stay outside.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::catalog::{ModelEntry, ModelKind};
use super::error::ModelError;
use super::manifest::Manifest;
use super::space;
use super::store::describe_file;
use super::verify::{CopyError, check_spec, copy};

/// Format of a model's main file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelFormat {
    /// CTranslate2: `model.bin` beside `config.json`.
    Ctranslate2,
    /// Hugging Face: `*.safetensors` beside `config.json`.
    Safetensors,
    /// whisper.cpp's own single file, magic `ggml`.
    Ggml,
    /// GGUF single file.
    Gguf,
    /// ONNX single file.
    Onnx,
    /// RIFF WAVE recording.
    Wav,
    /// None of these.
    Other,
}

/// How to import.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// Name in the store; one of the catalogue's names makes its digests hold.
    pub name: String,
    /// Link to the files instead of copying them: no second copy, but they must stay.
    pub link: bool,
}

/// Copies or links the model at `path` into `staging` and says what it is.
pub(super) fn stage(
    path: &Path,
    options: &ImportOptions,
    entry: Option<&ModelEntry>,
    staging: &Path,
) -> Result<Manifest, ModelError> {
    let path = fs::canonicalize(path).map_err(|_| ModelError::PathMissing { path: path.to_owned() })?;
    let (format, files) = recognize(&path)?;
    let files = match entry {
        Some(entry) => {
            entry.files.iter().map(|spec| named(&path, &files, &spec.name)).collect::<Result<_, _>>()?
        }
        None => files,
    };
    if !options.link {
        let needed = files.iter().map(|f| f.metadata().map_or(0, |m| m.len())).sum();
        space::require(staging, needed)?;
    }
    let mut manifest = Manifest {
        name: options.name.clone(),
        kind: entry.map_or_else(|| kind_of(format), |entry| entry.kind),
        format,
        licence: entry.map_or_else(|| "unknown".into(), |entry| entry.licence.clone()),
        origin: format!("import {}", path.display()),
        linked: options.link,
        files: Vec::new(),
    };
    for file in files {
        let name = file.file_name().and_then(|n| n.to_str()).unwrap_or("model").to_owned();
        let target = staging.join(&name);
        if options.link {
            link(&file, &target)?;
        } else {
            copy_file(&file, &target)?;
        }
        let record = describe_file(staging, &name)?;
        if let Some(spec) = entry.and_then(|e| e.files.iter().find(|f| f.name == name)) {
            check_spec(spec, record.bytes, &record.sha256, &manifest.origin)?;
        }
        manifest.files.push(record);
    }
    Ok(manifest)
}

/// The manifest of a catalogue model whose files lie in `staging`.
pub(super) fn manifest_of_entry(
    entry: &ModelEntry,
    origin: &str,
    staging: &Path,
) -> Result<Manifest, ModelError> {
    let files =
        entry.files.iter().map(|spec| describe_file(staging, &spec.name)).collect::<Result<Vec<_>, _>>()?;
    let main = entry.files.first().map_or_else(PathBuf::new, |spec| staging.join(&spec.name));
    Ok(Manifest {
        name: entry.name.clone(),
        kind: entry.kind,
        format: sniff(&main)?,
        licence: entry.licence.clone(),
        origin: origin.to_owned(),
        linked: false,
        files,
    })
}

/// The format of the model at `path` and the files to take.
fn recognize(path: &Path) -> Result<(ModelFormat, Vec<PathBuf>), ModelError> {
    if path.is_dir() {
        return recognize_folder(path);
    }
    match sniff(path)? {
        format @ (ModelFormat::Ggml | ModelFormat::Gguf | ModelFormat::Onnx | ModelFormat::Wav) => {
            Ok((format, vec![path.to_owned()]))
        }
        ModelFormat::Ctranslate2 | ModelFormat::Safetensors => {
            Err(not_a_model(path, "it needs the config and tokenizer beside it: give the folder"))
        }
        ModelFormat::Other => Err(not_a_model(
            path,
            "it is not a ggml, GGUF or ONNX file; or give a CTranslate2 or safetensors folder",
        )),
    }
}

fn recognize_folder(folder: &Path) -> Result<(ModelFormat, Vec<PathBuf>), ModelError> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(|e| ModelError::io("read", folder, e))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file() && is_loaders_file(path))
        .collect();
    files.sort();
    let weights = files.iter().find(|f| is_named(f, "model.bin") || has_extension(f, "safetensors"));
    let format = match weights {
        Some(file) => sniff(file)?,
        None => return recognize_lone_file(folder, &files),
    };
    match format {
        ModelFormat::Ctranslate2 | ModelFormat::Safetensors => {}
        _ => {
            return Err(not_a_model(
                folder,
                "its model.bin or safetensors file does not begin as such a file does",
            ));
        }
    }
    match ["config.json", "tokenizer.json"].into_iter().find(|name| !files.iter().any(|f| is_named(f, name)))
    {
        Some(absent) => Err(not_a_model(
            folder,
            &format!("{absent} is missing; take it from where the weights came from"),
        )),
        None => Ok((format, files)),
    }
}

/// A folder around a single ONNX, WAV, ggml or GGUF file stands for that file.
fn recognize_lone_file(folder: &Path, files: &[PathBuf]) -> Result<(ModelFormat, Vec<PathBuf>), ModelError> {
    match files
        .iter()
        .filter(|f| !has_extension(f, "json") && !has_extension(f, "txt"))
        .collect::<Vec<_>>()
        .as_slice()
    {
        [only] => recognize(only),
        _ => Err(not_a_model(
            folder,
            "it holds neither model.bin, *.safetensors nor one single ggml, GGUF or ONNX file",
        )),
    }
}

fn is_loaders_file(path: &Path) -> bool {
    let text =
        ["json", "txt"].iter().any(|e| has_extension(path, e)) && !is_named(path, super::manifest::FILE_NAME);
    text || ["bin", "safetensors", "gguf", "onnx", "wav"].iter().any(|e| has_extension(path, e))
}

fn is_named(path: &Path, name: &str) -> bool {
    path.file_name().is_some_and(|n| n == name)
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension))
}

/// The format by first bytes; ONNX, which has no magic, by its first field and extension.
fn sniff(path: &Path) -> Result<ModelFormat, ModelError> {
    let fail = |e| ModelError::io("read", path, e);
    let mut head = Vec::with_capacity(32);
    File::open(path).map_err(fail)?.take(32).read_to_end(&mut head).map_err(fail)?;
    Ok(match head.as_slice() {
        [b'l', b'm', b'g', b'g', ..] => ModelFormat::Ggml,
        [b'G', b'G', b'U', b'F', ..] => ModelFormat::Gguf,
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => ModelFormat::Wav,
        // u32 version 1-6, u16 length of the specification's name with its NUL, then the name.
        [1..=6, 0, 0, 0, 12, 0, name @ ..] if name.starts_with(b"WhisperSpec\0") => ModelFormat::Ctranslate2,
        // u64 length of a JSON header, which begins with a brace.
        [_, _, _, _, _, 0, 0, 0, b'{', ..] => ModelFormat::Safetensors,
        [0x08, _, ..] if has_extension(path, "onnx") => ModelFormat::Onnx,
        _ => ModelFormat::Other,
    })
}

fn kind_of(format: ModelFormat) -> ModelKind {
    match format {
        ModelFormat::Onnx => ModelKind::Vad,
        ModelFormat::Wav => ModelKind::Speech,
        _ => ModelKind::Whisper,
    }
}

/// The file that a catalogue name requires.
fn named(path: &Path, files: &[PathBuf], name: &str) -> Result<PathBuf, ModelError> {
    let found = files.iter().find(|f| is_named(f, name)).cloned();
    found.ok_or_else(|| {
        not_a_model(
            path,
            &format!("{name} is missing, which this name of the catalogue needs; choose another --name"),
        )
    })
}

fn not_a_model(path: &Path, why: &str) -> ModelError {
    ModelError::NotAModel { path: path.to_owned(), why: why.to_owned() }
}

fn copy_file(from: &Path, to: &Path) -> Result<(), ModelError> {
    let reader = File::open(from).map_err(|e| ModelError::io("read", from, e))?;
    let fail = |e| ModelError::io("write", to, e);
    let mut file = File::create(to).map_err(fail)?;
    copy(reader, &mut file, |_| {}).map_err(|error| match error {
        CopyError::Read(e) => ModelError::io("read", from, e),
        CopyError::Write(e) => fail(e),
    })?;
    file.sync_all().map_err(fail)
}

#[cfg(unix)]
fn link(from: &Path, to: &Path) -> Result<(), ModelError> {
    std::os::unix::fs::symlink(from, to).map_err(|e| ModelError::io("link", to, e))
}

#[cfg(windows)]
fn link(from: &Path, to: &Path) -> Result<(), ModelError> {
    std::os::windows::fs::symlink_file(from, to)
        .map_err(|e| ModelError::io("link (leave out --link to copy)", to, e))
}
