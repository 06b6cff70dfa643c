//! The C interface. Its documentation for C is in the header, which is made from the comments here.

#![allow(
    unsafe_code,
    reason = "the border to C: addresses come from there, and are checked for null before use"
)]

mod event;
mod functions;
mod handles;
mod status;

pub use event::{EwEvent, EwEventCallback, EwEventKind};
pub use functions::*;
pub use status::EwStatus;
