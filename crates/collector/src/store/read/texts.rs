//! Texts that somebody consented to: opened, and searched by the blind index.

use std::collections::BTreeMap;

use crate::store::db::{Row, Value, values};
use crate::store::keys::{CORRECTED, PRIMARY, SHADOW, text_context, words};
use crate::store::{Store, StoreError};

/// Persons in one question to the database: each word of each is a parameter.
const PERSONS_AT_ONCE: usize = 500;

/// What is known of one utterance's words.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Texts {
    /// What the primary understood.
    pub primary: Option<String>,
    /// What the shadow understood.
    pub shadow: Option<String>,
    /// What the user made of it.
    pub corrected: Option<String>,
}

/// Shows no text.
impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Texts").finish_non_exhaustive()
    }
}

/// An utterance whose words match.
#[derive(Clone, Debug)]
pub struct FoundText {
    /// Which device.
    pub device_id: String,
    /// Which utterance.
    pub utterance_id: String,
    /// When, by the device's clock, ms since 1970-01-01 UTC.
    pub recorded_ms: i64,
    /// Its words.
    pub texts: Texts,
    /// Whether there is a clip.
    pub has_clip: bool,
}

impl Store {
    /// The texts of one utterance: what is left of them.
    pub(crate) async fn texts(&self, device_id: &str, utterance_id: &str) -> Result<Texts, StoreError> {
        let sql = "select t.field, t.subject_id, t.sealed, k.wrapped from texts t join person_keys k \
                   on k.device_id = t.device_id and k.subject_id = t.subject_id \
                   where t.device_id = $1 and t.utterance_id = $2 and k.wrapped is not null";
        let mut texts = Texts::default();
        for row in self.db.rows(sql, values![device_id, utterance_id]).await? {
            let (field, subject) = (row.text(0)?, row.text(1)?);
            let key = self.vault.person(device_id, &subject, &row.blob(3)?)?;
            let plain = match key.open(&text_context(device_id, utterance_id, &field), &row.blob(2)?) {
                Ok(plain) => plain,
                Err(error) => {
                    tracing::warn!(%error, device_id, utterance_id, field, "a text cannot be read");
                    continue;
                }
            };
            let text = String::from_utf8(plain).map_err(|_| StoreError::Damaged("a text".to_owned()))?;
            match field.as_str() {
                PRIMARY => texts.primary = Some(text),
                SHADOW => texts.shadow = Some(text),
                CORRECTED => texts.corrected = Some(text),
                _ => {}
            }
        }
        Ok(texts)
    }

    /// Utterances in whose texts all words of `query` stand, the newest first, and whether there are more.
    pub(crate) async fn search(
        &self,
        query: &str,
        device_id: Option<&str>,
        from_ms: i64,
        (offset, limit): (usize, usize),
    ) -> Result<(Vec<FoundText>, bool), StoreError> {
        let terms: Vec<String> = words(query).into_iter().take(10).collect();
        if terms.is_empty() {
            return Ok((Vec::new(), false));
        }
        let sql = "select device_id, subject_id, wrapped from person_keys \
                   where wrapped is not null and ($1 = '' or device_id = $1) order by device_id, subject_id";
        let persons = self.db.rows(sql, values![device_id.unwrap_or("")]).await?;
        // (device, utterance) -> how many of the words
        let mut matched: BTreeMap<(String, String), usize> = BTreeMap::new();
        for some in persons.chunks(PERSONS_AT_ONCE) {
            for row in self.matches(&terms, some).await? {
                *matched.entry((row.text(0)?, row.text(1)?)).or_default() += row.int(2)? as usize;
            }
        }
        let whole = matched.into_iter().filter(|(_, count)| *count >= terms.len());
        let mut times = Vec::new();
        for ((device, utterance), _) in whole {
            let sql = "select max(recorded_ms) from texts where device_id = $1 and utterance_id = $2";
            let row = self.db.row(sql, values![&device, &utterance]).await?;
            let at = row.map(|row| row.maybe_int(0)).transpose()?.flatten();
            if let Some(at) = at.filter(|at| *at >= from_ms) {
                times.push((at, device, utterance));
            }
        }
        times.sort_by(|a, b| b.cmp(a));
        let more = times.len() > offset + limit;
        let mut found = Vec::new();
        for (recorded_ms, device_id, utterance_id) in times.into_iter().skip(offset).take(limit) {
            let texts = self.texts(&device_id, &utterance_id).await?;
            let has_clip = self.clip_object(&device_id, &utterance_id).await?.is_some();
            found.push(FoundText { device_id, utterance_id, recorded_ms, texts, has_clip });
        }
        Ok((found, more))
    }

    /// For each utterance the number of different `terms` that one of `persons` said in it.
    async fn matches(&self, terms: &[String], persons: &[Row]) -> Result<Vec<Row>, StoreError> {
        let mut values: Vec<Value> = Vec::new();
        let mut places = Vec::new();
        for person in persons {
            let (device, subject) = (person.text(0)?, person.text(1)?);
            let key = self.vault.person(&device, &subject, &person.blob(2)?)?;
            for term in terms {
                values.extend(values![&device, key.token(term)]);
                places.push(format!("(${}, ${})", values.len() - 1, values.len()));
            }
        }
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "select device_id, utterance_id, count(distinct token) from tokens \
             where (device_id, token) in (values {}) group by device_id, utterance_id",
            places.join(", ")
        );
        Ok(self.db.rows(sql, values).await?)
    }
}
