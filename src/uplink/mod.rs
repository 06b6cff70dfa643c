//! What waits on this device to be sent, and what has come of it.

pub mod address;
#[cfg(feature = "telemetry")]
pub mod collector;
#[cfg(feature = "telemetry")]
pub mod journal;
#[cfg(feature = "telemetry")]
pub mod otlp;
pub mod sink;
pub mod spend;
pub mod spool;
