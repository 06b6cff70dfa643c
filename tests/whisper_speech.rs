//! Real speech through the whole recognizer: text, times, language, silence.

mod support;

use std::sync::OnceLock;

use earwitness::asr::whisper::{DecodingOptions, LanguageChoice, Task, WhisperRecognizer};
use earwitness::asr::{Outcome, RecognitionObserver, Recognizer, RecognizerError, Transcript};
use earwitness::scoring::{EnglishNormalizer, score};
use earwitness::utterance::Utterance;

fn samples() -> &'static [f32] {
    static SAMPLES: OnceLock<Vec<f32>> = OnceLock::new();
    SAMPLES.get_or_init(|| support::samples_of(&support::two_cities()))
}

fn transcribe(model: &str, options: DecodingOptions, samples: &[f32]) -> Transcript {
    let mut whisper = WhisperRecognizer::load(&support::installed(model), model, options).unwrap();
    whisper.transcribe(&Utterance::whole(0, samples.to_vec()), &mut ()).unwrap()
}

#[test]
fn a_recording_longer_than_a_window_is_transcribed_whole() {
    let transcript = transcribe("tiny.en", DecodingOptions::default(), samples());
    let edits = score(&EnglishNormalizer, support::TWO_CITIES_TEXT, &transcript.text);
    let wer = edits.wer().unwrap();
    assert!(wer < 0.08, "word error rate {wer}: {edits:?}\n{}", transcript.text);
    assert_eq!(transcript.outcome, Outcome::Transcript);
    for pair in transcript.segments.windows(2) {
        assert!(pair[0].end <= pair[1].start + 1e-6, "segments overlap");
    }
    let end = transcript.segments.last().unwrap().end;
    assert!((35.0..=45.0).contains(&end), "the last segment ends at {end} s");
}

#[test]
fn words_have_times_that_follow_the_speech() {
    let options = DecodingOptions { word_timestamps: true, ..Default::default() };
    let transcript = transcribe("tiny.en", options, &samples()[..14 * 16_000]);
    let words: Vec<_> = transcript.segments.iter().flat_map(|s| &s.words).collect();
    let spelled: String = words.iter().map(|w| w.word.as_str()).collect();
    assert_eq!(
        spelled.split_whitespace().collect::<Vec<_>>(),
        transcript.text.split_whitespace().collect::<Vec<_>>()
    );
    for pair in words.windows(2) {
        assert!(pair[0].start <= pair[1].start && pair[0].end <= pair[1].end + 1e-9);
    }
    assert!(words.iter().all(|w| w.end >= w.start
        && w.end <= 14.0
        && w.probability.is_some_and(|p| (0.0..=1.0).contains(&p))));
    // "best" is said about 1.8 s into the recording and "incredulity" about 12 s; see the energy.
    let time = |text: &str| words.iter().find(|w| w.word.contains(text)).map(|w| w.start).unwrap_or(f64::NAN);
    assert!((1.0..3.0).contains(&time("best")), "best at {}", time("best"));
    assert!((10.5..13.0).contains(&time("incredulity")), "incredulity at {}", time("incredulity"));
}

#[test]
fn the_multilingual_model_detects_translates_and_transcribes() {
    let speech = &samples()[..9 * 16_000];
    let detect = DecodingOptions { language: LanguageChoice::Detect(vec![]), ..Default::default() };
    let transcript = transcribe("base", detect.clone(), speech);
    assert_eq!(transcript.language.as_deref(), Some("en"));
    assert!(transcript.text.contains("best of times"), "{}", transcript.text);
    // Among candidates without English the answer is one of them.
    let wrong = DecodingOptions {
        language: LanguageChoice::Detect(vec!["de".into(), "fr".into()]),
        ..detect.clone()
    };
    let language = transcribe("base", wrong, speech).language.unwrap();
    assert!(["de", "fr"].contains(&language.as_str()), "{language}");
    let translate = DecodingOptions { task: Task::Translate, ..detect };
    assert!(transcribe("base", translate, speech).text.contains("times"));
}

#[test]
fn a_prompt_steers_the_spelling() {
    let speech = &samples()[..9 * 16_000];
    let plain = transcribe("tiny.en", DecodingOptions::default(), speech).text;
    let prompt = DecodingOptions {
        initial_prompt: Some("IT WAS ALL IN CAPITALS, EVERY WORD OF IT.".into()),
        ..Default::default()
    };
    let steered = transcribe("tiny.en", prompt, speech).text;
    assert_ne!(plain, steered);
    let edits = score(&EnglishNormalizer, &plain, &steered);
    assert!(edits.wer().unwrap() < 0.2, "{steered}");
}

#[test]
fn the_same_audio_gives_the_same_text_even_when_sampling() {
    let options = DecodingOptions { temperatures: vec![0.8], ..Default::default() };
    let a = transcribe("tiny.en", options.clone(), &samples()[..6 * 16_000]);
    let b = transcribe("tiny.en", options, &samples()[..6 * 16_000]);
    assert_eq!(a.text, b.text);
}

#[test]
fn nothing_and_nearly_nothing_are_answered_without_text_or_panic() {
    for n in [0, 1, 100, 1_600] {
        let transcript = transcribe("tiny.en", DecodingOptions::default(), &vec![0.0; n]);
        assert!(transcript.text.len() < 40, "{n} samples: {}", transcript.text);
    }
}

#[test]
fn a_cancelled_recognition_says_so() {
    struct Impatient;
    impl RecognitionObserver for Impatient {
        fn cancelled(&self) -> bool {
            true
        }
    }
    let model = support::installed("tiny.en");
    let mut whisper = WhisperRecognizer::load(&model, "tiny.en", DecodingOptions::default()).unwrap();
    let answer = whisper.transcribe(&Utterance::whole(0, samples()[..16_000].to_vec()), &mut Impatient);
    assert!(matches!(answer, Err(RecognizerError::Cancelled)));
}

#[test]
fn the_annotation_tokens_are_those_the_model_was_published_with() {
    let folder = support::installed("tiny.en");
    let config: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("config.json")).unwrap()).unwrap();
    let published: Vec<u32> = serde_json::from_value(config["suppress_ids"].clone()).unwrap();
    let checkpoint = earwitness::asr::whisper::load::load(&folder).unwrap();
    let special = earwitness::asr::whisper::SpecialTokens::of(checkpoint.dims.n_vocab);
    let text_tokens: Vec<u32> = published.into_iter().filter(|&t| t < special.end_of_text).collect();
    assert_eq!(earwitness::asr::whisper::non_speech_tokens(&checkpoint.vocabulary), text_tokens);
}
