//! The objects of Kotlin, Swift and Python.

mod config;
mod error;
mod event;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use earwitness::actions::Feedback;
use earwitness::runtime::{self, RuntimeOptions, tell_logs};
use futures_channel::oneshot;

pub use config::{RuntimeConfig, TelemetryStatus};
pub use error::{EarwitnessError, FailureKind};
pub use event::{LevelWarning, Segment, SessionEvent, Summary};

/// A session that is given up is gone within this time, but for a recognizer on a slow device or a listener that hangs.
const PATIENCE: Duration = Duration::from_millis(500);

/// Where a session's audio comes from.
#[derive(Clone, Debug, uniffi::Enum)]
#[allow(missing_docs, reason = "the fields are described by their variant")]
pub enum AudioInput {
    /// The app pushes it, interleaved. `live`: as it is spoken.
    Pushed { rate_hz: u32, channels: u16, live: bool },
    /// A recording.
    File { path: String },
    /// A microphone that the library opens: its id or name, the system's default if empty. Refused in builds without it, such
    /// as those for phones.
    Microphone { name: String },
}

/// Hears what a session tells, from the session's thread: a user interface is another one's. What it throws is logged, and the
/// session goes on.
#[uniffi::export(with_foreign)]
pub trait SessionListener: Send + Sync {
    /// Called for each event, one after the other; maybe before `start` has returned.
    fn on_event(&self, event: SessionEvent);
}

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum LogLevel {
    /// Something failed, and somebody should know.
    Error,
    /// Something is lost or not as it should be; it goes on.
    Warn,
    /// What happens, such as each request that leaves the device.
    Info,
    /// For developers.
    Debug,
}

/// Hears what the library logs, from the thread that logs. It must not call the library.
#[uniffi::export(with_foreign)]
pub trait LogListener: Send + Sync {
    /// Called for each line. There is no text and no audio in it.
    fn on_line(&self, level: LogLevel, line: String);
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
        Ok(Self(Arc::new(runtime::Runtime::open(config.try_into()?)?)))
    }

    /// What leaves this device, where to, and why: to be shown before the first session.
    pub fn notices(&self) -> Vec<String> {
        self.0.notices().to_vec()
    }

    /// What waits for the collection server; nothing where the profile has none.
    pub fn telemetry_status(&self) -> Option<TelemetryStatus> {
        self.0.outlet_status().map(TelemetryStatus::from)
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
            AudioInput::Microphone { name } => runtime::Input::Microphone(name),
        };
        let session = self.0.start(&input, move |event| listener.on_event((&event).into()))?;
        Ok(Session(Arc::new(session)))
    }

    /// Ends everything: a session that runs is cancelled and waited for, what waits for the collection server is sent for at most
    /// `flush_ms`, memory and folders are let go. Then another runtime may be opened, with other consents for example.
    pub async fn shut_down(&self, flush_ms: u32) -> Result<(), EarwitnessError> {
        let runtime = self.0.clone();
        elsewhere(move || runtime.close(Duration::from_millis(flush_ms.into()))).await
    }
}

#[uniffi::export]
impl Session {
    /// Hands interleaved samples in [-1, 1] over, whole frames; gives how many frames were lost. Kotlin and Swift convert one
    /// sample after the other: from an audio thread `push_float_bytes` costs less.
    pub fn push(&self, samples: Vec<f32>) -> Result<u64, EarwitnessError> {
        Ok(self.0.push(&samples)? as u64)
    }

    /// The same with 32-bit floats in little-endian bytes, as `AVAudioEngine` and `AudioRecord` have them in memory.
    pub fn push_float_bytes(&self, pcm32: Vec<u8>) -> Result<u64, EarwitnessError> {
        let samples: Vec<f32> = whole(&pcm32)?.iter().map(|b| f32::from_le_bytes(*b)).collect();
        Ok(self.0.push(&samples)? as u64)
    }

    /// The same with 16-bit samples in little-endian bytes, as microphones and files have them.
    pub fn push_bytes(&self, pcm16: Vec<u8>) -> Result<u64, EarwitnessError> {
        let samples: Vec<i16> = whole(&pcm16)?.iter().map(|b| i16::from_le_bytes(*b)).collect();
        Ok(self.0.push(&samples)? as u64)
    }

    /// What the user made of an utterance: `accepted`, `edited`, `redo`, `switched-input`, `result-clicked`, `abandoned`. After
    /// the end, too, until the next session begins.
    pub fn feedback(
        &self,
        utterance: u64,
        kind: String,
        text: Option<String>,
    ) -> Result<(), EarwitnessError> {
        let feedback = Feedback::named(utterance, &kind, text);
        Ok(self.0.feedback(&feedback.map_err(|reason| EarwitnessError::Usage { reason })?)?)
    }

    /// Ends the audio and waits for the last answer, in this thread. Not from the listener.
    pub fn finish_blocking(&self) -> Result<Summary, EarwitnessError> {
        let end = self.0.finish()?;
        Ok(Summary::of(&end, self.0.is_cancelled()))
    }

    /// Ends the audio; done when the last answer was told. Not from the listener. Whoever stops waiting has not stopped the
    /// session: `cancel` does.
    pub async fn finish(&self) -> Result<Summary, EarwitnessError> {
        // Asked here, where it is known who calls.
        self.0.refuse_own_thread()?;
        let session = self.0.clone();
        let end = elsewhere(move || session.finish()).await??;
        Ok(Summary::of(&end, self.0.is_cancelled()))
    }

    /// Gives the run up: what has no answer gets none, nothing more is sent anywhere. Does not wait.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

impl Drop for Session {
    /// Who lets a session go does not want it any more, and does not want to wait for long.
    fn drop(&mut self) {
        self.0.close_within(PATIENCE);
    }
}

/// Loads what the profile asks for, in a thread of its own.
#[uniffi::export]
pub async fn open_runtime(config: RuntimeConfig) -> Result<Arc<Runtime>, EarwitnessError> {
    Ok(Arc::new(elsewhere(move || Runtime::new(config)).await??))
}

/// Whether this device has the token with which it reports.
#[uniffi::export]
pub fn is_enrolled(config: RuntimeConfig) -> Result<bool, EarwitnessError> {
    Ok(RuntimeOptions::try_from(config)?.is_enrolled())
}

/// Makes this device known to the server of the profile's `telemetry.url`, which gave out `code`; before the first runtime
/// with telemetry is opened. Gives the name under which it reports.
#[uniffi::export]
pub async fn enroll(
    config: RuntimeConfig,
    code: String,
    device_id: String,
) -> Result<String, EarwitnessError> {
    let options = RuntimeOptions::try_from(config)?;
    let enrolled = elsewhere(move || options.enroll(&code, &device_id)).await??;
    Ok(enrolled.device_id)
}

/// Deletes what waits here for the collection server, and everything that it has from this device. Gives its receipt, as JSON. The
/// runtime is shut down before.
#[uniffi::export]
pub async fn erase(config: RuntimeConfig) -> Result<String, EarwitnessError> {
    let options = RuntimeOptions::try_from(config)?;
    Ok(elsewhere(move || options.erase()).await??.to_string())
}

/// Tells `listener` from now on what the library logs, of level `most` or what matters more. Once in a process.
#[uniffi::export]
pub fn log_to(most: LogLevel, listener: Arc<dyn LogListener>) -> Result<(), EarwitnessError> {
    let most = match most {
        LogLevel::Error => runtime::LogLevel::Error,
        LogLevel::Warn => runtime::LogLevel::Warn,
        LogLevel::Info => runtime::LogLevel::Info,
        LogLevel::Debug => runtime::LogLevel::Debug,
    };
    tell_logs(most, move |level, line| {
        let level = match level {
            runtime::LogLevel::Error => LogLevel::Error,
            runtime::LogLevel::Warn => LogLevel::Warn,
            runtime::LogLevel::Info => LogLevel::Info,
            runtime::LogLevel::Debug => LogLevel::Debug,
        };
        listener.on_line(level, line.to_owned());
    })?;
    Ok(())
}

/// The library's version.
#[uniffi::export]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// Bytes as samples of `N` bytes each.
fn whole<const N: usize>(bytes: &[u8]) -> Result<&[[u8; N]], EarwitnessError> {
    match bytes.as_chunks::<N>() {
        (samples, []) => Ok(samples),
        (_, rest) => {
            let reason =
                format!("{} bytes are not whole samples of {N}: {} are left over", bytes.len(), rest.len());
            Err(EarwitnessError::Audio { reason })
        }
    }
}

/// Runs what waits in a thread of its own.
async fn elsewhere<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, EarwitnessError> {
    let (done, end) = oneshot::channel();
    let run = move || drop(done.send(work()));
    let thread = std::thread::Builder::new()
        .name("earwitness".to_owned())
        .spawn(run)
        .map_err(|e| EarwitnessError::Internal { reason: format!("no thread: {e}") })?;
    let end = end.await;
    // It is on its way out of the app's callback that woke us: a Python that ends meanwhile would take it along. Unless that
    // callback went on with us at once, in this very thread.
    if thread.thread().id() != std::thread::current().id() {
        let _ = thread.join();
    }
    end.map_err(|_| EarwitnessError::Internal { reason: "a fault inside the library".to_owned() })
}
