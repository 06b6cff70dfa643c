//! The client of a collection server, the only module that talks to one.
//!
//! An [`Uploader`] has a thread of its own. It sends while there is something, rests for the interval otherwise, and after a
//! failure for as long as the server or the backoff says. Each request is told to a callback before anything else is done
//! with its answer: nothing leaves the device unseen. Whoever starts it has the user's word for that (`DO_NOT_TRACK`
//! is the caller's business).
//!
//! | answer | then |
//! |---|---|
//! | 200 | [`Journal::acknowledge`]; the next batch at once |
//! | 409 with a sequence | [`Journal::expect`]; the batch from there at once |
//! | 400, 413, 422 | the batch is halved until the one record is found that the server will not have; it is reported as lost |
//! | 429, 503 with `Retry-After` | not before that, and a little later at random |
//! | 3xx, 401, 403, 404 and the like | a person must change something: about every quarter of an hour |
//! | any other, none, or nonsense | exponential backoff with full jitter |
//!
//! A server that refuses every record would empty the journal that way, so after the third in a row without an acceptance
//! between them each further one costs a long pause.

mod backoff;
mod client;
mod clips;
mod error;
mod metered;
mod settings;
mod worker;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{Notify, watch};

pub use client::{Enrollment, enroll, erase};
pub use clips::{ClipError, ClipStats, ClipStore};
pub use error::CollectorError;
pub use metered::{NetworkCost, SystemNetwork};
pub use settings::CollectorSettings;

use crate::uplink::journal::Journal;
use worker::Worker;

/// What was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// A batch of so many records.
    Records(usize),
    /// One recording.
    Clip,
}

/// What a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadOutcome {
    /// The server has it.
    Accepted,
    /// It, or what the server wants instead, is sent again.
    RetryLater,
    /// The server will not have it as it is: it is sent in pieces or given up.
    Rejected,
}

/// One request, told as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadEvent {
    /// To whom, with the port.
    pub host: String,
    /// What.
    pub sent: Sent,
    /// Size of its body. On failure some of it may not have left.
    pub bytes: usize,
    /// What came of it.
    pub outcome: UploadOutcome,
}

/// How uploading goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UploadStatus {
    /// Requests made.
    pub requests: u64,
    /// Records that the server took, those included that it had before.
    pub records: u64,
    /// Clips that the server took.
    pub clips: u64,
    /// Records given up because the server refused them.
    pub refused: u64,
    /// Failures in a row; 0 after a success.
    pub failures: u32,
    /// The last failure since the last success.
    pub last_error: Option<String>,
    /// When the server last took something, ms since 1970.
    pub last_accepted_unix_ms: Option<u64>,
    /// It waits for a network that is not metered.
    pub waits_for_network: bool,
}

/// Signals to the thread.
struct Signals {
    /// Look at the journal now.
    wake: Notify,
    /// How long it may go on sending; `None` is for ever.
    end: watch::Sender<Option<Duration>>,
}

/// Sends what a journal and a store of clips hold, in a thread of its own, until it is dropped.
pub struct Uploader {
    signals: Arc<Signals>,
    status: Arc<Mutex<UploadStatus>>,
    thread: Option<JoinHandle<bool>>,
}

impl Uploader {
    /// Starts sending. `on_event` is called in the thread, for each request.
    ///
    /// # Errors
    /// [`CollectorError::Setup`]: the token would travel unencrypted, or the system lacks something.
    pub fn start(
        settings: CollectorSettings,
        journal: Arc<Journal>,
        clips: Option<Arc<ClipStore>>,
        network: Box<dyn NetworkCost>,
        on_event: impl FnMut(UploadEvent) + Send + 'static,
    ) -> Result<Self, CollectorError> {
        let (end, ends) = watch::channel(None);
        let signals = Arc::new(Signals { wake: Notify::new(), end });
        let status = Arc::new(Mutex::new(UploadStatus::default()));
        let worker = Worker::new(
            settings,
            worker::Parts {
                journal,
                clips,
                network,
                on_event: Box::new(on_event),
                signals: signals.clone(),
                ends,
                status: status.clone(),
            },
        )?;
        let runtime = client::runtime()?;
        let run = move || {
            let all_sent = runtime.block_on(worker.run());
            // A name lookup that hangs must not hold the program back.
            runtime.shutdown_background();
            all_sent
        };
        let thread = std::thread::Builder::new().name("telemetry".to_owned()).spawn(run);
        let thread = thread.map_err(|e| CollectorError::Setup(format!("no thread for uploads: {e}")))?;
        Ok(Self { signals, status, thread: Some(thread) })
    }

    /// Looks at the journal now instead of at the end of the interval. A pause after a failure is not cut short.
    pub fn wake(&self) {
        self.signals.wake.notify_one();
    }

    /// How it goes.
    pub fn status(&self) -> UploadStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends what there is for at most `within`, then ends. A failure, a pause that the server asked for or a metered network
    /// end it sooner; what was not sent stays on disk. Returns whether all was sent.
    pub fn flush(mut self, within: Duration) -> bool {
        self.end(within)
    }

    fn end(&mut self, within: Duration) -> bool {
        self.signals.end.send_replace(Some(within));
        self.thread.take().is_some_and(|thread| thread.join().unwrap_or(false))
    }
}

impl Drop for Uploader {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.end(Duration::ZERO);
        }
    }
}
