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
    /// Where it begins, s since the session began.
    pub start_s: f64,
    /// Where it ends; `start_s` for events that are a moment.
    pub end_s: f64,
    /// Text, UTF-8; never null.
    pub text: *const c_char,
    /// Everything, as the command line's `listen -f jsonl` has it; never null.
    pub json: *const c_char,
}

/// Called for each event, from the session's own thread, never twice at once. It may call every function but
/// `ew_session_finish` of its own session.
pub type EwEventCallback = Option<unsafe extern "C" fn(event: *const EwEvent, user: *mut c_void)>;

/// An event with its texts.
pub(super) struct OwnedEvent {
    view: EwEvent,
    _text: CString,
    _json: CString,
}

// SAFETY: the addresses in `view` are those of the two texts, which go with it.
unsafe impl Send for OwnedEvent {}

impl OwnedEvent {
    pub(super) fn of(event: &SessionEvent) -> Self {
        let mut parts =
            Parts { status: EwStatus::Ok, utterance: u64::MAX, start_s: 0.0, end_s: 0.0, text: "" };
        let mut ended = String::new();
        let kind = match event {
            SessionEvent::Notice(text) => {
                parts.text = text;
                EwEventKind::Notice
            }
            SessionEvent::Pipeline(event) => parts.of_pipeline(event),
            SessionEvent::Ended(Ok(_)) => EwEventKind::Ended,
            SessionEvent::Ended(Err(error)) => {
                ended = error.to_string();
                parts.status = error.kind().into();
                EwEventKind::Ended
            }
        };
        if !ended.is_empty() {
            parts.text = &ended;
        }
        let (text, json) = (to_c(parts.text), to_c(&event.to_json().to_string()));
        let view = EwEvent {
            size: size_of::<EwEvent>() as u32,
            kind,
            status: parts.status,
            utterance: parts.utterance,
            start_s: parts.start_s,
            end_s: parts.end_s,
            text: text.as_ptr(),
            json: json.as_ptr(),
        };
        Self { view, _text: text, _json: json }
    }

    pub(super) fn view(&self) -> &EwEvent {
        &self.view
    }
}

struct Parts<'a> {
    status: EwStatus,
    utterance: u64,
    start_s: f64,
    end_s: f64,
    text: &'a str,
}

impl<'a> Parts<'a> {
    fn at(&mut self, seconds: f64) {
        (self.start_s, self.end_s) = (seconds, seconds);
    }

    fn span(&mut self, utterance: u64, start: f64, end: f64) {
        (self.utterance, self.start_s, self.end_s) = (utterance, start, end);
    }

    fn of_pipeline(&mut self, event: &'a Event) -> EwEventKind {
        match event {
            Event::SpeechStarted { at } => {
                self.at(*at);
                EwEventKind::SpeechStarted
            }
            Event::Partial { utterance, text, .. } => {
                (self.utterance, self.text) = (*utterance, text);
                EwEventKind::Partial
            }
            Event::SpeechEnded { utterance, start, end, .. } => {
                self.span(*utterance, *start, *end);
                EwEventKind::SpeechEnded
            }
            Event::Final(result) => {
                self.span(result.utterance, result.start, result.end);
                self.text = &result.text;
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
            _ => EwEventKind::Other,
        }
    }
}
