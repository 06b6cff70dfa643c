//! What is PostgreSQL's own: rows by COPY, a partition a month, vacuum.

use std::fmt::Write;

use sqlx::{Postgres, Transaction};
use time::{Date, OffsetDateTime};

use super::append::RecordRow;
use super::db::Db;

/// Appends `rows` to the log by COPY, the fastest way in.
pub(super) async fn insert_records(
    tx: &mut Transaction<'static, Postgres>,
    rows: &[RecordRow<'_>],
) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut text = String::with_capacity(rows.iter().map(|row| row.body.len() + 96).sum());
    for row in rows {
        // Ids and kinds have no character that needs an escape.
        let (device, stream, kind) = (row.device_id, row.stream_id, row.kind);
        let (sequence, received, recorded) = (row.sequence, row.received_ms, row.recorded_ms);
        // Writing to a String does not fail.
        let _ = write!(text, "{device}\t{stream}\t{sequence}\t{received}\t{recorded}\t{kind}\t");
        escape(row.body, &mut text);
        text.push('\n');
    }
    let statement =
        "copy records (device_id, stream_id, sequence, received_ms, recorded_ms, kind, body) from stdin";
    let mut copy = tx.copy_in_raw(statement).await?;
    copy.send(text.as_bytes()).await?;
    copy.finish().await?;
    Ok(())
}

/// COPY's text form.
fn escape(text: &str, into: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '\n', '\r', '\t']) {
        into.push_str(&rest[..at]);
        into.push_str(match rest.as_bytes()[at] {
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            _ => "\\t",
        });
        rest = &rest[at + 1..];
    }
    into.push_str(rest);
}

/// Makes the partitions of this month and the next two.
pub(super) async fn make_partitions(db: &Db, now_ms: i64) -> Result<(), sqlx::Error> {
    let Db::Postgres(pool) = db else { return Ok(()) };
    let mut tx = pool.begin().await?;
    // Servers that start together make them one after the other.
    sqlx::query("select pg_advisory_xact_lock(7233118)").execute(&mut *tx).await?;
    let mut month = Month::of(now_ms);
    for _ in 0..3 {
        let next = month.next();
        let statement = format!(
            "create table if not exists records_{:04}_{:02} partition of records for values from ({}) to ({})",
            month.year,
            month.month,
            month.begin_ms(),
            next.begin_ms()
        );
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut *tx).await?;
        month = next;
    }
    tx.commit().await
}

/// Drops the partitions that end before `before_ms`; the number of them.
pub(super) async fn drop_partitions(db: &Db, before_ms: i64) -> Result<u64, sqlx::Error> {
    let Db::Postgres(pool) = db else { return Ok(0) };
    let names: Vec<String> = sqlx::query_scalar(
        "select child.relname::text from pg_inherits \
         join pg_class child on child.oid = inhrelid join pg_class parent on parent.oid = inhparent \
         where parent.relname = 'records'",
    )
    .fetch_all(pool)
    .await?;
    let mut dropped = 0;
    for name in names {
        let old = Month::of_partition(&name).is_some_and(|month| month.next().begin_ms() <= before_ms);
        if old {
            sqlx::query(sqlx::AssertSqlSafe(format!("drop table if exists {name}"))).execute(pool).await?;
            dropped += 1;
        }
    }
    Ok(dropped)
}

/// After an erasure: dead rows leave the files. The table of keys is written anew, so that its old file is gone.
pub(super) async fn scrub(db: &Db) -> Result<(), sqlx::Error> {
    let Db::Postgres(pool) = db else { return Ok(()) };
    sqlx::query("vacuum full person_keys").execute(pool).await?;
    for table in ["texts", "tokens", "clips", "judgements", "pairs", "records", "rollups"] {
        sqlx::query(sqlx::AssertSqlSafe(format!("vacuum {table}"))).execute(pool).await?;
    }
    Ok(())
}

/// A month of the calendar, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Month {
    year: i32,
    month: u8,
}

impl Month {
    /// The month of a moment; the first of all time where that is beyond the calendar.
    fn of(unix_ms: i64) -> Self {
        let moment = OffsetDateTime::from_unix_timestamp(unix_ms.div_euclid(1_000));
        let moment = moment.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Self { year: moment.year(), month: moment.month().into() }
    }

    fn of_partition(name: &str) -> Option<Self> {
        let (year, month) = name.strip_prefix("records_")?.split_once('_')?;
        Some(Self { year: year.parse().ok()?, month: month.parse().ok()? })
    }

    fn next(self) -> Self {
        match self.month {
            12 => Self { year: self.year + 1, month: 1 },
            month => Self { year: self.year, month: month + 1 },
        }
    }

    /// Its first moment; 0 where there is no such month.
    fn begin_ms(self) -> i64 {
        let month = time::Month::try_from(self.month);
        let date = month.and_then(|month| Date::from_calendar_date(self.year, month, 1));
        date.map_or(0, |date| date.midnight().assume_utc().unix_timestamp() * 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_hold_the_moments_between_their_beginnings() {
        // 2026-11-27T00:00:00Z, and the month's bounds, by `date -u -d … +%s`.
        let month = Month::of(1_795_737_600_000);
        assert_eq!(month, Month { year: 2026, month: 11 });
        assert_eq!(month.begin_ms(), 1_793_491_200_000);
        assert_eq!(month.next().begin_ms(), 1_796_083_200_000);
        let mut month = Month::of(0);
        for _ in 0..2400 {
            let next = month.next();
            assert_eq!(Month::of(month.begin_ms()), month);
            assert_eq!(Month::of(next.begin_ms() - 1), month);
            month = next;
        }
        assert_eq!(Month::of_partition("records_2026_02"), Some(Month { year: 2026, month: 2 }));
        assert_eq!(Month::of_partition("records_default"), None);
    }

    #[test]
    fn bodies_are_escaped_for_copy() {
        let mut text = String::new();
        escape("{\"a\": \"\\n\"}\n\t\r\\N", &mut text);
        assert_eq!(text, "{\"a\": \"\\\\n\"}\\n\\t\\r\\\\N");
    }
}
