//! The engines behind the server: threads that take jobs from one bounded queue.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::metrics::Metrics;
use crate::asr::whisper::{DecodingOptions, WhisperRecognizer};
use crate::asr::{RecognitionObserver, Recognizer, RecognizerError, Segment};
use crate::audio::{AudioError, AudioSource, ChannelSelect, FileSource, PcmFormat, open_stream, seconds_of};
use crate::endpoint::Endpointer;
use crate::pipeline::{Event, Pipeline, PipelineError, PipelineOptions, StopSignal};
use crate::utterance::Utterance;

/// One recognizer with its detector of speech.
pub struct Engine {
    /// Answers; its options are replaced by each job's.
    pub recognizer: WhisperRecognizer,
    /// Finds utterances in recordings.
    pub endpointer: Endpointer,
}

/// What is to be heard.
pub(super) enum JobAudio {
    /// A file as it was uploaded.
    File(Vec<u8>),
    /// Samples without a header.
    Pcm(Vec<u8>, PcmFormat),
    /// Speech that was endpointed already.
    Utterance(Utterance),
}

/// What an engine tells of its job.
pub(super) enum Update {
    /// The next utterance's text, at its place on the recording.
    Segments { segments: Vec<Segment>, language: Option<String> },
    /// The end: seconds heard, or why not all of it.
    Done(Result<f64, JobError>),
}

/// Why a job failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum JobError {
    #[error(transparent)]
    Audio(#[from] AudioError),
    #[error("{0}")]
    Engine(String),
}

/// One recording to transcribe.
pub(super) struct Job {
    pub(super) audio: JobAudio,
    pub(super) options: DecodingOptions,
    /// Updates go here; closed means that nobody wants them any more.
    pub(super) updates: UnboundedSender<Update>,
    /// Given back when the job is over.
    pub(super) place: Place,
}

/// A place in the queue; giving it up makes room for another request.
pub(super) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    metrics: Arc<Metrics>,
}

/// Engines and their queue.
pub(super) struct EnginePool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    taken: Arc<AtomicUsize>,
    capacity: usize,
    engines: usize,
    metrics: Arc<Metrics>,
}

impl EnginePool {
    /// One thread for each engine; `max_queued` jobs may wait beyond those that are worked on.
    pub(super) fn new(
        engines: Vec<Engine>,
        max_queued: usize,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Self> {
        let shared =
            Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), metrics: metrics.clone() });
        let count = engines.len();
        let mut threads = Vec::new();
        for (i, mut engine) in engines.into_iter().enumerate() {
            let shared = shared.clone();
            let name = format!("engine-{i}");
            threads.push(std::thread::Builder::new().name(name).spawn(move || {
                while let Some(job) = shared.next() {
                    engine.work(job, &shared.metrics);
                }
            })?);
        }
        let capacity = count + max_queued;
        Ok(Self { shared, threads, taken: Arc::default(), capacity, engines: count, metrics })
    }

    /// A place for a job, if there is one. Taken before a request's body is read, so that memory is bounded too.
    pub(super) fn reserve(&self) -> Option<Place> {
        let free = |taken| (taken < self.capacity).then_some(taken + 1);
        match self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, free) {
            Ok(_) => Some(Place(self.taken.clone())),
            Err(_) => {
                self.metrics.rejected();
                None
            }
        }
    }

    /// Jobs that are worked on or wait.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }

    /// When a place should be free again: the mean time of a job, for each that is before it.
    pub(super) fn retry_after(&self) -> Duration {
        let before = self.taken().div_ceil(self.engines.max(1));
        Duration::from_secs_f64((self.metrics.mean_job_s() * before as f64).clamp(1.0, 60.0))
    }

    pub(super) fn submit(&self, job: Job) {
        self.shared.lock().jobs.push_back(job);
        self.shared.changed.notify_one();
    }

    /// Finishes what was taken, then ends the engines.
    pub(super) fn finish(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // A panic was printed by its own thread.
            let _ = thread.join();
        }
    }
}

impl Drop for EnginePool {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Engine {
    fn work(&mut self, job: Job, metrics: &Metrics) {
        if job.updates.is_closed() {
            return;
        }
        let begin = Instant::now();
        if *self.recognizer.options() != job.options {
            self.recognizer.set_options(job.options.clone());
        }
        // An engine that panics on one recording must still hear the next.
        let result =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.hear(job.audio, &job.updates)))
                .unwrap_or_else(|_| {
                    Err(JobError::Engine("the engine panicked on this recording".to_owned()))
                });
        metrics.job_done(begin.elapsed().as_secs_f64(), result.as_ref().ok().copied());
        // Whoever reads the end may ask again at once: there must be a place.
        drop(job.place);
        // A client that has gone needs no answer.
        let _ = job.updates.send(Update::Done(result));
    }

    fn hear(&mut self, audio: JobAudio, updates: &UnboundedSender<Update>) -> Result<f64, JobError> {
        match audio {
            JobAudio::File(bytes) => {
                let source = FileSource::from_memory(bytes, "the upload", ChannelSelect::Mix)?;
                self.hear_source(Box::new(source), updates)
            }
            JobAudio::Pcm(bytes, format) => {
                let reader = std::io::Cursor::new(bytes);
                self.hear_source(open_stream(reader, "the stream", format, ChannelSelect::Mix)?, updates)
            }
            JobAudio::Utterance(utterance) => {
                let mut wanted = WhileWanted(updates);
                match self.recognizer.transcribe(&utterance, &mut wanted) {
                    Ok(mut transcript) => {
                        transcript.shift(utterance.start.seconds());
                        let (segments, language) = (transcript.segments, transcript.language);
                        let _ = updates.send(Update::Segments { segments, language });
                        Ok(seconds_of(utterance.samples.len()))
                    }
                    Err(error) => Err(JobError::Engine(error.to_string())),
                }
            }
        }
    }

    fn hear_source(
        &mut self,
        source: Box<dyn AudioSource>,
        updates: &UnboundedSender<Update>,
    ) -> Result<f64, JobError> {
        let stop = StopSignal::default();
        let mut failure = None;
        let options = PipelineOptions { max_queued_s: 10.0, ..PipelineOptions::default() };
        let summary = Pipeline::new(&mut self.endpointer, &mut self.recognizer, options).run(
            source,
            &stop,
            &mut |event| {
                match event {
                    Event::Final(result) => {
                        let update =
                            Update::Segments { segments: result.segments, language: result.language };
                        // A client that has gone needs no more text.
                        if updates.send(update).is_err() {
                            stop.stop();
                        }
                    }
                    Event::Failed { error, .. } => failure = Some(error),
                    _ => {}
                }
                if updates.is_closed() {
                    stop.stop();
                }
            },
        );
        match (summary, failure) {
            (Ok(summary), None) => Ok(summary.audio_s),
            (Ok(_), Some(error)) => Err(JobError::Engine(error)),
            (Err(PipelineError::Audio(error)), _) => Err(error.into()),
        }
    }
}

/// Cancels when nobody waits for the answer any more.
struct WhileWanted<'a>(&'a UnboundedSender<Update>);

impl RecognitionObserver for WhileWanted<'_> {
    fn cancelled(&self) -> bool {
        self.0.is_closed()
    }
}

impl From<RecognizerError> for JobError {
    fn from(error: RecognizerError) -> Self {
        Self::Engine(error.to_string())
    }
}
