//! Erasure: by device or by person, at once, with a receipt.
//!
//! Person: the key is destroyed first, and with it every text and clip of theirs, wherever a copy lies; then the sealed
//! rows and objects go. Figures stay: nothing leads from them to the person any more. Device: everything that it sent.
//! What a device still holds and sends later is refused by its time: records made, and consents given, before the
//! erasure are not kept.

use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use super::db::{Row, Tx, values};
use super::objects::doom;
use super::{Store, StoreError, devices, now_ms, postgres, sqlite};
use crate::vault::{new_secret, to_hex};

/// What is erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EraseScope {
    /// Everything from one device.
    Device(String),
    /// The texts and clips of a person, on all devices.
    Person(String),
}

impl EraseScope {
    fn kind(&self) -> &'static str {
        match self {
            Self::Device(_) => "device",
            Self::Person(_) => "person",
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Device(name) | Self::Person(name) => name,
        }
    }
}

/// Scrubs of the files: how many were asked for, and how many of these are done.
#[derive(Default)]
pub(super) struct Scrubs {
    asked: AtomicU64,
    done: tokio::sync::Mutex<u64>,
}

/// Proof of an erasure. It keeps a hash of the name, not the name.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Receipt {
    /// Names it.
    pub receipt_id: String,
    /// `device` or `person`.
    pub scope: String,
    /// SHA-256 of the name that was erased, in hexadecimal: who has the name can check the receipt.
    pub name_sha256: String,
    /// Who asked.
    pub asked_by: String,
    /// When it was done, ms since 1970-01-01 UTC.
    pub erased_unix_ms: i64,
    /// Records deleted.
    pub records: u64,
    /// Texts deleted.
    pub texts: u64,
    /// Clips deleted.
    pub clips: u64,
    /// Keys destroyed.
    pub keys: u64,
}

impl Store {
    /// Destroys keys and rows, dooms objects, and writes the receipt, all at once. What is left is to let the object store
    /// and the database's files forget, too: [`Store::scrub`].
    ///
    /// Streams and devices are locked first, in the order in which batches lock them: what is being stored or derived is
    /// finished before, and is erased too, or begins after, and knows of the erasure.
    pub(crate) async fn erase(&self, scope: &EraseScope, asked_by: &str) -> Result<Receipt, StoreError> {
        let mut tx = self.db.begin().await?;
        let (column, name) = match scope {
            EraseScope::Device(name) => ("device_id", name),
            EraseScope::Person(name) => ("subject_id", name),
        };
        let lock = tx.for_update();
        let of_device = matches!(scope, EraseScope::Device(_));
        if of_device {
            let sql = format!("select stream_id from streams where device_id = $1 order by stream_id{lock}");
            tx.rows(sql, values![name]).await?;
            devices::locked(&mut tx, name).await?;
        } else {
            let sql = format!("select device_id from devices order by device_id{lock}");
            tx.rows(sql, Vec::new()).await?;
        }
        // After the wait: what was stored meanwhile is older.
        let now = now_ms();
        // Overwritten before it is marked: no page is left with the old bytes.
        let keys = tx
            .run(
                format!(
                    "update person_keys set wrapped = null, erased_ms = $1 where {column} = $2 and wrapped is not null"
                ),
                values![now, name],
            )
            .await?;
        doom(&mut tx, &format!("{column} = $2"), values![now, name]).await?;
        let texts = delete(&mut tx, "texts", column, name).await?;
        delete(&mut tx, "tokens", column, name).await?;
        delete(&mut tx, "judgements", column, name).await?;
        let clips = delete(&mut tx, "clips", column, name).await?;
        let mut records = 0;
        if of_device {
            for table in ["pairs", "rollups", "losses"] {
                delete(&mut tx, table, column, name).await?;
            }
            records = delete(&mut tx, "records", column, name).await?;
            tx.run(
                "update devices set erased_ms = $1, health = null, health_ms = null, session = null \
                 where device_id = $2",
                values![now, name],
            )
            .await?;
            // The marks stay: what was sent is not sent again.
            tx.run("update streams set derived_to = high_water where device_id = $1", values![name]).await?;
        } else {
            // Consents that a person gave until now count no more, also if nothing of them came yet.
            tx.run(
                "insert into person_keys (device_id, subject_id, wrapped, created_ms, erased_ms) \
                 select device_id, $1, null, $2, $2 from devices where true \
                 on conflict (device_id, subject_id) do update set erased_ms = excluded.erased_ms",
                values![name, now],
            )
            .await?;
        }
        let receipt = Receipt {
            receipt_id: new_secret("ewr_"),
            scope: scope.kind().to_owned(),
            name_sha256: to_hex(&Sha256::digest(scope.name().as_bytes())),
            asked_by: asked_by.to_owned(),
            erased_unix_ms: now,
            records,
            texts,
            clips,
            keys,
        };
        let counts = serde_json::json!({ "records": records, "texts": texts, "clips": clips, "keys": keys });
        tx.run(
            "insert into erasures (receipt_id, scope, name_hash, asked_by, erased_ms, counts) \
             values ($1, $2, $3, $4, $5, $6)",
            values![
                &receipt.receipt_id,
                &receipt.scope,
                &receipt.name_sha256,
                &receipt.asked_by,
                receipt.erased_unix_ms,
                counts.to_string()
            ],
        )
        .await?;
        tx.commit().await?;
        Ok(receipt)
    }

    /// Makes the database's files forget what was erased before this call. Calls that come while one is at work share the
    /// next: it is the dearest thing that a client can ask for.
    pub(crate) async fn scrub(&self) -> Result<(), StoreError> {
        let mine = self.scrubs.asked.fetch_add(1, Ordering::SeqCst);
        let mut done = self.scrubs.done.lock().await;
        if *done > mine {
            return Ok(());
        }
        let covers = self.scrubs.asked.load(Ordering::SeqCst);
        if self.db.is_sqlite() {
            sqlite::scrub(&self.db).await?;
        } else {
            postgres::scrub(&self.db).await?;
        }
        *done = covers;
        Ok(())
    }

    /// Past erasures, the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn receipts(&self, limit: i64) -> Result<Vec<Receipt>, StoreError> {
        let sql = "select receipt_id, scope, name_hash, asked_by, erased_ms, counts from erasures \
                   order by erased_ms desc, receipt_id limit $1";
        self.db.rows(sql, values![limit]).await?.iter().map(receipt).collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn receipt(&self, receipt_id: &str) -> Result<Option<Receipt>, StoreError> {
        let sql = "select receipt_id, scope, name_hash, asked_by, erased_ms, counts from erasures where receipt_id = $1";
        self.db.row(sql, values![receipt_id]).await?.as_ref().map(receipt).transpose()
    }
}

fn receipt(row: &Row) -> Result<Receipt, StoreError> {
    let counts: serde_json::Value = serde_json::from_str(&row.text(5)?).unwrap_or_default();
    let count = |name: &str| counts[name].as_u64().unwrap_or(0);
    Ok(Receipt {
        receipt_id: row.text(0)?,
        scope: row.text(1)?,
        name_sha256: row.text(2)?,
        asked_by: row.text(3)?,
        erased_unix_ms: row.int(4)?,
        records: count("records"),
        texts: count("texts"),
        clips: count("clips"),
        keys: count("keys"),
    })
}

async fn delete(tx: &mut Tx, table: &str, column: &str, name: &str) -> Result<u64, sqlx::Error> {
    tx.run(format!("delete from {table} where {column} = $1"), values![name]).await
}
