//! Tensor names: OpenAI's, which ggml files use, to the canonical ones.

/// The canonical name of a Hugging Face tensor, `None` for what is not needed.
pub(super) fn from_hugging_face(name: &str) -> Option<String> {
    let name = name.strip_prefix("model.").unwrap_or(name);
    (name.starts_with("encoder.") || name.starts_with("decoder.")).then(|| name.to_owned())
}

/// The canonical name of an OpenAI tensor (`encoder.blocks.0.attn.query.weight`).
pub(super) fn from_openai(name: &str) -> Option<String> {
    let name = name.strip_prefix("model.").unwrap_or(name);
    let (side, rest) = name.split_once('.')?;
    if side != "encoder" && side != "decoder" {
        return None;
    }
    let renamed = match rest {
        "positional_embedding" => "embed_positions.weight".to_owned(),
        "token_embedding.weight" => "embed_tokens.weight".to_owned(),
        _ => match rest.strip_prefix("blocks.") {
            Some(block) => {
                let (layer, part) = block.split_once('.')?;
                let (part, leaf) = part.rsplit_once('.')?;
                format!("layers.{layer}.{}.{leaf}", block_part(part)?)
            }
            None => rest.replace("ln_post.", "layer_norm.").replace("ln.", "layer_norm."),
        },
    };
    Some(format!("{side}.{renamed}"))
}

fn block_part(part: &str) -> Option<&'static str> {
    Some(match part {
        "attn.query" => "self_attn.q_proj",
        "attn.key" => "self_attn.k_proj",
        "attn.value" => "self_attn.v_proj",
        "attn.out" => "self_attn.out_proj",
        "attn_ln" => "self_attn_layer_norm",
        "cross_attn.query" => "encoder_attn.q_proj",
        "cross_attn.key" => "encoder_attn.k_proj",
        "cross_attn.value" => "encoder_attn.v_proj",
        "cross_attn.out" => "encoder_attn.out_proj",
        "cross_attn_ln" => "encoder_attn_layer_norm",
        "mlp.0" => "fc1",
        "mlp.2" => "fc2",
        "mlp_ln" => "final_layer_norm",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openai_names_become_canonical() {
        let cases = [
            ("encoder.blocks.3.attn.query.weight", "encoder.layers.3.self_attn.q_proj.weight"),
            ("decoder.blocks.0.cross_attn_ln.bias", "decoder.layers.0.encoder_attn_layer_norm.bias"),
            ("decoder.ln.weight", "decoder.layer_norm.weight"),
            ("encoder.ln_post.bias", "encoder.layer_norm.bias"),
            ("encoder.conv1.weight", "encoder.conv1.weight"),
            ("decoder.positional_embedding", "decoder.embed_positions.weight"),
        ];
        for (openai, canonical) in cases {
            assert_eq!(from_openai(openai).as_deref(), Some(canonical));
        }
    }
}
