//! Which cross-attention heads follow the words, for word timestamps.
//!
//! CTranslate2 and Hugging Face write them into a JSON file beside the weights; ggml does not. The
//! table is what OpenAI published for its own models, by size; `None` leaves the choice of the
//! heads of the decoder's upper half to the aligner.

use std::path::Path;

use super::{LoadError, ModelDims};

pub(super) fn alignment_heads(
    folder: &Path,
    dims: &ModelDims,
) -> Result<Option<Vec<(usize, usize)>>, LoadError> {
    for name in ["config.json", "generation_config.json"] {
        let file = folder.join(name);
        let Ok(text) = std::fs::read_to_string(&file) else {
            continue;
        };
        let json: serde_json::Value = serde_json::from_str(&text)
            .map_err(|e| LoadError::Damaged { path: file.clone(), why: format!("not JSON: {e}") })?;
        if let Ok(heads) = serde_json::from_value::<Vec<(usize, usize)>>(json["alignment_heads"].clone())
            && heads.iter().all(|&(l, h)| l < dims.n_text_layers && h < dims.n_heads)
            && !heads.is_empty()
        {
            return Ok(Some(heads));
        }
    }
    Ok(published(dims))
}

pub(super) fn published(dims: &ModelDims) -> Option<Vec<(usize, usize)>> {
    let heads: &[(usize, usize)] = match (dims.n_text_layers, dims.n_audio_layers, dims.is_multilingual()) {
        (4, 4, false) => &[(1, 0), (2, 0), (2, 5), (3, 0), (3, 1), (3, 2), (3, 3), (3, 4)],
        (4, 4, true) => &[(2, 2), (3, 0), (3, 2), (3, 3), (3, 4), (3, 5)],
        (6, 6, false) => &[(3, 3), (4, 7), (5, 1), (5, 5), (5, 7)],
        (6, 6, true) => &[(3, 1), (4, 2), (4, 3), (4, 7), (5, 1), (5, 2), (5, 4), (5, 6)],
        (12, 12, true) => &[(5, 3), (5, 9), (8, 0), (8, 4), (8, 7), (8, 8), (9, 0), (9, 7), (9, 9), (10, 5)],
        _ => return None,
    };
    heads.iter().all(|&(_, head)| head < dims.n_heads).then(|| heads.to_vec())
}
