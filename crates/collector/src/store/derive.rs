//! From the log to what is looked at: roll-ups, pairs of recognizers, devices' health.

use std::collections::BTreeMap;

use earwitness_telemetry::limits::{valid_id, valid_name};
use earwitness_telemetry::{FeedbackRecord, HealthRecord, Outcome, ShadowRecord, UtteranceRecord};
use serde::Deserialize;

use super::db::{Tx, values};
use super::rollup::{DAY_MS, Figures, HOUR_MS, MINUTE_MS};
use super::{Store, StoreError, devices, now_ms};

/// Records of one stream in one step, and about as many in one transaction.
const MAX_RECORDS: i64 = 2_000;
/// Streams in one transaction.
const MAX_STREAMS: i64 = 16;
/// How old a record may be to go into minutes: what is older is looked at by the hour.
const MINUTES_FOR_MS: i64 = 75 * MINUTE_MS;

/// Which roll-up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Slot {
    period_ms: i64,
    begin_ms: i64,
    engine: String,
    profile: String,
    app_version: String,
}

/// What one stream's records add up to.
#[derive(Default)]
struct Sums {
    rollups: BTreeMap<Slot, Figures>,
    pairs: Vec<(i64, ShadowRecord)>,
    health: Option<(i64, String)>,
    session: Option<String>,
}

/// Records of one stream that are in no roll-up yet, added up.
struct Behind {
    device_id: String,
    stream_id: String,
    from: i64,
    to: i64,
    /// When the device was last erased, as adding up began.
    erased_ms: Option<i64>,
    sums: Sums,
}

impl Store {
    /// Takes some of what came since the last time into the roll-ups; the number of records seen, 0 if there are none.
    ///
    /// Reading and adding up hold no lock, so that batches do not wait for it. What is written counts only if the
    /// stream's `derived_to` is still where the reading began: another server may have been faster, or the device erased.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is changed then.
    pub async fn derive(&self) -> Result<u64, StoreError> {
        let streams = self
            .db
            .rows(
                format!(
                    "select device_id, stream_id, derived_to, high_water from streams \
                     where derived_to < high_water order by random() limit {MAX_STREAMS}"
                ),
                Vec::new(),
            )
            .await?;
        let (mut behind, mut seen) = (Vec::new(), 0);
        for row in streams {
            // Enough for one transaction.
            if seen >= MAX_RECORDS {
                break;
            }
            let (from, high_water) = (row.int(2)?, row.int(3)?);
            let (device_id, stream_id) = (row.text(0)?, row.text(1)?);
            // Where the log goes on: what was lost before it may be any number.
            let next = self
                .db
                .row(
                    "select min(sequence) from records where device_id = $1 and stream_id = $2 and sequence > $3",
                    values![&device_id, &stream_id, from],
                )
                .await?;
            let next = next.map(|row| row.maybe_int(0)).transpose()?.flatten();
            let to = next.map_or(high_water, |next| high_water.min(next.saturating_add(MAX_RECORDS - 1)));
            let erased_ms = self.erased_ms(&device_id).await?;
            let sums = self.add_up(&device_id, &stream_id, from, to).await?;
            seen += (to - next.unwrap_or(to)).max(0) + 1;
            behind.push(Behind { device_id, stream_id, from, to, erased_ms, sums });
        }
        if behind.is_empty() {
            return Ok(0);
        }
        // One order for all servers, as for batches.
        behind.sort_by(|a, b| (&a.device_id, &a.stream_id).cmp(&(&b.device_id, &b.stream_id)));
        let mut tx = self.db.begin().await?;
        for stream in behind {
            let moved = tx
                .run(
                    "update streams set derived_to = $1 where device_id = $2 and stream_id = $3 and derived_to = $4",
                    values![stream.to, &stream.device_id, &stream.stream_id, stream.from],
                )
                .await?;
            if moved != 1 {
                continue;
            }
            // Held from here on: an erasure waits until this is done, or was done before.
            let device = devices::locked(&mut tx, &stream.device_id).await?;
            if device.erased_ms == stream.erased_ms {
                self.save(&mut tx, &stream.device_id, stream.sums).await?;
            } else {
                let sql = "update streams set derived_to = $1 where device_id = $2 and stream_id = $3";
                tx.run(sql, values![stream.from, &stream.device_id, &stream.stream_id]).await?;
            }
        }
        tx.commit().await?;
        Ok(seen as u64)
    }

    async fn add_up(&self, device: &str, stream: &str, from: i64, to: i64) -> Result<Sums, StoreError> {
        let rows = self
            .db
            .rows(
                "select kind, recorded_ms, body from records \
                 where device_id = $1 and stream_id = $2 and sequence > $3 and sequence <= $4 order by sequence",
                values![device, stream, from, to],
            )
            .await?;
        let add_up = move || -> Result<Sums, StoreError> {
            let mut sums = Sums::default();
            let minutes_from = now_ms() - MINUTES_FOR_MS;
            for row in &rows {
                sums.add(&row.text(0)?, row.int(1)?, &row.text(2)?, minutes_from);
            }
            Ok(sums)
        };
        // Milliseconds of work: not on the threads that wait for sockets.
        let added = tokio::task::spawn_blocking(add_up).await;
        added.unwrap_or_else(|_| Err(StoreError::Damaged("records could not be added up".to_owned())))
    }

    async fn save(&self, tx: &mut Tx, device: &str, sums: Sums) -> Result<(), StoreError> {
        for (slot, mut figures) in sums.rollups {
            let key = || {
                values![device, slot.period_ms, slot.begin_ms, &slot.engine, &slot.profile, &slot.app_version]
            };
            let before = tx
                .row(
                    "select figures from rollups where device_id = $1 and period_ms = $2 and begin_ms = $3 \
                     and engine = $4 and profile = $5 and app_version = $6",
                    key(),
                )
                .await?;
            if let Some(before) = before {
                figures.merge(&Figures::from_bytes(&before.blob(0)?)?);
            }
            let mut row = key();
            row.extend(values![figures.utterances(), figures.failures(), figures.to_bytes()?]);
            tx.run(
                "insert into rollups (device_id, period_ms, begin_ms, engine, profile, app_version, \
                 utterances, failures, figures) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
                 on conflict (device_id, period_ms, begin_ms, engine, profile, app_version) do update \
                 set utterances = excluded.utterances, failures = excluded.failures, figures = excluded.figures",
                row,
            )
            .await?;
        }
        for (recorded_ms, pair) in &sums.pairs {
            self.save_pair(tx, device, *recorded_ms, pair).await?;
        }
        if let Some((recorded_ms, health)) = sums.health {
            tx.run(
                "update devices set health = $1, health_ms = $2 \
                 where device_id = $3 and (health_ms is null or health_ms <= $2)",
                values![health, recorded_ms, device],
            )
            .await?;
        }
        if let Some(session) = sums.session {
            tx.run("update devices set session = $1 where device_id = $2", values![session, device]).await?;
        }
        Ok(())
    }

    async fn save_pair(
        &self,
        tx: &mut Tx,
        device: &str,
        recorded_ms: i64,
        pair: &ShadowRecord,
    ) -> Result<(), StoreError> {
        // Each pair of recognizers is a draw of its own. An id has no space.
        let draw = self.sampling.number(device, &format!("{} {}", pair.utterance_id, pair.shadow_engine));
        tx.run(
            "insert into pairs (device_id, utterance_id, shadow_engine, primary_engine, recorded_ms, \
             primary_outcome, shadow_outcome, substitutions, deletions, insertions, primary_words, shadow_words, \
             primary_ms, shadow_ms, primary_cost, shadow_cost, sample_ratio, duration_ms, snr_db, language, \
             profile, app_version, draw) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, \
             $21, $22, $23) on conflict (device_id, utterance_id, shadow_engine) do nothing",
            values![
                device,
                &pair.utterance_id,
                &pair.shadow_engine,
                &pair.primary_engine,
                recorded_ms,
                outcome_name(pair.primary_outcome),
                outcome_name(pair.shadow_outcome),
                pair.substitutions,
                pair.deletions,
                pair.insertions,
                pair.primary_words,
                pair.shadow_words,
                finite(pair.primary_ms),
                finite(pair.shadow_ms),
                pair.primary_cost,
                pair.shadow_cost,
                pair.sample_ratio,
                finite(pair.duration_ms),
                pair.snr_db,
                pair.language.as_deref().unwrap_or(""),
                &pair.profile,
                &pair.app_version,
                draw
            ],
        )
        .await?;
        Ok(())
    }
}

/// Words of one utterance: 30 s have some 120.
const MAX_WORDS: u64 = 100_000;

/// Whether a device can have made this comparison.
fn is_plausible(pair: &ShadowRecord) -> bool {
    let language = pair.language.clone().unwrap_or_default();
    let names = [&pair.primary_engine, &pair.shadow_engine, &pair.profile, &pair.app_version, &language];
    let counts = [pair.substitutions, pair.deletions, pair.insertions, pair.primary_words, pair.shadow_words];
    valid_id(&pair.utterance_id)
        && names.into_iter().all(|name| valid_name(name))
        && counts.into_iter().all(|count| count <= MAX_WORDS)
        && pair.sample_ratio > 0.0
        && pair.sample_ratio <= 1.0
}

fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}

/// As in the table, and on the wire.
pub(crate) fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Transcript => "transcript",
        Outcome::NoSpeech => "no_speech",
        Outcome::Empty => "empty",
        Outcome::Timeout => "timeout",
        Outcome::Error => "error",
        Outcome::Dropped => "dropped",
        Outcome::Unknown => "unknown",
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Ended {
    ended: bool,
}

impl Sums {
    /// A record that does not read as what it says it is, or is none that a device could make, adds nothing; it stays in
    /// the log.
    fn add(&mut self, kind: &str, recorded_ms: i64, body: &str, minutes_from: i64) {
        match kind {
            "utterance" => {
                if let Ok(record) = serde_json::from_str::<UtteranceRecord>(body)
                    && [&record.engine, &record.profile, &record.app_version]
                        .into_iter()
                        .all(|n| valid_name(n))
                {
                    let slot = (record.engine.as_str(), record.profile.as_str(), record.app_version.as_str());
                    self.roll(recorded_ms, minutes_from, slot, |figures| figures.add(&record));
                }
            }
            "feedback" => {
                if let Ok(record) = serde_json::from_str::<FeedbackRecord>(body) {
                    self.roll(recorded_ms, minutes_from, ("", "", ""), |f| f.add_feedback(record.feedback));
                }
            }
            "shadow" => {
                if let Ok(record) = serde_json::from_str::<ShadowRecord>(body)
                    && is_plausible(&record)
                {
                    self.pairs.push((recorded_ms, record));
                }
            }
            "health" => {
                if let Ok(record) = serde_json::from_str::<HealthRecord>(body)
                    && [&record.profile, &record.app_version].into_iter().all(|n| valid_name(n))
                {
                    let slot = ("", record.profile.as_str(), record.app_version.as_str());
                    self.roll(recorded_ms, minutes_from, slot, |figures| figures.add_health(&record));
                    self.health = Some((recorded_ms, body.to_owned()));
                }
            }
            // The end says no more than the beginning, but for totals.
            "session" if !serde_json::from_str::<Ended>(body).is_ok_and(|session| session.ended) => {
                self.session = Some(body.to_owned());
            }
            _ => {}
        }
    }

    fn roll(
        &mut self,
        recorded_ms: i64,
        minutes_from: i64,
        (engine, profile, app_version): (&str, &str, &str),
        add: impl Fn(&mut Figures),
    ) {
        let periods = [MINUTE_MS, HOUR_MS, DAY_MS];
        let wanted = if recorded_ms >= minutes_from { &periods[..] } else { &periods[1..] };
        for period_ms in wanted {
            let slot = Slot {
                period_ms: *period_ms,
                begin_ms: recorded_ms.div_euclid(*period_ms).saturating_mul(*period_ms),
                engine: engine.to_owned(),
                profile: profile.to_owned(),
                app_version: app_version.to_owned(),
            };
            add(self.rollups.entry(slot).or_default());
        }
    }
}
