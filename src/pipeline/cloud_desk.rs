//! The thread that waits for the cloud, so that nobody else has to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::Instant;

use super::timings::{StageTimings, recognize};
use crate::asr::{EngineId, Recognizer, RecognizerError, Transcript};
use crate::utterance::Utterance;

type Answer = Result<(Transcript, StageTimings), RecognizerError>;

struct CloudJob {
    utterance: Utterance,
    cancel: Arc<AtomicBool>,
    answered: Arc<AtomicBool>,
    reply: SyncSender<Answer>,
}

/// Where requests for the cloud are handed in.
pub(super) struct CloudDesk {
    jobs: Sender<CloudJob>,
    pub(super) engine: EngineId,
    pub(super) host: String,
}

/// The thread's side.
pub(super) struct CloudThread<'a> {
    recognizer: &'a mut dyn Recognizer,
    jobs: Receiver<CloudJob>,
}

/// Both sides.
pub(super) fn open_desk<'a>(recognizer: &'a mut dyn Recognizer, host: &str) -> (CloudDesk, CloudThread<'a>) {
    let (jobs, received) = channel();
    let engine = recognizer.engine().clone();
    (CloudDesk { jobs, engine, host: host.to_owned() }, CloudThread { recognizer, jobs: received })
}

impl CloudThread<'_> {
    /// Answers until the desk is closed.
    pub(super) fn run(self) {
        for job in self.jobs {
            if job.cancel.load(Ordering::Relaxed) {
                continue;
            }
            let answer = recognize(self.recognizer, &job.utterance, &|| job.cancel.load(Ordering::Relaxed));
            job.answered.store(answer.is_ok(), Ordering::Relaxed);
            // Whoever gave up does not listen.
            let _ = job.reply.send(answer);
        }
    }
}

impl CloudDesk {
    /// Hands in `utterance`.
    pub(super) fn ask(&self, utterance: &Utterance) -> Request {
        let (reply, answer) = sync_channel(1);
        let request = Request { cancel: Arc::default(), answered: Arc::default(), answer };
        let job = CloudJob {
            utterance: utterance.clone(),
            cancel: request.cancel.clone(),
            answered: request.answered.clone(),
            reply,
        };
        // The thread ends only after the desk.
        let _ = self.jobs.send(job);
        request
    }
}

/// A request that was handed in; dropping it gives it up.
pub(super) struct Request {
    cancel: Arc<AtomicBool>,
    /// Set when there is a transcript.
    pub(super) answered: Arc<AtomicBool>,
    answer: Receiver<Answer>,
}

impl Request {
    /// The answer, if it comes before `deadline`; `Cancelled` once `stop` says that it is not waited for any more.
    pub(super) fn wait_until(&self, deadline: Instant, stop: &AtomicBool) -> Option<Answer> {
        loop {
            if stop.load(Ordering::Relaxed) {
                return Some(Err(RecognizerError::Cancelled));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.answer.recv_timeout(left.min(super::POLL)) {
                Ok(answer) => return Some(answer),
                Err(RecvTimeoutError::Timeout) if left <= super::POLL => return None,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Some(Err(RecognizerError::Cancelled)),
            }
        }
    }

    /// The answer, unless `stop`.
    pub(super) fn wait_unless(&self, stop: &AtomicBool) -> Answer {
        loop {
            if let Some(answer) = self.wait_until(Instant::now() + super::POLL, stop) {
                return answer;
            }
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.cancel.store(true, Ordering::Relaxed);
    }
}
