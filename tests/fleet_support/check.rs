//! What must hold in the store, read with its own SQL.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use sqlx::{AssertSqlSafe, PgPool, SqlitePool};

use super::oracle::{self, Told};
use super::plan::{Device, End, Kind, Plan};

pub enum Db {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

macro_rules! rows {
    ($db:expr, $sql:expr) => {{
        let sql: String = $sql;
        match $db {
            Db::Sqlite(pool) => sqlx::query_as(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap(),
            Db::Postgres(pool) => sqlx::query_as(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap(),
        }
    }};
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Records of which `append` said that they are kept.
    pub told: u64,
    /// Records that `append` said are lost.
    pub told_lost: u64,
    pub stored: u64,
    /// Stored although a kill came before they could be told.
    pub untold: u64,
    /// Lost records by the reason that was reported.
    pub lost: BTreeMap<String, u64>,
    /// Records that a journal counts as lost and that had arrived: given up while they were on their way.
    pub arrived: BTreeMap<Kind, u64>,
    /// Of those that were told as kept: lost to caps and full disks.
    pub capped: u64,
    pub rolled_up: u64,
}

/// A stream's row and what belongs to it.
struct Stream {
    device_id: String,
    stream_id: String,
    high_water: u64,
    lost: u64,
    /// First and last sequence, reason.
    losses: Vec<(u64, u64, String)>,
}

impl Stream {
    fn lost_count(&self) -> u64 {
        self.losses.iter().map(|(first, last, _)| last - first + 1).sum()
    }

    fn is_lost(&self, sequence: u64) -> bool {
        let at = self.losses.partition_point(|(_, last, _)| *last < sequence);
        self.losses.get(at).is_some_and(|(first, _, _)| *first <= sequence)
    }
}

impl Db {
    pub async fn open(store: Option<&str>, sqlite_file: &Path) -> Self {
        match store {
            Some(url) => Self::Postgres(PgPool::connect(url).await.unwrap()),
            None => {
                let file = sqlx::sqlite::SqliteConnectOptions::new().filename(sqlite_file).read_only(true);
                Self::Sqlite(SqlitePool::connect_with(file).await.unwrap())
            }
        }
    }

    pub async fn close(self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }

    /// Records that are not yet in the roll-ups.
    pub async fn behind(&self) -> i64 {
        let sql = "select cast(coalesce(sum(high_water - derived_to), 0) as bigint) from streams";
        let sums: Vec<(i64,)> = rows!(self, sql.to_owned());
        sums[0].0
    }

    async fn streams(&self) -> Vec<Stream> {
        let rows: Vec<(String, String, i64, i64)> = rows!(
            self,
            "select device_id, stream_id, high_water, lost from streams order by device_id".to_owned()
        );
        let mut streams = Vec::new();
        for (device_id, stream_id, high_water, lost) in rows {
            let losses: Vec<(i64, i64, String)> = rows!(
                self,
                format!(
                    "select first_sequence, last_sequence, reason from losses \
                     where device_id = '{device_id}' and stream_id = '{stream_id}' order by first_sequence"
                )
            );
            let losses = losses.into_iter().map(|(a, b, reason)| (a as u64, b as u64, reason)).collect();
            let (high_water, lost) = (high_water as u64, lost as u64);
            streams.push(Stream { device_id, stream_id, high_water, lost, losses });
        }
        streams
    }

    /// Sequence and name of each record of a stream, in order.
    async fn records(&self, stream: &Stream) -> Vec<(i64, String)> {
        let name = match self {
            Self::Sqlite(_) => "json_extract(body, '$.utterance_id')",
            Self::Postgres(_) => "body::json->>'utterance_id'",
        };
        let (device, stream) = (&stream.device_id, &stream.stream_id);
        rows!(
            self,
            format!(
                "select sequence, {name} from records \
                 where device_id = '{device}' and stream_id = '{stream}' and kind = 'utterance' order by sequence"
            )
        )
    }

    async fn count(&self, what: &str) -> u64 {
        let counts: Vec<(i64,)> = rows!(self, format!("select {what}"));
        counts[0].0 as u64
    }

    /// Fails at the first thing that does not hold.
    pub async fn check(&self, plan: &Plan) -> Found {
        let mut found = Found::default();
        let streams = self.streams().await;
        let devices: Vec<&str> = streams.iter().map(|stream| stream.device_id.as_str()).collect();
        let planned: Vec<&str> = plan.devices.iter().map(|device| device.device_id.as_str()).collect();
        assert_eq!(devices, planned, "each device has one stream");
        for (stream, device) in streams.iter().zip(&plan.devices) {
            let records = self.records(stream).await;
            check_stream(plan, device, stream, &records, &mut found);
        }
        assert_eq!(
            self.count("count(*) from records").await,
            found.stored,
            "no record is of another kind or stream"
        );
        let rolled = "cast(coalesce(sum(utterances), 0) as bigint) from rollups where period_ms = 3600000";
        found.rolled_up = self.count(rolled).await;
        assert_eq!(found.rolled_up, found.stored, "the roll-ups count each stored record once");
        found
    }
}

fn check_stream(plan: &Plan, device: &Device, stream: &Stream, records: &[(i64, String)], found: &mut Found) {
    let name = &device.device_id;
    let end: End = serde_json::from_slice(&std::fs::read(plan.end(device)).unwrap()).unwrap();
    assert_eq!(stream.stream_id, end.stream_id, "{name}");

    assert!(records.windows(2).all(|two| two[0].0 < two[1].0), "{name}: a sequence is there twice");
    let names: HashSet<&str> = records.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names.len(), records.len(), "{name}: a record is there twice");

    let overlap = stream.losses.windows(2).any(|two| two[0].1 >= two[1].0);
    assert!(!overlap, "{name}: a loss is there twice: {:?}", stream.losses);
    let lost = stream.lost_count();
    assert_eq!(stream.high_water, end.last_sequence, "{name}: the server knows of all that was made");
    assert_eq!(end.high_water, end.last_sequence, "{name}: the device knows that");
    assert_eq!(
        records.len() as u64 + lost,
        stream.high_water,
        "{name} ({:?}): stored and lost are all, {:?}",
        device.kind,
        stream.losses
    );
    assert_eq!(stream.lost, lost, "{name}: the stream's count of losses");
    let counts =
        format!("{name} ({:?}): the device counts {} lost, the server {lost}", device.kind, end.lost);
    // What was given up while it was on its way counts on the device, and may have arrived.
    assert!(end.lost == lost || device.kind.may_lose() && end.lost > lost, "{counts}");
    check_told(plan, device, stream, records, found);
    if end.lost > lost {
        *found.arrived.entry(device.kind).or_default() += end.lost - lost;
    }
    found.stored += records.len() as u64;
    for (first, last, reason) in &stream.losses {
        *found.lost.entry(reason.clone()).or_default() += last - first + 1;
    }
}

/// What the device was told is there under its sequence, or is a reported loss that a cap or a full disk explains.
fn check_told(plan: &Plan, device: &Device, stream: &Stream, records: &[(i64, String)], found: &mut Found) {
    let name = &device.device_id;
    let stored: BTreeMap<u64, &str> =
        records.iter().map(|(sequence, name)| (*sequence as u64, name.as_str())).collect();
    let mut kept = 0;
    for told in oracle::read(&plan.oracle(device)) {
        match told {
            Told::Kept { n, sequence } => {
                found.told += 1;
                match stored.get(&sequence) {
                    Some(there) => {
                        assert_eq!(*there, format!("{name}-{n}"), "sequence {sequence} means one record");
                        kept += 1;
                    }
                    None => {
                        assert!(stream.is_lost(sequence), "{name}-{n} ({sequence}) is gone without a word");
                        let kind = device.kind;
                        assert!(
                            kind.may_lose(),
                            "{name}-{n} ({sequence}, {kind:?}) is lost: {:?}",
                            stream.losses
                        );
                        found.capped += 1;
                    }
                }
            }
            Told::Lost { .. } => found.told_lost += 1,
            Told::Unsure => {}
        }
    }
    found.untold += records.len() as u64 - kept;
}

#[cfg(test)]
mod tests;
