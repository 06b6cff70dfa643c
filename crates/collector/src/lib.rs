//! The collection server: takes what devices report, compares recognizers, shows the fleet.
//!
//! ```text
//! device ── batches, clips ──► api ─► ingest ─► store (SQLite, PostgreSQL), clips (folder, S3)
//! people ── browser ─────────► web ─► store::read ─► pages
//! ```
//! * [`ingest`]: bytes to rows, within limits, figures apart from what needs consent.
//! * [`store`]: each record once; roll-ups; erasure; retention.
//! * [`vault`]: texts and clips sealed, one key a person.
//! * [`pages`]: what people see.

mod api;
mod clips;
mod compare;
pub mod export;
pub mod ingest;
pub mod pages;
mod server;
mod settings;
pub mod sketch;
pub mod store;
pub mod vault;
mod web;

pub use clips::{Clips, ClipsError};
pub use server::{Server, ServerError, StopHandle};
pub use settings::{RequestLimits, Settings};
