//! The recognizer thread: takes utterances and drafts from the queue, gives events.

use std::sync::atomic::AtomicBool;
use std::sync::mpsc::SyncSender;

use super::PipelineOptions;
use super::agreement::Agreement;
use super::draft::{Draft, Purpose, Span};
use super::event::{Event, UtteranceResult};
use super::queue::{Queued, Work, WorkQueue};
use super::timings::{StageTimings, milliseconds, recognize};
use crate::asr::{Recognizer, RecognizerError, Transcript};
use crate::audio::seconds_of;

/// How often an utterance was recognized before its end was sure.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Speculations {
    pub(super) begun: u64,
    pub(super) used: u64,
}

/// An answer that waits for the endpointer to decide.
struct Ready {
    span: Span,
    transcript: Transcript,
    timings: StageTimings,
}

pub(super) struct RecognizerThread<'a> {
    recognizer: &'a mut dyn Recognizer,
    queue: &'a WorkQueue,
    events: SyncSender<Event>,
    options: &'a PipelineOptions,
    ready: Option<Ready>,
    agreement: Agreement,
    speculations: Speculations,
}

impl<'a> RecognizerThread<'a> {
    pub(super) fn new(
        recognizer: &'a mut dyn Recognizer,
        queue: &'a WorkQueue,
        events: SyncSender<Event>,
        options: &'a PipelineOptions,
    ) -> Self {
        Self {
            recognizer,
            queue,
            events,
            options,
            ready: None,
            agreement: Agreement::default(),
            speculations: Speculations::default(),
        }
    }

    /// Answers until the audio has ended and the queue is empty.
    pub(super) fn run(mut self) -> Speculations {
        loop {
            let event = match self.queue.next() {
                Work::End => return self.speculations,
                Work::Final(queued) => Some(self.answer(&queued)),
                Work::Draft(draft) => self.try_draft(draft),
            };
            if let Some(event) = event
                && self.events.send(event).is_err()
            {
                return self.speculations;
            }
        }
    }

    fn answer(&mut self, queued: &Queued) -> Event {
        let utterance = &queued.utterance;
        let span = Span::of(utterance);
        let queue_ms = milliseconds(queued.since.elapsed());
        let ready = self.ready.take().filter(|ready| ready.span == span);
        let speculative = ready.is_some();
        let answer = match ready {
            Some(ready) => Ok((ready.transcript, ready.timings)),
            None => recognize(self.recognizer, utterance, &AtomicBool::new(false)),
        };
        let (transcript, mut timings) = match answer {
            Ok(answer) => answer,
            Err(error) => {
                return Event::Failed {
                    utterance: utterance.index,
                    start: utterance.start.seconds(),
                    end: utterance.end().seconds(),
                    error: error.to_string(),
                };
            }
        };
        self.speculations.used += u64::from(speculative);
        timings.queue_ms = queue_ms;
        let mut result = UtteranceResult::new(utterance, transcript, self.recognizer.engine(), timings);
        if self.options.live {
            let after_endpoint_ms = milliseconds(queued.since.elapsed());
            let hangover_ms = seconds_of(utterance.decided - utterance.speech_end) * 1e3;
            result.speculative = speculative;
            result.after_endpoint_ms = Some(after_endpoint_ms);
            result.latency_ms = Some(hangover_ms + after_endpoint_ms);
        }
        Event::Final(Box::new(result))
    }

    fn try_draft(&mut self, draft: Draft) -> Option<Event> {
        let speculation = draft.purpose == Purpose::Speculation;
        self.speculations.begun += u64::from(speculation);
        let (transcript, timings) = match recognize(self.recognizer, &draft.utterance, &self.queue.abandon) {
            Ok(answer) => answer,
            Err(RecognizerError::Cancelled) => return None,
            Err(error) => {
                // The finished utterance is tried again, and its failure reported.
                tracing::warn!(%error, "an unfinished utterance could not be transcribed");
                return None;
            }
        };
        let wanted = self.options.partial_interval.is_some() && !transcript.text.is_empty();
        let partial = wanted.then(|| {
            let utterance = draft.utterance.index;
            let heard = self.agreement.hear(utterance, &transcript.text);
            Event::Partial { utterance, text: heard.text, committed: heard.committed }
        });
        if speculation {
            self.ready = Some(Ready { span: draft.span(), transcript, timings });
        }
        partial
    }
}
