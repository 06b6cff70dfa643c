//! Events as C has them.

use std::ffi::{CString, c_char, c_void};

use earwitness::pipeline::Event;
use earwitness::runtime::SessionEvent;

use super::status::{EwStatus, to_c};

/// Which event.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EwEventKind {
    /// One that has no number here: see `json`.
    Other = 0,
    /// Something people must know, such as what leaves this device: `text`.
    Notice = 1,
    /// Somebody began to speak, at `start_s`.
    SpeechStarted = 2,
    /// What an unfinished utterance sounds like so far: `text`. It may change.
    Partial = 3,
    /// Somebody stopped; the text follows.
    SpeechEnded = 4,
    /// The answer: `text`.
    Final = 5,
    /// The recognizer failed on an utterance: `text` says why.
    Failed = 6,
    /// An utterance has no answer: the recognizer was too far behind, or the session was cancelled.
    Dropped = 7,
    /// Audio was lost, at `start_s`.
    Gap = 8,
    /// The last event. `status` and `text` say how the session ended.
    Ended = 9,
    /// Something is wrong with the input's level, at `start_s`: see `json`.
    Level = 10,
    /// An utterance has no answer now, and will have one: it waits on disk (`[spool] keep`).
    Deferred = 11,
    /// An utterance of an earlier session has its answer: `text`.
    Recovered = 12,
    /// Audio of an utterance is about to be sent to the host in `text`.
    Hop = 13,
}

/// One event. It and its texts live as long as the callback runs, or until the session's next `ew_session_poll`.
#[repr(C)]
#[derive(Debug)]
pub struct EwEvent {
    /// Size of this structure in bytes: later versions add fields at its end.
    pub size: u32,
    /// Which event.
    pub kind: EwEventKind,
    /// With `EW_EVENT_KIND_ENDED`: how the session ended.
    pub status: EwStatus,
    /// Which utterance of the session, from 0; `UINT64_MAX` for events of none.
    pub utterance: u64,
    /// Where it begins, s since the session began; 0 where that is not known, as of partial texts.
    pub start_s: f64,
    /// Where it ends; `start_s` for events that are a moment.
    pub end_s: f64,
    /// Text, UTF-8; never null.
    pub text: *const c_char,
    /// Everything, as the command line's `listen -f jsonl` has it: segments with their times, engine, timings; never null.
    pub json: *const c_char,
    /// With `EW_EVENT_KIND_PARTIAL`: so many bytes of `text` will not change any more.
    pub committed_bytes: u64,
    /// How sure the recognizer is of an answer, 0 to 1; negative if that is not known.
    pub confidence: f32,
    /// Language code of an answer, such as `en`; empty if that is not known. Never null.
    pub language: *const c_char,
}

/// Called for each event, from the session's own thread, never twice at once. It may call every function but
/// `ew_session_finish` of its own session. No exception and no `longjmp` may leave it.
pub type EwEventCallback = Option<unsafe extern "C" fn(event: *const EwEvent, user: *mut c_void)>;

/// An event with its texts.
pub(super) struct OwnedEvent {
    view: EwEvent,
    texts: [CString; 3],
}

// SAFETY: the addresses in `view` are those of the three texts, which go with it.
unsafe impl Send for OwnedEvent {}

impl OwnedEvent {
    pub(super) fn of(event: &SessionEvent) -> Self {
        let mut parts = Parts { utterance: u64::MAX, confidence: -1.0, ..Parts::default() };
        let mut status = EwStatus::Ok;
        let mut ended = String::new();
        let kind = match event {
            SessionEvent::Notice(text) => {
                parts.text = text;
                EwEventKind::Notice
            }
            SessionEvent::Pipeline(event) => parts.of_pipeline(event),
            SessionEvent::Ended { end: Ok(_), cancelled } => {
                if *cancelled {
                    status = EwStatus::Cancelled;
                    parts.text = "the session was cancelled";
                }
                EwEventKind::Ended
            }
            SessionEvent::Ended { end: Err(error), .. } => {
                ended = error.to_string();
                status = error.kind().into();
                EwEventKind::Ended
            }
        };
        if !ended.is_empty() {
            parts.text = &ended;
        }
        let json = event.to_json().to_string();
        let texts = [to_c(parts.text), to_c(parts.language), to_c(&json)];
        let view = EwEvent {
            size: size_of::<EwEvent>() as u32,
            kind,
            status,
            utterance: parts.utterance,
            start_s: parts.start_s,
            end_s: parts.end_s,
            text: texts[0].as_ptr(),
            json: texts[2].as_ptr(),
            committed_bytes: parts.committed_bytes,
            confidence: parts.confidence,
            language: texts[1].as_ptr(),
        };
        Self { view, texts }
    }

    pub(super) fn view(&self) -> &EwEvent {
        debug_assert_eq!(self.view.text, self.texts[0].as_ptr());
        &self.view
    }

    #[cfg(test)]
    pub(super) fn json(&self) -> &str {
        self.texts[2].to_str().unwrap()
    }
}

#[derive(Default)]
struct Parts<'a> {
    utterance: u64,
    start_s: f64,
    end_s: f64,
    text: &'a str,
    committed_bytes: u64,
    confidence: f32,
    language: &'a str,
}

impl<'a> Parts<'a> {
    fn at(&mut self, seconds: f64) {
        (self.start_s, self.end_s) = (seconds, seconds);
    }

    fn span(&mut self, utterance: u64, start: f64, end: f64) {
        (self.utterance, self.start_s, self.end_s) = (utterance, start, end);
    }

    fn answer(&mut self, text: &'a str, language: Option<&'a str>, confidence: Option<f32>) {
        (self.text, self.language) = (text, language.unwrap_or_default());
        self.confidence = confidence.unwrap_or(-1.0);
    }

    fn of_pipeline(&mut self, event: &'a Event) -> EwEventKind {
        match event {
            Event::SpeechStarted { at } => {
                self.at(*at);
                EwEventKind::SpeechStarted
            }
            Event::Partial { utterance, text, committed } => {
                (self.utterance, self.text) = (*utterance, text);
                self.committed_bytes = committed.len() as u64;
                EwEventKind::Partial
            }
            Event::SpeechEnded { utterance, start, end, .. } => {
                self.span(*utterance, *start, *end);
                EwEventKind::SpeechEnded
            }
            Event::Final(result) => {
                self.span(result.utterance, result.start, result.end);
                self.answer(&result.text, result.language.as_deref(), result.confidence);
                EwEventKind::Final
            }
            Event::Failed { utterance, start, end, error, .. } => {
                self.span(*utterance, *start, *end);
                self.text = error;
                EwEventKind::Failed
            }
            Event::Dropped { utterance, start, end, .. } => {
                self.span(*utterance, *start, *end);
                EwEventKind::Dropped
            }
            Event::Gap { at, .. } => {
                self.at(*at);
                EwEventKind::Gap
            }
            Event::Level { at, .. } => {
                self.at(*at);
                EwEventKind::Level
            }
            Event::Deferred { utterance, start, end, error, .. } => {
                self.span(*utterance, *start, *end);
                self.text = error;
                EwEventKind::Deferred
            }
            Event::Recovered(kept) => {
                self.answer(&kept.text, kept.language.as_deref(), kept.confidence);
                EwEventKind::Recovered
            }
            Event::Hop { utterance, host, .. } => {
                self.utterance = utterance.unwrap_or(u64::MAX);
                self.text = host;
                EwEventKind::Hop
            }
            _ => EwEventKind::Other,
        }
    }
}
