//! What is SQLite's own: rows inserted many at a time, pages given back, the log cut.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Sqlite, Transaction};

use super::append::RecordRow;
use super::db::Db;

/// Rows in one statement: above it the statement costs more to bind than it saves. A power of two, so that a rest is
/// inserted by few other statements, all of which stay prepared.
const ROWS: usize = 64;

/// Appends `rows` to the log.
pub(super) async fn insert_records(
    tx: &mut Transaction<'static, Sqlite>,
    rows: &[RecordRow<'_>],
) -> Result<(), sqlx::Error> {
    let mut rest = rows;
    while !rest.is_empty() {
        let mut count = ROWS;
        while count > rest.len() {
            count /= 2;
        }
        let (now, later) = rest.split_at(count);
        let mut query = sqlx::query(AssertSqlSafe(statement(count)));
        for row in now {
            query = query
                .bind(row.device_id)
                .bind(row.stream_id)
                .bind(row.sequence)
                .bind(row.received_ms)
                .bind(row.recorded_ms)
                .bind(row.kind)
                .bind(row.body);
        }
        query.execute(&mut **tx).await?;
        rest = later;
    }
    Ok(())
}

fn statement(rows: usize) -> String {
    let places = vec!["(?, ?, ?, ?, ?, ?, ?)"; rows].join(", ");
    format!(
        "insert into records (device_id, stream_id, sequence, received_ms, recorded_ms, kind, body) values {places}"
    )
}

/// Tries of a checkpoint that readers hold up, and the pause between two.
const CHECKPOINTS: usize = 50;
const CHECKPOINT_PAUSE: Duration = Duration::from_millis(200);

/// After an erasure: deleted pages are overwritten (`secure_delete`), and the write-ahead log, which may still hold what
/// was there before, is emptied. A reader may hold it up; then it says so in its answer, not by failing.
pub(super) async fn scrub(db: &Db) -> Result<(), sqlx::Error> {
    let Db::Sqlite { write, .. } = db else { return Ok(()) };
    for _ in 0..CHECKPOINTS {
        let busy: i64 = sqlx::query_scalar("pragma wal_checkpoint(truncate)").fetch_one(write).await?;
        if busy == 0 {
            return Ok(());
        }
        tokio::time::sleep(CHECKPOINT_PAUSE).await;
    }
    Err(sqlx::Error::Protocol(
        "the write-ahead log could not be emptied: somebody reads all the time".to_owned(),
    ))
}

/// Gives free pages back to the file system, a bounded number at a time.
pub(super) async fn shrink(db: &Db) -> Result<(), sqlx::Error> {
    let Db::Sqlite { write, .. } = db else { return Ok(()) };
    sqlx::query("pragma incremental_vacuum(4096)").execute(write).await?;
    Ok(())
}
