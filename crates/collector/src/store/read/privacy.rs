//! What there is with consent, who did what, which codes are out.

use crate::store::db::{Row, values};
use crate::store::{Store, StoreError, now_ms};
use crate::vault::to_hex;

/// Sums of what there is with somebody's consent.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConsentedTotals {
    /// Texts.
    pub texts: u64,
    /// Clips.
    pub clips: u64,
    /// Bytes of these as FLAC.
    pub clip_bytes: u64,
    /// Persons with a key.
    pub people: u64,
    /// Devices that they speak to.
    pub devices: u64,
}

/// Something that somebody did.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    /// When, ms since 1970-01-01 UTC.
    pub at_ms: i64,
    /// A person, a device, or `server`.
    pub who: String,
    /// What.
    pub action: String,
    /// To what.
    pub target: String,
}

/// A code that is out, without the code.
#[derive(Clone, Debug)]
pub struct EnrolmentRow {
    /// Names it: the hash of the code, in hexadecimal.
    pub code_id: String,
    /// Who asked for it.
    pub created_by: String,
    /// When, ms since 1970-01-01 UTC.
    pub created_ms: i64,
    /// Until when it works.
    pub expires_ms: i64,
    /// Which device used it.
    pub device_id: Option<String>,
    /// When.
    pub used_ms: Option<i64>,
}

impl Store {
    /// Sums of what there is with consent.
    pub(crate) async fn consented_totals(&self) -> Result<ConsentedTotals, StoreError> {
        let count = async |sql: &'static str| -> Result<u64, StoreError> {
            let row = self.db.row(sql, Vec::new()).await?;
            Ok(row.map(|row| row.int(0)).transpose()?.unwrap_or(0) as u64)
        };
        Ok(ConsentedTotals {
            texts: count("select count(*) from texts where field <> 'speaker'").await?,
            clips: count("select count(*) from clips").await?,
            clip_bytes: count("select cast(coalesce(sum(bytes), 0) as bigint) from clips").await?,
            people: count("select count(*) from person_keys where wrapped is not null").await?,
            devices: count("select count(distinct device_id) from person_keys where wrapped is not null")
                .await?,
        })
    }

    /// The log of what people did, the newest first.
    pub(crate) async fn audit(&self, offset: usize, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        let sql = "select at_ms, who, action, target from audit order by at_ms desc limit $1 offset $2";
        let entry = |row: &Row| -> Result<AuditEntry, StoreError> {
            Ok(AuditEntry {
                at_ms: row.int(0)?,
                who: row.text(1)?,
                action: row.text(2)?,
                target: row.text(3)?,
            })
        };
        self.db.rows(sql, values![limit, offset]).await?.iter().map(entry).collect()
    }

    /// Codes of the last month, the newest first.
    pub(crate) async fn enrolments(&self) -> Result<Vec<EnrolmentRow>, StoreError> {
        let sql = "select created_by, created_ms, expires_ms, device_id, used_ms, code_hash from enrolments \
                   where created_ms > $1 order by created_ms desc limit 200";
        let since = now_ms() - 30 * crate::store::rollup::DAY_MS;
        let entry = |row: &Row| -> Result<EnrolmentRow, StoreError> {
            Ok(EnrolmentRow {
                created_by: row.text(0)?,
                created_ms: row.int(1)?,
                expires_ms: row.int(2)?,
                device_id: row.maybe_text(3)?,
                used_ms: row.maybe_int(4)?,
                code_id: to_hex(&row.blob(5)?),
            })
        };
        self.db.rows(sql, values![since]).await?.iter().map(entry).collect()
    }

    /// Takes an unused code back; whether there was one.
    pub(crate) async fn withdraw(&self, code_id: &str) -> Result<bool, StoreError> {
        let now = now_ms();
        let sql = "select code_hash from enrolments where used_ms is null and expires_ms > $1";
        for row in self.db.rows(sql, values![now]).await? {
            let hash = row.blob(0)?;
            if to_hex(&hash) == code_id {
                let sql = "update enrolments set expires_ms = $1 where code_hash = $2 and used_ms is null";
                return Ok(self.db.run(sql, values![now, hash]).await? == 1);
            }
        }
        Ok(false)
    }

    /// What people at a device consented to, as far as anything of it is here: `text`, `audio`, `speaker`.
    pub(crate) async fn consents_of(&self, device_id: &str) -> Result<Vec<String>, StoreError> {
        let found = async |sql: &'static str| -> Result<bool, StoreError> {
            Ok(self.db.row(sql, values![device_id]).await?.is_some())
        };
        let mut consents = Vec::new();
        for (name, sql) in [
            ("text", "select 1 from texts where device_id = $1 and field <> 'speaker' limit 1"),
            ("audio", "select 1 from clips where device_id = $1 limit 1"),
            (
                "speaker",
                "select 1 from person_keys where device_id = $1 and subject_id <> '' and wrapped is not null limit 1",
            ),
        ] {
            if found(sql).await? {
                consents.push(name.to_owned());
            }
        }
        Ok(consents)
    }
}
