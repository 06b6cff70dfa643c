//! Storing batches: all that wait go into one transaction, so that many devices share one flush to the disk.

use std::sync::Arc;

use earwitness_telemetry::{Accepted, LossReason, LostRange, SCHEMA_VERSION};
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::db::{Db, Tx, values};
use super::{Store, devices, keys, now_ms, postgres, sqlite};
use crate::ingest::NewBatch;
use crate::vault::Vault;

/// Batches in one transaction. 64 of 1000 records are half a second of work.
const MAX_GROUP: usize = 64;

/// Why a batch was not stored.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// It does not continue its stream.
    #[error("the batch does not continue its stream: sequence {expected} does")]
    Gap {
        /// The sequence that does.
        expected: u64,
    },
    /// Too many batches wait.
    #[error("the server is busy: send the batch again later")]
    Busy,
    /// The store failed; nothing of the batch is in it.
    #[error("the batch could not be stored: send it again later")]
    Store(#[source] Arc<sqlx::Error>),
    /// The server ends.
    #[error("the server is stopping: send the batch again later")]
    Stopping,
}

/// The answer to a batch that was stored.
pub(crate) type Appended = Result<Accepted, AppendError>;

/// A batch and who waits for its end.
pub(super) struct Job {
    device_id: String,
    batch: NewBatch,
    answer: oneshot::Sender<Appended>,
}

impl Store {
    /// Stores a batch of `device_id`, durably, once. Returns when it is.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub(crate) async fn append(&self, device_id: &str, batch: NewBatch) -> Appended {
        let (answer, answered) = oneshot::channel();
        let job = Job { device_id: device_id.to_owned(), batch, answer };
        self.appends.try_send(job).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => AppendError::Busy,
            mpsc::error::TrySendError::Closed(_) => AppendError::Stopping,
        })?;
        answered.await.unwrap_or(Err(AppendError::Stopping))
    }

    /// Batches that wait to be stored.
    pub fn waiting(&self) -> usize {
        self.appends.max_capacity() - self.appends.capacity()
    }
}

/// Starts `count` writers on one queue.
pub(super) fn start(
    db: &Db,
    vault: &Vault,
    jobs: mpsc::Receiver<Job>,
    stopped: &watch::Receiver<bool>,
    count: usize,
) -> Vec<JoinHandle<()>> {
    let jobs = Arc::new(Mutex::new(jobs));
    let writer = |_| tokio::spawn(run(db.clone(), vault.clone(), Arc::clone(&jobs), stopped.clone()));
    (0..count).map(writer).collect()
}

/// Some jobs, as many as wait; none when the store is closed and the queue is empty.
async fn next_group(jobs: &Mutex<mpsc::Receiver<Job>>, stopped: &mut watch::Receiver<bool>) -> Vec<Job> {
    let mut group = Vec::new();
    let mut jobs = jobs.lock().await;
    tokio::select! {
        biased;
        _ = jobs.recv_many(&mut group, MAX_GROUP) => {}
        () = async { drop(stopped.wait_for(|stopped| *stopped).await) } => {
            // No more are let in; those that are in are stored.
            jobs.close();
            jobs.recv_many(&mut group, MAX_GROUP).await;
        }
    }
    group
}

async fn run(
    db: Db,
    vault: Vault,
    jobs: Arc<Mutex<mpsc::Receiver<Job>>>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let mut group = next_group(&jobs, &mut stopped).await;
        if group.is_empty() {
            return;
        }
        // One order for all writers: two that lock the same streams never wait for each other in a ring.
        group.sort_by(|a, b| {
            (&a.device_id, &a.batch.head.stream_id).cmp(&(&b.device_id, &b.batch.head.stream_id))
        });
        match store_all(&db, &vault, &group).await {
            Ok(answers) => answer(group, answers),
            Err(error) if group.len() == 1 => {
                tracing::error!(%error, "a batch could not be stored");
                answer(group, vec![Err(AppendError::Store(Arc::new(error)))]);
            }
            // One of them may be at fault: each by itself.
            Err(_) => {
                for job in group {
                    let job = vec![job];
                    let answers = store_all(&db, &vault, &job).await.unwrap_or_else(|error| {
                        tracing::error!(%error, "a batch could not be stored");
                        vec![Err(AppendError::Store(Arc::new(error)))]
                    });
                    answer(job, answers);
                }
            }
        }
    }
}

fn answer(jobs: Vec<Job>, answers: Vec<Appended>) {
    for (job, answer) in jobs.into_iter().zip(answers) {
        // Who asked may have gone; it will ask again.
        let _ = job.answer.send(answer);
    }
}

async fn store_all(db: &Db, vault: &Vault, jobs: &[Job]) -> Result<Vec<Appended>, sqlx::Error> {
    let now = now_ms();
    let mut tx = db.begin().await?;
    let mut answers = Vec::with_capacity(jobs.len());
    let mut rows = Vec::new();
    for job in jobs {
        answers.push(take(&mut tx, vault, job, now, &mut rows).await?);
    }
    match &mut tx {
        Tx::Sqlite(tx) => sqlite::insert_records(tx, &rows).await?,
        Tx::Postgres(tx) => postgres::insert_records(tx, &rows).await?,
    }
    tx.commit().await?;
    Ok(answers)
}

/// A row of `records`.
pub(super) struct RecordRow<'a> {
    pub(super) device_id: &'a str,
    pub(super) stream_id: &'a str,
    pub(super) sequence: i64,
    pub(super) received_ms: i64,
    pub(super) recorded_ms: i64,
    pub(super) kind: &'a str,
    pub(super) body: &'a str,
}

/// Where a stream stands.
struct Stream {
    high_water: i64,
    lost: i64,
    unreadable: i64,
}

/// Moves one stream on; its new records are added to `rows`.
async fn take<'a>(
    tx: &mut Tx,
    vault: &Vault,
    job: &'a Job,
    now: i64,
    rows: &mut Vec<RecordRow<'a>>,
) -> Result<Appended, sqlx::Error> {
    let (device, head) = (job.device_id.as_str(), &job.batch.head);
    let stream = stream(tx, device, head, now).await?;
    let Some((fresh, high_water)) = continuation(&job.batch, stream.high_water) else {
        return Ok(Err(AppendError::Gap { expected: stream.high_water as u64 + 1 }));
    };
    let skew = (head.sent_unix_ms as i64).saturating_sub(now);
    let known = devices::locked(tx, device).await?;
    let clock = DeviceClock { skew_ms: skew, now_ms: now };
    let erased = known.erased_ms.unwrap_or(i64::MIN);
    let begin = job.batch.records.len() - fresh;
    let fresh_records = &job.batch.records[begin..];
    let mut unreadable = 0;
    for record in fresh_records {
        unreadable += i64::from(record.kind == crate::ingest::UNREADABLE);
        if clock.on_server(record.recorded_ms) > erased {
            rows.push(RecordRow {
                device_id: device,
                stream_id: &head.stream_id,
                sequence: record.sequence as i64,
                received_ms: now,
                recorded_ms: record.recorded_ms,
                kind: &record.kind,
                body: &record.body,
            });
        }
    }
    keys::seal_texts(tx, vault, device, fresh_records, erased, &clock).await?;
    let lost = new_losses(&head.lost, stream.high_water);
    for range in &lost {
        tx.run(
            "insert into losses (device_id, stream_id, first_sequence, last_sequence, reason, reported_ms) \
             values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
            values![
                device,
                &head.stream_id,
                range.first_sequence,
                range.last_sequence,
                reason(range.reason),
                now
            ],
        )
        .await?;
    }
    let lost: u64 = lost.iter().map(LostRange::count).sum();
    tx.run(
        "update streams set high_water = $1, lost = $2, unreadable = $3, schema_version = $4, last_ms = $5 \
         where device_id = $6 and stream_id = $7",
        values![
            high_water,
            stream.lost + lost as i64,
            stream.unreadable + unreadable,
            i64::from(head.schema_version),
            now,
            device,
            &head.stream_id
        ],
    )
    .await?;
    tx.run(
        "update devices set last_seen_ms = $1, clock_skew_ms = $2 where device_id = $3",
        values![now, skew, device],
    )
    .await?;
    Ok(Ok(Accepted {
        high_water: high_water as u64,
        stored: fresh as u64,
        duplicates: begin as u64,
        unreadable: unreadable as u64,
    }))
}

/// The stream's row, locked; made if this is its first batch.
async fn stream(
    tx: &mut Tx,
    device: &str,
    head: &earwitness_telemetry::BatchHead,
    now: i64,
) -> Result<Stream, sqlx::Error> {
    let select = format!(
        "select high_water, lost, unreadable from streams where device_id = $1 and stream_id = $2{}",
        tx.for_update()
    );
    let key = || values![device, &head.stream_id];
    let mut row = tx.row(select.clone(), key()).await?;
    if row.is_none() {
        tx.run(
            "insert into streams \
             (device_id, stream_id, high_water, derived_to, lost, unreadable, schema_version, first_ms, last_ms) \
             values ($1, $2, 0, 0, 0, 0, $3, $4, $4) on conflict do nothing",
            values![device, &head.stream_id, i64::from(SCHEMA_VERSION), now],
        )
        .await?;
        row = tx.row(select, key()).await?;
    }
    let row = row.ok_or(sqlx::Error::RowNotFound)?;
    Ok(Stream { high_water: row.int(0)?, lost: row.int(1)?, unreadable: row.int(2)? })
}

/// From a device's clock to the server's.
pub(super) struct DeviceClock {
    /// The device's less the server's, ms.
    pub(super) skew_ms: i64,
    pub(super) now_ms: i64,
}

/// Below it a skew is the time that a batch took to come, ms.
const LEAST_SKEW_MS: i64 = 60_000;

impl DeviceClock {
    /// When that was by the server's clock: never later than now. Decides about erasures; what is shown is the device's.
    pub(super) fn on_server(&self, device_ms: i64) -> i64 {
        let skew = if self.skew_ms.abs() < LEAST_SKEW_MS { 0 } else { self.skew_ms };
        device_ms.saturating_sub(skew).min(self.now_ms)
    }
}

/// How many records at the batch's end are new, and the high-water mark after it; `None` if the batch leaves a hole.
///
/// The batch's records, and its lost ranges, cover sequences. The mark moves over what is covered without a hole from
/// where it stands.
fn continuation(batch: &NewBatch, high_water: i64) -> Option<(usize, i64)> {
    let mut covered: Vec<(i64, i64)> = batch
        .head
        .lost
        .iter()
        .map(|range| (range.first_sequence as i64, range.last_sequence as i64))
        .collect();
    let first = batch.head.first_sequence as i64;
    let last = first + batch.records.len() as i64 - 1;
    if last >= first {
        covered.push((first, last));
    }
    covered.sort_unstable();
    let mut mark = high_water;
    for (begin, end) in covered {
        if end <= mark {
            continue;
        }
        if begin > mark + 1 {
            return None;
        }
        mark = end;
    }
    let fresh = (last - high_water.max(first - 1)).max(0);
    Some((fresh as usize, mark))
}

/// The parts of `lost` beyond the mark: the others were counted when they were reported.
fn new_losses(lost: &[LostRange], high_water: i64) -> Vec<LostRange> {
    let mark = high_water as u64;
    let beyond = lost.iter().filter(|range| range.last_sequence > mark);
    beyond.map(|range| LostRange { first_sequence: range.first_sequence.max(mark + 1), ..*range }).collect()
}

/// As in the table.
pub(super) fn reason(reason: LossReason) -> &'static str {
    match reason {
        LossReason::SizeCap => "size_cap",
        LossReason::AgeCap => "age_cap",
        LossReason::DiskFull => "disk_full",
        LossReason::Corrupt => "corrupt",
        LossReason::Unknown => "unknown",
    }
}
