//! The recorder: what the pipeline tells, as records in figures.
//!
//! ```text
//! caller's thread                     thread "recorder"
//! observe(&Event)  ─┐  bounded        measures the audio, asks the device, counts edits
//! feedback(…)      ─┴─ channel ─────► RecordSink (journal, exporter)   ◄─ heartbeat
//! ```
//! **It never holds anybody up.** [`TelemetryRecorder::observe`] copies an event whose audio is shared, looks at the
//! clock and returns; whatever there is no room for is counted as lost and told in the next heartbeat. Everything else,
//! waiting for a disk included, is done in a thread of its own after the answer was handed on.
//!
//! **Figures only.** A record has no place for text, audio or a person. They travel beside it if the profile's consent
//! says so, and are not even copied otherwise. Texts of the latest answers stay in memory, to count what a user edited.
//!
//! Events must carry their audio: [`PipelineOptions::keep_input`](crate::pipeline::PipelineOptions::keep_input).

mod answers;
mod consent;
mod input;
mod job;
mod output;
mod shadows;
mod thread;
mod utterances;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

pub use consent::RecordConsent;

use crate::actions::Feedback;
use crate::pipeline::{Event, RunSummary};
use crate::uplink::sink::RecordSink;
use job::{Job, Shared};
use thread::RecorderThread;

/// Events that may wait for the recorder. It takes about a millisecond for each; a disk that hangs for as long as 256
/// utterances take to be spoken has other worries.
const MAX_QUEUED: usize = 256;

/// What is known of a run before it begins.
#[derive(Clone, Debug)]
pub struct RecorderOptions {
    /// Names the run in all its records: [`new_session_id`].
    pub session_id: String,
    /// The profile's name.
    pub profile: String,
    /// The engine that answers, as its `EngineId` is written.
    pub engine: String,
    /// The engine that listens along.
    pub shadow_engine: Option<String>,
    /// Recorded audio is replayed.
    pub replayed: bool,
    /// How often a [`HealthRecord`](crate::telemetry::HealthRecord) is made. 300 s: a device that is gone is missed
    /// within minutes, and a day's heartbeats are 100 kB before compression.
    pub heartbeat: Duration,
    /// Where free space is looked at; the journal's folder.
    pub folder: PathBuf,
    /// What may travel beside the figures.
    pub consent: RecordConsent,
}

impl RecorderOptions {
    /// A new run of `engine` under `profile`: no consent, a heartbeat of 300 s.
    pub fn new(profile: &str, engine: &str) -> Self {
        Self {
            session_id: new_session_id(),
            profile: profile.to_owned(),
            engine: engine.to_owned(),
            shadow_engine: None,
            replayed: false,
            heartbeat: Duration::from_secs(300),
            folder: PathBuf::from("."),
            consent: RecordConsent::default(),
        }
    }
}

/// A random name for a run: 16 hexadecimal digits.
pub fn new_session_id() -> String {
    // Its keys are the system's random numbers: that is what protects hash tables from strangers.
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

/// What a run left behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecorderTotals {
    /// Records that went to the sink.
    pub records: u64,
    /// Records that were not made, because the recorder was too far behind.
    pub lost: u64,
}

/// Turns events into records and hands them to a sink. Dropped without [`TelemetryRecorder::finish`], what waits is
/// still recorded, but the session has no end: it was cut off.
pub struct TelemetryRecorder {
    jobs: SyncSender<Job>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl TelemetryRecorder {
    /// Starts the recorder's thread, whose first record says that the session began.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub fn new(options: RecorderOptions, sink: Arc<dyn RecordSink>) -> std::io::Result<Self> {
        let (jobs, received) = sync_channel(MAX_QUEUED);
        let shared = Arc::<Shared>::default();
        let thread = RecorderThread::new(options, sink, shared.clone());
        let thread =
            std::thread::Builder::new().name("recorder".to_owned()).spawn(move || thread.run(&received))?;
        Ok(Self { jobs, shared, thread: Some(thread) })
    }

    /// Takes note of `event`. Never waits.
    pub fn observe(&self, event: &Event) {
        self.shared.count(event);
        if let Some(job) = Job::of_event(event, &self.shared) {
            job.hand_in(&self.jobs, &self.shared);
        }
    }

    /// Takes note of what the user made of an answer. Never waits.
    pub fn feedback(&self, feedback: &Feedback) {
        Job::of_feedback(feedback).hand_in(&self.jobs, &self.shared);
    }

    /// For threads that take feedback: hands it in until the recorder is dropped.
    pub fn feedback_desk(&self) -> FeedbackDesk {
        FeedbackDesk { jobs: self.jobs.clone(), shared: self.shared.clone() }
    }

    /// Records what waits, a last heartbeat and the end of the session. Waits for the sink. Feedback is still taken, until
    /// this is dropped.
    pub fn end(&self, summary: &RunSummary) -> RecorderTotals {
        let (done, told) = sync_channel(1);
        // Nobody listens if the thread panicked; its own message was printed.
        let _ = self.jobs.send(Job::of_end(summary, done));
        RecorderTotals { records: told.recv().unwrap_or_default(), lost: self.shared.lost() }
    }

    /// The same for the last time.
    pub fn finish(self, summary: &RunSummary) -> RecorderTotals {
        self.end(summary)
    }
}

impl Drop for TelemetryRecorder {
    fn drop(&mut self) {
        let _ = self.jobs.send(Job::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Takes feedback on behalf of a [`TelemetryRecorder`].
#[derive(Clone)]
pub struct FeedbackDesk {
    jobs: SyncSender<Job>,
    shared: Arc<Shared>,
}

impl FeedbackDesk {
    /// See [`TelemetryRecorder::feedback`].
    pub fn take(&self, feedback: &Feedback) {
        Job::of_feedback(feedback).hand_in(&self.jobs, &self.shared);
    }
}
