//! What a journal promises, on a disk that keeps only what it promised.

mod fake_disk;
mod model;
mod server;

use super::segment::HEADER_BYTES;
use super::state::STATE_FILE;
use super::*;
use crate::telemetry::limits::{MAX_BATCH_RECORDS, MAX_RECORD_BYTES};
use crate::telemetry::{LossReason, LostRange, Record, RecordLine, SessionRecord};
use fake_disk::FakeDisk;
use server::{FakeServer, Known, body_of};

/// 2025-11-24.
const NOW: u64 = 1_764_000_000_000;
const DAY: u64 = 86_400_000;

/// A record that says who it is and is about `bytes` long.
fn line(id: &str, bytes: usize) -> RecordLine {
    let session =
        SessionRecord { session_id: id.to_owned(), engine: "e".repeat(bytes), ..SessionRecord::default() };
    RecordLine { recorded_unix_ms: NOW, record: Record::Session(session), consented: None }
}

fn id_of(line: &RecordLine) -> String {
    match &line.record {
        Record::Session(session) => session.session_id.clone(),
        other => panic!("a record of kind {}", other.kind()),
    }
}

fn never() -> JournalOptions {
    JournalOptions { sync: SyncPolicy::Never, max_bytes: 1 << 20, ..JournalOptions::default() }
}

fn open(disk: &FakeDisk) -> Journal {
    Journal::open(never(), disk.clone()).unwrap()
}

fn append(journal: &Journal, ids: std::ops::RangeInclusive<u64>) {
    append_sized(journal, ids, 0);
}

fn append_sized(journal: &Journal, ids: std::ops::RangeInclusive<u64>, bytes: usize) {
    for id in ids {
        assert_eq!(journal.append(&line(&id.to_string(), bytes), NOW).unwrap(), id);
    }
}

fn range(first_sequence: u64, last_sequence: u64, reason: LossReason) -> LostRange {
    LostRange { first_sequence, last_sequence, reason }
}

#[test]
fn records_come_in_order_until_they_are_acknowledged() {
    let disk = FakeDisk::new();
    let journal = open(&disk);
    assert_eq!(journal.next_batch(NOW).unwrap(), None);
    append(&journal, 1..=2_500);
    let first = journal.next_batch(NOW).unwrap().unwrap();
    assert_eq!(
        (first.head.first_sequence, first.records, first.last_sequence()),
        (1, MAX_BATCH_RECORDS, 1_000)
    );
    assert_eq!(journal.next_batch(NOW).unwrap().unwrap(), first, "until it is acknowledged");
    let few = journal.next_batch_of(3, NOW).unwrap().unwrap();
    assert_eq!((few.records, id_of(&body_of(&few).records[2])), (3, "3".into()));
    let mut server = FakeServer::default();
    server.drain(&journal);
    assert_eq!((server.mark, server.lost()), (2_500, vec![]));
    let stats = journal.stats();
    assert_eq!((stats.records, stats.bytes, stats.lost, stats.high_water), (0, 0, 0, 2_500));
    assert_eq!(disk.segments(), Vec::<String>::new(), "nothing stays of what was sent");
    append(&journal, 2_501..=2_501);
    assert_eq!(journal.stats().records, 1);
}

#[test]
fn only_what_is_durable_is_offered() {
    let disk = FakeDisk::new();
    let journal = open(&disk);
    append(&journal, 1..=5);
    disk.world().failing_syncs = 1;
    assert!(journal.next_batch(NOW).is_err(), "nothing is durable");
    let batch = journal.next_batch(NOW).unwrap().unwrap();
    // Whatever a loss of power takes now, these five are not in it.
    for seed in 0..50 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let disk = disk.lose_power(&mut rng);
        let journal = open(&disk);
        let again = journal.next_batch(NOW).unwrap().unwrap();
        assert_eq!(body_of(&again).records, body_of(&batch).records);
    }
}

#[test]
fn what_a_failed_sync_dropped_is_written_anew() {
    let disk = FakeDisk::new();
    let journal = open(&disk);
    append(&journal, 1..=3);
    disk.world().failing_syncs = 1;
    assert!(journal.sync().is_err());
    append(&journal, 4..=4);
    journal.sync().unwrap();
    let disk = disk.lose_power(&mut fastrand::Rng::with_seed(1));
    let mut server = FakeServer::default();
    server.drain(&open(&disk));
    assert_eq!((server.mark, server.lost()), (4, vec![]));
}

#[test]
fn each_policy_syncs_when_it_says() {
    let disk = FakeDisk::new();
    let syncs = |disk: &FakeDisk| disk.world().syncs;
    let with = |sync| Journal::open(JournalOptions { sync, ..never() }, FakeDisk::clone(&disk)).unwrap();
    let every = with(SyncPolicy::EveryRecord);
    let begin = syncs(&disk);
    append(&every, 1..=10);
    assert!(syncs(&disk) - begin >= 10);
    assert!(!every.sync_due(NOW + DAY).unwrap());
    drop(every);

    let grouped = with(SyncPolicy::Interval { interval_ms: 500 });
    let begin = syncs(&disk);
    append(&grouped, 11..=20);
    assert_eq!(syncs(&disk), begin);
    assert!(!grouped.sync_due(NOW + 499).unwrap() && grouped.sync_due(NOW + 500).unwrap());
    assert!(!grouped.sync_due(NOW + 5_000).unwrap(), "nothing is new");
    append(&grouped, 21..=21);
    assert!(grouped.sync_due(NOW - 1).unwrap(), "a clock that jumps back");
    drop(grouped);

    let never = with(SyncPolicy::Never);
    let begin = syncs(&disk);
    append(&never, 22..=30);
    assert!(!never.sync_due(NOW + DAY).unwrap());
    assert_eq!(syncs(&disk), begin);
}

#[test]
fn the_size_cap_takes_the_oldest_and_reports_them() {
    let disk = FakeDisk::new();
    let journal = open(&disk);
    append_sized(&journal, 1..=400, 5_000);
    let stats = journal.stats();
    assert!(stats.bytes <= 1 << 20 && stats.bytes > 900_000, "{} bytes", stats.bytes);
    assert_eq!(stats.records + stats.lost, 400);
    let mut server = FakeServer::default();
    let first = journal.next_batch(NOW).unwrap().unwrap();
    assert_eq!(first.head.lost, [range(1, stats.lost, LossReason::SizeCap)]);
    server.drain(&journal);
    assert_eq!((server.mark, server.lost().len() as u64), (400, stats.lost));
    assert!(server.lost().into_iter().map(|(n, _)| n).eq(1..=stats.lost), "only the oldest");
}

#[test]
fn the_age_cap_spares_what_is_younger_and_clocks_that_were_never_set() {
    let disk = FakeDisk::new();
    let journal = open(&disk);
    let at = |id: u64, now| journal.append(&line(&id.to_string(), 0), now).unwrap();
    assert_eq!((at(1, 1_000), at(2, 2_000)), (1, 2));
    // The clock is set: what was written before counts from now.
    assert_eq!(at(3, NOW), 3);
    at(4, NOW + 80 * DAY);
    at(5, NOW + 89 * DAY);
    assert_eq!(journal.stats().lost, 0);
    let batch = journal.next_batch(NOW + 94 * DAY).unwrap().unwrap();
    assert_eq!(batch.head.lost, [range(1, 3, LossReason::AgeCap)]);
    assert_eq!((batch.head.first_sequence, batch.records), (4, 2));
    // A clock that jumps back makes nothing old.
    assert_eq!(journal.next_batch(5).unwrap().unwrap().records, 2);
    let batch = journal.next_batch(NOW + 300 * DAY).unwrap().unwrap();
    assert_eq!((batch.head.lost, batch.records), (vec![range(1, 5, LossReason::AgeCap)], 0));
    journal.acknowledge(5).unwrap();
    assert_eq!(at(6, NOW + 300 * DAY), 6);
}

#[test]
fn a_full_disk_takes_the_oldest_segment_then_the_new_record() {
    let disk = FakeDisk::new();
    let journal = open(&disk);
    disk.world().capacity = Some(200_000);
    append_sized(&journal, 1..=60, 5_000);
    let stats = journal.stats();
    assert!(stats.lost > 0 && stats.records + stats.lost == 60);
    // Something else fills the disk.
    disk.world().capacity = Some(0);
    let mut lost = 0;
    for id in 61..=70 {
        match journal.append(&line(&id.to_string(), 5_000), NOW) {
            Err(JournalError::Lost { sequence, source }) => {
                assert!(sequence == id && is_full(&source));
                lost += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    disk.world().capacity = None;
    assert_eq!(journal.append(&line("71", 0), NOW).unwrap(), 71);
    let mut server = FakeServer::default();
    server.drain(&journal);
    assert!(server.lost().iter().all(|(_, reason)| *reason == LossReason::DiskFull));
    assert_eq!(server.lost().len() as u64, journal.stats().lost);
    assert!(lost == 10 && server.stored[&71] == Known::Record("71".into()));
}

#[test]
fn a_full_disk_does_not_stop_the_upload() {
    let disk = FakeDisk::new();
    let journal = open(&disk);
    append(&journal, 1..=10);
    disk.world().capacity = Some(0);
    let batch = journal.next_batch(NOW).unwrap().unwrap();
    assert_eq!(batch.records, 10);
    assert!(journal.acknowledge(10).is_err(), "the state cannot be written");
    assert_eq!(journal.next_batch(NOW).ok().flatten(), None, "and yet it holds");
    disk.world().capacity = None;
    append(&journal, 11..=11);
    assert_eq!(journal.next_batch(NOW).unwrap().unwrap().head.first_sequence, 11);
}

#[test]
fn bit_rot_costs_the_record_it_hits() {
    let disk = FakeDisk::new();
    append(&open(&disk), 1..=20);
    let name = disk.segments()[0].clone();
    let whole = disk.bytes(&name);
    for at in (HEADER_BYTES..whole.len()).step_by(7) {
        let rotten = FakeDisk::new();
        let mut bytes = whole.clone();
        bytes[at] ^= 0x20;
        rotten.put(&name, &bytes);
        rotten.put(STATE_FILE, &disk.bytes(STATE_FILE));
        let mut server = FakeServer::default();
        server.drain(&open(&rotten));
        assert!(server.mark == 20 && server.lost().len() == 1, "byte {at}: {:?}", server.lost());
        assert_eq!(server.lost()[0].1, LossReason::Corrupt);
    }
}

#[test]
fn a_damaged_state_costs_no_record() {
    for state in [&b""[..], b"12345678\n{}\n"] {
        let disk = FakeDisk::new();
        let journal = open(&disk);
        append(&journal, 1..=30);
        let mut server = FakeServer::default();
        let batch = journal.next_batch_of(10, NOW).unwrap().unwrap();
        journal.acknowledge(server.take(&batch).unwrap()).unwrap();
        let stream = journal.stats().stream_id;
        drop(journal);
        disk.put(STATE_FILE, state);
        let journal = open(&disk);
        assert_eq!(journal.stats().stream_id, stream);
        append(&journal, 31..=31);
        server.drain(&journal);
        assert_eq!((server.mark, server.lost()), (31, vec![]));
    }
}

#[test]
fn a_deleted_journal_comes_back_as_another_stream() {
    let (one, other) = (open(&FakeDisk::new()).stats(), open(&FakeDisk::new()).stats());
    assert_ne!(one.stream_id, other.stream_id);
    assert_eq!((one.stream_id.len(), one.last_sequence), (32, 0));
}

#[test]
fn a_server_that_forgot_gets_again_what_is_there_and_learns_what_is_not() {
    let disk = FakeDisk::new();
    let journal = open(&disk);
    let mut server = FakeServer::default();
    append(&journal, 1..=10);
    server.drain(&journal);
    append(&journal, 11..=30);
    let batch = journal.next_batch_of(5, NOW).unwrap().unwrap();
    journal.acknowledge(server.take(&batch).unwrap()).unwrap();
    server.forget(8);
    server.drain(&journal);
    assert_eq!(server.mark, 30);
    let gone: Vec<_> = (8..=10).map(|n| (n, LossReason::Unknown)).collect();
    assert_eq!(server.lost(), gone, "11 to 15 were still there");
}

#[test]
fn a_journal_from_a_backup_goes_on_behind_the_server() {
    let disk = FakeDisk::new();
    let journal = open(&disk);
    append(&journal, 1..=5);
    journal.acknowledge(400).unwrap();
    assert_eq!(journal.append(&line("x", 0), NOW).unwrap(), 401);
    journal.acknowledge(u64::MAX).unwrap();
    assert_eq!(journal.stats().high_water, 400, "no server has this many");
}

#[test]
fn what_the_server_refuses_for_good_is_reported_and_passed_over() {
    let disk = FakeDisk::new();
    let journal = open(&disk);
    append(&journal, 1..=9);
    journal.give_up(4, 4).unwrap();
    let mut server = FakeServer::default();
    server.drain(&journal);
    assert_eq!((server.mark, server.lost()), (9, vec![(4, LossReason::Unknown)]));
}

#[test]
fn sealed_records_show_nothing_and_open_with_their_key_only() {
    let folder = tempfile::tempdir().unwrap();
    let key = |name: &str| {
        let path = folder.path().join(name);
        crate::uplink::spool::atomic_write(&path, SpoolKey::generate().as_bytes()).unwrap();
        SpoolKey::from_file(&path).unwrap()
    };
    let (ours, another) = (key("a"), key("b"));
    let disk = FakeDisk::new();
    let with =
        |key: Option<&SpoolKey>| Journal::open(JournalOptions { key: key.cloned(), ..never() }, disk.clone());
    append(&with(None).unwrap(), 1..=2);
    append(&with(Some(&ours)).unwrap(), 3..=3);
    let bytes = disk.bytes(&disk.segments()[0]);
    let shown = |id: &str| bytes.windows(id.len()).any(|w| w == id.as_bytes());
    assert!(shown("\"session_id\":\"2\"") && !shown("\"session_id\":\"3\""));
    assert!(matches!(with(None), Err(JournalError::Sealed)));
    assert!(matches!(with(Some(&another)), Err(JournalError::Sealed)));
    let journal = with(Some(&ours)).unwrap();
    let mut server = FakeServer::default();
    server.drain(&journal);
    assert_eq!((server.mark, server.lost()), (3, vec![]), "what was not sealed stays readable");
}

#[test]
fn a_record_that_a_server_would_refuse_gets_no_sequence() {
    let journal = open(&FakeDisk::new());
    let refused = journal.append(&line("big", MAX_RECORD_BYTES), NOW);
    assert!(matches!(refused, Err(JournalError::TooLarge { .. })));
    append(&journal, 1..=1);
}

#[test]
fn a_batch_stays_below_its_limits() {
    let journal = Journal::open(JournalOptions { max_bytes: 64 << 20, ..never() }, FakeDisk::new()).unwrap();
    let mut rng = fastrand::Rng::with_seed(3);
    for id in 1..=300_u64 {
        // Hardly compressible.
        let noise: String = (0..60_000).map(|_| rng.alphanumeric()).collect();
        journal.append(&line(&format!("{id} {noise}"), 0), NOW).unwrap();
    }
    let mut server = FakeServer::default();
    server.drain(&journal);
    assert_eq!((server.mark, server.lost()), (300, vec![]));
}

#[test]
fn two_threads_may_use_it() {
    let journal =
        Journal::open(JournalOptions { sync: SyncPolicy::EveryRecord, ..never() }, FakeDisk::new()).unwrap();
    let mut server = FakeServer::default();
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|n| {
                let journal = &journal;
                scope.spawn(move || {
                    for i in 0..300 {
                        journal.append(&line(&format!("{n}-{i}"), 100), NOW).unwrap();
                    }
                })
            })
            .collect();
        while writers.iter().any(|writer| !writer.is_finished()) {
            server.drain(&journal);
        }
    });
    server.drain(&journal);
    assert_eq!((server.mark, server.lost()), (600, vec![]));
    for n in 0..2 {
        let order: Vec<usize> = server
            .stored
            .values()
            .filter_map(|known| match known {
                Known::Record(id) => id.strip_prefix(&format!("{n}-"))?.parse().ok(),
                Known::Lost(_) => None,
            })
            .collect();
        assert_eq!(order, (0..300).collect::<Vec<_>>());
    }
}

#[test]
fn a_folder_is_private_and_for_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("journal");
    let open = || Journal::open(JournalOptions::default(), FolderDisk::open(&place)?);
    let journal = open().unwrap();
    append(&journal, 1..=3);
    assert!(matches!(open(), Err(JournalError::InUse(_))));
    drop(journal);
    std::fs::write(place.join("state.json.part"), b"cut").unwrap();
    let journal = open().unwrap();
    assert!(!place.join("state.json.part").exists());
    append(&journal, 4..=4);
    let mut server = FakeServer::default();
    server.drain(&journal);
    assert_eq!(server.mark, 4);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        append(&journal, 5..=5);
        let mode = |name: &str| std::fs::metadata(place.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(""), mode("state.json"), mode(&segment::file_name(5))), (0o700, 0o600, 0o600));
    }
}
