//! What waits on this device to be sent, and what has come of it.

pub mod address;
pub mod sink;
pub mod spend;
pub mod spool;
