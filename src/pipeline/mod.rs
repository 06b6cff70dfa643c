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

mod event;
mod listen;
mod queue;
mod timings;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

pub use event::{Event, RunSummary, UtteranceResult};
pub use timings::{StageTimings, recognize};

use crate::asr::{Recognizer, RecognizerError};
use crate::audio::{AudioError, AudioSource, seconds_of};
use crate::endpoint::Endpointer;
use listen::AudioThread;
use queue::{Queued, Work, WorkQueue};
use timings::milliseconds;

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
}

impl Default for PipelineOptions {
    fn default() -> Self {
        Self { live: false, max_queued_s: 600.0, partial_interval: None }
    }
}

/// Ends a run from another thread: what was heard until then is still transcribed.
#[derive(Clone, Debug, Default)]
pub struct StopSignal(Arc<AtomicBool>);

impl StopSignal {
    /// Asks the run to end.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to.
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
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
pub struct Pipeline<'a> {
    endpointer: &'a mut Endpointer,
    recognizer: &'a mut dyn Recognizer,
    options: PipelineOptions,
}

impl<'a> Pipeline<'a> {
    /// Joins the two; both can be used again after the run.
    pub fn new(
        endpointer: &'a mut Endpointer,
        recognizer: &'a mut dyn Recognizer,
        options: PipelineOptions,
    ) -> Self {
        Self { endpointer, recognizer, options }
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
        let (events, received): (SyncSender<Event>, Receiver<Event>) = sync_channel(EVENT_CAPACITY);
        let mut summary = RunSummary::default();
        let options = &self.options;
        let endpointer = self.endpointer;
        let recognizer = self.recognizer;
        let heard = std::thread::scope(|scope| {
            let audio_events = events.clone();
            let queue = &queue;
            let audio = scope.spawn(move || {
                let _close = CloseOnDrop(queue);
                AudioThread::new(source, endpointer, queue, audio_events, options).run(stop)
            });
            scope.spawn(move || {
                let _close = CloseOnDrop(queue);
                answer(recognizer, queue, &events, options.live);
            });
            // Should the caller's function panic, the audio thread must not listen on for ever.
            let _close = CloseOnDrop(queue);
            for event in received {
                count(&mut summary, &event);
                on_event(event);
            }
            audio.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        summary.audio_s = seconds_of(heard.samples as usize);
        summary.faults = heard.faults;
        summary.vad_ms = milliseconds(heard.vad);
        match heard.error {
            Some(error) => Err(error.into()),
            None => Ok(summary),
        }
    }
}

/// Ends the other side if this one ends, by whatever way.
struct CloseOnDrop<'a>(&'a WorkQueue);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close();
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
        _ => {}
    }
}

/// The recognizer thread: answers until the audio has ended and the queue is empty.
fn answer(recognizer: &mut dyn Recognizer, queue: &WorkQueue, events: &SyncSender<Event>, live: bool) {
    let never = AtomicBool::new(false);
    loop {
        let event = match queue.next() {
            Work::End => return,
            Work::Final(queued) => final_event(recognizer, &queued, &never, live),
            Work::Partial(snapshot) => match recognize(recognizer, &snapshot, &queue.abandon_partial) {
                Ok((transcript, _)) if !transcript.text.is_empty() => {
                    Event::Partial { utterance: snapshot.index, text: transcript.text }
                }
                Ok(_) | Err(RecognizerError::Cancelled) => continue,
                Err(error) => {
                    tracing::warn!(%error, "partial transcript failed");
                    continue;
                }
            },
        };
        if events.send(event).is_err() {
            return;
        }
    }
}

fn final_event(recognizer: &mut dyn Recognizer, queued: &Queued, never: &AtomicBool, live: bool) -> Event {
    let utterance = &queued.utterance;
    let queue_ms = milliseconds(queued.since.elapsed());
    match recognize(recognizer, utterance, never) {
        Ok((transcript, mut timings)) => {
            timings.queue_ms = queue_ms;
            let hangover_ms = seconds_of(utterance.decided - utterance.speech_end) * 1e3;
            let latency = live.then(|| hangover_ms + milliseconds(queued.since.elapsed()));
            Event::Final(Box::new(UtteranceResult::new(
                utterance,
                transcript,
                recognizer.engine(),
                timings,
                latency,
            )))
        }
        Err(error) => Event::Failed {
            utterance: utterance.index,
            start: utterance.start.seconds(),
            end: utterance.end().seconds(),
            error: error.to_string(),
        },
    }
}
