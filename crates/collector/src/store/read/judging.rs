//! Disagreements that people judge, and what they said.

use super::pairs::{PairFilter, PairKey};
use crate::store::db::{Row, values};
use crate::store::keys::{PRIMARY, SHADOW};
use crate::store::{Store, StoreError, now_ms};
use crate::vault::context;

/// A compared utterance that somebody may judge.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Which device.
    pub device_id: String,
    /// Which utterance.
    pub utterance_id: String,
    /// Whose answers.
    pub key: PairKey,
    /// Whose speech; empty where no subject is named.
    pub subject_id: String,
    /// Duration, ms.
    pub duration_ms: f64,
    /// Code of the language; empty where unknown.
    pub language: String,
    /// Share of utterances that were compared at all.
    pub sample_ratio: f64,
    /// Whether there is a clip.
    pub has_clip: bool,
}

/// What somebody said of a pair.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// Of the two texts, unblinded: `primary`, `shadow`, `both`, `neither`, `unsure`, `skip`.
    pub choice: &'static str,
    /// What was said, where they wrote it or chose a text.
    pub reference: Option<String>,
    /// Words of the reference.
    pub reference_words: Option<u64>,
    /// Edits of the primary's text against it.
    pub primary_edits: Option<u64>,
    /// Edits of the shadow's.
    pub shadow_edits: Option<u64>,
    /// The chance that this pair had to be shown, in `]0, 1]`.
    pub inclusion_probability: f64,
}

/// A judgement with a reference, for the estimate.
#[derive(Clone, Debug)]
pub struct JudgementRow {
    /// The slice's value; empty without slices.
    pub slice: String,
    /// Which device.
    pub device_id: String,
    /// Words of the reference.
    pub reference_words: i64,
    /// The primary's edits.
    pub primary_edits: i64,
    /// The shadow's edits.
    pub shadow_edits: i64,
    /// The chance that the pair was compared and shown, in `]0, 1]`.
    pub inclusion_probability: f64,
}

const EDITS: &str = "(p.substitutions + p.deletions + p.insertions)";

impl Store {
    /// The next disagreement in the sample that nobody judged, with both texts consented to; and how many of the sample
    /// are done, and are in it.
    ///
    /// The sample is every disagreement whose draw is below `probability`: all servers agree on it.
    pub(crate) async fn next_candidate(&self, probability: f64) -> Result<(Option<Candidate>, u64, u64), StoreError> {
        let from = format!(
            "from pairs p join texts a on a.device_id = p.device_id and a.utterance_id = p.utterance_id \
             and a.field = '{PRIMARY}' join texts b on b.device_id = p.device_id \
             and b.utterance_id = p.utterance_id and b.field = '{SHADOW}' \
             left join judgements j on j.device_id = p.device_id and j.utterance_id = p.utterance_id \
             and j.shadow_engine = p.shadow_engine where {EDITS} > 0 and p.draw < $1"
        );
        let counts = format!("select count(*), count(j.judged_ms) {from}");
        let counts = self.db.row(counts, values![probability]).await?.ok_or(sqlx::Error::RowNotFound)?;
        let sql = format!(
            "select p.device_id, p.utterance_id, p.primary_engine, p.shadow_engine, a.subject_id, p.duration_ms, \
             p.language, p.sample_ratio, (select count(*) from clips c where c.device_id = p.device_id \
             and c.utterance_id = p.utterance_id) {from} and j.judged_ms is null order by p.draw limit 1"
        );
        let candidate = self.db.row(sql, values![probability]).await?.as_ref().map(candidate).transpose()?;
        Ok((candidate, counts.int(1)? as u64, counts.int(0)? as u64))
    }

    /// One pair, whether judged or not.
    pub(crate) async fn candidate(
        &self,
        device_id: &str,
        utterance_id: &str,
        shadow_engine: &str,
    ) -> Result<Option<Candidate>, StoreError> {
        let sql = format!(
            "select p.device_id, p.utterance_id, p.primary_engine, p.shadow_engine, a.subject_id, p.duration_ms, \
             p.language, p.sample_ratio, (select count(*) from clips c where c.device_id = p.device_id \
             and c.utterance_id = p.utterance_id) \
             from pairs p join texts a on a.device_id = p.device_id and a.utterance_id = p.utterance_id \
             and a.field = '{PRIMARY}' where p.device_id = $1 and p.utterance_id = $2 and p.shadow_engine = $3"
        );
        let row = self.db.row(sql, values![device_id, utterance_id, shadow_engine]).await?;
        row.as_ref().map(candidate).transpose()
    }

    /// Keeps a judgement; the reference is sealed with the speaker's key. A second one of the same person replaces the first.
    pub(crate) async fn judge(&self, of: &Candidate, by: &str, judgement: &Judgement) -> Result<(), StoreError> {
        let key = self.person_key(&of.device_id, &of.subject_id).await?;
        let place = context(&["reference", &of.device_id, &of.utterance_id]);
        let reference = judgement.reference.as_deref();
        let sealed = key.zip(reference).map(|(key, text)| key.seal(&place, text.as_bytes()));
        self.db
            .run(
                "insert into judgements (device_id, utterance_id, shadow_engine, judged_by, subject_id, choice, \
                 sealed_reference, reference_words, primary_edits, shadow_edits, inclusion_probability, judged_ms) \
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
                 on conflict (device_id, utterance_id, shadow_engine, judged_by) do update set \
                 choice = excluded.choice, sealed_reference = excluded.sealed_reference, \
                 reference_words = excluded.reference_words, primary_edits = excluded.primary_edits, \
                 shadow_edits = excluded.shadow_edits, judged_ms = excluded.judged_ms",
                values![
                    &of.device_id,
                    &of.utterance_id,
                    &of.key.shadow_engine,
                    by,
                    &of.subject_id,
                    judgement.choice,
                    sealed,
                    judgement.reference_words.map(|n| n as i64),
                    judgement.primary_edits.map(|n| n as i64),
                    judgement.shadow_edits.map(|n| n as i64),
                    judgement.inclusion_probability,
                    now_ms()
                ],
            )
            .await?;
        Ok(())
    }

    /// Judgements with a reference, the latest of each pair.
    pub(crate) async fn judgements(
        &self,
        key: &PairKey,
        filter: &PairFilter,
        by: super::SliceBy,
    ) -> Result<Vec<JudgementRow>, StoreError> {
        let (conditions, values) = filter.conditions(Some(key));
        let sql = format!(
            "select {}, p.device_id, j.reference_words, j.primary_edits, j.shadow_edits, \
             j.inclusion_probability * p.sample_ratio \
             from pairs p join judgements j on j.device_id = p.device_id and j.utterance_id = p.utterance_id \
             and j.shadow_engine = p.shadow_engine {conditions} and j.reference_words is not null \
             and not exists (select 1 from judgements k where k.device_id = j.device_id \
             and k.utterance_id = j.utterance_id and k.shadow_engine = j.shadow_engine \
             and k.judged_ms > j.judged_ms) order by 1, 2",
            by.sql()
        );
        let judgement = |row: &Row| -> Result<JudgementRow, StoreError> {
            Ok(JudgementRow {
                slice: row.text(0)?,
                device_id: row.text(1)?,
                reference_words: row.int(2)?,
                primary_edits: row.int(3)?,
                shadow_edits: row.int(4)?,
                inclusion_probability: row.real(5)?,
            })
        };
        self.db.rows(sql, values).await?.iter().map(judgement).collect()
    }

    /// Judgements by one person.
    pub(crate) async fn judged_by(&self, name: &str) -> Result<u64, StoreError> {
        let row = self.db.row("select count(*) from judgements where judged_by = $1", values![name]).await?;
        Ok(row.map(|row| row.int(0)).transpose()?.unwrap_or(0) as u64)
    }
}

fn candidate(row: &Row) -> Result<Candidate, StoreError> {
    Ok(Candidate {
        device_id: row.text(0)?,
        utterance_id: row.text(1)?,
        key: PairKey { primary_engine: row.text(2)?, shadow_engine: row.text(3)? },
        subject_id: row.text(4)?,
        duration_ms: row.real(5)?,
        language: row.text(6)?,
        sample_ratio: row.real(7)?,
        has_clip: row.int(8)? > 0,
    })
}
