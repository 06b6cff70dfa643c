//! What a cloud recognizer needs to know.

use std::fmt;
use std::time::Duration;

use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::web::{self, ApiKey};

/// The speech APIs that are spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// OpenAI's `/v1/audio/transcriptions`, which many servers speak, `earwitness serve` too.
    #[default]
    #[serde(rename = "openai")]
    OpenAi,
    /// Deepgram's pre-recorded `/v1/listen`.
    Deepgram,
    /// Deepgram's streaming `/v1/listen` over a websocket.
    DeepgramStream,
    /// Google Speech-to-Text v1 `recognize`.
    Google,
    /// Azure speech to text, REST for short audio.
    Azure,
}

impl ProviderKind {
    /// The public address, if there is only one.
    pub fn default_url(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("https://api.openai.com/v1"),
            Self::Deepgram | Self::DeepgramStream => Some("https://api.deepgram.com"),
            Self::Google => Some("https://speech.googleapis.com"),
            Self::Azure => None,
        }
    }

    /// The environment variable in which the provider's own tools look for the key.
    pub fn default_key_env(self) -> &'static str {
        match self {
            Self::OpenAi => "OPENAI_API_KEY",
            Self::Deepgram | Self::DeepgramStream => "DEEPGRAM_API_KEY",
            Self::Google => "GOOGLE_API_KEY",
            Self::Azure => "AZURE_SPEECH_KEY",
        }
    }

    /// Longest recording the API takes in one request, if it is shorter than an utterance may be.
    pub fn max_audio(self) -> Option<Duration> {
        match self {
            Self::OpenAi | Self::Deepgram | Self::DeepgramStream => None,
            Self::Google | Self::Azure => Some(Duration::from_secs(60)),
        }
    }
}

/// Where and how utterances are sent.
#[derive(Clone)]
pub struct CloudSettings {
    /// Which API is spoken.
    pub provider: ProviderKind,
    /// Base address: `https://api.openai.com/v1`, `http://127.0.0.1:8080/v1`.
    pub url: Url,
    /// The key; local servers need none.
    pub key: Option<ApiKey>,
    /// The provider's name of the model; empty for its default.
    pub model: String,
    /// Language as the provider wants it: `en`, `en-US`; empty if it shall find out.
    pub language: String,
    /// Words to expect.
    pub prompt: Option<String>,
    /// Whether times of single words are asked for.
    pub word_times: bool,
    /// Over all attempts, from the first connection to the last byte.
    pub deadline: Duration,
    /// For one connection. 3 s: a handshake needs three round trips, and the worst mobile ones take 600 ms.
    pub connect_timeout: Duration,
    /// Attempts within the deadline. 3: what two repeats did not cure is for later.
    pub attempts: u32,
    /// Longest pause before the first repeat; it doubles, and each pause is drawn at random below its bound.
    pub backoff: Duration,
}

impl CloudSettings {
    /// Settings with the defaults: 10 s over 3 attempts.
    ///
    /// # Errors
    /// If `url` is no address, in a sentence.
    pub fn new(provider: ProviderKind, url: &str) -> Result<Self, String> {
        let url = Url::parse(url).map_err(|e| format!("`{url}` is no address: {e}"))?;
        Ok(Self {
            provider,
            url,
            key: None,
            model: String::new(),
            language: String::new(),
            prompt: None,
            word_times: false,
            deadline: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(3),
            attempts: 3,
            backoff: Duration::from_millis(250),
        })
    }

    /// The host with its port, for messages and events.
    pub fn host(&self) -> String {
        web::host(&self.url)
    }

    /// Whether others on the way can hear it.
    pub fn is_unencrypted(&self) -> bool {
        web::is_unencrypted(&self.url)
    }

    /// Whether it stays on this machine.
    pub fn is_loopback(&self) -> bool {
        web::is_loopback(&self.url)
    }

    pub(super) fn check(&self) -> Result<(), String> {
        web::check_address(&self.url)?;
        if self.is_unencrypted() && self.key.is_some() {
            let host = self.host();
            return Err(format!("a key is not sent to {host} unencrypted: use https, or no key"));
        }
        if self.provider == ProviderKind::Google && self.language.is_empty() {
            return Err("Google needs a language such as en-US".to_owned());
        }
        if self.provider == ProviderKind::Azure && self.language.is_empty() {
            return Err("Azure needs a language such as en-US".to_owned());
        }
        Ok(())
    }

    /// `path` below the base address, with or without a slash at its end.
    pub(super) fn endpoint(&self, path: &str) -> Url {
        web::endpoint(&self.url, path)
    }
}

/// Shows where, not what: key and prompt never enter a log line.
impl fmt::Debug for CloudSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudSettings")
            .field("provider", &self.provider)
            .field("host", &self.host())
            .field("model", &self.model)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> CloudSettings {
        CloudSettings::new(ProviderKind::OpenAi, url).unwrap()
    }

    #[test]
    fn endpoints_are_below_the_base_address() {
        for base in ["http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1/"] {
            let url = settings(base).endpoint("audio/transcriptions");
            assert_eq!(url.as_str(), "http://127.0.0.1:8080/v1/audio/transcriptions");
        }
    }

    #[test]
    fn loopback_and_unencrypted_hosts_are_told_apart() {
        for (url, loopback, unencrypted) in [
            ("http://127.0.0.1:8080", true, false),
            ("http://localhost", true, false),
            ("http://[::1]:9", true, false),
            ("http://192.168.1.5", false, true),
            ("http://localhost.example.com", false, true),
            ("https://api.openai.com/v1", false, false),
        ] {
            let settings = settings(url);
            assert_eq!((settings.is_loopback(), settings.is_unencrypted()), (loopback, unencrypted), "{url}");
        }
    }

    #[test]
    fn addresses_that_would_leak_or_cannot_work_are_refused() {
        assert!(settings("https://me:secret@host/v1").check().is_err());
        assert!(settings("ftp://host/").check().is_err());
        let mut plain = settings("http://10.0.0.1/v1");
        assert!(plain.check().is_ok());
        plain.key = Some(ApiKey::new("k").unwrap());
        assert!(plain.check().unwrap_err().contains("unencrypted"));
    }
}
