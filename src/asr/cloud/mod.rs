//! Cloud speech APIs as recognizers: one file per provider, deadline and retries shared.
//!
//! A [`CloudRecognizer`] sends an utterance away; whoever calls it has the user's consent. It holds the
//! calling thread until there is an answer, the deadline is over, or the observer cancels.
//!
//! | provider | request | audio | words | confidence |
//! |---|---|---|---|---|
//! | [`ProviderKind::OpenAi`] | `POST {url}/audio/transcriptions` | FLAC or WAV | if the server gives them | from token log-probabilities |
//! | [`ProviderKind::Deepgram`] | `POST {url}/v1/listen` | FLAC or WAV | yes | the provider's |
//! | [`ProviderKind::DeepgramStream`] | websocket `{url}/v1/listen` | 16-bit PCM | yes | the provider's |
//! | [`ProviderKind::Google`] | `POST {url}/v1/speech:recognize` | FLAC or WAV | yes | the provider's |
//! | [`ProviderKind::Azure`] | `POST {url}/speech/recognition/…` | WAV | yes | the provider's |

mod attempt;
mod azure;
mod deepgram;
mod deepgram_stream;
mod error;
mod google;
mod language;
mod openai;
mod settings;

use std::time::Duration;

use reqwest::{Client, RequestBuilder, redirect};
use tokio::runtime::{Builder, Runtime};

pub use error::CloudError;
pub use settings::{CloudSettings, ProviderKind};

use super::{EngineId, RecognitionObserver, Recognizer, RecognizerError, Stage, Transcript};
use crate::audio::{AudioFormat, encode_flac, encode_wav};
use crate::utterance::Utterance;
pub use crate::web::{ApiKey, KeyError};
use crate::web::{client_builder, with_causes};
use attempt::{Answer, Attempts};

/// How often a waiting request asks whether it is still wanted.
const CANCEL_POLL: Duration = Duration::from_millis(10);
/// Idle connections are kept this long; most servers close theirs after a minute.
const KEEP_CONNECTION: Duration = Duration::from_secs(50);

/// An utterance as it is sent.
struct Upload {
    bytes: Vec<u8>,
    format: AudioFormat,
    seconds: f64,
}

impl Upload {
    /// The smaller of the formats that the provider takes.
    fn new(utterance: &Utterance, flac: bool) -> Self {
        let wav = encode_wav(&utterance.samples);
        let flac = flac.then(|| encode_flac(&utterance.samples)).flatten();
        let (bytes, format) = match flac {
            Some(flac) if flac.len() < wav.len() => (flac, AudioFormat::Flac),
            _ => (wav, AudioFormat::Wav),
        };
        Self { bytes, format, seconds: utterance.seconds() }
    }
}

/// One speech API: how it is asked, and what its answers mean.
trait Provider: Send {
    /// The engine's name: `openai`.
    fn name(&self) -> &'static str;

    /// Whether it reads FLAC.
    fn takes_flac(&self) -> bool {
        true
    }

    /// The request for one attempt.
    fn request(&self, client: &Client, settings: &CloudSettings, upload: &Upload) -> RequestBuilder;

    /// The transcript in a body with status 200, or what is wrong with it, in words that do not quote it.
    fn transcript(&self, answer: &Answer, upload: &Upload) -> Result<Transcript, BadBody>;

    /// The provider's own wish to be asked later, where it is not the header `Retry-After`.
    fn retry_after(&self, _answer: &Answer) -> Option<Duration> {
        None
    }
}

/// What is wrong with a body of status 200.
enum BadBody {
    /// It cannot be understood.
    Malformed(String),
    /// It says that the provider is in trouble: worth another try.
    Trouble(String),
}

impl From<serde_json::Error> for BadBody {
    fn from(error: serde_json::Error) -> Self {
        // The error's own words may quote the body.
        let (line, column) = (error.line(), error.column());
        Self::Malformed(format!("{:?} error in its JSON at line {line}, column {column}", error.classify()))
    }
}

/// How an API is spoken.
enum Api {
    /// A request and an answer.
    Rest(Box<dyn Provider>),
    /// Deepgram's websocket.
    DeepgramStream,
}

/// A speech API behind the [`Recognizer`] trait.
pub struct CloudRecognizer {
    engine: EngineId,
    api: Api,
    settings: CloudSettings,
    client: Client,
    /// Always there until dropped.
    runtime: Option<Runtime>,
}

impl CloudRecognizer {
    /// Prepares requests; nothing is sent, and the host is not looked up.
    ///
    /// # Errors
    /// [`CloudError::Setup`] if the settings contradict themselves or the system has no TLS roots.
    pub fn new(settings: CloudSettings) -> Result<Self, CloudError> {
        settings.check().map_err(CloudError::Setup)?;
        let api = match settings.provider {
            ProviderKind::OpenAi => Api::Rest(Box::new(openai::OpenAi)),
            ProviderKind::Deepgram => Api::Rest(Box::new(deepgram::Deepgram)),
            ProviderKind::DeepgramStream => Api::DeepgramStream,
            ProviderKind::Google => Api::Rest(Box::new(google::Google)),
            ProviderKind::Azure => Api::Rest(Box::new(azure::Azure)),
        };
        // Audio goes to the host that was agreed to, never to where that host redirects.
        let mut client = client_builder(&settings.url);
        if matches!(api, Api::DeepgramStream) {
            // Only HTTP/1.1 can become a websocket.
            client = client.http1_only();
        }
        let client = client
            .connect_timeout(settings.connect_timeout)
            .pool_idle_timeout(KEEP_CONNECTION)
            .user_agent(concat!("earwitness/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|e| CloudError::Setup(with_causes(&e)))?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| CloudError::Setup(format!("no runtime for requests: {e}")))?;
        let model = if settings.model.is_empty() { "default" } else { &settings.model };
        let name = match &api {
            Api::Rest(provider) => provider.name(),
            Api::DeepgramStream => "deepgram_stream",
        };
        let engine = EngineId::new(name, model, "cloud");
        Ok(Self { engine, api, settings, client, runtime: Some(runtime) })
    }

    /// Where audio goes, and how.
    pub fn settings(&self) -> &CloudSettings {
        &self.settings
    }

    async fn answer(&self, utterance: &Utterance) -> Result<Transcript, CloudError> {
        let attempts = Attempts::new(&self.settings);
        let provider = match &self.api {
            Api::Rest(provider) => provider.as_ref(),
            Api::DeepgramStream => {
                let attempt = || {
                    deepgram_stream::transcribe(&self.client, &self.settings, &attempts, &utterance.samples)
                };
                return attempts.retry(attempt).await;
            }
        };
        let upload = Upload::new(utterance, provider.takes_flac());
        let request = || provider.request(&self.client, &self.settings, &upload);
        let read = |answer: &Answer| provider.transcript(answer, &upload);
        attempts.run(request, read, |answer| provider.retry_after(answer)).await
    }

    fn ask(
        &self,
        utterance: &Utterance,
        observer: &dyn RecognitionObserver,
    ) -> Result<Transcript, RecognizerError> {
        let answered = self.answer(utterance);
        let cancelled = async {
            while !observer.cancelled() {
                tokio::time::sleep(CANCEL_POLL).await;
            }
        };
        let Some(runtime) = &self.runtime else { return Err(RecognizerError::Cancelled) };
        runtime.block_on(async {
            tokio::select! {
                biased;
                answer = answered => answer.map_err(RecognizerError::Cloud),
                () = cancelled => Err(RecognizerError::Cancelled),
            }
        })
    }
}

impl Recognizer for CloudRecognizer {
    fn engine(&self) -> &EngineId {
        &self.engine
    }

    fn transcribe(
        &mut self,
        utterance: &Utterance,
        observer: &mut dyn RecognitionObserver,
    ) -> Result<Transcript, RecognizerError> {
        observer.enter(Stage::Cloud);
        self.ask(utterance, observer)
    }
}

impl Drop for CloudRecognizer {
    fn drop(&mut self) {
        // A name lookup that hangs must not hold the program back.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
