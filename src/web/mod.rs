//! What the clients of web services here share: keys, the rules for addresses, `Retry-After`.
//!
//! Each client keeps its own requests: who sends what to whom is read in one place, `asr::cloud` for speech APIs,
//! `uplink::collector` for the collection server.

mod address;
mod key;
mod retry_after;

use std::error::Error;

pub use address::{check_address, host, is_loopback, is_unencrypted};
pub(crate) use address::{client_builder, endpoint, trusting_builder};
pub use key::{ApiKey, KeyError};
pub(crate) use retry_after::retry_after;

/// An error and its causes in one line; those whose words were said already are left out.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}
