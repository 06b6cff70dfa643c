//! Devices: enrolment by a code that works once, tokens of which only a hash is kept, revocation.

use super::db::{Row, Tx, values};
use super::{Store, StoreError, now_ms};
use crate::vault::{new_secret, secret_hash};

/// A device as a table shows it.
#[derive(Clone, Debug)]
pub struct DeviceRow {
    /// Its id.
    pub device_id: String,
    /// When it was enrolled, ms since 1970.
    pub enrolled_ms: i64,
    /// When its token was revoked.
    pub revoked_ms: Option<i64>,
    /// When its last batch came.
    pub last_seen_ms: Option<i64>,
    /// Its clock less the server's at that moment, ms, transport included.
    pub clock_skew_ms: Option<i64>,
    /// Its last heartbeat.
    pub health: Option<earwitness_telemetry::HealthRecord>,
    /// Its last session.
    pub session: Option<earwitness_telemetry::SessionRecord>,
    /// Records lost over all its streams.
    pub lost: i64,
    /// Records stored or lost over all its streams.
    pub records: i64,
}

/// A code that enrols one device.
#[derive(Clone, Debug)]
pub struct EnrolmentCode {
    /// The code: shown once, kept as a hash.
    pub code: String,
    /// Until when it works, ms since 1970.
    pub expires_ms: i64,
}

/// Why a device is not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// Unknown, used or expired.
    #[error("the code is not valid: it was used, or is too old; ask for a new one")]
    BadCode,
    /// The id is taken.
    #[error("a device of this name is enrolled already: choose another name, or revoke the other first")]
    Taken,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for EnrolError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

const COLUMNS: &str = "select d.device_id, d.enrolled_ms, d.revoked_ms, d.last_seen_ms, d.clock_skew_ms, d.health, d.session, \
     cast(coalesce((select sum(s.lost) from streams s where s.device_id = d.device_id), 0) as bigint), \
     cast(coalesce((select sum(s.high_water) from streams s where s.device_id = d.device_id), 0) as bigint) \
     from devices d";

fn device(row: &Row) -> Result<DeviceRow, StoreError> {
    let health = row.maybe_text(5)?.and_then(|json| serde_json::from_str(&json).ok());
    let session = row.maybe_text(6)?.and_then(|json| serde_json::from_str(&json).ok());
    Ok(DeviceRow {
        device_id: row.text(0)?,
        enrolled_ms: row.int(1)?,
        revoked_ms: row.maybe_int(2)?,
        last_seen_ms: row.maybe_int(3)?,
        clock_skew_ms: row.maybe_int(4)?,
        health,
        session,
        lost: row.int(7)?,
        records: row.int(8)?,
    })
}

/// What decides about a device's records and texts.
pub(super) struct Locked {
    /// When the device was last erased.
    pub(super) erased_ms: Option<i64>,
    /// The device's clock less the server's, ms, when its last batch came.
    pub(super) clock_skew_ms: i64,
}

/// The device's row, locked until the transaction ends: storing, deriving and erasing take turns. Who also locks streams
/// locks them first.
pub(super) async fn locked(tx: &mut Tx, device_id: &str) -> Result<Locked, sqlx::Error> {
    let sql = format!("select erased_ms, clock_skew_ms from devices where device_id = $1{}", tx.for_update());
    let row = tx.row(sql, values![device_id]).await?;
    Ok(match row {
        Some(row) => Locked { erased_ms: row.maybe_int(0)?, clock_skew_ms: row.maybe_int(1)?.unwrap_or(0) },
        None => Locked { erased_ms: None, clock_skew_ms: 0 },
    })
}

impl Store {
    /// When the device was last erased.
    pub(super) async fn erased_ms(&self, device_id: &str) -> Result<Option<i64>, StoreError> {
        let row =
            self.db.row("select erased_ms from devices where device_id = $1", values![device_id]).await?;
        Ok(row.map(|row| row.maybe_int(0)).transpose()?.flatten())
    }

    /// A new code; `by` asked for it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn new_enrolment(&self, by: &str, valid_ms: i64) -> Result<EnrolmentCode, StoreError> {
        let (code, now) = (new_secret("ewc_"), now_ms());
        self.db
            .run(
                "insert into enrolments (code_hash, created_by, created_ms, expires_ms) values ($1, $2, $3, $4)",
                values![secret_hash(&code), by, now, now + valid_ms],
            )
            .await?;
        Ok(EnrolmentCode { code, expires_ms: now + valid_ms })
    }

    /// Enrols `device_id`; gives its token, of which only a hash is kept.
    ///
    /// A revoked device may be enrolled again under its name: it goes on where it was.
    ///
    /// # Errors
    /// [`EnrolError`].
    pub async fn enrol(&self, code: &str, device_id: &str) -> Result<String, EnrolError> {
        let (token, now) = (new_secret("ewd_"), now_ms());
        let mut tx = self.db.begin().await?;
        let used = tx
            .run(
                "update enrolments set used_ms = $1, device_id = $2 \
                 where code_hash = $3 and used_ms is null and expires_ms > $1",
                values![now, device_id, secret_hash(code)],
            )
            .await?;
        if used != 1 {
            return Err(EnrolError::BadCode);
        }
        let made = tx
            .run(
                "insert into devices (device_id, token_hash, enrolled_ms) values ($1, $2, $3) \
                 on conflict (device_id) do update set token_hash = excluded.token_hash, revoked_ms = null \
                 where devices.revoked_ms is not null",
                values![device_id, secret_hash(&token), now],
            )
            .await?;
        if made != 1 {
            return Err(EnrolError::Taken);
        }
        tx.commit().await?;
        Ok(token)
    }

    /// The device that `token` belongs to, unless it is revoked.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn device_of(&self, token: &str) -> Result<Option<String>, StoreError> {
        let sql = "select device_id from devices where token_hash = $1 and revoked_ms is null";
        let row = self.db.row(sql, values![secret_hash(token)]).await?;
        Ok(row.map(|row| row.text(0)).transpose()?)
    }

    /// Makes a device's token worthless; whether there was one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn revoke(&self, device_id: &str) -> Result<bool, StoreError> {
        let sql = "update devices set revoked_ms = $1 where device_id = $2 and revoked_ms is null";
        Ok(self.db.run(sql, values![now_ms(), device_id]).await? == 1)
    }

    /// All devices, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn devices(&self) -> Result<Vec<DeviceRow>, StoreError> {
        let rows = self.db.rows(format!("{COLUMNS} order by d.device_id"), Vec::new()).await?;
        rows.iter().map(device).collect()
    }

    /// One device.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn device(&self, device_id: &str) -> Result<Option<DeviceRow>, StoreError> {
        let row = self.db.row(format!("{COLUMNS} where d.device_id = $1"), values![device_id]).await?;
        row.as_ref().map(device).transpose()
    }
}
