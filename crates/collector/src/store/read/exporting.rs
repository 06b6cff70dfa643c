//! What people consented to, row by row, for exports.

use std::collections::BTreeMap;

use crate::clips::Clips;
use crate::export::ExportRow;
use crate::store::db::values;
use crate::store::keys::text_context;
use crate::store::{Store, StoreError};
use crate::vault::context;

impl Store {
    /// The utterances after `after` (device, utterance) that have a text or a clip, at most `limit`, in the order of their
    /// names. What was erased is not among them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn export_rows(
        &self,
        clips: &Clips,
        after: &(String, String),
        limit: usize,
    ) -> Result<Vec<ExportRow>, StoreError> {
        let sql = "select device_id, utterance_id, max(subject_id), max(at) from ( \
                   select device_id, utterance_id, subject_id, recorded_ms as at from texts \
                   where field <> 'speaker' union all \
                   select device_id, utterance_id, subject_id, received_ms as at from clips) consented \
                   where device_id > $1 or (device_id = $1 and utterance_id > $2) \
                   group by device_id, utterance_id order by device_id, utterance_id limit $3";
        let mut rows = Vec::new();
        for row in self.db.rows(sql, values![&after.0, &after.1, limit]).await? {
            let (device_id, utterance_id, subject_id) = (row.text(0)?, row.text(1)?, row.text(2)?);
            let texts = self.texts(&device_id, &utterance_id).await?;
            let flac = clips.load(self, &device_id, &utterance_id).await?;
            let (sample_rate_hz, duration_s) = flac.as_deref().and_then(stream_info).unwrap_or((16_000, 0.0));
            let judged = self.reference(&device_id, &utterance_id).await?;
            let pair = self
                .db
                .row(
                    "select primary_engine, shadow_engine, language, profile, app_version, duration_ms from pairs \
                     where device_id = $1 and utterance_id = $2 limit 1",
                    values![&device_id, &utterance_id],
                )
                .await?;
            let mut attributes = self.attributes(&device_id, &utterance_id).await?;
            let mut export = ExportRow {
                subject_id: Some(subject_id).filter(|subject| !subject.is_empty()),
                recorded_unix_ms: u64::try_from(row.int(3)?).unwrap_or(0),
                duration_s,
                sample_rate_hz,
                reference: judged.or(texts.corrected),
                primary_text: texts.primary,
                shadow_text: texts.shadow,
                flac,
                device_id,
                utterance_id,
                ..ExportRow::default()
            };
            if let Some(pair) = pair {
                export.primary_engine = Some(pair.text(0)?);
                export.shadow_engine = Some(pair.text(1)?);
                export.language = Some(pair.text(2)?).filter(|code| !code.is_empty());
                attributes.insert("profile".to_owned(), pair.text(3)?);
                attributes.insert("app_version".to_owned(), pair.text(4)?);
                if export.flac.is_none() {
                    export.duration_s = pair.real(5)? / 1e3;
                }
            }
            export.attributes = attributes;
            rows.push(export);
        }
        Ok(rows)
    }

    /// What people heard: the latest judgement's reference.
    async fn reference(&self, device_id: &str, utterance_id: &str) -> Result<Option<String>, StoreError> {
        let sql = "select subject_id, sealed_reference from judgements where device_id = $1 \
                   and utterance_id = $2 and sealed_reference is not null order by judged_ms desc limit 1";
        let place = context(&["reference", device_id, utterance_id]);
        let plain = self.opened(sql, device_id, utterance_id, &place).await?;
        Ok(plain.and_then(|plain| String::from_utf8(plain).ok()))
    }

    /// What the speaker said of themselves.
    async fn attributes(
        &self,
        device_id: &str,
        utterance_id: &str,
    ) -> Result<BTreeMap<String, String>, StoreError> {
        let sql = "select subject_id, sealed from texts \
                   where device_id = $1 and utterance_id = $2 and field = 'speaker'";
        let place = text_context(device_id, utterance_id, "speaker");
        let plain = self.opened(sql, device_id, utterance_id, &place).await?;
        Ok(plain.and_then(|plain| serde_json::from_slice(&plain).ok()).unwrap_or_default())
    }

    /// What `sql` gives of an utterance (whose, sealed), opened; `None` if there is none, or the key is gone.
    async fn opened(
        &self,
        sql: &str,
        device_id: &str,
        utterance_id: &str,
        place: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(row) = self.db.row(sql, values![device_id, utterance_id]).await? else { return Ok(None) };
        let Some(key) = self.person_key(device_id, &row.text(0)?).await? else { return Ok(None) };
        Ok(key.open(place, &row.blob(1)?).ok())
    }
}

/// Sample rate and duration from the header that begins a FLAC file.
fn stream_info(flac: &[u8]) -> Option<(u32, f64)> {
    // "fLaC", 4 bytes of block header, 10 of block and frame sizes, then 20 bits of rate, 8 of format, 36 of length.
    let packed: [u8; 8] = flac.get(18..26)?.try_into().ok()?;
    let packed = u64::from_be_bytes(packed);
    let (rate, samples) = ((packed >> 44) as u32, packed & 0xf_ffff_ffff);
    (flac.starts_with(b"fLaC") && rate > 0).then(|| (rate, samples as f64 / f64::from(rate)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_duration_stand_in_the_header() {
        let mut flac = b"fLaC\x80\x00\x00\x22".to_vec();
        flac.extend([0; 10]);
        // 16 000 Hz, one channel, 16 bits, 40 000 samples.
        flac.extend(((16_000_u64 << 44) | (15 << 36) | 40_000).to_be_bytes());
        flac.extend([0; 16]);
        assert_eq!(stream_info(&flac), Some((16_000, 2.5)));
        assert_eq!(stream_info(&flac[..20]), None);
        assert_eq!(stream_info(b"RIFF"), None);
    }
}
