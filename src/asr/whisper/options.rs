//! What a caller may ask of Whisper, with the defaults' origins.

use super::context::Context;
use super::language::find_language;

/// What to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Task {
    /// The words as spoken.
    #[default]
    Transcribe,
    /// English, whatever was spoken.
    Translate,
}

/// How the spoken language is known. English-only models ignore it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LanguageChoice {
    /// Always this one: the default, `en`. Detection on a short utterance errs often.
    Pinned(String),
    /// Detected for each utterance among these codes, or all if empty.
    Detect(Vec<String>),
}

impl LanguageChoice {
    /// `auto`, `auto:en,de`, a code or an English name.
    ///
    /// # Errors
    /// The unknown word, in a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let code = |word: &str| {
            find_language(word.trim())
                .map(|l| l.code.to_owned())
                .ok_or_else(|| format!("unknown language `{word}`: give a code such as `en`, a name such as `german`, `auto`, or `auto:en,de`"))
        };
        match text.strip_prefix("auto") {
            Some("") => Ok(Self::Detect(Vec::new())),
            Some(rest) if rest.starts_with(':') => {
                rest[1..].split(',').map(code).collect::<Result<_, _>>().map(Self::Detect)
            }
            _ => code(text).map(Self::Pinned),
        }
    }
}

/// How to decode. The defaults are those of OpenAI's reference unless said otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct DecodingOptions {
    /// The spoken language: pinned to English.
    pub language: LanguageChoice,
    /// Transcribe or translate.
    pub task: Task,
    /// How much of the window is computed: the speech and a silent tail.
    pub context: Context,
    /// Let the model place segment boundaries. Costs a few tokens an utterance.
    pub timestamps: bool,
    /// Times of single words, by a further pass of the decoder.
    pub word_timestamps: bool,
    /// Text that came before, or names to expect. At most 223 tokens are used, the last ones.
    pub initial_prompt: Option<String>,
    /// Sampling temperatures, tried in order until a text passes the two tests below: 0 to 1 by 0.2.
    pub temperatures: Vec<f32>,
    /// A text fails whose mean log-probability is below: -1.0.
    pub logprob_threshold: f32,
    /// A text fails that zlib shrinks by more: 2.4.
    pub compression_ratio_threshold: f32,
    /// With a failing log-probability, silence is believed above: 0.6. Below 0.8 a second test holds as well,
    /// which is not the reference's: above 0.8 silence is believed with a log-probability below -0.8.
    pub no_speech_threshold: f32,
    /// Forbid symbols that stand for sounds and speakers.
    pub suppress_non_speech: bool,
    /// Most tokens of a window: 224, half the decoder's context.
    pub max_new_tokens: usize,
    /// Seed of the sampling above temperature 0: the same audio gives the same text.
    pub seed: u64,
}

impl Default for DecodingOptions {
    fn default() -> Self {
        Self {
            language: LanguageChoice::Pinned("en".to_owned()),
            task: Task::Transcribe,
            context: Context::default(),
            timestamps: true,
            word_timestamps: false,
            initial_prompt: None,
            temperatures: vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
            logprob_threshold: -1.0,
            compression_ratio_threshold: 2.4,
            no_speech_threshold: 0.6,
            suppress_non_speech: true,
            max_new_tokens: 224,
            seed: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_pinned_detected_or_refused() {
        assert_eq!(LanguageChoice::parse("german"), Ok(LanguageChoice::Pinned("de".into())));
        assert_eq!(LanguageChoice::parse("auto"), Ok(LanguageChoice::Detect(vec![])));
        assert_eq!(
            LanguageChoice::parse("auto:en,French"),
            Ok(LanguageChoice::Detect(vec!["en".into(), "fr".into()]))
        );
        assert!(LanguageChoice::parse("xx").unwrap_err().contains("xx"));
    }
}
