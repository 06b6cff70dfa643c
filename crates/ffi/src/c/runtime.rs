//! The functions around a runtime.

use std::ffi::{c_char, c_void};
use std::path::PathBuf;
use std::time::Duration;

use earwitness::config::Profile;
use earwitness::runtime::{LogLevel, Runtime, RuntimeOptions, tell_logs};
use serde_json::json;

use super::handles::Handles;
use super::status::{EwStatus, Failure, answer, from_c, guarded, last_answer, last_error, to_c};

/// The interface's version: it goes up when a program must be compiled anew.
pub const EW_ABI_VERSION: u32 = 1;

/// A loaded runtime. 0 is none.
pub type EwRuntime = u64;

/// How a runtime is opened. Set it to zeros, then `size`, then what differs.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct EwOptions {
    /// `sizeof(EwOptions)`. Later versions add fields at its end; a smaller one is taken as it is.
    pub size: u32,
    /// 1: live sessions tell partial texts.
    pub partials: u32,
    /// The device's profile in TOML, consents included; null for the defaults.
    pub profile_toml: *const c_char,
    /// What records call the profile; null for `app`.
    pub profile_name: *const c_char,
    /// Where models are; null for the user's cache folder.
    pub model_folder: *const c_char,
    /// Where utterances and records that wait are kept; null for the user's data folder.
    pub data_folder: *const c_char,
    /// Where packed weights are kept, which are made once from a model; null for a folder in `model_folder`, which can be
    /// written to then.
    pub cache_folder: *const c_char,
}

/// Called with each line of the library's log, from the thread that logs. It must not call the library, and no exception may
/// leave it.
pub type EwLogCallback = Option<unsafe extern "C" fn(level: i32, line: *const c_char, user: *mut c_void)>;

pub(super) static RUNTIMES: Handles<Runtime> = Handles::new("runtime");

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

/// Tells `callback` from now on what the library logs, of level 1 (errors) up to `most`: 2 warnings, 3 what happens, such as
/// each request, 4 for developers. Once in a process. There is no text and no audio in it.
///
/// # Safety
/// `callback` may be called with `user` from every thread as long as the process lives.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ew_log_to(most: i32, callback: EwLogCallback, user: *mut c_void) -> EwStatus {
    /// The program says that `user` may be used from every thread.
    struct User(*mut c_void);
    // SAFETY: as the program says.
    unsafe impl Send for User {}
    // SAFETY: as the program says.
    unsafe impl Sync for User {}
    impl User {
        fn address(&self) -> *mut c_void {
            self.0
        }
    }
    guarded(|| {
        let call = callback.ok_or_else(|| Failure::null("callback"))?;
        let most = match most {
            1 => LogLevel::Error,
            2 => LogLevel::Warn,
            3 => LogLevel::Info,
            4 => LogLevel::Debug,
            other => {
                return Err(Failure::new(EwStatus::BadArgument, format!("{other} is no level: 1 to 4")));
            }
        };
        let user = User(user);
        tell_logs(most, move |level, line| {
            let line = to_c(line);
            // SAFETY: the program gave the function for this, and the line lives until it returns.
            unsafe { call(level as i32, line.as_ptr(), user.address()) }
        })?;
        Ok(())
    })
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
        // SAFETY: passed on as it came.
        let opened = Runtime::open(unsafe { options_of(options) }?)?;
        // SAFETY: not null, and the caller vouches that it can be written to.
        unsafe { *runtime = RUNTIMES.add(opened) };
        Ok(())
    })
}

/// What there is to say about a runtime, as JSON: `notices` (what leaves this device, where to, and why: to be shown before the
/// first session), `telemetry` (what waits for the collection server, how sending goes; null without one). `*json` lives
/// until the thread's next call.
///
/// # Safety
/// `json` can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ew_runtime_info(runtime: EwRuntime, json: *mut *const c_char) -> EwStatus {
    guarded(|| {
        if json.is_null() {
            return Err(Failure::null("json"));
        }
        let runtime = RUNTIMES.get(runtime)?;
        let telemetry = runtime.outlet_status().map(|status| {
            json!({
                "records": status.records, "bytes": status.bytes, "lost": status.lost,
                "failures": status.failures, "last_error": status.last_error,
                "last_accepted_unix_ms": status.last_accepted_unix_ms,
                "waits_for_network": status.waits_for_network,
            })
        });
        answer(&json!({ "notices": runtime.notices(), "telemetry": telemetry }).to_string());
        // SAFETY: not null, and the caller vouches that it can be written to.
        unsafe { *json = last_answer() };
        Ok(())
    })
}

/// Ends a runtime: a session that runs is cancelled and waited for (not from its own callback), what waits for the collection
/// server is sent for at most `flush_ms`, models and folders are let go. Sessions are still freed each by itself.
#[unsafe(no_mangle)]
pub extern "C" fn ew_runtime_close(runtime: EwRuntime, flush_ms: u32) -> EwStatus {
    guarded(|| {
        RUNTIMES.remove(runtime)?.close(Duration::from_millis(flush_ms.into()));
        Ok(())
    })
}

/// Whether this device has the token with which it reports: `*enrolled` is 1 or 0.
///
/// # Safety
/// As `ew_runtime_open`; `enrolled` can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ew_is_enrolled(options: *const EwOptions, enrolled: *mut u32) -> EwStatus {
    guarded(|| {
        if enrolled.is_null() {
            return Err(Failure::null("enrolled"));
        }
        // SAFETY: passed on as it came.
        let options = unsafe { options_of(options) }?;
        // SAFETY: not null, and the caller vouches that it can be written to.
        unsafe { *enrolled = options.is_enrolled().into() };
        Ok(())
    })
}

/// Makes this device known to the server of the profile's `telemetry.url`, which gave out `code`; before the first
/// `ew_runtime_open` with telemetry, and again if the server has revoked it. `device_id` (null: `telemetry.device_id`, or the
/// machine's name) is its name there. The token goes into the data folder. Waits for the server, at most half a minute.
///
/// # Safety
/// As `ew_runtime_open`; `code` ends with NUL, `device_id` is null or does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ew_enroll(
    options: *const EwOptions,
    code: *const c_char,
    device_id: *const c_char,
) -> EwStatus {
    guarded(|| {
        // SAFETY: passed on as it came.
        let options = unsafe { options_of(options) }?;
        // SAFETY: the caller vouches for the texts.
        let (code, device_id) = unsafe { (from_c(code, "code")?, from_c(device_id, "device_id")?) };
        let code = code.ok_or_else(|| Failure::null("code"))?;
        options.enroll(&code, &device_id.unwrap_or_default())?;
        Ok(())
    })
}

/// Deletes what waits here for the collection server, and everything that it has from this device. Close the runtime first.
///
/// # Safety
/// As `ew_runtime_open`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ew_erase(options: *const EwOptions) -> EwStatus {
    guarded(|| {
        // SAFETY: passed on as it came.
        unsafe { options_of(options) }?.erase()?;
        Ok(())
    })
}

/// # Safety
/// `options` is null or an `EwOptions` as large as its first field says, whose texts are null or end with NUL.
unsafe fn options_of(options: *const EwOptions) -> Result<RuntimeOptions, Failure> {
    let null = std::ptr::null();
    let mut known = EwOptions {
        size: 0,
        partials: 0,
        profile_toml: null,
        profile_name: null,
        model_folder: null,
        data_folder: null,
        cache_folder: null,
    };
    if options.is_null() {
        return Err(Failure::null("options"));
    }
    // SAFETY: not null; the size stands first in every version.
    let size = unsafe { options.cast::<u32>().read() } as usize;
    let whole = size.is_multiple_of(align_of::<EwOptions>());
    if size < std::mem::offset_of!(EwOptions, model_folder) || size > 4096 || !whole {
        let message = "options.size is not sizeof(EwOptions): set it, and compile with this library's header";
        return Err(Failure::new(EwStatus::BadArgument, message));
    }
    // SAFETY: it has so many bytes; what a smaller one lacks stays null.
    unsafe {
        let count = size.min(size_of::<EwOptions>());
        std::ptr::copy_nonoverlapping(
            options.cast::<u8>(),
            std::ptr::from_mut(&mut known).cast::<u8>(),
            count,
        );
    }
    // SAFETY: the caller vouches for the texts.
    let text = |text, what| unsafe { from_c(text, what) };
    let profile = text(known.profile_toml, "profile_toml")?.unwrap_or_default();
    let profile = Profile::parse(&profile, "profile_toml")
        .map_err(|e| Failure::new(EwStatus::Config, e.to_string()))?;
    Ok(RuntimeOptions {
        profile,
        profile_name: text(known.profile_name, "profile_name")?.unwrap_or_default(),
        model_folder: text(known.model_folder, "model_folder")?.map(PathBuf::from),
        data_folder: text(known.data_folder, "data_folder")?.map(PathBuf::from),
        cache_folder: text(known.cache_folder, "cache_folder")?.map(PathBuf::from),
        partials: known.partials != 0,
    })
}
