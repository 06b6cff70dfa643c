//! The objects of Kotlin, Swift and Python.

use std::path::PathBuf;
use std::sync::Arc;

use earwitness::actions::Feedback;
use earwitness::config::Profile;
use earwitness::pipeline::Event;
use earwitness::runtime::{self, ErrorKind, RuntimeOptions, SetupError};
use futures_channel::oneshot;

/// Why something is not done. The text says what to do about it. (A field called `message` is one too many in Kotlin.)
#[derive(Debug, thiserror::Error, uniffi::Error)]
#[allow(missing_docs, reason = "the fields are described by their variant")]
pub enum EarwitnessError {
    /// A fault of ours: please report it.
    #[error("{reason}")]
    Internal { reason: String },
    /// What was asked for cannot be, or not now.
    #[error("{reason}")]
    Usage { reason: String },
    /// The audio, or the file that it is in.
    #[error("{reason}")]
    Audio { reason: String },
    /// A model is missing or damaged.
    #[error("{reason}")]
    Model { reason: String },
    /// The network.
    #[error("{reason}")]
    Network { reason: String },
    /// The microphone.
    #[error("{reason}")]
    Microphone { reason: String },
    /// The profile, a key, a consent.
    #[error("{reason}")]
    Config { reason: String },
    /// The disk.
    #[error("{reason}")]
    Disk { reason: String },
    /// The session takes no more audio.
    #[error("{reason}")]
    Closed { reason: String },
}

impl From<SetupError> for EarwitnessError {
    fn from(error: SetupError) -> Self {
        let reason = error.to_string();
        match error.kind() {
            ErrorKind::Internal => Self::Internal { reason },
            ErrorKind::Usage => Self::Usage { reason },
            ErrorKind::Audio => Self::Audio { reason },
            ErrorKind::Model => Self::Model { reason },
            ErrorKind::Network => Self::Network { reason },
            ErrorKind::Microphone => Self::Microphone { reason },
            ErrorKind::Config => Self::Config { reason },
            ErrorKind::Disk => Self::Disk { reason },
        }
    }
}

impl From<earwitness::audio::PushError> for EarwitnessError {
    fn from(error: earwitness::audio::PushError) -> Self {
        let reason = error.to_string();
        match error {
            earwitness::audio::PushError::Closed => Self::Closed { reason },
            earwitness::audio::PushError::PartialFrame { .. } => Self::Audio { reason },
        }
    }
}

/// How a runtime is opened.
#[derive(Clone, Debug, uniffi::Record)]
pub struct RuntimeConfig {
    /// The device's profile in TOML, consents included.
    #[uniffi(default = "")]
    pub profile_toml: String,
    /// What records call the profile.
    #[uniffi(default = "app")]
    pub profile_name: String,
    /// Where models are; the user's cache folder if absent, which phones do not have.
    #[uniffi(default = None)]
    pub model_folder: Option<String>,
    /// Where utterances and records that wait are kept; the user's data folder if absent.
    #[uniffi(default = None)]
    pub data_folder: Option<String>,
    /// Whether live sessions tell partial texts.
    #[uniffi(default = true)]
    pub partials: bool,
}

/// Where a session's audio comes from.
#[derive(Clone, Debug, uniffi::Enum)]
#[allow(missing_docs, reason = "the fields are described by their variant")]
pub enum AudioInput {
    /// The app pushes it, interleaved. `live`: as it is spoken.
    Pushed { rate_hz: u32, channels: u16, live: bool },
    /// A recording.
    File { path: String },
}

/// What a session tells.
#[derive(Clone, Debug, uniffi::Enum)]
#[allow(missing_docs, reason = "the fields are described by their variant")]
pub enum SessionEvent {
    /// What people must know, such as what leaves this device.
    Notice { text: String },
    /// Somebody began to speak.
    SpeechStarted { at_s: f64 },
    /// What an unfinished utterance sounds like so far.
    Partial { utterance: u64, text: String },
    /// Somebody stopped.
    SpeechEnded { utterance: u64, start_s: f64, end_s: f64 },
    /// The answer.
    Final { utterance: u64, start_s: f64, end_s: f64, text: String, json: String },
    /// The recognizer failed on an utterance.
    Failed { utterance: u64, message: String },
    /// An utterance has no answer.
    Dropped { utterance: u64 },
    /// Anything else, as JSON.
    Other { json: String },
    /// The last. Without an error all went well.
    Ended { error: Option<String> },
}

impl From<&runtime::SessionEvent> for SessionEvent {
    fn from(told: &runtime::SessionEvent) -> Self {
        match told {
            runtime::SessionEvent::Notice(text) => Self::Notice { text: text.clone() },
            runtime::SessionEvent::Ended(end) => {
                Self::Ended { error: end.as_ref().err().map(ToString::to_string) }
            }
            runtime::SessionEvent::Pipeline(event) => match &**event {
                Event::SpeechStarted { at } => Self::SpeechStarted { at_s: *at },
                Event::Partial { utterance, text, .. } => {
                    Self::Partial { utterance: *utterance, text: text.clone() }
                }
                Event::SpeechEnded { utterance, start, end, .. } => {
                    Self::SpeechEnded { utterance: *utterance, start_s: *start, end_s: *end }
                }
                Event::Final(result) => Self::Final {
                    utterance: result.utterance,
                    start_s: result.start,
                    end_s: result.end,
                    text: result.text.clone(),
                    json: told.to_json().to_string(),
                },
                Event::Failed { utterance, error, .. } => {
                    Self::Failed { utterance: *utterance, message: error.clone() }
                }
                Event::Dropped { utterance, .. } => Self::Dropped { utterance: *utterance },
                _ => Self::Other { json: told.to_json().to_string() },
            },
        }
    }
}

/// Hears what a session tells, from the session's thread: a user interface is another one's.
#[uniffi::export(with_foreign)]
pub trait SessionListener: Send + Sync {
    /// Called for each event, one after the other.
    fn on_event(&self, event: SessionEvent);
}

/// Loaded engines; see `earwitness::runtime::Runtime`.
#[derive(uniffi::Object)]
pub struct Runtime(Arc<runtime::Runtime>);

/// One run; see `earwitness::runtime::Session`.
#[derive(uniffi::Object)]
pub struct Session(Arc<runtime::Session>);

#[uniffi::export]
impl Runtime {
    /// Loads what the profile asks for, in this thread. Apps open it from one that nobody looks at, or `open_runtime`.
    #[uniffi::constructor]
    pub fn new(config: RuntimeConfig) -> Result<Self, EarwitnessError> {
        let profile = Profile::parse(&config.profile_toml, "profile_toml")
            .map_err(|e| EarwitnessError::Config { reason: e.to_string() })?;
        let options = RuntimeOptions {
            profile,
            profile_name: config.profile_name,
            model_folder: config.model_folder.map(PathBuf::from),
            data_folder: config.data_folder.map(PathBuf::from),
            partials: config.partials,
        };
        Ok(Self(Arc::new(runtime::Runtime::open(options)?)))
    }

    /// What leaves this device, where to, and why: to be shown before the first session.
    pub fn notices(&self) -> Vec<String> {
        self.0.notices().to_vec()
    }

    /// Starts a session; there is one at a time.
    pub fn start(
        &self,
        input: AudioInput,
        listener: Arc<dyn SessionListener>,
    ) -> Result<Session, EarwitnessError> {
        let input = match input {
            AudioInput::Pushed { rate_hz, channels, live } => {
                runtime::Input::Pushed { rate_hz, channels, live }
            }
            AudioInput::File { path } => runtime::Input::File(PathBuf::from(path)),
        };
        let session = self.0.start(&input, move |event| listener.on_event((&event).into()))?;
        Ok(Session(Arc::new(session)))
    }
}

#[uniffi::export]
impl Session {
    /// Hands interleaved samples in [-1, 1] over, whole frames; gives how many frames were lost.
    pub fn push(&self, samples: Vec<f32>) -> Result<u64, EarwitnessError> {
        Ok(self.0.push(&samples)? as u64)
    }

    /// The same with 16-bit samples in little-endian bytes, as microphones and files have them.
    pub fn push_bytes(&self, pcm16: Vec<u8>) -> Result<u64, EarwitnessError> {
        let samples: Vec<i16> = pcm16.as_chunks::<2>().0.iter().map(|b| i16::from_le_bytes(*b)).collect();
        Ok(self.0.push(&samples)? as u64)
    }

    /// What the user made of an utterance: `accepted`, `edited`, `redo`, `switched-input`, `result-clicked`, `abandoned`.
    pub fn feedback(
        &self,
        utterance: u64,
        kind: String,
        text: Option<String>,
    ) -> Result<(), EarwitnessError> {
        let feedback = Feedback::named(utterance, &kind, text);
        self.0.feedback(&feedback.map_err(|reason| EarwitnessError::Usage { reason })?);
        Ok(())
    }

    /// Ends the audio and waits for the last answer, in this thread.
    pub fn finish_blocking(&self) -> Result<(), EarwitnessError> {
        self.0.finish()?;
        Ok(())
    }

    /// Ends the audio; done when the last answer was told.
    pub async fn finish(&self) -> Result<(), EarwitnessError> {
        let session = self.0.clone();
        elsewhere(move || session.finish()).await??;
        Ok(())
    }

    /// Gives the run up: what has no answer gets none. Does not wait.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

/// Loads what the profile asks for, in a thread of its own.
#[uniffi::export]
pub async fn open_runtime(config: RuntimeConfig) -> Result<Arc<Runtime>, EarwitnessError> {
    Ok(Arc::new(elsewhere(move || Runtime::new(config)).await??))
}

/// The library's version.
#[uniffi::export]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// Runs what waits in a thread of its own.
async fn elsewhere<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, EarwitnessError> {
    let (done, end) = oneshot::channel();
    let run = move || drop(done.send(work()));
    std::thread::Builder::new()
        .name("earwitness".to_owned())
        .spawn(run)
        .map_err(|e| EarwitnessError::Internal { reason: format!("no thread: {e}") })?;
    end.await.map_err(|_| EarwitnessError::Internal { reason: "a fault inside the library".to_owned() })
}
