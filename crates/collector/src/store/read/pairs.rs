//! Pairs of recognizers: sums by device, from which intervals are made, and single disagreements.

use earwitness_scoring::fleet::{OutcomeClass, OutcomeMatrix};

use crate::store::db::{Row, Value, values};
use crate::store::{Store, StoreError};

/// Two recognizers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PairKey {
    /// The one that answers.
    pub primary_engine: String,
    /// The one in question.
    pub shadow_engine: String,
}

/// Which utterances.
#[derive(Clone, Debug, Default)]
pub struct PairFilter {
    /// From then on, ms since 1970-01-01 UTC.
    pub from_ms: i64,
    /// From this device.
    pub device_id: Option<String>,
    /// Under this profile.
    pub profile: Option<String>,
    /// By this version.
    pub app_version: Option<String>,
}

/// What utterances are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SliceBy {
    /// Not at all.
    Nothing,
    /// The device's profile.
    Profile,
    /// The program's version.
    AppVersion,
    /// Code of the language.
    Language,
    /// Bands of 10 dB.
    Snr,
    /// Bands of duration.
    Duration,
}

impl SliceBy {
    /// All that tell apart.
    pub const ALL: [Self; 5] = [Self::Profile, Self::AppVersion, Self::Language, Self::Snr, Self::Duration];

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Nothing => "All",
            Self::Profile => "Profile",
            Self::AppVersion => "App version",
            Self::Language => "Language",
            Self::Snr => "Signal to noise",
            Self::Duration => "Duration",
        }
    }

    /// An expression over a row of `pairs`.
    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::Nothing => "''",
            Self::Profile => "p.profile",
            Self::AppVersion => "p.app_version",
            Self::Language => "p.language",
            Self::Snr => {
                "case when p.snr_db is null then 'unknown' when p.snr_db < 10 then 'below 10 dB' \
                 when p.snr_db < 20 then '10 to 20 dB' when p.snr_db < 30 then '20 to 30 dB' \
                 else '30 dB and more' end"
            }
            Self::Duration => {
                "case when p.duration_ms < 2000 then 'below 2 s' when p.duration_ms < 5000 then '2 to 5 s' \
                 when p.duration_ms < 10000 then '5 to 10 s' else '10 s and more' end"
            }
        }
    }
}

/// Sums over one device's utterances of one slice.
#[derive(Clone, Debug, Default)]
pub struct DeviceSums {
    /// The slice's value; empty without slices.
    pub slice: String,
    /// Which device.
    pub device_id: String,
    /// Utterances that both heard.
    pub utterances: i64,
    /// Word edits, each divided by its chance to be compared.
    pub edits: f64,
    /// Words of the longer text, likewise.
    pub longer_words: f64,
    /// Words of the primary's texts that people may read, likewise.
    pub readable_words: f64,
    /// Sum of shadow less primary, ms.
    pub latency_difference_ms: f64,
    /// Sums of what both cost.
    pub primary_cost: f64,
    /// The shadow's.
    pub shadow_cost: f64,
}

/// One compared utterance.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Which device.
    pub device_id: String,
    /// Which utterance.
    pub utterance_id: String,
    /// When, by the device's clock, ms since 1970-01-01 UTC.
    pub recorded_ms: i64,
    /// Word edits between the texts.
    pub edits: i64,
    /// Words of the longer.
    pub longer_words: i64,
    /// How the primary ended.
    pub primary_outcome: String,
    /// How the shadow ended.
    pub shadow_outcome: String,
    /// Code of the language; empty where unknown.
    pub language: String,
    /// dB.
    pub snr_db: Option<f64>,
    /// Whether there is a clip.
    pub has_clip: bool,
}

/// 1 where both answered: what failed has no words to compare.
pub(super) const ANSWERED: &str = "(case when p.shadow_outcome in ('transcript', 'no_speech', 'empty') \
     and p.primary_outcome in ('transcript', 'no_speech', 'empty') then 1 else 0 end)";
/// Of these, those whose speaker lets people read what was understood, be it by one of both: the other may have heard
/// nothing. People judge these, so it is these that the difference of the error rates is of.
pub(super) const READABLE: &str = "exists (select 1 from texts t where t.device_id = p.device_id \
     and t.utterance_id = p.utterance_id and t.field in ('primary', 'shadow'))";
const EDITS: &str = "(p.substitutions + p.deletions + p.insertions)";
const LONGER: &str =
    "(case when p.primary_words > p.shadow_words then p.primary_words else p.shadow_words end)";

impl PairFilter {
    /// `where …` with the pair's engines, and its values.
    pub(super) fn conditions(&self, key: Option<&PairKey>) -> (String, Vec<Value>) {
        let mut values = values![self.from_ms];
        let mut sql = "where p.recorded_ms >= $1".to_owned();
        let named = [
            ("primary_engine", key.map(|key| &key.primary_engine)),
            ("shadow_engine", key.map(|key| &key.shadow_engine)),
            ("device_id", self.device_id.as_ref()),
            ("profile", self.profile.as_ref()),
            ("app_version", self.app_version.as_ref()),
        ];
        for (column, value) in named.into_iter().filter_map(|(c, v)| Some((c, v?))) {
            values.push(value.into());
            sql.push_str(&format!(" and p.{column} = ${}", values.len()));
        }
        (sql, values)
    }
}

impl Store {
    /// The pairs that were compared, the most frequent first.
    pub(crate) async fn pair_keys(&self, filter: &PairFilter) -> Result<Vec<PairKey>, StoreError> {
        let (conditions, values) = filter.conditions(None);
        let sql = format!(
            "select p.primary_engine, p.shadow_engine from pairs p {conditions} \
             group by p.primary_engine, p.shadow_engine order by count(*) desc, 1, 2 limit 50"
        );
        let rows = self.db.rows(sql, values).await?;
        rows.iter()
            .map(|row| Ok(PairKey { primary_engine: row.text(0)?, shadow_engine: row.text(1)? }))
            .collect()
    }

    /// Sums by device and slice.
    pub(crate) async fn pair_sums(
        &self,
        key: &PairKey,
        filter: &PairFilter,
        by: SliceBy,
    ) -> Result<Vec<DeviceSums>, StoreError> {
        let (conditions, values) = filter.conditions(Some(key));
        let slice = by.sql();
        let sql = format!(
            "select {slice}, p.device_id, cast(sum({ANSWERED}) as bigint), sum({ANSWERED} * {EDITS} / p.sample_ratio), \
             sum({ANSWERED} * {LONGER} / p.sample_ratio), \
             sum({ANSWERED} * (p.shadow_ms - p.primary_ms)), \
             cast(coalesce(sum(p.primary_cost), 0) as double precision), \
             cast(coalesce(sum(p.shadow_cost), 0) as double precision), \
             sum({ANSWERED} * (case when {READABLE} then 1 else 0 end) * p.primary_words / p.sample_ratio) \
             from pairs p {conditions} group by 1, 2 order by 1, 2"
        );
        let sums = |row: &Row| -> Result<DeviceSums, StoreError> {
            Ok(DeviceSums {
                slice: row.text(0)?,
                device_id: row.text(1)?,
                utterances: row.int(2)?,
                edits: row.real(3)?,
                longer_words: row.real(4)?,
                latency_difference_ms: row.real(5)?,
                primary_cost: row.real(6)?,
                shadow_cost: row.real(7)?,
                readable_words: row.real(8)?,
            })
        };
        self.db.rows(sql, values).await?.iter().map(sums).collect()
    }

    /// How both ended: primary, shadow, utterances.
    pub(crate) async fn outcome_counts(
        &self,
        key: &PairKey,
        filter: &PairFilter,
    ) -> Result<OutcomeMatrix, StoreError> {
        let (conditions, values) = filter.conditions(Some(key));
        let sql = format!(
            "select p.primary_outcome, p.shadow_outcome, count(*) from pairs p {conditions} group by 1, 2"
        );
        let mut matrix = OutcomeMatrix::default();
        for row in self.db.rows(sql, values).await? {
            let class = |name: String| OutcomeClass::from_name(&name);
            matrix.add(class(row.text(0)?), class(row.text(1)?), row.int(2)? as u64);
        }
        Ok(matrix)
    }

    /// Median times of both, ms.
    pub(crate) async fn median_times(
        &self,
        key: &PairKey,
        filter: &PairFilter,
    ) -> Result<(Option<f64>, Option<f64>), StoreError> {
        let median = async |column: &str| -> Result<Option<f64>, StoreError> {
            let (conditions, values) = filter.conditions(Some(key));
            let conditions = format!("{conditions} and {ANSWERED} = 1");
            let sql = format!(
                "select p.{column} from pairs p {conditions} order by 1 limit 1 \
                 offset (select count(*) / 2 from pairs p {conditions})"
            );
            Ok(self.db.row(sql, values).await?.map(|row| row.real(0)).transpose()?)
        };
        Ok((median("primary_ms").await?, median("shadow_ms").await?))
    }

    /// Disagreements, the newest first, and how many there are.
    pub(crate) async fn disagreements(
        &self,
        key: &PairKey,
        filter: &PairFilter,
        (offset, limit): (usize, usize),
    ) -> Result<(Vec<Pair>, u64), StoreError> {
        let (conditions, mut values) = filter.conditions(Some(key));
        let differ = format!("{conditions} and ({EDITS} > 0 or p.primary_outcome <> p.shadow_outcome)");
        let count = self.db.row(format!("select count(*) from pairs p {differ}"), values.clone()).await?;
        let total = count.map(|row| row.int(0)).transpose()?.unwrap_or(0) as u64;
        values.extend(values![limit, offset]);
        let places = values.len();
        let sql = format!(
            "select p.device_id, p.utterance_id, p.recorded_ms, {EDITS}, {LONGER}, p.primary_outcome, \
             p.shadow_outcome, p.language, p.snr_db, (select count(*) from clips c where c.device_id = p.device_id \
             and c.utterance_id = p.utterance_id) from pairs p {differ} \
             order by p.recorded_ms desc, p.utterance_id limit ${} offset ${places}",
            places - 1
        );
        let pair = |row: &Row| -> Result<Pair, StoreError> {
            Ok(Pair {
                device_id: row.text(0)?,
                utterance_id: row.text(1)?,
                recorded_ms: row.int(2)?,
                edits: row.int(3)?,
                longer_words: row.int(4)?,
                primary_outcome: row.text(5)?,
                shadow_outcome: row.text(6)?,
                language: row.text(7)?,
                snr_db: row.maybe_real(8)?,
                has_clip: row.int(9)? > 0,
            })
        };
        let rows = self.db.rows(sql, values).await?;
        Ok((rows.iter().map(pair).collect::<Result<_, _>>()?, total))
    }
}
