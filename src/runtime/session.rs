//! [`Session`]: one run of the pipeline in a thread of its own, fed and ended from other threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::Duration;

use serde_json::json;

use super::embedded::{Inner, Lease, Parts};
use super::error::{ErrorKind, SetupError};
use super::reporting::RunRecorder;
use super::thermal::Thermal;
use crate::actions::Feedback;
use crate::asr::Recognizer;
use crate::audio::{
    AudioSource, FileSource, NativeFormat, PcmSample, PushError, PushWriter, SampleRate, WhenFull,
    push_stream,
};
use crate::pipeline::{Event, Pipeline, RunSummary, StopSignal};
use crate::recorder::FeedbackDesk;

/// Room for pushed audio. 10 s: a device under load catches up, for at most 2 MB.
const ROOM: Duration = Duration::from_secs(10);

/// Where a session's audio comes from.
#[derive(Clone, Debug)]
pub enum Input {
    /// The app hands it over with [`Session::push`].
    Pushed {
        /// Frames per second.
        rate_hz: u32,
        /// Samples per frame, interleaved.
        channels: u16,
        /// It comes as it is spoken: nobody may wait for it, and its latency is measured. Otherwise a push waits for room.
        live: bool,
    },
    /// A recording, as fast as it is recognized.
    File(PathBuf),
    /// A microphone that the library opens: its id or a part of its name, the system's default if empty.
    #[cfg(feature = "capture")]
    Microphone(String),
}

/// What a session tells, in order, from one thread.
pub enum SessionEvent {
    /// What people must know, such as what leaves this device and why.
    Notice(String),
    /// What the pipeline says.
    Pipeline(Box<Event>),
    /// The last: how it ended.
    Ended(Result<Box<RunSummary>, SetupError>),
}

impl SessionEvent {
    /// As the command line prints it: an object with its name in `event`.
    pub fn to_json(&self) -> serde_json::Value {
        let named = |value: serde_json::Result<serde_json::Value>, name: &str| {
            let mut value = value.unwrap_or_default();
            value["event"] = name.into();
            value
        };
        match self {
            Self::Notice(text) => json!({ "event": "notice", "text": text }),
            // Numbers and texts: nothing that JSON cannot have.
            Self::Pipeline(event) => serde_json::to_value(event).unwrap_or_default(),
            Self::Ended(Ok(summary)) => named(serde_json::to_value(summary), "summary"),
            Self::Ended(Err(error)) => json!({ "event": "error", "error": error.to_string() }),
        }
    }
}

/// How a session ended.
pub type SessionEnd = Result<RunSummary, SetupError>;

/// Audio goes in, events come out. Dropping it cancels it.
pub struct Session {
    writer: Mutex<Option<PushWriter>>,
    stop: StopSignal,
    desk: Option<FeedbackDesk>,
    ended: Mutex<Receiver<SessionEnd>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    thread_id: ThreadId,
}

impl Session {
    /// Starts a run with the engines of `lease`.
    pub(super) fn start(
        lease: Lease,
        input: &Input,
        mut on_event: impl FnMut(SessionEvent) + Send + 'static,
    ) -> Result<Self, SetupError> {
        let inner = lease.inner.clone();
        let Opened { source, writer, live } = Opened::of(&inner, input)?;
        let engine = lease.parts().map_or_else(String::new, Parts::engine);
        let mut run = inner.profile.recorder_options(&inner.profile_name, &engine);
        run.replayed = !live;
        run.shadow_engine = lease.parts().and_then(|parts| parts.routing.shadow_engine());
        let recorder = inner.outlet.as_ref().map(|outlet| outlet.recorder(run)).transpose()?;
        let desk = recorder.as_ref().map(RunRecorder::desk);
        let stop = StopSignal::default();
        let (ended, end) = channel();
        let signal = stop.clone();
        let mut options = inner.profile.pipeline_options(live, inner.partials);
        // Figures need the audio, of recordings as well.
        options.keep_input = recorder.is_some();
        let thermal = Thermal::watch(&inner.profile.thermal, &options.relief);
        let run = move || {
            let end = lease.run(|Parts { endpointer, local, routing }| {
                let local = local.as_mut().map(|local| local as &mut dyn Recognizer);
                let engines = routing.engines(local);
                Pipeline::with_engines(endpointer, engines, options).run(source, &signal, &mut |event| {
                    if let Some(recorder) = &recorder {
                        recorder.hear(&event);
                    }
                    on_event(SessionEvent::Pipeline(Box::new(event)));
                })
            });
            let end = match end {
                Some(end) => end.map_err(SetupError::from),
                None => Err(SetupError::new(
                    ErrorKind::Internal,
                    "the session failed: open the runtime again, and please report it",
                )),
            };
            drop(thermal);
            if let Some(recorder) = recorder {
                recorder.finish(end.as_ref().unwrap_or(&RunSummary::default()));
            }
            if let Some(outlet) = &inner.outlet {
                outlet.wake();
            }
            let told = match &end {
                Ok(summary) => Ok(Box::new(summary.clone())),
                Err(error) => Err(SetupError::new(error.kind(), error.to_string())),
            };
            // Whoever waits in `finish` goes on when all has been told.
            let _ = catch_unwind(AssertUnwindSafe(|| on_event(SessionEvent::Ended(told))));
            let _ = ended.send(end);
        };
        let thread = thread::Builder::new().name("session".to_owned()).spawn(run);
        // Without a thread the engines are gone with it.
        let thread = thread.map_err(|e| SetupError::from(e).context("no thread for the session"))?;
        Ok(Self {
            writer: Mutex::new(writer),
            stop,
            desk,
            ended: Mutex::new(end),
            thread_id: thread.thread().id(),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Hands interleaved samples over, whole frames, in [-1, 1] or 16 bits; gives the number of frames that were lost
    /// because the pipeline is too far behind. Live audio never waits: it may be called from an audio callback, from one
    /// thread at a time.
    ///
    /// # Errors
    /// [`PushError`].
    pub fn push<T: PcmSample>(&self, interleaved: &[T]) -> Result<usize, PushError> {
        match &mut *locked(&self.writer) {
            Some(writer) => writer.push(interleaved),
            None => Err(PushError::Closed),
        }
    }

    /// What the user made of an utterance. It is recorded where telemetry is on.
    pub fn feedback(&self, feedback: &Feedback) {
        if let Some(desk) = &self.desk {
            desk.take(feedback);
        }
    }

    /// Ends the audio, waits for the last answer and for the callback of the end.
    ///
    /// # Errors
    /// What ended the run early; [`ErrorKind::Usage`] if it is called from the session's own callback, which would wait for
    /// itself, or again.
    pub fn finish(&self) -> SessionEnd {
        self.refuse_own_thread()?;
        drop(locked(&self.writer).take());
        let end = locked(&self.ended).recv();
        end.unwrap_or_else(|_| Err(SetupError::new(ErrorKind::Usage, "the session has ended already")))
    }

    /// Ends what has no end of its own, such as a microphone: what was heard is still answered.
    pub fn stop(&self) {
        self.stop.stop();
    }

    /// Gives the run up: what has no answer gets none. It may be called from everywhere, and does not wait; the callback
    /// hears of the end.
    pub fn cancel(&self) {
        self.stop.abort();
    }

    fn refuse_own_thread(&self) -> Result<(), SetupError> {
        match thread::current().id() == self.thread_id {
            true => Err(SetupError::new(
                ErrorKind::Usage,
                "this waits for the session's end and may not be called from its callback: cancel instead",
            )),
            false => Ok(()),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.cancel();
        drop(locked(&self.writer).take());
        let own = self.refuse_own_thread().is_err();
        if let Some(thread) = locked(&self.thread).take().filter(|_| !own) {
            // Its panic was caught inside.
            let _ = thread.join();
        }
    }
}

/// A source that runs.
struct Opened {
    source: Box<dyn AudioSource>,
    writer: Option<PushWriter>,
    live: bool,
}

impl Opened {
    fn of(inner: &Inner, input: &Input) -> Result<Self, SetupError> {
        let select = inner.profile.channels();
        Ok(match input {
            Input::Pushed { rate_hz, channels, live } => {
                let rate = SampleRate::new(*rate_hz).ok_or_else(|| {
                    let message = format!("{rate_hz} Hz is no rate that a source may have: 8000 to 192000");
                    SetupError::new(ErrorKind::Audio, message)
                })?;
                let when_full = if *live { WhenFull::Lose } else { WhenFull::Wait };
                let native = NativeFormat { rate, channels: *channels };
                let (writer, source) = push_stream(native, select, ROOM, when_full)?;
                Self { source: Box::new(source), writer: Some(writer), live: *live }
            }
            Input::File(path) => {
                Self { source: Box::new(FileSource::open(path, select)?), writer: None, live: false }
            }
            #[cfg(feature = "capture")]
            Input::Microphone(name) => {
                let microphone = crate::audio::capture::Microphone::new().channel(select);
                let microphone = if name.is_empty() { microphone } else { microphone.try_device(name)? };
                Self { source: Box::new(microphone.open()?), writer: None, live: true }
            }
        })
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
