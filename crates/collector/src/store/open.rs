//! Opening a store: `sqlite:PATH` or `postgres://…`, brought to the current schema.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};

use super::StoreError;
use super::db::Db;

/// How long a request waits for a connection before the server says that it is busy.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long SQLite waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects and migrates.
pub(super) async fn open(url: &str, connections: u32) -> Result<Db, StoreError> {
    let db = match url.split_once(':') {
        Some(("sqlite", path)) if !path.is_empty() => {
            sqlite(path.trim_start_matches("//"), connections).await?
        }
        Some(("postgres" | "postgresql", _)) => postgres(url, connections).await?,
        _ => return Err(StoreError::Address(shown(url))),
    };
    let migrated = match &db {
        Db::Sqlite { write, .. } => sqlx::migrate!("migrations/sqlite").run(write).await,
        Db::Postgres(pool) => sqlx::migrate!("migrations/postgres").run(pool).await,
    };
    migrated.map_err(|source| StoreError::Migrate { source: Box::new(source) })?;
    Ok(db)
}

/// The address without a password.
pub(super) fn shown(url: &str) -> String {
    match url.split_once('@') {
        Some((_, host)) => format!("{}://…@{host}", url.split(':').next().unwrap_or("")),
        None => url.to_owned(),
    }
}

async fn sqlite(path: &str, connections: u32) -> Result<Db, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A batch that was acknowledged survives a loss of power.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        // What was erased is overwritten.
        .pragma("secure_delete", "on")
        // 64 MiB, in KiB: the right edges of all indices of a fleet.
        .pragma("cache_size", "-65536")
        // 16 MiB between checkpoints.
        .pragma("wal_autocheckpoint", "4096")
        .optimize_on_close(true, None);
    let failed = |source| StoreError::Open { address: format!("sqlite:{path}"), source };
    let pool = |size| SqlitePoolOptions::new().max_connections(size).acquire_timeout(ACQUIRE_TIMEOUT);
    let write = pool(1).connect_with(options).await.map_err(failed)?;
    let reading = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("cache_size", "-16384");
    let read = pool(connections.max(1)).connect_with(reading).await.map_err(failed)?;
    Ok(Db::Sqlite { write, read })
}

async fn postgres(url: &str, connections: u32) -> Result<Db, StoreError> {
    let failed = |source| StoreError::Open { address: shown(url), source };
    let options = sqlx::postgres::PgConnectOptions::from_str(url).map_err(failed)?;
    let options = options.application_name("earwitness-collect");
    let pool = PgPoolOptions::new()
        .max_connections(connections.max(4))
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options)
        .await
        .map_err(failed)?;
    Ok(Db::Postgres(pool))
}
