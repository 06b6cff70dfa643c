//! One set of weights in every format that can be read gives the same text.

mod support;

use std::path::Path;

use candle_core::DType;
use candle_core::quantized::GgmlDType;
use earwitness::asr::Recognizer;
use earwitness::asr::whisper::{DecodingOptions, WeightFormat, WhisperRecognizer, load};
use earwitness::scoring::{EnglishNormalizer, score};
use earwitness::utterance::Utterance;
use support::formats;

fn speech() -> Utterance {
    let samples = support::samples_of(&support::two_cities());
    Utterance::whole(0, samples[..14 * 16_000].to_vec())
}

fn text(model: &Path) -> String {
    let options = DecodingOptions { temperatures: vec![0.0], timestamps: false, ..Default::default() };
    let mut whisper = WhisperRecognizer::load(model, "test", options).unwrap_or_else(|e| panic!("{e}"));
    whisper.transcribe(&speech(), &mut ()).unwrap().text
}

#[test]
fn every_format_gives_the_same_text() {
    let original = support::installed("tiny.en");
    let expected = text(&original);
    assert!(expected.contains("the best of times"), "{expected}");
    let checkpoint = load::load(&original).unwrap();
    assert_eq!(checkpoint.format, WeightFormat::CTranslate2);
    assert_eq!(checkpoint.stored_as, "f16");

    let scratch = tempfile::tempdir().unwrap();
    let folder = |name: &str| {
        let path = scratch.path().join(name);
        std::fs::create_dir(&path).unwrap();
        path
    };
    let mut models = Vec::new();
    for (name, dtype, shards) in
        [("hf-f32", DType::F32, 1), ("hf-f16", DType::F16, 1), ("hf-sharded", DType::F16, 3)]
    {
        let to = folder(name);
        formats::write_safetensors(&checkpoint, &original, &to, dtype, shards);
        models.push((to, WeightFormat::Safetensors));
    }
    for (name, dtype) in
        [("f16.bin", GgmlDType::F16), ("q8_0.bin", GgmlDType::Q8_0), ("q5_1.bin", GgmlDType::Q5_1)]
    {
        let to = scratch.path().join(name);
        formats::write_ggml(&checkpoint, &to, dtype);
        models.push((to, WeightFormat::Ggml));
    }
    let to = folder("gguf").join("model.gguf");
    formats::write_gguf(&checkpoint, &original, &to, GgmlDType::Q8_0);
    models.push((to, WeightFormat::Gguf));
    let to = folder("ct2-int8");
    formats::write_int8_ctranslate2(&original, &to);
    models.push((to, WeightFormat::CTranslate2));

    for (model, format) in models {
        let loaded = load::load(&model).unwrap_or_else(|e| panic!("{}: {e}", model.display()));
        assert_eq!(loaded.format, format);
        assert_eq!(loaded.dims, checkpoint.dims);
        let found = text(&model);
        // Rounding to 5 or 8 bits may move a comma, never a word.
        let edits = score(&EnglishNormalizer, &expected, &found);
        assert_eq!(edits.errors(), 0, "{}: {found}\nexpected: {expected}", model.display());
        if loaded.stored_as == "f16" || loaded.stored_as == "f32" {
            assert_eq!(found, expected, "{}", model.display());
        }
    }
}

#[test]
fn prompts_encode_without_merges_too() {
    let scratch = tempfile::tempdir().unwrap();
    let checkpoint = load::load(&support::installed("tiny.en")).unwrap();
    let to = scratch.path().join("f16.bin");
    formats::write_ggml(&checkpoint, &to, GgmlDType::F16);
    let ggml = load::load(&to).unwrap();
    let special = earwitness::asr::whisper::SpecialTokens::of(checkpoint.dims.n_vocab);
    for prompt in [" Hello, Dr. Manette.", " It was the epoch of incredulity", " naïve café ♪"] {
        for vocabulary in [&checkpoint.vocabulary, &ggml.vocabulary] {
            assert_eq!(vocabulary.decode(&vocabulary.encode(prompt), &special), prompt);
        }
    }
}
