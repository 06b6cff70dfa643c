//! Codes and messages of failures.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use earwitness::audio::PushError;
use earwitness::runtime::{ErrorKind, SetupError};

/// What a call came to. Codes 1 to 8 are the exit codes of the command line. `ew_last_error` has the words.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EwStatus {
    /// It worked.
    Ok = 0,
    /// A fault of ours: please report it.
    Internal = 1,
    /// What was asked for cannot be, or not now.
    Usage = 2,
    /// The audio, or the file that it is in.
    Audio = 3,
    /// A model is missing or damaged.
    Model = 4,
    /// The network, or whoever is at its other end.
    Network = 5,
    /// The microphone.
    Microphone = 6,
    /// The profile, a key, a consent.
    Config = 7,
    /// The disk.
    Disk = 8,
    /// The handle is none: never given, freed, or of the other kind.
    BadHandle = 100,
    /// An address is null that may not be, or an options structure has no size.
    BadArgument = 101,
    /// The session takes no more audio: it was finished, cancelled, or is over.
    Closed = 102,
    /// The session was given up before its end.
    Cancelled = 103,
}

/// A failure with its words.
pub(super) struct Failure {
    pub(super) status: EwStatus,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(status: EwStatus, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(super) fn null(what: &str) -> Self {
        Self::new(EwStatus::BadArgument, format!("{what} is null"))
    }
}

impl From<ErrorKind> for EwStatus {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Internal => Self::Internal,
            ErrorKind::Usage => Self::Usage,
            ErrorKind::Audio => Self::Audio,
            ErrorKind::Model => Self::Model,
            ErrorKind::Network => Self::Network,
            ErrorKind::Microphone => Self::Microphone,
            ErrorKind::Config => Self::Config,
            ErrorKind::Disk => Self::Disk,
        }
    }
}

impl From<SetupError> for Failure {
    fn from(error: SetupError) -> Self {
        Self::new(error.kind().into(), error.to_string())
    }
}

impl From<PushError> for Failure {
    fn from(error: PushError) -> Self {
        let status = match error {
            PushError::Closed => EwStatus::Closed,
            PushError::PartialFrame { .. } => EwStatus::Audio,
        };
        Self::new(status, error.to_string())
    }
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::default();
}

/// The words of this thread's last failure; they stay until its next call.
pub(super) fn last_error() -> *const c_char {
    LAST.with_borrow(|words| words.as_ptr())
}

thread_local! {
    static ANSWER: RefCell<CString> = RefCell::default();
}

/// Keeps a text for this thread's caller until its next answer.
pub(super) fn answer(text: &str) {
    ANSWER.with_borrow_mut(|answer| *answer = to_c(text));
}

/// What this thread was answered.
pub(super) fn last_answer() -> *const c_char {
    ANSWER.with_borrow(|answer| answer.as_ptr())
}

/// Runs a call. A panic becomes [`EwStatus::Internal`].
pub(super) fn guarded(call: impl FnOnce() -> Result<(), Failure>) -> EwStatus {
    let end = catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        Err(Failure::new(EwStatus::Internal, "a fault inside the library: please report it"))
    });
    let (status, message) = match end {
        Ok(()) => (EwStatus::Ok, String::new()),
        Err(failure) => (failure.status, failure.message),
    };
    LAST.with_borrow_mut(|last| {
        // Real-time callers never get here with an allocation: nothing changes while all goes well.
        if !(message.is_empty() && last.is_empty()) {
            *last = to_c(&message);
        }
    });
    status
}

/// Text for C; a NUL inside ends it.
pub(super) fn to_c(text: &str) -> CString {
    let until = text.split('\0').next().unwrap_or_default();
    CString::new(until).unwrap_or_default()
}

/// Text from C; `None` where the address is null.
///
/// # Safety
/// `text` is null or ends with a NUL.
pub(super) unsafe fn from_c(text: *const c_char, what: &str) -> Result<Option<String>, Failure> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not null, and the caller vouches for the end.
    let text = unsafe { CStr::from_ptr(text) };
    let text =
        text.to_str().map_err(|_| Failure::new(EwStatus::BadArgument, format!("{what} is not UTF-8")))?;
    Ok(Some(text.to_owned()))
}
