//! The functions of the C interface.

use std::ffi::{c_char, c_void};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use earwitness::actions::Feedback;
use earwitness::config::Profile;
use earwitness::runtime::{Input, Runtime, RuntimeOptions, Session, SessionEvent};

use super::event::{EwEvent, EwEventCallback, OwnedEvent};
use super::handles::Handles;
use super::status::{EwStatus, Failure, from_c, guarded, last_error};

/// The interface's version: it goes up when a program must be compiled anew.
pub const EW_ABI_VERSION: u32 = 1;

/// A loaded runtime. 0 is none.
pub type EwRuntime = u64;
/// A session of a runtime. 0 is none.
pub type EwSession = u64;

/// How a runtime is opened. Set it to zeros, then `size`, then what differs.
#[repr(C)]
#[derive(Debug)]
pub struct EwOptions {
    /// `sizeof(EwOptions)`.
    pub size: u32,
    /// Whether live sessions tell partial texts.
    pub partials: bool,
    /// The device's profile in TOML, consents included; null for the defaults.
    pub profile_toml: *const c_char,
    /// What records call the profile; null for `app`.
    pub profile_name: *const c_char,
    /// Where models are; null for the user's cache folder.
    pub model_folder: *const c_char,
    /// Where utterances and records that wait are kept; null for the user's data folder.
    pub data_folder: *const c_char,
}

/// A session and, without a callback, the events that were not polled yet.
struct Running {
    session: Session,
    events: Option<Mutex<Polled>>,
}

struct Polled {
    waiting: Receiver<OwnedEvent>,
    /// What the last poll gave.
    held: Option<OwnedEvent>,
}

static RUNTIMES: Handles<Runtime> = Handles::new("runtime");
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

/// The library's version, such as `0.1.0`. It lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn ew_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// `EW_ABI_VERSION` as the library was built with.
#[unsafe(no_mangle)]
pub extern "C" fn ew_abi_version() -> u32 {
    EW_ABI_VERSION
}

/// Why this thread's last call failed, in words that say what to do; empty after one that did not. It lives until the
/// thread's next call.
#[unsafe(no_mangle)]
pub extern "C" fn ew_last_error() -> *const c_char {
    last_error()
}

/// Opens a runtime: loads the models that the profile asks for. It takes some tenths of a second, the first time seconds.
///
/// # Safety
/// `options` is an `EwOptions`, its texts end with NUL, `runtime` can be written to. Null is an error, not a crash.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ew_runtime_open(options: *const EwOptions, runtime: *mut EwRuntime) -> EwStatus {
    guarded(|| {
        if runtime.is_null() {
            return Err(Failure::null("runtime"));
        }
        // SAFETY: not null; the caller vouches for what it points to.
        let options = unsafe { options.as_ref() }.ok_or_else(|| Failure::null("options"))?;
        if (options.size as usize) < size_of::<EwOptions>() {
            let message =
                "options.size is not sizeof(EwOptions): set it, and compile with this library's header";
            return Err(Failure::new(EwStatus::BadArgument, message));
        }
        // SAFETY: the caller vouches for the texts.
        let text = |text, what| unsafe { from_c(text, what) };
        let profile = text(options.profile_toml, "profile_toml")?.unwrap_or_default();
        let profile = Profile::parse(&profile, "profile_toml")
            .map_err(|e| Failure::new(EwStatus::Config, e.to_string()))?;
        let opened = Runtime::open(RuntimeOptions {
            profile,
            profile_name: text(options.profile_name, "profile_name")?.unwrap_or_default(),
            model_folder: text(options.model_folder, "model_folder")?.map(PathBuf::from),
            data_folder: text(options.data_folder, "data_folder")?.map(PathBuf::from),
            partials: options.partials,
        })?;
        // SAFETY: not null, and the caller vouches that it can be written to.
        unsafe { *runtime = RUNTIMES.add(opened) };
        Ok(())
    })
}

/// Frees a runtime; for a few seconds it sends what waits for the collection server. Sessions of it that still run go on.
#[unsafe(no_mangle)]
pub extern "C" fn ew_runtime_close(runtime: EwRuntime) -> EwStatus {
    guarded(|| RUNTIMES.remove(runtime).map(drop))
}

/// Starts a session whose audio is pushed. `live`: it comes as it is spoken, pushes never wait, and what cannot be kept up
/// with is lost and told; otherwise a push waits for room. Without a callback events are polled. There is one session of a
/// runtime at a time.
///
/// # Safety
/// `session` can be written to; `callback` may be called with `user` from another thread until the event
/// `EW_EVENT_KIND_ENDED` was told or the session was freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ew_session_start(
    runtime: EwRuntime,
    rate_hz: u32,
    channels: u16,
    live: bool,
    callback: EwEventCallback,
    user: *mut c_void,
    session: *mut EwSession,
) -> EwStatus {
    // SAFETY: passed on as it came.
    guarded(|| unsafe { start(runtime, &Input::Pushed { rate_hz, channels, live }, callback, user, session) })
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
            Running { session, events: None }
        }
        None => {
            let (tell, waiting) = channel();
            // Nobody polls any more: then nobody misses it.
            let session = runtime.start(input, move |event| drop(tell.send(OwnedEvent::of(&event))))?;
            Running { session, events: Some(Mutex::new(Polled { waiting, held: None })) }
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

/// The next event of a session without callback, waiting at most `timeout_ms` for it; `*event` is null if none came. It
/// lives until the session's next poll, or until the session is freed.
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
        let running = SESSIONS.get(session)?;
        let Some(events) = &running.events else {
            return Err(Failure::new(
                EwStatus::Usage,
                "this session tells its callback: it cannot be polled",
            ));
        };
        let mut polled = events.lock().unwrap_or_else(PoisonError::into_inner);
        polled.held = polled.waiting.recv_timeout(Duration::from_millis(timeout_ms.into())).ok();
        let view = polled.held.as_ref().map_or(std::ptr::null(), |held| std::ptr::from_ref(held.view()));
        // SAFETY: not null, and the caller vouches that it can be written to.
        unsafe { *event = view };
        Ok(())
    })
}

/// What the user made of an utterance: `accepted`, `edited` (with the new `text`, or null), `redo`, `switched-input`,
/// `result-clicked`, `abandoned`. Recorded where telemetry is on.
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
        running.session.feedback(&feedback.map_err(|why| Failure::new(EwStatus::Usage, why))?);
        Ok(())
    })
}

/// Ends the audio and waits until the last answer was told. The status says how the session ended. Not from its own
/// callback.
#[unsafe(no_mangle)]
pub extern "C" fn ew_session_finish(session: EwSession) -> EwStatus {
    guarded(|| {
        let running = SESSIONS.get(session)?;
        running.session.finish()?;
        Ok(())
    })
}

/// Gives a session up: what has no answer gets none, and the end is told. It does not wait.
#[unsafe(no_mangle)]
pub extern "C" fn ew_session_cancel(session: EwSession) -> EwStatus {
    guarded(|| SESSIONS.get(session).map(|running| running.session.cancel()))
}

/// Frees a session. One that still runs is cancelled, and waited for unless this is its own callback: after that nothing
/// of it is called any more.
#[unsafe(no_mangle)]
pub extern "C" fn ew_session_free(session: EwSession) -> EwStatus {
    guarded(|| {
        let running = SESSIONS.remove(session)?;
        // Another thread may be in `finish`: it shall come back soon.
        running.session.cancel();
        drop(running);
        Ok(())
    })
}
