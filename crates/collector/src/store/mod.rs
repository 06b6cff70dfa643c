//! What the server keeps: one interface over SQLite and PostgreSQL.
//!
//! ```text
//! append ──► records, streams (high-water mark), losses, texts      one transaction for all batches that wait
//! derive ──► rollups, pairs, devices' health                        one transaction a stream, `derived_to` moves with it
//! read   ──► pages, API, exports
//! ```
//! **Exactly once.** A stream's row holds its high-water mark and is locked while a batch of it is stored. A batch that
//! continues the stream moves the mark in the transaction that inserts its records; a repeated one finds the mark
//! beyond it and inserts nothing. Roll-ups have a mark of their own (`derived_to`), moved in the transaction that adds
//! to them. So a crash, a repetition or a second server leaves nothing out and counts nothing twice.
//!
//! **Many servers.** No state lives outside the database but caches: any number of servers may share one PostgreSQL.

mod append;
pub(crate) mod db;
mod derive;
mod devices;
mod erase;
pub(crate) mod keys;
mod maintain;
mod objects;
mod open;
mod people;
mod postgres;
mod read;
pub(crate) mod rollup;
mod sqlite;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

pub use append::AppendError;
pub(crate) use derive::outcome_name;
pub use devices::{DeviceRow, EnrolError, EnrolmentCode};
pub use erase::{EraseScope, Receipt};
pub use maintain::Retention;
pub use people::{Person, Role};
pub use read::*;
pub use rollup::{FEEDBACK, Figures, METRICS, Metric, OUTCOMES};

use earwitness_scoring::fleet::SamplingKey;

use crate::vault::Vault;
use db::Db;

/// Why the store does not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address is of no known kind.
    #[error("`{0}` is no store: say sqlite:PATH or postgres://USER@HOST/DATABASE")]
    Address(String),
    /// The database cannot be opened.
    #[error("cannot open {address}: {source}")]
    Open {
        /// Without a password.
        address: String,
        /// The cause.
        source: sqlx::Error,
    },
    /// Its tables cannot be brought up to date.
    #[error("cannot bring the store's tables up to date: {source}")]
    Migrate {
        /// The cause.
        source: Box<sqlx::migrate::MigrateError>,
    },
    /// A statement failed.
    #[error("the store does not answer: {0}")]
    Database(#[from] sqlx::Error),
    /// What is stored cannot be read.
    #[error("the store holds something unreadable: {0}")]
    Damaged(String),
    /// Sealed text does not open.
    #[error(transparent)]
    Sealed(#[from] crate::vault::Unopenable),
    /// The object store.
    #[error("the clip store does not answer: {0}")]
    Clips(#[from] object_store::Error),
}

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// `sqlite:PATH` or `postgres://…`.
    pub url: String,
    /// Connections: all of them on PostgreSQL, those that read on SQLite.
    pub connections: u32,
    /// Batches that may wait to be stored before the server says that it is busy.
    pub max_waiting: usize,
    /// Tasks that store batches; SQLite always has one.
    pub writers: usize,
}

impl StoreOptions {
    /// Defaults for `url`: 8 connections; 256 waiting batches, some 100 MB at the most usual sizes; 2 writers.
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned(), connections: 8, max_waiting: 256, writers: 2 }
    }
}

/// An open store. Clones are the same store.
#[derive(Clone)]
pub struct Store {
    db: Db,
    vault: Vault,
    sampling: SamplingKey,
    scrubs: Arc<erase::Scrubs>,
    appends: mpsc::Sender<append::Job>,
    writers: Arc<std::sync::Mutex<Vec<JoinHandle<()>>>>,
    stop: Arc<watch::Sender<bool>>,
}

impl Store {
    /// Opens the store, makes what is missing, starts its writers. Needs a running tokio.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open(options: &StoreOptions, vault: Vault) -> Result<Self, StoreError> {
        let db = open::open(&options.url, options.connections).await?;
        if !db.is_sqlite() {
            postgres::make_partitions(&db, now_ms()).await?;
        }
        let (appends, jobs) = mpsc::channel(options.max_waiting.max(1));
        let writers = if db.is_sqlite() { 1 } else { options.writers.max(1) };
        let (stop, stopped) = watch::channel(false);
        let writers = append::start(&db, &vault, jobs, &stopped, writers);
        let (writers, stop) = (Arc::new(std::sync::Mutex::new(writers)), Arc::new(stop));
        let sampling = vault.sampling_key();
        Ok(Self { db, vault, sampling, scrubs: Arc::default(), appends, writers, stop })
    }

    /// Whether it answers.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.db.rows("select 1", Vec::new()).await?;
        Ok(())
    }

    /// True or false, the same on every server with this key, and unknown to anybody else.
    pub(crate) fn coin(&self, device_id: &str, what: &str) -> bool {
        self.sampling.number(device_id, what) <= 0.5
    }

    /// Stores what waits and closes the connections, for all clones. Later calls fail.
    pub async fn close(self) {
        self.stop.send_replace(true);
        let writers =
            std::mem::take(&mut *self.writers.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        for writer in writers {
            // A database that hangs must not hold the end of the program.
            let _ = tokio::time::timeout(Duration::from_secs(20), writer).await;
        }
        self.db.close().await;
    }
}

/// This server's clock, ms since 1970-01-01 UTC.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
