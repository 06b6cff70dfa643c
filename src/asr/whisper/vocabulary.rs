//! The tokens of a Whisper model: bytes of each text token, numbers of the special ones.
//!
//! Text tokens are pieces of UTF-8 (one character may span two tokens). Special tokens follow them
//! in an order that depends only on how many there are, so their numbers are computed, the same way
//! for every weight format. Timestamps are the last 1501 tokens: 0.00 to 30.00 s in steps of 20 ms.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tokenizers::Tokenizer;

use super::language::LANGUAGES;
use super::load::LoadError;

/// Seconds from one timestamp token to the next.
pub(super) const TIMESTAMP_STEP_S: f64 = 0.02;
/// Timestamp tokens, 0.00 to 30.00 s.
pub(super) const N_TIMESTAMPS: usize = 1501;

/// Numbers of the special tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are Whisper's own")]
pub struct SpecialTokens {
    pub end_of_text: u32,
    pub start_of_transcript: u32,
    pub first_language: u32,
    pub n_languages: u32,
    pub translate: u32,
    pub transcribe: u32,
    pub start_of_previous: u32,
    pub no_speech: u32,
    pub no_timestamps: u32,
    pub first_timestamp: u32,
}

impl SpecialTokens {
    /// The numbers in a vocabulary of `n_vocab` tokens.
    pub fn of(n_vocab: usize) -> Self {
        let multilingual = n_vocab >= 51_865;
        let end_of_text = if multilingual { 50_257 } else { 50_256 };
        let first_timestamp = (n_vocab - N_TIMESTAMPS) as u32;
        let first_language = end_of_text + 2;
        Self {
            end_of_text,
            start_of_transcript: end_of_text + 1,
            first_language,
            n_languages: first_timestamp - 6 - first_language,
            translate: first_timestamp - 6,
            transcribe: first_timestamp - 5,
            start_of_previous: first_timestamp - 3,
            no_speech: first_timestamp - 2,
            no_timestamps: first_timestamp - 1,
            first_timestamp,
        }
    }

    /// The token of a language code such as `en`.
    pub fn language(&self, code: &str) -> Option<u32> {
        let index = LANGUAGES.iter().position(|l| l.code == code)? as u32;
        (index < self.n_languages).then_some(self.first_language + index)
    }

    /// Seconds into the window, if `token` is a timestamp.
    pub fn seconds(&self, token: u32) -> Option<f64> {
        (token >= self.first_timestamp).then(|| f64::from(token - self.first_timestamp) * TIMESTAMP_STEP_S)
    }
}

/// The bytes of every token, end to end: 50,000 vectors of their own would take 20 times the memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct TokenTable {
    bytes: Vec<u8>,
    /// Where each token ends.
    ends: Vec<u32>,
}

impl TokenTable {
    pub(super) fn push(&mut self, token: &[u8]) {
        self.bytes.extend_from_slice(token);
        self.ends.push(self.bytes.len() as u32);
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, token: usize) -> Option<&[u8]> {
        let end = *self.ends.get(token)? as usize;
        let start = if token == 0 { 0 } else { self.ends[token - 1] as usize };
        self.bytes.get(start..end)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|token| self.get(token))
    }

    /// Whether `other` begins with these tokens.
    fn begins(&self, other: &Self) -> bool {
        other.ends.starts_with(&self.ends) && other.bytes.starts_with(&self.bytes)
    }
}

impl<T: AsRef<[u8]>> FromIterator<T> for TokenTable {
    fn from_iter<I: IntoIterator<Item = T>>(tokens: I) -> Self {
        let mut table = Self::default();
        tokens.into_iter().for_each(|token| table.push(token.as_ref()));
        table
    }
}

/// Bytes of each text token, and a way to make tokens of a text.
pub struct Vocabulary {
    tokens: TokenTable,
    /// Tokens in the order of their bytes, for looking them up.
    sorted: OnceLock<Vec<u32>>,
    tokenizer: Option<Box<Tokenizer>>,
    /// Where a `tokenizer.json` may lie that was not read yet.
    folder: Option<PathBuf>,
    late_tokenizer: OnceLock<Option<Box<Tokenizer>>>,
}

impl Vocabulary {
    /// Text tokens in order, as ggml files hold them.
    pub(super) fn from_tokens(tokens: TokenTable) -> Self {
        Self {
            tokens,
            sorted: OnceLock::new(),
            tokenizer: None,
            folder: None,
            late_tokenizer: OnceLock::new(),
        }
    }

    /// Text tokens as a pack holds them; byte-pair merges are read from `folder` when a prompt asks for them.
    pub(super) fn from_pack(tokens: TokenTable, folder: PathBuf) -> Self {
        Self { folder: Some(folder), ..Self::from_tokens(tokens) }
    }

    fn tokenizer(&self) -> Option<&Tokenizer> {
        let late = || {
            let other = Self::read(self.folder.as_deref()?).ok()?;
            let same = self.tokens.begins(&other.tokens) || other.tokens.begins(&self.tokens);
            (same && other.tokens.len() > 0).then_some(other.tokenizer).flatten()
        };
        self.tokenizer.as_deref().or_else(|| self.late_tokenizer.get_or_init(late).as_deref())
    }

    /// Takes byte-pair merges from a `tokenizer.json` in `folder`, if there is one with these tokens.
    pub(super) fn with_tokenizer_in(mut self, folder: &Path) -> Self {
        let beside = Self::read(folder).ok().filter(|other| self.tokens.begins(&other.tokens));
        self.tokenizer = beside.and_then(|other| other.tokenizer);
        self
    }

    /// Reads `tokenizer.json`, else `vocabulary.json`, else `vocabulary.txt` in `folder`.
    pub(super) fn read(folder: &Path) -> Result<Self, LoadError> {
        let file = folder.join("tokenizer.json");
        if file.is_file() {
            let tokenizer = read_tokenizer(&file)?;
            let size = tokenizer.get_vocab_size(false) as u32;
            let pieces = (0..size).map(|id| tokenizer.id_to_token(id).unwrap_or_default()).collect();
            let mut vocabulary = Self::from_pieces(pieces);
            vocabulary.tokenizer = Some(Box::new(tokenizer));
            return Ok(vocabulary);
        }
        let json = folder.join("vocabulary.json");
        if let Ok(text) = std::fs::read_to_string(&json) {
            let pieces =
                serde_json::from_str(&text).map_err(|e| wrong(format!("{}: {e}", json.display())))?;
            return Ok(Self::from_pieces(pieces));
        }
        match std::fs::read_to_string(folder.join("vocabulary.txt")) {
            Ok(text) => Ok(Self::from_pieces(text.lines().map(str::to_owned).collect())),
            Err(_) => Err(LoadError::NoVocabulary { folder: folder.to_owned() }),
        }
    }

    /// Pieces in GPT-2's spelling, where every byte is a printable character.
    fn from_pieces(pieces: Vec<String>) -> Self {
        let byte_of = gpt2_byte_table();
        let bytes = |piece: String| -> Vec<u8> {
            piece
                .chars()
                .map(|c| byte_of.get(&c).copied())
                .collect::<Option<Vec<u8>>>()
                .unwrap_or_else(|| piece.into_bytes())
        };
        Self::from_tokens(pieces.into_iter().map(bytes).collect())
    }

    /// Refuses a vocabulary that lacks text tokens of a model with `n_vocab` tokens.
    pub(super) fn check(&self, n_vocab: usize) -> Result<(), LoadError> {
        let text_tokens = SpecialTokens::of(n_vocab).end_of_text as usize;
        if self.tokens.len() < text_tokens || self.tokens.len() > n_vocab {
            return Err(wrong(format!("it has {} tokens, the weights have {n_vocab}", self.tokens.len())));
        }
        Ok(())
    }

    /// The bytes of every token that is kept, in order.
    pub(super) fn text_tokens(&self) -> &TokenTable {
        &self.tokens
    }

    /// The bytes of a text token; nothing for a special one.
    pub fn bytes(&self, token: u32, special: &SpecialTokens) -> &[u8] {
        if token >= special.end_of_text {
            return &[];
        }
        self.tokens.get(token as usize).unwrap_or(&[])
    }

    /// The text of `tokens`, special ones left out; broken UTF-8 becomes U+FFFD.
    pub fn decode(&self, tokens: &[u32], special: &SpecialTokens) -> String {
        let bytes: Vec<u8> = tokens.iter().flat_map(|&t| self.bytes(t, special)).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The token that is exactly `text`, if there is one.
    pub fn token(&self, text: &str) -> Option<u32> {
        self.token_of(text.as_bytes())
    }

    fn token_of(&self, bytes: &[u8]) -> Option<u32> {
        let of = |token: u32| self.tokens.get(token as usize).unwrap_or(&[]);
        let sorted = self.sorted.get_or_init(|| {
            let mut sorted: Vec<u32> = (0..self.tokens.len() as u32).collect();
            sorted.sort_by_key(|token| of(*token));
            sorted
        });
        // Of equal tokens the last, as in a map that each overwrites.
        let after = sorted.partition_point(|token| of(*token) <= bytes);
        let last = *sorted.get(after.checked_sub(1)?)?;
        (of(last) == bytes).then_some(last)
    }

    /// Tokens of a text: by byte-pair merges where the model came with them, else the longest
    /// matching pieces, which decode to the same text.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        if let Some(tokenizer) = self.tokenizer()
            && let Ok(encoding) = tokenizer.encode(text, false)
        {
            return encoding.get_ids().to_vec();
        }
        let mut rest = text.as_bytes();
        let mut tokens = Vec::new();
        while !rest.is_empty() {
            let longest = (1..=rest.len().min(64))
                .rev()
                .find_map(|n| self.token_of(&rest[..n]).map(|token| (n, token)));
            let Some((n, token)) = longest else { break };
            tokens.push(token);
            rest = &rest[n..];
        }
        tokens
    }
}

fn wrong(why: String) -> LoadError {
    LoadError::Vocabulary { why }
}

fn read_tokenizer(file: &Path) -> Result<Tokenizer, LoadError> {
    Tokenizer::from_file(file).map_err(|e| wrong(format!("{}: {e}", file.display())))
}

/// GPT-2 writes printable bytes as themselves and the others as the characters from U+0100 on.
fn gpt2_byte_table() -> HashMap<char, u8> {
    let printable = |b: u8| matches!(b, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut next = 0x100u32;
    (0..=255u8)
        .map(|b| {
            if printable(b) {
                return (char::from(b), b);
            }
            let c = char::from_u32(next).unwrap_or('\u{FFFD}');
            next += 1;
            (c, b)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_tokens_have_the_published_numbers() {
        let english = SpecialTokens::of(51_864);
        assert_eq!(
            (english.end_of_text, english.no_timestamps, english.first_timestamp, english.no_speech),
            (50_256, 50_362, 50_363, 50_361)
        );
        let multilingual = SpecialTokens::of(51_865);
        assert_eq!(multilingual.language("en"), Some(50_259));
        assert_eq!(multilingual.language("su"), Some(50_357));
        assert_eq!(multilingual.language("yue"), None);
        assert_eq!((multilingual.translate, multilingual.transcribe), (50_358, 50_359));
        let v3 = SpecialTokens::of(51_866);
        assert_eq!((v3.language("yue"), v3.first_timestamp), (Some(50_358), 50_365));
    }

    #[test]
    fn every_byte_has_its_own_character() {
        let table = gpt2_byte_table();
        assert_eq!(table.len(), 256);
        assert_eq!(table[&'Ġ'], b' ');
    }

    #[test]
    fn without_merges_the_longest_pieces_spell_the_text() {
        let v = Vocabulary::from_tokens(["a", "b", "ab", "", "b"].into_iter().collect());
        assert_eq!(v.encode("abba"), [2, 4, 0]);
        assert_eq!((v.token(""), v.token("c"), v.token("aa")), (Some(3), None, None));
    }
}
