//! The process is killed again and again while it records and sends: what it told is there, once, as it was.

#![cfg(all(feature = "telemetry", unix))]

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use earwitness::telemetry::{BatchHead, Record, RecordLine, SessionRecord};
use earwitness::uplink::journal::{Batch, FolderDisk, Journal, JournalOptions, SyncPolicy};
use serde::Deserialize;

/// Where the child works, and under which policy.
const FOLDER: &str = "EARWITNESS_TEST_JOURNAL";
const POLICY: &str = "EARWITNESS_TEST_POLICY";
const NOW: u64 = 1_764_000_000_000;

#[derive(Deserialize)]
struct Body {
    #[serde(flatten)]
    head: BatchHead,
    records: Vec<RecordLine>,
}

fn body_of(batch: &Batch) -> Body {
    serde_json::from_slice(&zstd::bulk::decompress(&batch.wire, 8 << 20).unwrap()).unwrap()
}

fn line(id: &str) -> RecordLine {
    // Long enough for segments to come and go.
    let session =
        SessionRecord { session_id: id.to_owned(), engine: id.repeat(60), ..SessionRecord::default() };
    RecordLine { recorded_unix_ms: NOW, record: Record::Session(session), consented: None }
}

fn id_of(line: &RecordLine) -> String {
    let Record::Session(session) = &line.record else { panic!("a record of another kind") };
    assert_eq!(session.engine, session.session_id.repeat(60), "the payload is whole");
    session.session_id.clone()
}

fn open(folder: &Path, policy: &str) -> Journal {
    let sync = match policy {
        "every" => SyncPolicy::EveryRecord,
        "interval" => SyncPolicy::Interval { interval_ms: 5 },
        _ => SyncPolicy::Never,
    };
    let disk = FolderDisk::open(&folder.join("journal")).unwrap();
    Journal::open(JournalOptions { sync, max_bytes: 64 << 20, ..JournalOptions::default() }, disk).unwrap()
}

/// A server in one file: a line for each record that it stored, `sequence id`, and one for each loss.
struct Store {
    file: File,
    mark: u64,
}

impl Store {
    fn path(folder: &Path) -> PathBuf {
        folder.join("server.log")
    }

    /// What a kill cut off was not stored.
    fn read(folder: &Path) -> (u64, Vec<(u64, String)>) {
        let text = fs::read_to_string(Self::path(folder)).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        let entry = |line: &str| {
            let (sequence, id) = line.split_once(' ').unwrap();
            (sequence.parse().unwrap(), id.to_owned())
        };
        (whole.len() as u64, whole.lines().map(entry).collect())
    }

    fn open(folder: &Path) -> Self {
        let (whole, entries) = Self::read(folder);
        let file = OpenOptions::new().create(true).append(true).open(Self::path(folder)).unwrap();
        file.set_len(whole).unwrap();
        Self { file, mark: entries.last().map_or(0, |(sequence, _)| *sequence) }
    }

    fn take(&mut self, batch: &Batch) -> u64 {
        let Body { head, records } = body_of(batch);
        let lost =
            head.lost.iter().flat_map(|r| r.first_sequence..=r.last_sequence).map(|n| (n, "lost".to_owned()));
        let records = (head.first_sequence..).zip(records.iter().map(id_of));
        for (sequence, id) in lost.chain(records) {
            if sequence > self.mark {
                assert_eq!(sequence, self.mark + 1, "no hole");
                self.mark = sequence;
                self.file.write_all(format!("{sequence} {id}\n").as_bytes()).unwrap();
            }
        }
        self.mark
    }
}

/// The child: records, tells, and now and then sends. It never ends by itself.
#[test]
#[ignore = "the child of the test below, which starts and kills it"]
fn child() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).expect("the parent sets it"));
    let journal = open(&folder, &std::env::var(POLICY).unwrap());
    let mut store = Store::open(&folder);
    let mut told = std::io::stdout();
    let run = std::process::id();
    for n in 0_u64.. {
        let id = format!("{run}-{n}");
        let sequence = journal.append(&line(&id), NOW + n).unwrap();
        told.write_all(format!("told {sequence} {id}\n").as_bytes()).unwrap();
        if n % 5 == 0 {
            journal.sync_due(NOW + n).unwrap();
        }
        if n % 97 == 50 {
            let batch = journal.next_batch_of(60, NOW + n).unwrap().unwrap();
            journal.acknowledge(store.take(&batch)).unwrap();
        }
    }
}

fn run_and_kill(folder: &Path, policy: &str, after: Duration) -> Vec<(u64, String)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env(POLICY, policy)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).split(b'\n');
    let mut told = Vec::new();
    let mut hear = |line: Vec<u8>| {
        let line = String::from_utf8(line).unwrap();
        // libtest's own words may stand before the first one.
        if let Some((sequence, id)) = line.split_once("told ").and_then(|(_, rest)| rest.split_once(' ')) {
            told.push((sequence.parse().unwrap(), id.to_owned()));
        }
    };
    // From the first word on: before that there is nothing to lose.
    for line in lines.by_ref().map_while(Result::ok) {
        let begun = line.windows(5).any(|w| w == b"told ");
        hear(line);
        if begun {
            break;
        }
    }
    let reader = std::thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>());
    std::thread::sleep(after);
    // SIGKILL.
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
    let mut rest = reader.join().unwrap();
    // The last line may be cut.
    rest.pop();
    rest.into_iter().for_each(&mut hear);
    told
}

#[test]
fn sixty_kills_lose_no_record_and_store_none_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut rng = fastrand::Rng::with_seed(17);
    let mut told: BTreeMap<u64, String> = BTreeMap::new();
    let kills = 60;
    for n in 0..kills {
        let policy = ["never", "interval", "every"][n % 3];
        for (sequence, id) in run_and_kill(folder.path(), policy, Duration::from_micros(rng.u64(0..60_000))) {
            let before = told.insert(sequence, id);
            assert_eq!(before, None, "{sequence} was told twice");
        }
    }
    assert!(told.len() > kills, "only {} records flowed", told.len());
    // Then it is left in peace until all is sent.
    let journal = open(folder.path(), "never");
    let mut store = Store::open(folder.path());
    while let Some(batch) = journal.next_batch(NOW).unwrap() {
        journal.acknowledge(store.take(&batch)).unwrap();
    }
    let last = journal.stats().last_sequence;
    let (_, stored) = Store::read(folder.path());
    assert!(stored.iter().map(|(sequence, _)| *sequence).eq(1..=last), "each sequence once, in order");
    let stored: BTreeMap<u64, String> = stored.into_iter().collect();
    let missing: Vec<_> = told.iter().filter(|(sequence, id)| stored.get(sequence) != Some(id)).collect();
    assert!(missing.is_empty(), "{} of {} told are not there: {missing:?}", missing.len(), told.len());
    let lost = stored.values().filter(|id| *id == "lost").count();
    assert_eq!(journal.stats().lost, lost as u64);
    eprintln!("{kills} kills, {} records told, {last} stored, {lost} torn and reported", told.len());
}
