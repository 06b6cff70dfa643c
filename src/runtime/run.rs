//! The thread of a session: runs the pipeline, tells what happens, and what is left at the end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use super::embedded::{Inner, Lease, Parts};
use super::error::{ErrorKind, SetupError};
use super::reporting::{Outlet, RunRecorder};
use super::session::{SessionEnd, SessionEvent, locked};
use super::thermal::Thermal;
use crate::actions::Feedback;
use crate::asr::Recognizer;
use crate::audio::{AudioSource, GiveUp, PushWriter};
use crate::pipeline::{Pipeline, PipelineOptions, RunSummary, StopSignal};
use crate::recorder::FeedbackDesk;

/// What a session's owner, its runtime and its thread have in common.
pub(super) struct Shared {
    pub(super) stop: StopSignal,
    /// A microphone has no end but the one that it is given; what is pushed ends with its writer.
    pub(super) microphone: bool,
    pub(super) writer: Mutex<Option<PushWriter>>,
    give_up: Mutex<Option<GiveUp>>,
    recorder: Mutex<Option<RunRecorder>>,
    /// Takes feedback, after the end as well, until the session is closed or its runtime goes on without it.
    desk: Mutex<Option<FeedbackDesk>>,
    recorded: AtomicBool,
    muted: AtomicBool,
    thread: Mutex<Option<ThreadId>>,
    end: Mutex<Option<SessionEnd>>,
    ended: Condvar,
}

impl Shared {
    pub(super) fn new(microphone: bool) -> Self {
        Self {
            stop: StopSignal::default(),
            microphone,
            writer: Mutex::new(None),
            give_up: Mutex::new(None),
            recorder: Mutex::new(None),
            desk: Mutex::new(None),
            recorded: AtomicBool::new(false),
            muted: AtomicBool::new(false),
            thread: Mutex::new(None),
            end: Mutex::new(None),
            ended: Condvar::new(),
        }
    }

    /// It has its audio, and somebody to tell of it.
    pub(super) fn begin(&self, writer: Option<PushWriter>, recorder: Option<RunRecorder>) {
        *locked(&self.give_up) = writer.as_ref().map(PushWriter::give_up);
        *locked(&self.writer) = writer;
        self.recorded.store(recorder.is_some(), Ordering::Relaxed);
        *locked(&self.desk) = recorder.as_ref().map(RunRecorder::desk);
        *locked(&self.recorder) = recorder;
    }

    /// Gives the run up. Waits for nobody: who is in a push that waits has the writer, and comes back.
    pub(super) fn cancel(&self) {
        self.stop.abort();
        if let Some(give_up) = &*locked(&self.give_up) {
            give_up.now();
        }
        if let Ok(mut writer) = self.writer.try_lock() {
            drop(writer.take());
        }
    }

    /// Takes note of what the user made of an answer; `false` if the records are closed. Never waits.
    pub(super) fn take(&self, feedback: &Feedback) -> bool {
        match &*locked(&self.desk) {
            Some(desk) => desk.take(feedback),
            None => return !self.recorded.load(Ordering::Relaxed),
        }
        true
    }

    /// Nothing more is told.
    pub(super) fn mute(&self) {
        self.muted.store(true, Ordering::Release);
    }

    /// No more feedback: what the recorder holds is let go.
    pub(super) fn retire(&self) {
        drop(locked(&self.desk).take());
        let recorder = locked(&self.recorder).take();
        drop(recorder);
    }

    /// Whether this is asked from the session's callback.
    pub(super) fn is_own_thread(&self) -> bool {
        *locked(&self.thread) == Some(thread::current().id())
    }

    /// Waits until all was told.
    pub(super) fn wait(&self) -> SessionEnd {
        let end = locked(&self.end);
        let end = self.ended.wait_while(end, |end| end.is_none()).unwrap_or_else(PoisonError::into_inner);
        match &*end {
            Some(Ok(summary)) => Ok(summary.clone()),
            Some(Err(error)) => Err(again(error)),
            None => Err(SetupError::new(ErrorKind::Internal, "a session without an end")),
        }
    }

    /// Waits for at most `patience`; whether it has ended.
    pub(super) fn wait_within(&self, patience: Duration) -> bool {
        let end = locked(&self.end);
        let waited = self.ended.wait_timeout_while(end, patience, |end| end.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.is_some()
    }

    pub(super) fn finish(&self, end: SessionEnd) {
        locked(&self.end).get_or_insert(end);
        self.ended.notify_all();
    }
}

/// The same error for somebody else.
pub(super) fn again(error: &SetupError) -> SetupError {
    SetupError::new(error.kind(), error.to_string())
}

fn failed_inside() -> SetupError {
    let message = "the recognizer failed inside: close the runtime and open it again, and please report it";
    SetupError::new(ErrorKind::Internal, message)
}

/// One run.
pub(super) struct Run<F> {
    pub(super) shared: Arc<Shared>,
    pub(super) inner: Arc<Inner>,
    pub(super) outlet: Option<Arc<Outlet>>,
    pub(super) options: PipelineOptions,
    pub(super) on_event: F,
}

impl<F: FnMut(SessionEvent)> Run<F> {
    /// Runs until the audio has ended or the session was given up, and tells everything. Nobody waits for ever, whatever
    /// happens here.
    pub(super) fn run(self, lease: Lease, source: Box<dyn AudioSource>) {
        let shared = self.shared.clone();
        let end = catch_unwind(AssertUnwindSafe(|| self.until_the_end(lease, source)));
        shared.finish(end.unwrap_or_else(|_| Err(failed_inside())));
    }

    fn until_the_end(mut self, mut lease: Lease, source: Box<dyn AudioSource>) -> SessionEnd {
        *locked(&self.shared.thread) = Some(thread::current().id());
        for notice in self.inner.notices.clone() {
            self.tell(SessionEvent::Notice(notice));
        }
        let thermal = Thermal::watch(&self.inner.profile.thermal, &self.options.relief);
        let end = lease.run(|Parts { endpointer, local, routing }| {
            let local = local.as_mut().map(|local| local as &mut dyn Recognizer);
            let engines = routing.engines(local);
            let signal = self.shared.stop.clone();
            Pipeline::with_engines(endpointer, engines, self.options.clone()).run(
                source,
                &signal,
                &mut |event| {
                    if let Some(recorder) = &*locked(&self.shared.recorder) {
                        recorder.hear(&event);
                    }
                    self.tell(SessionEvent::Pipeline(Box::new(event)));
                },
            )
        });
        drop(thermal);
        let end = match end {
            Some(end) => end.map_err(SetupError::from),
            None => Err(failed_inside()),
        };
        if let Some(recorder) = &*locked(&self.shared.recorder) {
            recorder.end(end.as_ref().unwrap_or(&RunSummary::default()));
        }
        if let Some(outlet) = self.outlet.take() {
            outlet.wake();
        }
        // From here on another session may begin, from the callback of the end for example.
        drop(lease);
        let cancelled = self.shared.stop.is_aborted();
        let told = end.as_ref().map(|summary| Box::new(summary.clone())).map_err(again);
        self.tell(SessionEvent::Ended { end: told, cancelled });
        if self.inner.finish_close() {
            self.shared.retire();
        }
        end
    }

    /// A fault in the app's callback is the app's: the session goes on.
    fn tell(&mut self, event: SessionEvent) {
        if self.shared.muted.load(Ordering::Acquire) {
            return;
        }
        if catch_unwind(AssertUnwindSafe(|| (self.on_event)(event))).is_err() {
            tracing::error!("the app's callback failed on an event; the session goes on without it");
        }
    }
}
