//! Writes a loaded Whisper checkpoint in each format that can be read, so that one set of weights
//! tests all readers. The writers share nothing with the readers.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use candle_core::quantized::{GgmlDType, QTensor, gguf_file};
use candle_core::{DType, Tensor};
use earwitness::asr::whisper::load::Checkpoint;

/// `model.safetensors` (or two shards and an index) under Hugging Face's names, with the tokenizer.
pub fn write_safetensors(checkpoint: &Checkpoint, from: &Path, to: &Path, dtype: DType, shards: usize) {
    copy_texts(from, to);
    let mut parts: Vec<HashMap<String, Tensor>> = vec![HashMap::new(); shards];
    let mut index = serde_json::Map::new();
    for (i, (name, tensor)) in checkpoint.tensors.iter().enumerate() {
        let name = format!("model.{name}");
        let tensor = tensor.contiguous().unwrap().to_dtype(dtype).unwrap();
        index.insert(name.clone(), shard_name(i % shards, shards).into());
        parts[i % shards].insert(name, tensor);
    }
    for (i, part) in parts.iter().enumerate() {
        candle_core::safetensors::save(part, to.join(shard_name(i, shards))).unwrap();
    }
    if shards > 1 {
        let json = serde_json::json!({ "metadata": {}, "weight_map": index });
        fs::write(to.join("model.safetensors.index.json"), json.to_string()).unwrap();
    }
}

fn shard_name(i: usize, shards: usize) -> String {
    match shards {
        1 => "model.safetensors".to_owned(),
        _ => format!("model-{:05}-of-{shards:05}.safetensors", i + 1),
    }
}

fn copy_texts(from: &Path, to: &Path) {
    for name in ["tokenizer.json", "config.json"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

/// whisper.cpp's format: matrices as `dtype`, the rest and the positions as f32, convolutions as f16.
pub fn write_ggml(checkpoint: &Checkpoint, to: &Path, dtype: GgmlDType) {
    let d = &checkpoint.dims;
    let mut out = Vec::new();
    let word = |out: &mut Vec<u8>, n: usize| out.extend((n as u32).to_le_bytes());
    out.extend(0x6767_6d6cu32.to_le_bytes());
    let ftype = match dtype {
        GgmlDType::F32 => 0,
        GgmlDType::F16 => 1,
        GgmlDType::Q8_0 => 7,
        GgmlDType::Q5_1 => 9,
        other => panic!("{other:?} has no file type here"),
    };
    for n in [
        d.n_vocab,
        d.n_audio_ctx,
        d.d_model,
        d.n_heads,
        d.n_audio_layers,
        d.n_text_ctx,
        d.d_model,
        d.n_heads,
        d.n_text_layers,
        d.n_mels,
        ftype,
    ] {
        word(&mut out, n);
    }
    // Filters: whisper.cpp uses these, so they are the real ones only up to scale; see the reader.
    word(&mut out, d.n_mels);
    word(&mut out, 201);
    out.extend(std::iter::repeat_n(0u8, d.n_mels * 201 * 4));
    let special = earwitness::asr::whisper::SpecialTokens::of(d.n_vocab);
    word(&mut out, special.end_of_text as usize);
    for token in 0..special.end_of_text {
        let bytes = checkpoint.vocabulary.bytes(token, &special);
        word(&mut out, bytes.len());
        out.extend(bytes);
    }
    for (name, tensor) in &checkpoint.tensors {
        let name = openai_name(name);
        let mut dims = tensor.dims().to_vec();
        let kind = if name.contains("conv") && name.ends_with("weight") {
            GgmlDType::F16
        } else if dims.len() == 2 && !name.ends_with("positional_embedding") {
            dtype
        } else {
            GgmlDType::F32
        };
        if name.contains("conv") && name.ends_with("bias") {
            dims.push(1);
        }
        word(&mut out, dims.len());
        word(&mut out, name.len());
        word(&mut out, ggml_number(kind));
        for n in dims.iter().rev() {
            word(&mut out, *n);
        }
        out.extend(name.as_bytes());
        out.extend(stored(tensor, kind));
    }
    File::create(to).unwrap().write_all(&out).unwrap();
}

/// Quantizes a copy: candle's quantizer looks at a view's whole storage.
fn quantized(tensor: &Tensor, kind: GgmlDType) -> QTensor {
    let values: Vec<f32> = tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    let copy = Tensor::from_vec(values, tensor.dims(), tensor.device()).unwrap();
    QTensor::quantize(&copy, kind).unwrap()
}

/// The bytes of a tensor as a ggml type.
fn stored(tensor: &Tensor, kind: GgmlDType) -> Vec<u8> {
    let values: Vec<f32> = tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    match kind {
        GgmlDType::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        GgmlDType::F16 => values.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect(),
        _ => quantized(tensor, kind).data().unwrap().to_vec(),
    }
}

/// GGUF with Hugging Face's names.
pub fn write_gguf(checkpoint: &Checkpoint, from: &Path, to: &Path, dtype: GgmlDType) {
    copy_texts(from, to.parent().unwrap());
    let tensors: Vec<(String, QTensor)> = checkpoint
        .tensors
        .iter()
        .map(|(name, t)| {
            let matrix = t.rank() == 2 && !name.contains("embed_positions");
            let kind = if matrix { dtype } else { GgmlDType::F32 };
            (format!("model.{name}"), quantized(t, kind))
        })
        .collect();
    let views: Vec<(&str, &QTensor)> = tensors.iter().map(|(n, t)| (n.as_str(), t)).collect();
    gguf_file::write(&mut File::create(to).unwrap(), &[], &views).unwrap();
}

/// A CTranslate2 model with its matrices as int8, one factor a row, from one with f16.
pub fn write_int8_ctranslate2(from: &Path, to: &Path) {
    copy_texts(from, to);
    let bytes = fs::read(from.join("model.bin")).unwrap();
    let mut at = 0;
    let mut take = |n: usize| {
        at += n;
        &bytes[at - n..at]
    };
    let number = |b: &[u8]| b.iter().rev().fold(0usize, |n, &b| n << 8 | usize::from(b));
    let mut header = take(4).to_vec();
    let len = take(2);
    header.extend(len);
    header.extend(take(number(len)));
    header.extend(take(4));
    let count = number(take(4));
    let mut body = Vec::new();
    let mut written = 0u32;
    for _ in 0..count {
        let len = take(2);
        let name = take(number(len));
        let rank = take(1)[0];
        let dims: Vec<usize> = (0..rank).map(|_| number(take(4))).collect();
        let dtype = take(1)[0];
        let n_bytes = number(take(4));
        let data = take(n_bytes);
        let text = std::str::from_utf8(&name[..name.len() - 1]).unwrap();
        if dims.len() == 2 && dtype == 4 && text.ends_with("weight") {
            let values: Vec<f32> =
                data.chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()).collect();
            let (mut int8, mut scales) = (Vec::new(), Vec::new());
            for row in values.chunks_exact(dims[1]) {
                let scale = 127.0 / row.iter().fold(1e-9f32, |m, v| m.max(v.abs()));
                int8.extend(row.iter().map(|v| (v * scale).round() as i8 as u8));
                scales.extend(scale.to_le_bytes());
            }
            variable(&mut body, text, &dims, 1, &int8);
            variable(&mut body, &format!("{text}_scale"), &dims[..1], 0, &scales);
            written += 2;
        } else {
            variable(&mut body, text, &dims, dtype, data);
            written += 1;
        }
    }
    header.extend(written.to_le_bytes());
    header.extend(body);
    header.extend(&bytes[at..]);
    fs::write(to.join("model.bin"), header).unwrap();
}

fn variable(out: &mut Vec<u8>, name: &str, dims: &[usize], dtype: u8, data: &[u8]) {
    out.extend((name.len() as u16 + 1).to_le_bytes());
    out.extend(name.as_bytes());
    out.push(0);
    out.push(dims.len() as u8);
    for &d in dims {
        out.extend((d as u32).to_le_bytes());
    }
    out.push(dtype);
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
}

fn ggml_number(dtype: GgmlDType) -> usize {
    match dtype {
        GgmlDType::F32 => 0,
        GgmlDType::F16 => 1,
        GgmlDType::Q5_1 => 7,
        GgmlDType::Q8_0 => 8,
        other => panic!("{other:?} has no number here"),
    }
}

/// Canonical to OpenAI.
fn openai_name(name: &str) -> String {
    let (side, rest) = name.split_once('.').unwrap();
    let renamed = match rest {
        "embed_positions.weight" => "positional_embedding".to_owned(),
        "embed_tokens.weight" => "token_embedding.weight".to_owned(),
        _ if rest.starts_with("layer_norm.") => {
            rest.replace("layer_norm", if side == "encoder" { "ln_post" } else { "ln" })
        }
        _ => rest
            .replace("layers.", "blocks.")
            .replace("encoder_attn_layer_norm", "cross_attn_ln")
            .replace("self_attn_layer_norm", "attn_ln")
            .replace("final_layer_norm", "mlp_ln")
            .replace("encoder_attn.", "cross_attn.")
            .replace("self_attn.", "attn.")
            .replace("q_proj", "query")
            .replace("k_proj", "key")
            .replace("v_proj", "value")
            .replace("out_proj", "out")
            .replace("fc1", "mlp.0")
            .replace("fc2", "mlp.2"),
    };
    format!("{side}.{renamed}")
}
