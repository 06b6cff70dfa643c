//! Hugging Face safetensors: one file, or shards listed by `model.safetensors.index.json`.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use safetensors::{Dtype, SafeTensors};

use super::{LoadError, RawWeights, names};

pub(super) fn read(path: &Path) -> Result<RawWeights, LoadError> {
    let mut tensors = HashMap::new();
    let mut stored_as = String::from("f32");
    for file in files(path)? {
        let map = super::map(&file)?;
        stored_as = parse(&map, &mut tensors).map_err(|error| match error {
            Error::Damaged(why) => LoadError::Damaged { path: file.clone(), why },
            Error::Type(what) => LoadError::UnsupportedType { path: file.clone(), what },
        })?;
    }
    Ok(RawWeights { tensors, stored_as })
}

/// Reads untrusted bytes; for fuzzing.
#[doc(hidden)]
pub fn fuzz(bytes: &[u8]) {
    let _ = parse(bytes, &mut HashMap::new());
}

enum Error {
    Damaged(String),
    Type(String),
}

fn files(path: &Path) -> Result<Vec<PathBuf>, LoadError> {
    if path.extension().is_none_or(|e| e != "json") {
        return Ok(vec![path.to_owned()]);
    }
    let damaged = |why: String| LoadError::Damaged { path: path.to_owned(), why };
    let text =
        std::fs::read_to_string(path).map_err(|source| LoadError::Io { path: path.to_owned(), source })?;
    let index: serde_json::Value =
        serde_json::from_str(&text).map_err(|e| damaged(format!("its index is not JSON: {e}")))?;
    let shards: BTreeSet<&str> = index["weight_map"]
        .as_object()
        .ok_or_else(|| damaged("its index has no weight_map".into()))?
        .values()
        .filter_map(|v| v.as_str())
        .collect();
    let folder = path.parent().unwrap_or(Path::new("."));
    shards
        .into_iter()
        .map(|shard| {
            // Only names within the folder: an index must not reach elsewhere.
            let plain = Path::new(shard).file_name().is_some_and(|n| n == shard);
            plain
                .then(|| folder.join(shard))
                .ok_or_else(|| damaged(format!("its index names `{shard}`, which is not a file beside it")))
        })
        .collect()
}

fn parse(bytes: &[u8], tensors: &mut HashMap<String, Tensor>) -> Result<String, Error> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| Error::Damaged(e.to_string()))?;
    let mut stored_as = "f32";
    for (name, view) in file.tensors() {
        let Some(name) = names::from_hugging_face(&name) else {
            continue;
        };
        let (dtype, label) = match view.dtype() {
            Dtype::F32 => (DType::F32, "f32"),
            Dtype::F16 => (DType::F16, "f16"),
            Dtype::BF16 => (DType::BF16, "bf16"),
            other => return Err(Error::Type(format!("{other:?}"))),
        };
        if name == "decoder.embed_tokens.weight" {
            stored_as = label;
        }
        // Next to a 0 the other sizes could be anything.
        if view.shape().contains(&0) {
            return Err(Error::Damaged(format!("`{name}` has no elements")));
        }
        let tensor = Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)
            .map_err(|e| Error::Damaged(e.to_string()))?;
        tensors.insert(name, tensor);
    }
    Ok(stored_as.to_owned())
}
