//! Devices, their day, their streams.

use crate::store::db::values;
use crate::store::rollup::HOUR_MS;
use crate::store::{Store, StoreError};

/// One hour of one device.
#[derive(Clone, Debug)]
pub struct DeviceDay {
    /// Which device.
    pub device_id: String,
    /// Begin of the hour, ms since 1970-01-01 UTC.
    pub begin_ms: i64,
    /// Utterances.
    pub utterances: i64,
    /// Of these failed, timed out or dropped.
    pub failures: i64,
}

/// A journal of a device as the server knows it.
#[derive(Clone, Debug)]
pub struct StreamRow {
    /// Its random name.
    pub stream_id: String,
    /// Everything up to here is stored or known to be lost.
    pub high_water: i64,
    /// Of these lost.
    pub lost: i64,
    /// Of these kept unread.
    pub unreadable: i64,
    /// First batch, ms since 1970-01-01 UTC.
    pub first_ms: i64,
    /// Last batch.
    pub last_ms: i64,
}

/// A gap that a device reported.
#[derive(Clone, Debug)]
pub struct LossRow {
    /// In which journal.
    pub stream_id: String,
    /// First record lost.
    pub first_sequence: i64,
    /// Last record lost.
    pub last_sequence: i64,
    /// As on the wire: `size_cap`.
    pub reason: String,
    /// When it was reported, ms since 1970-01-01 UTC.
    pub reported_ms: i64,
}

impl Store {
    /// Hours of all devices, or of one, since `since_ms`.
    pub(crate) async fn hours(
        &self,
        device_id: Option<&str>,
        since_ms: i64,
    ) -> Result<Vec<DeviceDay>, StoreError> {
        let sql = "select device_id, begin_ms, cast(sum(utterances) as bigint), cast(sum(failures) as bigint) \
                   from rollups where period_ms = $1 and begin_ms >= $2 and ($3 = '' or device_id = $3) \
                   group by device_id, begin_ms order by device_id, begin_ms";
        let rows = self.db.rows(sql, values![HOUR_MS, since_ms, device_id.unwrap_or("")]).await?;
        let hour = |row: &crate::store::db::Row| -> Result<DeviceDay, StoreError> {
            Ok(DeviceDay {
                device_id: row.text(0)?,
                begin_ms: row.int(1)?,
                utterances: row.int(2)?,
                failures: row.int(3)?,
            })
        };
        rows.iter().map(hour).collect()
    }

    /// The mark of one stream; 0 for one that is not known.
    pub(crate) async fn high_water(&self, device_id: &str, stream_id: &str) -> Result<u64, StoreError> {
        let sql = "select high_water from streams where device_id = $1 and stream_id = $2";
        let row = self.db.row(sql, values![device_id, stream_id]).await?;
        Ok(row.map(|row| row.int(0)).transpose()?.unwrap_or(0) as u64)
    }

    /// The journals of a device, the latest first.
    pub(crate) async fn streams(&self, device_id: &str) -> Result<Vec<StreamRow>, StoreError> {
        let sql = "select stream_id, high_water, lost, unreadable, first_ms, last_ms from streams \
                   where device_id = $1 order by last_ms desc, stream_id limit 100";
        let rows = self.db.rows(sql, values![device_id]).await?;
        let stream = |row: &crate::store::db::Row| -> Result<StreamRow, StoreError> {
            Ok(StreamRow {
                stream_id: row.text(0)?,
                high_water: row.int(1)?,
                lost: row.int(2)?,
                unreadable: row.int(3)?,
                first_ms: row.int(4)?,
                last_ms: row.int(5)?,
            })
        };
        rows.iter().map(stream).collect()
    }

    /// What a device lost, the latest first.
    pub(crate) async fn losses(&self, device_id: &str) -> Result<Vec<LossRow>, StoreError> {
        let sql = "select stream_id, first_sequence, last_sequence, reason, reported_ms from losses \
                   where device_id = $1 order by reported_ms desc, first_sequence desc limit 200";
        let rows = self.db.rows(sql, values![device_id]).await?;
        let loss = |row: &crate::store::db::Row| -> Result<LossRow, StoreError> {
            Ok(LossRow {
                stream_id: row.text(0)?,
                first_sequence: row.int(1)?,
                last_sequence: row.int(2)?,
                reason: row.text(3)?,
                reported_ms: row.int(4)?,
            })
        };
        rows.iter().map(loss).collect()
    }

    /// The latest records of one kind from a device, the newest first: when, and the figures.
    pub(crate) async fn latest(
        &self,
        device_id: &str,
        kind: &str,
        limit: usize,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        // By the key, from each stream's end: a device has few journals, and the last thousand records are enough.
        let sql = "select r.recorded_ms, r.body from streams s join records r \
                   on r.device_id = s.device_id and r.stream_id = s.stream_id and r.sequence > s.high_water - 1000 \
                   where s.device_id = $1 and r.device_id = $1 and r.kind = $2 order by r.recorded_ms desc limit $3";
        let rows = self.db.rows(sql, values![device_id, kind, limit]).await?;
        rows.iter().map(|row| Ok((row.int(0)?, row.text(1)?))).collect()
    }
}
