//! Persons' keys, and the texts sealed with them.

use std::collections::{BTreeMap, BTreeSet};

use earwitness_scoring::{BasicNormalizer, Normalizer};

use super::append::DeviceClock;
use super::db::{Tx, values};
use super::{Store, StoreError, devices};
use crate::ingest::NewRecord;
use crate::vault::{SealKey, Vault, context};

/// Words of one text that are indexed: 30 s of speech have some 120.
const MAX_TOKENS: usize = 1_000;

/// The three texts of an utterance, by their name in the table.
pub(crate) const PRIMARY: &str = "primary";
pub(crate) const SHADOW: &str = "shadow";
pub(crate) const CORRECTED: &str = "corrected";

/// What binds a text to its place.
pub(super) fn text_context(device_id: &str, utterance_id: &str, field: &str) -> Vec<u8> {
    context(&["text", device_id, utterance_id, field])
}

/// A person's key; `None` if they, or the device, were erased after `granted_ms`, when the consent was given by the
/// server's clock. The device's row is locked.
pub(super) async fn key_for(
    tx: &mut Tx,
    vault: &Vault,
    (device_id, device_erased_ms): (&str, i64),
    subject_id: &str,
    granted_ms: i64,
    now: i64,
) -> Result<Option<SealKey>, sqlx::Error> {
    if granted_ms <= device_erased_ms {
        return Ok(None);
    }
    let select = "select wrapped, erased_ms from person_keys where device_id = $1 and subject_id = $2";
    let row = tx.row(select, values![device_id, subject_id]).await?;
    let (wrapped, erased_ms) = match &row {
        Some(row) => (row.maybe_blob(0)?, row.maybe_int(1)?),
        None => (None, None),
    };
    if erased_ms.is_some_and(|erased| granted_ms <= erased) {
        return Ok(None);
    }
    if let Some(wrapped) = wrapped {
        return vault
            .person(device_id, subject_id, &wrapped)
            .map(Some)
            .map_err(|e| sqlx::Error::Decode(e.into()));
    }
    let (_, wrapped) = vault.new_person(device_id, subject_id);
    tx.run(
        "insert into person_keys (device_id, subject_id, wrapped, created_ms) values ($1, $2, $3, $4) \
         on conflict (device_id, subject_id) do update set wrapped = coalesce(person_keys.wrapped, excluded.wrapped)",
        values![device_id, subject_id, wrapped, now],
    )
    .await?;
    // Another server may have been first.
    let row = tx.row(select, values![device_id, subject_id]).await?.ok_or(sqlx::Error::RowNotFound)?;
    let wrapped = row.blob(0)?;
    vault.person(device_id, subject_id, &wrapped).map(Some).map_err(|e| sqlx::Error::Decode(e.into()))
}

/// Seals what `records` carry beside their figures.
pub(super) async fn seal_texts(
    tx: &mut Tx,
    vault: &Vault,
    device_id: &str,
    records: &[NewRecord],
    erased_ms: i64,
    clock: &DeviceClock,
) -> Result<(), sqlx::Error> {
    let now = clock.now_ms;
    let mut known: BTreeMap<(String, i64), Option<SealKey>> = BTreeMap::new();
    for record in records {
        let (Some(consented), Some(utterance_id)) = (&record.consented, &record.utterance_id) else {
            continue;
        };
        let granted_ms = i64::try_from(consented.consent.granted_unix_ms).unwrap_or(i64::MAX);
        let granted_ms = clock.on_server(granted_ms);
        if clock.on_server(record.recorded_ms) <= erased_ms {
            continue;
        }
        let subject = consented.speaker.as_ref().map_or("", |speaker| speaker.subject_id.as_str());
        let slot = (subject.to_owned(), granted_ms);
        if !known.contains_key(&slot) {
            let key = key_for(tx, vault, (device_id, erased_ms), subject, granted_ms, now).await?;
            known.insert(slot.clone(), key);
        }
        let Some(Some(key)) = known.get(&slot) else { continue };
        let texts = [
            (PRIMARY, &consented.text),
            (SHADOW, &consented.shadow_text),
            (CORRECTED, &consented.corrected_text),
        ];
        let attributes = consented.speaker.as_ref().filter(|speaker| !speaker.attributes.is_empty());
        let attributes = attributes.and_then(|speaker| serde_json::to_string(&speaker.attributes).ok());
        let all = texts.into_iter().chain([("speaker", &attributes)]);
        for (field, text) in all.filter_map(|(field, text)| Some((field, text.as_ref()?))) {
            let sealed = key.seal(&text_context(device_id, utterance_id, field), text.as_bytes());
            tx.run(
                "insert into texts (device_id, utterance_id, field, subject_id, recorded_ms, received_ms, sealed) \
                 values ($1, $2, $3, $4, $5, $6, $7) on conflict (device_id, utterance_id, field) do update \
                 set sealed = excluded.sealed, subject_id = excluded.subject_id",
                values![device_id, utterance_id, field, subject, record.recorded_ms, now, sealed],
            )
            .await?;
            if field != "speaker" {
                index(tx, key, device_id, utterance_id, subject, text).await?;
            }
        }
    }
    Ok(())
}

/// Words as they are searched: lower case, no punctuation.
pub(crate) fn words(text: &str) -> BTreeSet<String> {
    let normal = BasicNormalizer::default().normalize(text);
    normal.split_whitespace().take(MAX_TOKENS).map(str::to_owned).collect()
}

async fn index(
    tx: &mut Tx,
    key: &SealKey,
    device_id: &str,
    utterance_id: &str,
    subject_id: &str,
    text: &str,
) -> Result<(), sqlx::Error> {
    for word in words(text) {
        tx.run(
            "insert into tokens (device_id, token, utterance_id, subject_id) values ($1, $2, $3, $4) \
             on conflict do nothing",
            values![device_id, key.token(&word), utterance_id, subject_id],
        )
        .await?;
    }
    Ok(())
}

impl Store {
    /// A living person's key.
    pub(crate) async fn person_key(
        &self,
        device_id: &str,
        subject_id: &str,
    ) -> Result<Option<SealKey>, StoreError> {
        let sql = "select wrapped from person_keys where device_id = $1 and subject_id = $2";
        let row = self.db.row(sql, values![device_id, subject_id]).await?;
        let Some(wrapped) = row.map(|row| row.maybe_blob(0)).transpose()?.flatten() else { return Ok(None) };
        Ok(Some(self.vault.person(device_id, subject_id, &wrapped)?))
    }

    /// The same, made if it is not there; `None` if the consent is older than an erasure.
    pub(crate) async fn person_key_for(
        &self,
        device_id: &str,
        subject_id: &str,
        granted_ms: i64,
    ) -> Result<Option<SealKey>, StoreError> {
        let mut tx = self.db.begin().await?;
        let key = self.key_now(&mut tx, device_id, subject_id, granted_ms).await?;
        tx.commit().await?;
        Ok(key)
    }

    /// The same within a transaction, by the clock that the device had when its last batch came.
    pub(super) async fn key_now(
        &self,
        tx: &mut Tx,
        device_id: &str,
        subject_id: &str,
        granted_ms: i64,
    ) -> Result<Option<SealKey>, sqlx::Error> {
        let device = devices::locked(tx, device_id).await?;
        let clock = DeviceClock { skew_ms: device.clock_skew_ms, now_ms: super::now_ms() };
        let erased = (device_id, device.erased_ms.unwrap_or(i64::MIN));
        key_for(tx, &self.vault, erased, subject_id, clock.on_server(granted_ms), clock.now_ms).await
    }
}
