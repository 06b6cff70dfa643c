//! The pipeline: a source of audio in, events out.
//!
//! ```text
//! audio thread                          recognizer thread                 caller's thread
//! AudioSource ─► Endpointer ─ queue ──► Recognizer ────── events ───────► on_event
//!                    └──────────────────── events ───────────────────────►
//! ```
//! The two threads live as long as [`Pipeline::run`]. Every channel is bounded. A file is read only
//! as fast as it is recognized; a live source is always read, and what the recognizer cannot keep
//! up with is reported as [`Event::Dropped`], never lost in silence.
//!
//! A live utterance is recognized as soon as the speaker pauses, while the endpointer still waits to see
//! whether they go on. If they do not, the answer is there when it decides: the same samples were
//! heard, so it is the same answer. If they go on, the work is abandoned.

mod agreement;
mod answer;
mod backlog;
mod cloud_desk;
mod draft;
mod engines;
mod event;
mod input;
mod listen;
mod outage;
mod queue;
mod relief;
mod route;
mod router;
mod shadow;
mod shadow_report;
mod timings;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::ScopedJoinHandle;
use std::time::Duration;

pub use engines::{CloudEngine, Engines, ShadowEngine, retry_spooled};
pub use event::{Event, FailedAttempt, KeptResult, RunSummary, UtteranceResult};
pub use input::{CaptureFacts, UtteranceInput};
pub use relief::Relief;
pub use route::{Policy, Reason, Route, RouteRules};
pub use shadow::ShadowRules;
pub use shadow_report::{ShadowComparison, ShadowFailure, ShadowSubject, ShadowTotals};
pub use timings::{StageTimings, recognize};

use crate::asr::Recognizer;
use crate::audio::{AudioError, AudioSource, seconds_of};
use crate::endpoint::Endpointer;
use answer::RecognizerThread;
use listen::AudioThread;
use queue::WorkQueue;
use router::Router;
use shadow::{ShadowQueue, ShadowThread};
use timings::milliseconds;

/// How often a waiting thread looks whether it shall stop.
const POLL: Duration = Duration::from_millis(10);
/// Events that may wait for the caller; beyond it the threads wait.
const EVENT_CAPACITY: usize = 1024;

/// How a pipeline runs.
#[derive(Clone, Debug)]
pub struct PipelineOptions {
    /// The source cannot wait: a full queue drops utterances, latency is measured, levels are watched.
    pub live: bool,
    /// Audio that may wait for the recognizer, s. 600: a slow device catches up after ten minutes of talk,
    /// for 38 MB. A file needs no more than it takes to keep the recognizer busy.
    pub max_queued_s: f64,
    /// How often an unfinished utterance is transcribed, if ever.
    pub partial_interval: Option<Duration>,
    /// Silence after which a live utterance is recognized although it may go on, if ever; never before its
    /// post-pad is heard. 200 ms: most pauses between words are shorter, and the rest of the trailing
    /// silence is long enough to recognize ten seconds on a laptop.
    pub speculate_after: Option<Duration>,
    /// Events carry the audio of their utterance and how it came in, for whoever keeps figures
    /// ([`UtteranceInput`]). Costs no copy, but holds the samples as long as the event is held.
    pub keep_input: bool,
    /// Where a hot device asks for less work.
    pub relief: Relief,
}

impl Default for PipelineOptions {
    fn default() -> Self {
        Self {
            live: false,
            max_queued_s: 600.0,
            partial_interval: None,
            speculate_after: Some(Duration::from_millis(200)),
            keep_input: false,
            relief: Relief::default(),
        }
    }
}

/// Ends a run from another thread.
#[derive(Clone, Debug, Default)]
pub struct StopSignal {
    stopped: Arc<AtomicBool>,
    aborted: Arc<AtomicBool>,
}

impl StopSignal {
    /// Asks the run to end: what was heard until then is still transcribed.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Asks the run to end at once: what has no answer yet gets none. It is reported as [`Event::Dropped`], or, where
    /// utterances are kept in a spool, waits there for another run.
    pub fn abort(&self) {
        self.aborted.store(true, Ordering::Relaxed);
        self.stop();
    }

    /// Whether it was asked to end.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Whether it was asked to end at once.
    pub fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Relaxed)
    }
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The source failed; what it gave until then was transcribed.
    #[error(transparent)]
    Audio(#[from] AudioError),
}

/// An endpointer and a recognizer, joined by threads.
///
/// ```no_run
/// use std::path::Path;
/// use earwitness::asr::whisper::{DecodingOptions, WhisperRecognizer};
/// use earwitness::audio::{ChannelSelect, FileSource};
/// use earwitness::endpoint::{EndpointRules, Endpointer};
/// use earwitness::pipeline::{Event, Pipeline, PipelineOptions, StopSignal};
/// use earwitness::vad::SileroVad;
///
/// let vad = SileroVad::from_file("models/silero-vad/silero_vad_16k_op15.onnx")?;
/// let mut endpointer = Endpointer::new(EndpointRules::default(), Box::new(vad))?;
/// let mut whisper = WhisperRecognizer::load(Path::new("models/tiny.en"), "tiny.en", DecodingOptions::default())?;
/// let source = FileSource::open(Path::new("talk.flac"), ChannelSelect::Mix)?;
/// Pipeline::new(&mut endpointer, &mut whisper, PipelineOptions::default())
///     .run(Box::new(source), &StopSignal::default(), &mut |event| {
///         if let Event::Final(result) = event {
///             println!("{:.1} s: {}", result.start, result.text);
///         }
///     })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Pipeline<'a, 'e> {
    endpointer: &'a mut Endpointer,
    engines: Engines<'e>,
    options: PipelineOptions,
}

impl<'a, 'e> Pipeline<'a, 'e> {
    /// Joins the two; both can be used again after the run.
    pub fn new(
        endpointer: &'a mut Endpointer,
        recognizer: &'e mut dyn Recognizer,
        options: PipelineOptions,
    ) -> Self {
        Self::with_engines(endpointer, Engines::local(recognizer), options)
    }

    /// Joins an endpointer and all that may answer.
    pub fn with_engines(
        endpointer: &'a mut Endpointer,
        engines: Engines<'e>,
        mut options: PipelineOptions,
    ) -> Self {
        // Where the cloud is asked first, or alone, the work would mostly be for nothing.
        if !matches!(engines.rules.policy, Policy::Local | Policy::LocalThenCloud) {
            options.speculate_after = None;
        }
        Self { endpointer, engines, options }
    }

    /// Hears `source` to its end, or until `stop`, and tells `on_event` of everything, in order of time
    /// for each utterance. Returns when the last utterance is answered.
    ///
    /// # Errors
    /// [`PipelineError::Audio`] if the source fails. What it gave before is transcribed and reported first.
    pub fn run(
        self,
        source: Box<dyn AudioSource>,
        stop: &StopSignal,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<RunSummary, PipelineError> {
        let queue = WorkQueue::new(self.options.max_queued_s);
        let (events, received) = sync_channel(EVENT_CAPACITY);
        let mut summary = RunSummary::default();
        let options = &self.options;
        let endpointer = self.endpointer;
        let Engines { local, cloud, rules, spend, spool, shadow } = self.engines;
        let (desk, cloud_thread) = cloud.map(CloudEngine::open).unzip();
        let (shadow_rules, shadow_recognizer) = shadow.map(|s| (s.rules, s.recognizer)).unzip();
        let shadow_queue = shadow_rules.as_ref().map(|_| ShadowQueue::new(self.options.relief.clone()));
        let shadow_queue = shadow_queue.as_ref();
        let shadow = shadow_queue.zip(shadow_rules.as_ref());
        let (heard, speculations, shadow_totals) = std::thread::scope(|scope| {
            let audio_events = events.clone();
            let queue = &queue;
            let audio = scope.spawn(move || {
                let _close = CloseOnDrop(queue);
                AudioThread::new(source, endpointer, queue, audio_events, options, spool, shadow_queue)
                    .run(stop)
            });
            let cloud = cloud_thread.map(|thread| scope.spawn(move || thread.run()));
            let shadow_thread = shadow.zip(shadow_recognizer).map(|((queue, rules), recognizer)| {
                let events = events.clone();
                scope.spawn(move || ShadowThread::new(recognizer, rules, queue, events, stop).run())
            });
            let answers = scope.spawn(move || {
                let _close = CloseOnDrop(queue);
                let _close_shadow = CloseShadowOnDrop(shadow_queue);
                let router = Router::new(local, desk, rules, spend);
                RecognizerThread::new(router, queue, events, options, spool, shadow, stop).run()
            });
            // Should the caller's function panic, the audio thread must not listen on for ever.
            let _close = CloseOnDrop(queue);
            for event in received {
                count(&mut summary, &event);
                on_event(event);
            }
            let ends = (joined(audio), joined(answers), shadow_thread.map(joined));
            cloud.map(joined);
            ends
        });
        summary.shadow = shadow_totals;
        summary.audio_s = seconds_of(heard.samples as usize);
        summary.faults = heard.faults;
        summary.vad_ms = milliseconds(heard.vad);
        summary.speculations = speculations.begun;
        summary.speculations_used = speculations.used;
        match heard.error {
            Some(error) => Err(error.into()),
            None => Ok(summary),
        }
    }
}

/// What a thread returned; its panic is passed on.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Ends the other side if this one ends, by whatever way.
struct CloseOnDrop<'a>(&'a WorkQueue);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The shadow ends when nothing more will be answered.
struct CloseShadowOnDrop<'a>(Option<&'a ShadowQueue>);

impl Drop for CloseShadowOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(queue) = self.0 {
            queue.close();
        }
    }
}

fn count(summary: &mut RunSummary, event: &Event) {
    match event {
        Event::SpeechEnded { start, end, .. } => {
            summary.utterances += 1;
            summary.speech_s += end - start;
        }
        Event::Final(result) => summary.timings.add(&result.timings),
        Event::Failed { .. } => summary.failed += 1,
        Event::Dropped { .. } => summary.dropped += 1,
        Event::Hop { cost, .. } => {
            summary.hops += 1;
            summary.cost += cost;
        }
        Event::Deferred { .. } => summary.deferred += 1,
        Event::Recovered(_) => summary.recovered += 1,
        Event::Upgraded(_) => summary.upgraded += 1,
        Event::NotKept { .. } => summary.not_kept += 1,
        _ => {}
    }
}
