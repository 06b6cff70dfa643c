//! Clips and the objects that hold them. The object store is not part of any transaction, so each object that is to go,
//! or that may turn out to have no row, is written down first: see the table `doomed_objects`.

use super::db::{Tx, values};
use super::{Store, StoreError, now_ms};
use crate::clips::NewClip;
use crate::vault::SealKey;

/// How long a new object may lack its row, ms: longer than any upload takes.
const UPLOAD_MS: i64 = 3_600_000;

/// An object to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Doomed {
    pub(crate) device_id: String,
    pub(crate) object: String,
}

impl Store {
    /// Whose clip of an utterance there is, and where.
    pub(crate) async fn clip_object(
        &self,
        device_id: &str,
        utterance_id: &str,
    ) -> Result<Option<(String, String)>, StoreError> {
        let sql = "select subject_id, object from clips where device_id = $1 and utterance_id = $2";
        let row = self.db.row(sql, values![device_id, utterance_id]).await?;
        Ok(row.map(|row| Ok::<_, sqlx::Error>((row.text(0)?, row.text(1)?))).transpose()?)
    }

    /// Says that an object is about to be written.
    pub(crate) async fn announce_object(&self, device_id: &str, object: &str) -> Result<(), StoreError> {
        let sql = "insert into doomed_objects (device_id, object, due_ms) values ($1, $2, $3)";
        self.db.run(sql, values![device_id, object, now_ms() + UPLOAD_MS]).await?;
        Ok(())
    }

    /// Notes where a clip lies; the object that it replaces is doomed. False, and nothing is noted, if the key that it was
    /// sealed with is the speaker's no more: they were erased meanwhile.
    pub(crate) async fn replace_clip(
        &self,
        clip: &NewClip<'_>,
        key: &SealKey,
        object: &str,
    ) -> Result<bool, StoreError> {
        let NewClip { device_id, utterance_id, subject_id, granted_ms, flac } = *clip;
        let mut tx = self.db.begin().await?;
        if self.key_now(&mut tx, device_id, subject_id, granted_ms).await?.as_ref() != Some(key) {
            return Ok(false);
        }
        doom(&mut tx, "device_id = $2 and utterance_id = $3", values![now_ms(), device_id, utterance_id])
            .await?;
        tx.run(
            "insert into clips (device_id, utterance_id, subject_id, object, bytes, received_ms) \
             values ($1, $2, $3, $4, $5, $6) on conflict (device_id, utterance_id) do update set \
             subject_id = excluded.subject_id, object = excluded.object, bytes = excluded.bytes, \
             received_ms = excluded.received_ms",
            values![device_id, utterance_id, subject_id, object, flac.len(), now_ms()],
        )
        .await?;
        let sql = "delete from doomed_objects where device_id = $1 and object = $2";
        tx.run(sql, values![device_id, object]).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Objects that are due, the longest due first.
    pub(crate) async fn due_objects(&self, limit: i64) -> Result<Vec<Doomed>, StoreError> {
        let sql = "select device_id, object from doomed_objects where due_ms <= $1 order by due_ms limit $2";
        let rows = self.db.rows(sql, values![now_ms(), limit]).await?;
        rows.iter().map(|row| Ok(Doomed { device_id: row.text(0)?, object: row.text(1)? })).collect()
    }

    /// The object store has let one go.
    pub(crate) async fn object_gone(&self, doomed: &Doomed) -> Result<(), StoreError> {
        let sql = "delete from doomed_objects where device_id = $1 and object = $2";
        self.db.run(sql, values![&doomed.device_id, &doomed.object]).await?;
        Ok(())
    }
}

/// Dooms the objects of the clips that fit `condition`; `$1` of `values` is now. The caller deletes or replaces the rows
/// in the same transaction.
pub(super) async fn doom(
    tx: &mut Tx,
    condition: &str,
    values: Vec<super::db::Value>,
) -> Result<(), sqlx::Error> {
    let sql = format!(
        "insert into doomed_objects (device_id, object, due_ms) \
         select device_id, object, $1 from clips where {condition} on conflict do nothing"
    );
    tx.run(sql, values).await?;
    Ok(())
}
