//! GGUF, through candle's own reader. Tensor names may be Hugging Face's or OpenAI's.

use std::collections::HashMap;
use std::io::Cursor;
use std::path::Path;

use candle_core::Device;
use candle_core::quantized::gguf_file::Content;

use super::{LoadError, RawWeights, ggml, names};

pub(super) fn read(path: &Path) -> Result<RawWeights, LoadError> {
    let map = super::map(path)?;
    // candle's reader trusts some of the numbers in the file, an alignment of 0 for one.
    let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| parse(&map, path)));
    read.unwrap_or_else(|_| {
        Err(LoadError::Damaged { path: path.to_owned(), why: "its header holds impossible numbers".into() })
    })
}

fn parse(map: &[u8], path: &Path) -> Result<RawWeights, LoadError> {
    let damaged = |e: candle_core::Error| LoadError::Damaged { path: path.to_owned(), why: e.to_string() };
    let mut reader = Cursor::new(map);
    let content = Content::read(&mut reader).map_err(damaged)?;
    let mut tensors = HashMap::new();
    let mut stored_as = String::from("f32");
    for (name, info) in &content.tensor_infos {
        let openai = name.contains(".blocks.") || name.contains("_embedding") || name.contains(".ln");
        let canonical = if openai { names::from_openai(name) } else { names::from_hugging_face(name) };
        let Some(canonical) = canonical else { continue };
        if canonical == "decoder.embed_tokens.weight" {
            stored_as = ggml::type_label(info.ggml_dtype);
        }
        let tensor = content
            .tensor(&mut reader, name, &Device::Cpu)
            .and_then(|t| t.dequantize(&Device::Cpu))
            .map_err(damaged)?;
        tensors.insert(canonical, tensor);
    }
    Ok(RawWeights { tensors, stored_as })
}
