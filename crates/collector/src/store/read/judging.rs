//! Disagreements that people judge, and what they said.

use earwitness_scoring::fleet::SamplingDesign;

use super::pairs::{ANSWERED, PairFilter, PairKey, READABLE};
use crate::store::db::{Row, values};
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
    /// Word edits between the two texts.
    pub edits_between: u64,
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

/// The latest judgement of a pair, for the estimate.
#[derive(Clone, Debug)]
pub struct JudgementRow {
    /// The slice's value; empty without slices.
    pub slice: String,
    /// Which device.
    pub device_id: String,
    /// Words of the reference, edits of the primary against it, edits of the shadow; `None` if people could not tell.
    pub counts: Option<(u64, u64, u64)>,
    /// Words of the primary's text.
    pub primary_words: u64,
    /// Word edits between the two texts.
    pub edits_between: u64,
    /// Share of utterances that the shadow hears, in `]0, 1]`.
    pub sample_ratio: f64,
    /// The pair's number, in `[0, 1)`.
    pub draw: f64,
}

/// What a [`Candidate`] is made of.
const CANDIDATE: &str = "p.device_id, p.utterance_id, p.primary_engine, p.shadow_engine, \
     (select min(t.subject_id) from texts t where t.device_id = p.device_id and t.utterance_id = p.utterance_id \
     and t.field in ('primary', 'shadow')), \
     p.duration_ms, p.language, p.sample_ratio, (select count(*) from clips c where c.device_id = p.device_id \
     and c.utterance_id = p.utterance_id), p.substitutions + p.deletions + p.insertions";
/// Beside each pair the first judgement of it, if there is one.
const WITH_JUDGEMENT: &str = "left join (select device_id, utterance_id, shadow_engine, min(judged_ms) as judged_ms \
     from judgements group by device_id, utterance_id, shadow_engine) j on j.device_id = p.device_id \
     and j.utterance_id = p.utterance_id and j.shadow_engine = p.shadow_engine";
/// [`SamplingDesign::inclusion_probability`] of a row, with the design in `$1` and `$2`.
const PROBABILITY: &str = "(case when p.substitutions + p.deletions + p.insertions = 0 then $2 \
     when $1 * (p.substitutions + p.deletions + p.insertions) > 1 then 1 \
     else $1 * (p.substitutions + p.deletions + p.insertions) end)";

/// The same with the design in other places.
fn probability(per_edit: usize, agreeing: usize) -> String {
    PROBABILITY
        .replace("$1", &format!("$A{per_edit}"))
        .replace("$2", &format!("${agreeing}"))
        .replace("$A", "$")
}

const EDITS: &str = "(p.substitutions + p.deletions + p.insertions)";

impl Store {
    /// The next pair of the sample that nobody judged, with both texts consented to; how many of the sample are done,
    /// and are in it.
    ///
    /// In the sample is every pair whose draw is not above its inclusion probability: all servers agree on it. They come by
    /// place, the draw over the probability.
    pub(crate) async fn next_candidate(
        &self,
        design: &SamplingDesign,
    ) -> Result<(Option<Candidate>, u64, u64), StoreError> {
        let from = format!(
            "from pairs p {WITH_JUDGEMENT} \
             where {READABLE} and {ANSWERED} = 1 and p.draw <= {PROBABILITY}"
        );
        let of_design = || values![design.per_edit, design.agreeing];
        let counts = format!("select count(*), count(j.judged_ms) {from}");
        let counts = self.db.row(counts, of_design()).await?.ok_or(sqlx::Error::RowNotFound)?;
        let sql = format!(
            "select {CANDIDATE} {from} and j.judged_ms is null order by p.draw / {PROBABILITY} limit 1"
        );
        let next = self.db.row(sql, of_design()).await?.as_ref().map(candidate).transpose()?;
        Ok((next, counts.int(1)? as u64, counts.int(0)? as u64))
    }

    /// How far people got with the queue of a pair of engines: the place of the first that nobody judged, 1 if none is
    /// left.
    pub(crate) async fn reached(
        &self,
        key: &PairKey,
        filter: &PairFilter,
        design: &SamplingDesign,
    ) -> Result<f64, StoreError> {
        let (conditions, mut values) = filter.conditions(Some(key));
        values.extend(values![design.per_edit, design.agreeing]);
        let probability = probability(values.len() - 1, values.len());
        let sql = format!(
            "select min(p.draw / {probability}) from pairs p {WITH_JUDGEMENT} {conditions} \
             and {READABLE} and {ANSWERED} = 1 and p.draw <= {probability} and j.judged_ms is null"
        );
        let row = self.db.row(sql, values).await?;
        Ok(row.map(|row| row.maybe_real(0)).transpose()?.flatten().unwrap_or(1.0).min(1.0))
    }

    /// One pair, whether judged or not.
    pub(crate) async fn candidate(
        &self,
        device_id: &str,
        utterance_id: &str,
        shadow_engine: &str,
    ) -> Result<Option<Candidate>, StoreError> {
        let sql = format!(
            "select {CANDIDATE} from pairs p where {READABLE} and {ANSWERED} = 1 \
             and p.device_id = $1 and p.utterance_id = $2 and p.shadow_engine = $3"
        );
        let row = self.db.row(sql, values![device_id, utterance_id, shadow_engine]).await?;
        row.as_ref().map(candidate).transpose()
    }

    /// Keeps a judgement; the reference is sealed with the speaker's key. A second one of the same person replaces the first.
    pub(crate) async fn judge(
        &self,
        of: &Candidate,
        by: &str,
        judgement: &Judgement,
    ) -> Result<(), StoreError> {
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

    /// Judgements, the latest of each pair.
    pub(crate) async fn judgements(
        &self,
        key: &PairKey,
        filter: &PairFilter,
        by: super::SliceBy,
    ) -> Result<Vec<JudgementRow>, StoreError> {
        let (conditions, values) = filter.conditions(Some(key));
        let sql = format!(
            "select {}, p.device_id, j.reference_words, j.primary_edits, j.shadow_edits, \
             p.primary_words, {EDITS}, p.sample_ratio, p.draw \
             from pairs p join judgements j on j.device_id = p.device_id and j.utterance_id = p.utterance_id \
             and j.shadow_engine = p.shadow_engine {conditions} and not exists (select 1 from judgements k where k.device_id = j.device_id \
             and k.utterance_id = j.utterance_id and k.shadow_engine = j.shadow_engine \
             and k.judged_ms > j.judged_ms) order by 1, 2",
            by.sql()
        );
        let judgement = |row: &Row| -> Result<JudgementRow, StoreError> {
            Ok(JudgementRow {
                slice: row.text(0)?,
                device_id: row.text(1)?,
                counts: match (row.maybe_int(2)?, row.maybe_int(3)?, row.maybe_int(4)?) {
                    (Some(words), Some(primary), Some(shadow)) => {
                        Some((words as u64, primary as u64, shadow as u64))
                    }
                    _ => None,
                },
                primary_words: row.int(5)? as u64,
                edits_between: row.int(6)? as u64,
                sample_ratio: row.real(7)?,
                draw: row.real(8)?,
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
        edits_between: row.int(9)? as u64,
    })
}
