//! [`Session`]: one run of the pipeline in a thread of its own, fed and ended from other threads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::json;

use super::embedded::{Lease, Parts};
use super::error::{ErrorKind, SetupError};
use super::input::{Input, Opened};
use super::run::{Run, Shared};
use crate::actions::Feedback;
use crate::audio::{PcmSample, PushError};
use crate::pipeline::{Event, RunSummary};

/// What a session tells, in order, from one thread.
pub enum SessionEvent {
    /// What people must know, such as what leaves this device and why. Told first.
    Notice(String),
    /// What the pipeline says.
    Pipeline(Box<Event>),
    /// The last.
    Ended {
        /// How it ended.
        end: Result<Box<RunSummary>, SetupError>,
        /// It was given up, and not all that was said has an answer.
        cancelled: bool,
    },
}

impl SessionEvent {
    /// As the command line prints it: an object with its name in `event`.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Notice(text) => json!({ "event": "notice", "text": text }),
            // Numbers and texts: nothing that JSON cannot have.
            Self::Pipeline(event) => serde_json::to_value(event).unwrap_or_default(),
            Self::Ended { end: Ok(summary), cancelled } => {
                let mut value = serde_json::to_value(summary).unwrap_or_default();
                value["event"] = "summary".into();
                value["cancelled"] = (*cancelled).into();
                value
            }
            Self::Ended { end: Err(error), .. } => json!({ "event": "error", "error": error.to_string() }),
        }
    }
}

/// How a session ended.
pub type SessionEnd = Result<RunSummary, SetupError>;

/// Audio goes in, events come out. Dropping it closes it.
pub struct Session {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Session {
    /// Starts a run with the engines of `lease`, as the session that `shared` stands for.
    pub(super) fn start(
        lease: Lease,
        shared: &Arc<Shared>,
        input: &Input,
        on_event: impl FnMut(SessionEvent) + Send + 'static,
    ) -> Result<Self, SetupError> {
        let inner = lease.inner.clone();
        let Opened { source, writer, live } = Opened::of(input, inner.profile.channels())?;
        let outlet = inner.outlet();
        let engine = lease.parts().map_or_else(String::new, Parts::engine);
        let mut record = inner.profile.recorder_options(&inner.profile_name, &engine);
        record.replayed = !live;
        record.shadow_engine = lease.parts().and_then(|parts| parts.routing.shadow_engine());
        let recorder = outlet.as_ref().map(|outlet| outlet.recorder(record)).transpose()?;
        let mut options = inner.profile.pipeline_options(live, inner.partials);
        // Figures need the audio, of recordings as well.
        options.keep_input = recorder.is_some();
        shared.begin(writer, recorder);
        // While the microphone was opened: then nobody shall hear of it.
        if shared.stop.is_aborted() {
            shared.retire();
            return Err(SetupError::new(ErrorKind::Usage, "the runtime was closed meanwhile"));
        }
        inner.goes_on_with(shared);
        let run = Run { shared: shared.clone(), inner, outlet, options, on_event };
        let thread = thread::Builder::new().name("session".to_owned()).spawn(move || run.run(lease, source));
        let thread = thread.map_err(|e| SetupError::from(e).context("no thread for the session"))?;
        Ok(Self { shared: shared.clone(), thread: Mutex::new(Some(thread)) })
    }

    /// Hands interleaved samples over, whole frames, in [-1, 1] or 16 bits; gives the number of frames that were lost
    /// because the pipeline is too far behind. Live audio never waits: it may be called from an audio callback, from one
    /// thread at a time.
    ///
    /// # Errors
    /// [`PushError`].
    pub fn push<T: PcmSample>(&self, interleaved: &[T]) -> Result<usize, PushError> {
        match &mut *locked(&self.shared.writer) {
            Some(writer) => writer.push(interleaved),
            None => Err(PushError::Closed),
        }
    }

    /// What the user made of an utterance, while the session runs or afterwards, until it is closed or its runtime starts
    /// another one. It is recorded where telemetry is on.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] where telemetry is on and this session's records are closed.
    pub fn feedback(&self, feedback: &Feedback) -> Result<(), SetupError> {
        match self.shared.take(feedback) {
            true => Ok(()),
            false => {
                let message = "this session's records are closed: say what the user made of a text before the next \
                               session begins";
                Err(SetupError::new(ErrorKind::Usage, message))
            }
        }
    }

    /// Ends the audio, waits for the last answer and for the callback of the end. Whoever asks again, or beside, is told the
    /// same.
    ///
    /// # Errors
    /// What ended the run early; [`ErrorKind::Usage`] if it is called from the session's own callback, which would wait for
    /// itself.
    pub fn finish(&self) -> SessionEnd {
        self.refuse_own_thread()?;
        match self.shared.microphone {
            true => self.shared.stop.stop(),
            false => drop(locked(&self.shared.writer).take()),
        }
        self.shared.wait()
    }

    /// Refuses to wait in the session's own callback, which is waited for.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] there.
    pub fn refuse_own_thread(&self) -> Result<(), SetupError> {
        match self.shared.is_own_thread() {
            true => {
                let message = "this waits for the session's end and may not be called from its callback: cancel instead";
                Err(SetupError::new(ErrorKind::Usage, message))
            }
            false => Ok(()),
        }
    }

    /// Gives the run up: what has no answer gets none, and nothing more is sent anywhere. It may be called from everywhere,
    /// and does not wait; the callback hears of the end.
    pub fn cancel(&self) {
        self.shared.cancel();
    }

    /// Whether it was given up.
    pub fn is_cancelled(&self) -> bool {
        self.shared.stop.is_aborted()
    }

    /// Gives the run up, tells nothing more, and waits until its thread is gone, unless this is that thread. Whatever the
    /// callback uses may be freed then: other calls of this session that still wait come back.
    pub fn close(&self) {
        self.shared.mute();
        self.shared.cancel();
        if !self.shared.is_own_thread() {
            // Held meanwhile: who closes it beside waits, too.
            if let Some(thread) = locked(&self.thread).take() {
                // Its panic was caught inside.
                let _ = thread.join();
            }
            self.shared.retire();
        }
    }

    /// The same, and waits for at most `patience`; for callbacks that live as long as they are needed.
    pub fn close_within(&self, patience: Duration) {
        self.shared.mute();
        self.shared.cancel();
        match !self.shared.is_own_thread() && self.shared.wait_within(patience) {
            true => self.shared.retire(),
            // Its records are let go with it.
            false => drop(locked(&self.thread).take()),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close();
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
