//! The audio thread: reads the source, finds utterances, queues them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use super::backlog::not_kept;
use super::draft::{Draft, Purpose};
use super::event::Event;
use super::input::{CaptureLedger, UtteranceInput};
use super::outage::Outage;
use super::queue::{Arrival, WorkQueue};
use super::shadow::ShadowQueue;
use super::{PipelineOptions, StopSignal};
use crate::audio::{
    AudioError, AudioSource, LevelMeter, LevelWarning, Read, SAMPLE_RATE, SamplePosition, SourceFaults,
};
use crate::endpoint::{EndpointEvent, Endpointer};
use crate::uplink::spool::Spool;
use crate::utterance::{EndReason, Utterance};

/// Levels are judged over this long.
const LEVEL_WINDOW_S: u64 = 5;
/// Lost audio is replaced by silence in pieces of this size.
const GAP_BLOCK: usize = 16_000;

/// What the audio thread knows when it ends.
pub(super) struct Heard {
    pub(super) samples: u64,
    pub(super) faults: SourceFaults,
    pub(super) vad: Duration,
    pub(super) error: Option<AudioError>,
}

pub(super) struct AudioThread<'a> {
    source: Box<dyn AudioSource>,
    endpointer: &'a mut Endpointer,
    queue: &'a WorkQueue,
    events: SyncSender<Event>,
    options: &'a PipelineOptions,
    spool: Option<&'a Spool>,
    shadow: Option<&'a ShadowQueue>,
    samples: u64,
    lost: u64,
    ledger: CaptureLedger,
    vad: Duration,
    level: LevelMeter,
    warned: Option<LevelWarning>,
    last_partial: Instant,
    /// The end of speech for which a speculation was left.
    speculated: Option<SamplePosition>,
    outage: Outage,
}

impl<'a> AudioThread<'a> {
    pub(super) fn new(
        source: Box<dyn AudioSource>,
        endpointer: &'a mut Endpointer,
        queue: &'a WorkQueue,
        events: SyncSender<Event>,
        options: &'a PipelineOptions,
        spool: Option<&'a Spool>,
        shadow: Option<&'a ShadowQueue>,
    ) -> Self {
        Self {
            source,
            endpointer,
            queue,
            events,
            options,
            spool,
            shadow,
            samples: 0,
            lost: 0,
            ledger: CaptureLedger::default(),
            vad: Duration::ZERO,
            level: LevelMeter::new(),
            warned: None,
            last_partial: Instant::now(),
            speculated: None,
            outage: Outage::default(),
        }
    }

    /// Hears the source to its end or until `stop`.
    pub(super) fn run(mut self, stop: &StopSignal) -> Heard {
        self.endpointer.restart();
        let mut block = Vec::new();
        let mut error = None;
        while !stop.is_stopped() && !self.queue.is_closed() {
            match self.source.read(&mut block) {
                Ok(Read::Samples) => self.hear(&block),
                Ok(Read::Gap(lost)) => self.fill_gap(lost),
                Ok(Read::End) => break,
                Err(e) => {
                    error = Some(e);
                    break;
                }
            }
        }
        if stop.is_aborted() {
            self.queue.abandon.store(true, Ordering::Relaxed);
        }
        self.tell_gap();
        self.drive(|endpointer, emit| endpointer.finish(emit));
        Heard { samples: self.samples, faults: self.source.faults(), vad: self.vad, error }
    }

    /// Tells of what was lost since the last time.
    fn tell_gap(&mut self) {
        if let Some(gap) = self.outage.tell() {
            self.tell(gap);
        }
    }

    fn hear(&mut self, block: &[f32]) {
        if !block.is_empty() {
            self.tell_gap();
            self.outage.end();
        }
        self.samples += block.len() as u64;
        self.drive(|endpointer, emit| endpointer.push(block, emit));
        if self.options.live {
            if let Some(shadow) = self.shadow {
                shadow.set_speaking(self.endpointer.in_progress().is_some());
            }
            self.watch_level(block);
            self.offer_draft();
        }
    }

    /// Positions stay right: what was lost counts as silence, and ends an utterance if it is long.
    fn fill_gap(&mut self, lost: u64) {
        self.outage.lost(lost, SamplePosition(self.samples).seconds());
        if self.outage.is_due() {
            self.tell_gap();
        }
        self.lost += lost;
        let silence = [0.0; GAP_BLOCK];
        let mut left = lost;
        while left > 0 {
            let n = left.min(GAP_BLOCK as u64) as usize;
            self.samples += n as u64;
            self.drive(|endpointer, emit| endpointer.push(&silence[..n], emit));
            left -= n as u64;
        }
    }

    /// Runs the endpointer, timed, and passes on what it found.
    fn drive(&mut self, step: impl FnOnce(&mut Endpointer, &mut dyn FnMut(EndpointEvent))) {
        let begin = Instant::now();
        let mut found = Vec::new();
        step(self.endpointer, &mut |event| found.push(event));
        self.vad += begin.elapsed();
        for event in found {
            match event {
                EndpointEvent::SpeechStarted { position } => {
                    self.last_partial = Instant::now();
                    self.tell(Event::SpeechStarted { at: position.seconds() });
                }
                EndpointEvent::SpeechEnded(utterance) => self.submit(utterance),
            }
        }
    }

    /// On disk first: from here on the utterance survives a crash.
    fn submit(&mut self, utterance: Utterance) {
        let (index, start, end) = (utterance.index, utterance.start.seconds(), utterance.end().seconds());
        let kept = self.spool.map(|spool| spool.keep(&utterance.samples));
        let id = match kept {
            Some(Ok(id)) => Some(id),
            Some(Err(error)) => {
                self.tell(not_kept(&error));
                None
            }
            None => None,
        };
        let end_reason = utterance.end_reason;
        self.tell(Event::SpeechEnded { utterance: index, start, end, end_reason, id: id.clone() });
        self.speculated = None;
        if let Some(shadow) = self.shadow {
            shadow.set_working(true);
        }
        let capture =
            self.ledger.settle(self.source.as_ref(), self.lost, self.endpointer.non_finite_samples());
        let arrival = Arrival { utterance, capture, id };
        let queued =
            if self.options.live { self.queue.try_push(arrival) } else { self.queue.push_waiting(arrival) };
        let Err(back) = queued else { return };
        let Arrival { utterance, capture, id } = *back;
        let input =
            self.options.keep_input.then(|| Arc::new(UtteranceInput { utterance, capture, queue_depth: 0 }));
        match id {
            Some(id) => {
                self.queue.defer(id.clone());
                let error = "the recognizer is too far behind".to_owned();
                self.tell(Event::Deferred { utterance: index, start, end, id, error, input });
            }
            None => self.tell(Event::Dropped { utterance: index, start, end, input }),
        }
    }

    /// Leaves a draft for the recognizer if one is due: a speculation when the speaker pauses, a partial from
    /// time to time while they do not.
    fn offer_draft(&mut self) {
        let Some(open) = self.endpointer.in_progress() else {
            return;
        };
        if self.speculated.is_some_and(|end| end != open.speech_end) {
            self.queue.withdraw_speculation();
            self.speculated = None;
        }
        if self.speculated.is_some() || self.options.relief.is_wanted() {
            return;
        }
        let (paused, speech_end) = (open.silence, open.speech_end);
        let patience = self.options.speculate_after.map(samples_in);
        if patience.is_some_and(|patience| paused >= patience)
            && let Some(utterance) = self.endpointer.foreseen()
        {
            self.queue.offer(Draft { utterance, purpose: Purpose::Speculation });
            self.speculated = Some(speech_end);
        } else if self.options.partial_interval.is_some_and(|every| self.last_partial.elapsed() >= every)
            && self.queue.is_idle()
        {
            self.last_partial = Instant::now();
            let end = open.start + open.samples.len();
            let utterance = Utterance {
                index: open.index,
                start: open.start,
                samples: open.samples.to_vec(),
                speech_end: end,
                decided: end,
                end_reason: EndReason::EndOfStream,
                mean_speech_probability: 1.0,
                detection: None,
            };
            self.queue.offer(Draft { utterance, purpose: Purpose::Partial });
        }
    }

    /// Tells of a bad level once, and again only after it was good or bad in another way.
    fn watch_level(&mut self, block: &[f32]) {
        self.level.push(block);
        if self.level.reading().samples < LEVEL_WINDOW_S * u64::from(SAMPLE_RATE.hz()) {
            return;
        }
        let speaking = self.endpointer.in_progress().is_some();
        let warning = self.level.warnings().find(|w| *w != LevelWarning::VeryQuiet || speaking);
        if let Some(warning) = warning
            && self.warned != Some(warning)
        {
            self.tell(Event::Level { at: SamplePosition(self.samples).seconds(), warning });
        }
        self.warned = warning;
        self.level.reset();
    }

    fn tell(&self, event: Event) {
        // The receiver outlives this thread; if it panicked, there is nobody left to tell.
        let _ = self.events.send(event);
    }
}

fn samples_in(duration: Duration) -> usize {
    (duration.as_secs_f64() * f64::from(SAMPLE_RATE.hz())) as usize
}
