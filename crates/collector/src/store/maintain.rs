//! Retention: how long what is kept, and the work that sees to it.

use super::db::values;
use super::objects::doom;
use super::rollup::{DAY_MS, HOUR_MS, MINUTE_MS};
use super::{Store, StoreError, now_ms, postgres, sqlite};

/// Minutes are kept this long: the last hour is looked at closely.
const MINUTES_FOR_MS: i64 = 3 * HOUR_MS;
/// Rows deleted in one transaction, so that batches never wait long.
const STEP: i64 = 10_000;

/// How long what is kept, days.
#[derive(Clone, Debug)]
pub struct Retention {
    /// The log. 90: a quarter, for questions that nobody thought of before.
    pub records_days: u32,
    /// Texts and clips with consent. 90.
    pub consented_days: u32,
    /// Hours and pairs. 400: the same month of the last year.
    pub rollups_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { records_days: 90, consented_days: 90, rollups_days: 400 }
    }
}

impl Store {
    /// Deletes what is too old and dooms the objects of old clips. PostgreSQL drops whole months.
    pub(crate) async fn expire(&self, retention: &Retention) -> Result<(), StoreError> {
        let now = now_ms();
        let before = |days: u32| now - i64::from(days) * DAY_MS;
        if self.db.is_sqlite() {
            let sql = format!(
                "delete from records where rowid in (select rowid from records where received_ms < $1 \
                 order by rowid limit {STEP})"
            );
            self.delete_in_steps(&sql, before(retention.records_days)).await?;
        } else {
            postgres::make_partitions(&self.db, now).await?;
            postgres::drop_partitions(&self.db, before(retention.records_days)).await?;
            // What came before its month had a partition.
            let sql = format!(
                "delete from records_default where ctid in (select ctid from records_default \
                 where received_ms < $1 limit {STEP})"
            );
            self.delete_in_steps(&sql, before(retention.records_days)).await?;
        }
        let old = before(retention.consented_days);
        let mut tx = self.db.begin().await?;
        doom(&mut tx, "received_ms < $2", values![now, old]).await?;
        tx.run("delete from clips where received_ms < $1", values![old]).await?;
        tx.commit().await?;
        self.db
            .run(
                "delete from tokens where exists (select 1 from texts t where t.device_id = tokens.device_id \
                 and t.utterance_id = tokens.utterance_id and t.received_ms < $1)",
                values![old],
            )
            .await?;
        self.db.run("delete from texts where received_ms < $1", values![old]).await?;
        // What somebody wrote down of a text goes with it; what it counted stays as long as its pair.
        let sql = "update judgements set sealed_reference = null where judged_ms < $1 and sealed_reference is not null";
        self.db.run(sql, values![old]).await?;
        let minutes = "delete from rollups where period_ms = $1 and begin_ms < $2";
        self.db.run(minutes, values![MINUTE_MS, now - MINUTES_FOR_MS]).await?;
        let old = before(retention.rollups_days);
        self.db
            .run("delete from rollups where period_ms > $1 and begin_ms < $2", values![MINUTE_MS, old])
            .await?;
        self.db.run("delete from pairs where recorded_ms < $1", values![old]).await?;
        self.db.run("delete from judgements where judged_ms < $1", values![old]).await?;
        sqlite::shrink(&self.db).await?;
        Ok(())
    }

    async fn delete_in_steps(&self, sql: &str, before_ms: i64) -> Result<(), StoreError> {
        while self.db.run(sql, values![before_ms]).await? == STEP as u64 {
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}
