//! What waits on this device to be sent, and what has come of it.

#[cfg(feature = "telemetry")]
pub mod collector;
#[cfg(feature = "telemetry")]
pub mod journal;
pub mod spend;
pub mod spool;
