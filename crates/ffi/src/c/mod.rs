//! The C interface. Its documentation for C is in the header, which is made from the comments here.

#![allow(
    unsafe_code,
    reason = "the border to C: addresses come from there, and are checked for null before use"
)]

mod event;
mod handles;
mod queue;
mod runtime;
mod session;
mod status;

pub use event::{EwEvent, EwEventCallback, EwEventKind};
pub use runtime::{EW_ABI_VERSION, EwLogCallback, EwOptions, EwRuntime};
pub use runtime::{
    ew_abi_version, ew_enroll, ew_erase, ew_is_enrolled, ew_last_error, ew_log_to, ew_runtime_close,
    ew_runtime_info, ew_runtime_open, ew_version,
};
pub use session::*;
pub use status::EwStatus;
