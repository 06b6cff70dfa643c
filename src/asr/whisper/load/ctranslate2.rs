//! CTranslate2's `model.bin`, version 6.
//!
//! Little endian, unpadded:
//! ```text
//! u32 version = 6; str spec_name; u32 revision
//! u32 n;  n x { str name; u8 rank; u32 dim[rank]; u8 dtype; u32 n_bytes; data }
//! u32 m;  m x { str alias; str target }
//! str = u16 length with its NUL, bytes, NUL;   dtype: 0 f32, 1 i8, 2 i16, 3 i32, 4 f16, 5 bf16
//! ```
//! Attention projections are fused (`linear_0` is q,k,v in self-attention; q alone in
//! cross-attention, whose `linear_1` is k,v) and are split here. An int8 weight comes with
//! `<name>_scale`, one factor a row by which the weight was multiplied.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};

use super::{LoadError, RawWeights};

pub(super) const VERSION: u32 = 6;

/// One stored variable, its data still in the file.
struct Variable<'a> {
    dims: Vec<usize>,
    dtype: u8,
    data: &'a [u8],
}

pub(super) fn read(path: &Path) -> Result<RawWeights, LoadError> {
    let map = super::map(path)?;
    parse(&map).map_err(|why| match why {
        ParseError::Damaged(why) => LoadError::Damaged { path: path.to_owned(), why },
        ParseError::Type(what) => LoadError::UnsupportedType { path: path.to_owned(), what },
        ParseError::NotWhisper(name) => {
            LoadError::NotWhisper { why: format!("its specification is `{name}`, not WhisperSpec") }
        }
        ParseError::Tensor(e) => e.into(),
    })
}

/// Reads untrusted bytes; for fuzzing.
#[doc(hidden)]
pub fn fuzz(bytes: &[u8]) {
    let _ = parse(bytes);
}

enum ParseError {
    Damaged(String),
    Type(String),
    NotWhisper(String),
    Tensor(candle_core::Error),
}

impl From<candle_core::Error> for ParseError {
    fn from(e: candle_core::Error) -> Self {
        Self::Tensor(e)
    }
}

fn parse(bytes: &[u8]) -> Result<RawWeights, ParseError> {
    let mut cursor = Cursor { bytes, at: 0 };
    if cursor.u32("version")? != VERSION {
        return Err(ParseError::Damaged("its version is not 6".into()));
    }
    let spec = cursor.string("specification name")?;
    if spec != "WhisperSpec" {
        return Err(ParseError::NotWhisper(spec));
    }
    cursor.u32("revision")?;
    let variables = cursor.variables()?;
    let stored_as = match variables.get("decoder/embeddings/weight").map(|v| v.dtype) {
        Some(0) => "f32",
        Some(1) => "int8",
        Some(4) => "f16",
        Some(5) => "bf16",
        _ => "mixed",
    };
    let mut tensors = HashMap::new();
    for (name, variable) in &variables {
        if variable.dims.is_empty() || name.ends_with("_scale") {
            continue; // options such as the number of heads, and int8 factors
        }
        let tensor = to_tensor(name, variable, &variables)?;
        insert_canonical(&mut tensors, name, tensor)?;
    }
    Ok(RawWeights { tensors, stored_as: stored_as.to_owned() })
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, n: usize, what: &str) -> Result<&'a [u8], ParseError> {
        let slice =
            self.at.checked_add(n).and_then(|end| self.bytes.get(self.at..end)).ok_or_else(|| {
                ParseError::Damaged(format!("it ends within the {what} at byte {}", self.at))
            })?;
        self.at += n;
        Ok(slice)
    }

    fn u8(&mut self, what: &str) -> Result<u8, ParseError> {
        Ok(self.take(1, what)?[0])
    }

    fn u32(&mut self, what: &str) -> Result<u32, ParseError> {
        let b = self.take(4, what)?;
        Ok(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }

    fn string(&mut self, what: &str) -> Result<String, ParseError> {
        let b = self.take(2, what)?;
        let with_nul = self.take(usize::from(u16::from_le_bytes([b[0], b[1]])), what)?;
        let text = with_nul.strip_suffix(&[0]).unwrap_or(with_nul);
        String::from_utf8(text.to_vec())
            .map_err(|_| ParseError::Damaged(format!("the {what} before byte {} is not text", self.at)))
    }

    fn variables(&mut self) -> Result<HashMap<String, Variable<'a>>, ParseError> {
        let n = self.u32("number of variables")?;
        let mut variables = HashMap::new();
        for _ in 0..n {
            let name = self.string("variable name")?;
            let rank = self.u8("rank")?;
            let dims = (0..rank)
                .map(|_| Ok(self.u32("dimension")? as usize))
                .collect::<Result<Vec<_>, ParseError>>()?;
            let dtype = self.u8("data type")?;
            let n_bytes = self.u32("data size")? as usize;
            let data = self.take(n_bytes, "data")?;
            variables.insert(name, Variable { dims, dtype, data });
        }
        Ok(variables)
    }
}

/// As it is stored, 8-bit values widened.
fn to_tensor(
    name: &str,
    variable: &Variable<'_>,
    all: &HashMap<String, Variable<'_>>,
) -> Result<Tensor, ParseError> {
    let dtype = match variable.dtype {
        0 => DType::F32,
        1 => return int8_to_f32(name, variable, all),
        4 => DType::F16,
        5 => DType::BF16,
        other => return Err(ParseError::Type(format!("CTranslate2 data type {other}"))),
    };
    let wanted = elements(&variable.dims).and_then(|n| n.checked_mul(dtype.size_in_bytes()));
    if wanted != Some(variable.data.len()) {
        return Err(ParseError::Damaged(format!("`{name}` has more or less data than its shape")));
    }
    Ok(Tensor::from_raw_buffer(variable.data, dtype, &variable.dims, &Device::Cpu)?)
}

/// `None` for a shape that is too large or has a 0, next to which the other sizes could be anything.
fn elements(dims: &[usize]) -> Option<usize> {
    dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).filter(|&n| n > 0)
}

fn int8_to_f32(
    name: &str,
    variable: &Variable<'_>,
    all: &HashMap<String, Variable<'_>>,
) -> Result<Tensor, ParseError> {
    let damaged = |why: &str| ParseError::Damaged(format!("`{name}` {why}"));
    let scale = all
        .get(&format!("{name}_scale"))
        .filter(|s| s.dtype == 0)
        .ok_or_else(|| damaged("is int8 and has no scale"))?;
    let factors: Vec<f32> =
        scale.data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let rows = variable.dims[0];
    let fits = elements(&variable.dims) == Some(variable.data.len())
        && rows > 0
        && (factors.len() == rows || factors.len() == 1);
    if !fits {
        return Err(damaged("does not fit its scale"));
    }
    let row_len = variable.data.len() / rows;
    let values: Vec<f32> = variable
        .data
        .iter()
        .enumerate()
        .map(|(i, &b)| f32::from(b as i8) / factors[(i / row_len.max(1)).min(factors.len() - 1)])
        .collect();
    Ok(Tensor::from_vec(values, variable.dims.as_slice(), &Device::Cpu)?)
}

/// Renames a variable and splits fused projections. Unknown ones are left out.
fn insert_canonical(
    tensors: &mut HashMap<String, Tensor>,
    name: &str,
    tensor: Tensor,
) -> Result<(), candle_core::Error> {
    let Some((side, rest)) = name.split_once('/') else {
        return Ok(());
    };
    if let Some(plain) = top_level(rest) {
        tensors.insert(format!("{side}.{plain}"), tensor);
        return Ok(());
    }
    let Some((layer, part)) = rest.strip_prefix("layer_").and_then(|r| r.split_once('/')) else {
        return Ok(());
    };
    let prefix = format!("{side}.layers.{layer}");
    let (part, leaf) = part.rsplit_once('/').unwrap_or((part, ""));
    let leaf = match leaf {
        "gamma" => "weight",
        "beta" => "bias",
        other => other,
    };
    let whole = |to: &str| vec![format!("{prefix}.{to}.{leaf}")];
    let fused = |at: &str, to: &[&str]| {
        to.iter().map(|p| format!("{prefix}.{at}.{p}_proj.{leaf}")).collect::<Vec<_>>()
    };
    let targets = match part {
        "self_attention/layer_norm" => whole("self_attn_layer_norm"),
        "self_attention/linear_0" => fused("self_attn", &["q", "k", "v"]),
        "self_attention/linear_1" => whole("self_attn.out_proj"),
        "attention/layer_norm" => whole("encoder_attn_layer_norm"),
        "attention/linear_0" => whole("encoder_attn.q_proj"),
        "attention/linear_1" => fused("encoder_attn", &["k", "v"]),
        "attention/linear_2" => whole("encoder_attn.out_proj"),
        "ffn/layer_norm" => whole("final_layer_norm"),
        "ffn/linear_0" => whole("fc1"),
        "ffn/linear_1" => whole("fc2"),
        _ => return Ok(()),
    };
    let rows = tensor.dim(0)? / targets.len();
    for (i, target) in targets.into_iter().enumerate() {
        tensors.insert(target, tensor.narrow(0, i * rows, rows)?);
    }
    Ok(())
}

fn top_level(rest: &str) -> Option<&'static str> {
    Some(match rest {
        "conv1/weight" => "conv1.weight",
        "conv1/bias" => "conv1.bias",
        "conv2/weight" => "conv2.weight",
        "conv2/bias" => "conv2.bias",
        "embeddings/weight" => "embed_tokens.weight",
        "position_encodings/encodings" => "embed_positions.weight",
        "layer_norm/gamma" => "layer_norm.weight",
        "layer_norm/beta" => "layer_norm.bias",
        _ => return None,
    })
}
