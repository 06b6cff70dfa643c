//! The functions around a session.

use std::ffi::{c_char, c_void};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use earwitness::actions::Feedback;
use earwitness::runtime::{Input, Session, SessionEvent};

use super::event::{EwEvent, EwEventCallback, OwnedEvent};
use super::handles::Handles;
use super::queue::{Queue, Taken};
use super::runtime::{EwRuntime, RUNTIMES};
use super::status::{EwStatus, Failure, from_c, guarded};

/// A session of a runtime. 0 is none.
pub type EwSession = u64;

/// A session and, without a callback, the events that were not polled yet.
struct Running {
    session: Session,
    polled: Option<Polled>,
}

struct Polled {
    queue: Arc<Queue>,
    /// What the last poll gave.
    held: Mutex<Option<Box<OwnedEvent>>>,
}

static SESSIONS: Handles<Running> = Handles::new("session");

/// Where a callback is, and what it is given.
struct Callback {
    call: unsafe extern "C" fn(*const EwEvent, *mut c_void),
    user: *mut c_void,
}

// SAFETY: the program says that `user` may be used from the session's thread.
unsafe impl Send for Callback {}

impl Callback {
    fn tell(&self, event: &SessionEvent) {
        let event = OwnedEvent::of(event);
        // SAFETY: the program gave the function for this, and the event lives until it returns.
        unsafe { (self.call)(event.view(), self.user) }
    }
}

/// Starts a session whose audio is pushed. `live` (1): it comes as it is spoken, pushes never wait, and what cannot be kept up
/// with is lost and told; otherwise (0) a push waits for room. Without a callback events are polled. There is one session of a
/// runtime at a time. The callback may be called before this returns.
///
/// # Safety
/// `session` can be written to; `callback` may be called with `user` from another thread until the event
/// `EW_EVENT_KIND_ENDED` was told or the session was freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ew_session_start(
    runtime: EwRuntime,
    rate_hz: u32,
    channels: u16,
    live: u32,
    callback: EwEventCallback,
    user: *mut c_void,
    session: *mut EwSession,
) -> EwStatus {
    // SAFETY: passed on as it came.
    guarded(|| unsafe {
        start(runtime, &Input::Pushed { rate_hz, channels, live: live != 0 }, callback, user, session)
    })
}

/// Starts a session on a recording: wav, flac, mp3, ogg, m4a, aiff.
///
/// # Safety
/// As `ew_session_start`; `path` ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ew_session_start_file(
    runtime: EwRuntime,
    path: *const c_char,
    callback: EwEventCallback,
    user: *mut c_void,
    session: *mut EwSession,
) -> EwStatus {
    guarded(|| {
        // SAFETY: the caller vouches for the text.
        let path = unsafe { from_c(path, "path") }?.ok_or_else(|| Failure::null("path"))?;
        // SAFETY: passed on as it came.
        unsafe { start(runtime, &Input::File(PathBuf::from(path)), callback, user, session) }
    })
}

/// Starts a session on a microphone that the library opens: its id or name, the system's default if `name` is null or empty.
/// EW_STATUS_USAGE if this library was built without. `ew_session_finish` ends it.
///
/// # Safety
/// As `ew_session_start`; `name` is null or ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ew_session_start_microphone(
    runtime: EwRuntime,
    name: *const c_char,
    callback: EwEventCallback,
    user: *mut c_void,
    session: *mut EwSession,
) -> EwStatus {
    guarded(|| {
        // SAFETY: the caller vouches for the text.
        let name = unsafe { from_c(name, "name") }?.unwrap_or_default();
        // SAFETY: passed on as it came.
        unsafe { start(runtime, &Input::Microphone(name), callback, user, session) }
    })
}

unsafe fn start(
    runtime: EwRuntime,
    input: &Input,
    callback: EwEventCallback,
    user: *mut c_void,
    session: *mut EwSession,
) -> Result<(), Failure> {
    if session.is_null() {
        return Err(Failure::null("session"));
    }
    let runtime = RUNTIMES.get(runtime)?;
    let running = match callback {
        Some(call) => {
            let callback = Callback { call, user };
            let session = runtime.start(input, move |event| callback.tell(&event))?;
            Running { session, polled: None }
        }
        None => {
            let queue = Arc::<Queue>::default();
            let putting = queue.clone();
            let session = runtime.start(input, move |event| putting.put(OwnedEvent::of(&event)))?;
            Running { session, polled: Some(Polled { queue, held: Mutex::default() }) }
        }
    };
    // SAFETY: not null, and the caller vouches that it can be written to.
    unsafe { *session = SESSIONS.add(running) };
    Ok(())
}

/// Hands over `count` samples in [-1, 1], whole frames, interleaved. `lost_frames` (may be null) tells how many frames were
/// lost because the recognizer is too far behind. May be called from an audio callback, from one thread at a time.
///
/// # Safety
/// `samples` has `count` samples; `lost_frames` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ew_session_push_f32(
    session: EwSession,
    samples: *const f32,
    count: usize,
    lost_frames: *mut usize,
) -> EwStatus {
    // SAFETY: passed on as it came.
    guarded(|| unsafe { push(session, samples, count, lost_frames) })
}

/// The same with 16-bit samples.
///
/// # Safety
/// As `ew_session_push_f32`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ew_session_push_i16(
    session: EwSession,
    samples: *const i16,
    count: usize,
    lost_frames: *mut usize,
) -> EwStatus {
    // SAFETY: passed on as it came.
    guarded(|| unsafe { push(session, samples, count, lost_frames) })
}

unsafe fn push<T: earwitness::audio::PcmSample>(
    session: EwSession,
    samples: *const T,
    count: usize,
    lost_frames: *mut usize,
) -> Result<(), Failure> {
    let running = SESSIONS.get(session)?;
    if samples.is_null() && count > 0 {
        return Err(Failure::null("samples"));
    }
    if count > isize::MAX as usize / size_of::<T>() {
        return Err(Failure::new(EwStatus::BadArgument, "count is more than memory can have"));
    }
    let samples = match count {
        0 => &[],
        // SAFETY: not null, and the caller vouches for the number.
        _ => unsafe { std::slice::from_raw_parts(samples, count) },
    };
    let lost = running.session.push(samples)?;
    // SAFETY: null is skipped; the caller vouches for the rest.
    if let Some(lost_frames) = unsafe { lost_frames.as_mut() } {
        *lost_frames = lost;
    }
    Ok(())
}

/// The next event of a session without callback, waiting at most `timeout_ms` for it; `*event` is null if none came.
/// EW_STATUS_CLOSED after the last, EW_EVENT_KIND_ENDED. An event lives until the session's next poll, or until the session is
/// freed. An app that does not poll for an hour loses the oldest.
///
/// # Safety
/// `event` can be written to. One thread polls a session at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ew_session_poll(
    session: EwSession,
    timeout_ms: u32,
    event: *mut *const EwEvent,
) -> EwStatus {
    guarded(|| {
        if event.is_null() {
            return Err(Failure::null("event"));
        }
        // SAFETY: not null, and the caller vouches that it can be written to.
        unsafe { *event = std::ptr::null() };
        let running = SESSIONS.get(session)?;
        let Some(polled) = &running.polled else {
            return Err(Failure::new(
                EwStatus::Usage,
                "this session tells its callback: it cannot be polled",
            ));
        };
        let taken = polled.queue.take(Duration::from_millis(timeout_ms.into()));
        // Freed meanwhile: then nothing of it may be given out.
        SESSIONS.get(session)?;
        let mut held = polled.held.lock().unwrap_or_else(PoisonError::into_inner);
        *held = match taken {
            Taken::Event(next) => Some(next),
            Taken::Nothing => None,
            Taken::Over => {
                return Err(Failure::new(
                    EwStatus::Closed,
                    "the session has ended: there are no more events",
                ));
            }
        };
        let view = held.as_ref().map_or(std::ptr::null(), |held| std::ptr::from_ref(held.view()));
        // SAFETY: as above.
        unsafe { *event = view };
        Ok(())
    })
}

/// What the user made of an utterance: `accepted`, `edited` (with the new `text`, or null), `redo`, `switched-input`,
/// `result-clicked`, `abandoned`. Recorded where telemetry is on, until the session is freed or the next one begins.
///
/// # Safety
/// `kind` ends with NUL, `text` is null or does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ew_session_feedback(
    session: EwSession,
    utterance: u64,
    kind: *const c_char,
    text: *const c_char,
) -> EwStatus {
    guarded(|| {
        let running = SESSIONS.get(session)?;
        // SAFETY: the caller vouches for the texts.
        let (kind, text) = unsafe { (from_c(kind, "kind")?, from_c(text, "text")?) };
        let kind = kind.ok_or_else(|| Failure::null("kind"))?;
        let feedback = Feedback::named(utterance, &kind, text);
        running.session.feedback(&feedback.map_err(|why| Failure::new(EwStatus::Usage, why))?)?;
        Ok(())
    })
}

/// Ends the audio and waits until the last answer was told. The status says how the session ended: EW_STATUS_CANCELLED if it
/// was given up meanwhile. Whoever asks again is told the same. Not from its own callback, and not from a thread that its
/// callback waits for.
#[unsafe(no_mangle)]
pub extern "C" fn ew_session_finish(session: EwSession) -> EwStatus {
    guarded(|| {
        let running = SESSIONS.get(session)?;
        running.session.finish()?;
        match running.session.is_cancelled() {
            true => Err(Failure::new(EwStatus::Cancelled, "the session was cancelled")),
            false => Ok(()),
        }
    })
}

/// Gives a session up: what has no answer gets none, nothing more is sent anywhere, and the end is told. It does not wait.
#[unsafe(no_mangle)]
pub extern "C" fn ew_session_cancel(session: EwSession) -> EwStatus {
    guarded(|| SESSIONS.get(session).map(|running| running.session.cancel()))
}

/// Frees a session. One that still runs is cancelled and, unless this is its own callback, waited for. After that its callback
/// is not called any more, nor after this callback if it is that. Other threads' calls of the session come back.
#[unsafe(no_mangle)]
pub extern "C" fn ew_session_free(session: EwSession) -> EwStatus {
    guarded(|| {
        let running = SESSIONS.remove(session)?;
        if let Some(polled) = &running.polled {
            polled.queue.end();
        }
        running.session.close();
        Ok(())
    })
}
