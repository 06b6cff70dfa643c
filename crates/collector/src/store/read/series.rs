//! Figures over time.

use std::collections::{BTreeMap, HashSet};

use crate::store::db::{Row, Value, values};
use crate::store::rollup::{DAY_MS, Figures};
use crate::store::{Store, StoreError};

/// Which utterances.
#[derive(Clone, Debug, Default)]
pub struct FigureFilter {
    /// From this device.
    pub device_id: Option<String>,
    /// Answered by this engine.
    pub engine: Option<String>,
    /// Under this profile.
    pub profile: Option<String>,
    /// By this version.
    pub app_version: Option<String>,
}

/// What can be filtered by.
#[derive(Clone, Debug, Default)]
pub struct Offered {
    /// Engines that answered lately.
    pub engines: Vec<String>,
    /// Profiles.
    pub profiles: Vec<String>,
    /// Versions.
    pub versions: Vec<String>,
}

/// Roll-ups in memory at once: some 10 MB.
const MERGED_AT_ONCE: usize = 2_000;

/// What some roll-ups add up to.
#[derive(Default)]
struct Sums {
    buckets: BTreeMap<i64, Figures>,
    devices: HashSet<String>,
}

impl Sums {
    fn merge(mut self, rows: &[Row], from_ms: i64, step_ms: i64) -> Result<Self, StoreError> {
        for row in rows {
            let at = from_ms + (row.int(1)? - from_ms).div_euclid(step_ms) * step_ms;
            self.buckets.entry(at).or_default().merge(&Figures::from_bytes(&row.blob(2)?)?);
            self.devices.insert(row.text(0)?);
        }
        Ok(self)
    }
}

impl FigureFilter {
    fn conditions(&self, values: &mut Vec<Value>) -> String {
        let mut sql = String::new();
        let named = [
            ("device_id", &self.device_id),
            ("engine", &self.engine),
            ("profile", &self.profile),
            ("app_version", &self.app_version),
        ];
        for (column, value) in named.into_iter().filter_map(|(c, v)| Some((c, v.as_ref()?))) {
            values.push(value.into());
            sql.push_str(&format!(" and {column} = ${}", values.len()));
        }
        sql
    }
}

impl Store {
    /// Figures from `from_ms` to `to_ms` in buckets of `step_ms`, made of roll-ups of `period_ms`; and the devices that
    /// they came from.
    pub(crate) async fn series(
        &self,
        filter: &FigureFilter,
        (from_ms, to_ms): (i64, i64),
        period_ms: i64,
        step_ms: i64,
    ) -> Result<(BTreeMap<i64, Figures>, usize), StoreError> {
        let mut values = values![period_ms, from_ms, to_ms];
        let conditions = filter.conditions(&mut values);
        let sql = format!(
            "select device_id, begin_ms, figures from rollups \
             where period_ms = $1 and begin_ms >= $2 and begin_ms < $3{conditions}"
        );
        let mut sums = Sums::default();
        let mut rows = self.db.stream(sql, values)?;
        loop {
            let some = rows.next_some(MERGED_AT_ONCE).await?;
            if some.is_empty() {
                return Ok((sums.buckets, sums.devices.len()));
            }
            // Merging is work: it shall not hold up those who wait for sockets.
            let merge = move || sums.merge(&some, from_ms, step_ms);
            sums = tokio::task::spawn_blocking(merge)
                .await
                .unwrap_or_else(|_| Err(StoreError::Damaged("figures could not be added up".to_owned())))?;
        }
    }

    /// What utterances since `since_ms` can be filtered by.
    pub(crate) async fn offered(&self, since_ms: i64) -> Result<Offered, StoreError> {
        let distinct = async |column: &str| -> Result<Vec<String>, StoreError> {
            let sql = format!(
                "select distinct {column} from rollups where period_ms = $1 and begin_ms >= $2 and {column} <> '' \
                 order by {column} limit 200"
            );
            let rows = self.db.rows(sql, values![DAY_MS, since_ms - DAY_MS]).await?;
            rows.iter().map(|row: &Row| Ok(row.text(0)?)).collect()
        };
        Ok(Offered {
            engines: distinct("engine").await?,
            profiles: distinct("profile").await?,
            versions: distinct("app_version").await?,
        })
    }
}
