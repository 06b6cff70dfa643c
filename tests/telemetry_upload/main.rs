//! The uploader against a collection server on loopback that answers, fails and forgets as it is told.

#![cfg(feature = "telemetry")]

#[path = "../cloud_support/mod.rs"]
mod cloud_support;
mod embedded;
mod secrets;
mod server;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use cloud_support::{FakeCloud, Reply};
use earwitness::telemetry::LossReason;
use earwitness::uplink::collector::{ClipStore, Sent, UploadEvent, UploadOutcome, Uploader};
use earwitness::uplink::journal::{JournalOptions, SyncPolicy};

use server::*;

#[test]
fn records_arrive_whole_with_the_headers_of_the_contract() {
    let store = Arc::<Mutex<Store>>::default();
    let server = server(&store);
    let device = Device::new();
    device.records(2_345);
    let (uploader, events) = start(settings(&server), &device, None);
    wait_until("all is sent", || device.journal.stats().records == 0);
    device.record("late");
    uploader.wake();
    wait_until("the late one is sent", || store.lock().unwrap().mark == 2_346);
    assert!(uploader.flush(PATIENCE));
    let request = server.request(0);
    assert_eq!(request.line, "POST /base/api/v1/batches HTTP/1.1");
    assert_eq!(request.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("content-encoding"), Some("zstd"));
    let body = body_of(&request);
    assert_eq!((body.head.schema_version, body.head.first_sequence, body.records.len()), (1, 1, 1_000));
    assert_eq!(body.head.stream_id, device.journal.stats().stream_id);
    let store = store.lock().unwrap();
    assert_eq!((store.duplicates, store.ids()[0], store.ids()[2_345]), (0, Some("r1"), Some("late")));
    let events = events.lock().unwrap();
    let sent: Vec<_> = events.iter().map(|event| event.sent).collect();
    assert_eq!(sent, [1_000, 1_000, 345, 1].map(Sent::Records));
    let told = |e: &UploadEvent| e.host == server.address.to_string() && e.outcome == UploadOutcome::Accepted;
    assert!(events.iter().all(told));
    assert_eq!(
        events.iter().map(|e| e.bytes).collect::<Vec<_>>(),
        (0..4).map(|n| server.request(n).body.len()).collect::<Vec<_>>()
    );
}

#[test]
fn a_batch_whose_answer_was_lost_comes_again_and_is_stored_once() {
    let store = Arc::<Mutex<Store>>::default();
    let shared = store.clone();
    let server = FakeCloud::answering(move |n, request| {
        let reply = shared.lock().unwrap().take(request);
        if n < 2 { Reply::CloseAfterUpload } else { reply }
    });
    let device = Device::new();
    device.records(10);
    let (uploader, events) = start(settings(&server), &device, None);
    wait_until("all is sent", || device.journal.stats().records == 0);
    drop(uploader);
    let store = store.lock().unwrap();
    assert_eq!((store.mark, store.entries.len()), (10, 10));
    assert!(store.duplicates >= 10);
    let outcomes: Vec<_> = events.lock().unwrap().iter().map(|event| event.outcome).collect();
    assert_eq!(outcomes.last(), Some(&UploadOutcome::Accepted));
    assert_eq!(outcomes[0], UploadOutcome::RetryLater);
}

#[test]
fn failures_of_every_kind_are_outlived() {
    let store = Arc::<Mutex<Store>>::default();
    let shared = store.clone();
    let server = FakeCloud::answering(move |n, request| match n {
        0 => Reply::json(500, "oh"),
        1 => Reply::Garbage,
        2 => Reply::json(200, "not what was agreed"),
        3 => Reply::CutBody { body: b"{".to_vec() },
        4 => Reply::json(200, r#"{"high_water":0,"stored":0,"duplicates":0}"#),
        5 => Reply::json(409, r#"{"error":"and no sequence"}"#),
        6 => Reply::json(302, "").with_header("location", "http://elsewhere.invalid/"),
        7 => Reply::json(503, vec![b' '; 100_000]),
        _ => shared.lock().unwrap().take(request),
    });
    let device = Device::new();
    device.records(5);
    let (uploader, _) = start(settings(&server), &device, None);
    wait_until("all is sent", || device.journal.stats().records == 0);
    wait_until("the success is told", || uploader.status().failures == 0);
    let status = uploader.status();
    assert_eq!((status.requests, status.records, status.last_error), (9, 5, None));
    assert!(status.last_accepted_unix_ms.is_some());
    assert_eq!(store.lock().unwrap().entries.len(), 5);
}

#[test]
fn retry_after_is_kept_to() {
    let store = Arc::<Mutex<Store>>::default();
    let times = Arc::<Mutex<Vec<Instant>>>::default();
    let seen = times.clone();
    let server = FakeCloud::answering(move |n, request| {
        seen.lock().unwrap().push(Instant::now());
        match n {
            0 => Reply::json(429, r#"{"error":"slowly"}"#).with_header("retry-after", "1"),
            _ => store.lock().unwrap().take(request),
        }
    });
    let device = Device::new();
    device.records(5);
    let (uploader, _) = start(settings(&server), &device, None);
    for _ in 0..20 {
        uploader.wake();
        thread::sleep(Duration::from_millis(5));
    }
    wait_until("all is sent", || device.journal.stats().records == 0);
    let times = times.lock().unwrap();
    assert!(times[1] - times[0] >= Duration::from_secs(1), "it was asked before it wanted to be");
}

#[test]
fn a_server_that_asks_for_peace_has_it_at_the_end_too() {
    let server = FakeCloud::replies(vec![Reply::json(503, "").with_header("retry-after", "3600")]);
    let device = Device::new();
    device.records(5);
    let (uploader, _) = start(settings(&server), &device, None);
    wait_until("it answers", || uploader.status().failures == 1);
    assert!(!uploader.flush(PATIENCE), "and nobody waits for it");
    assert_eq!((server.asked(), device.journal.stats().records), (1, 5));
}

#[test]
fn a_revoked_token_is_tried_rarely_and_loses_nothing() {
    let server = FakeCloud::replies(vec![Reply::json(401, r#"{"error":"who is device-token-5f2a?"}"#)]);
    let device = Device::new();
    device.records(5);
    let mut settings = settings(&server);
    settings.backoff_max = Duration::from_secs(900);
    let (uploader, events) = start(settings, &device, None);
    wait_until("it answers", || uploader.status().failures == 1);
    for _ in 0..20 {
        uploader.wake();
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!((server.asked(), device.journal.stats().records), (1, 5));
    assert_eq!(events.lock().unwrap()[0].outcome, UploadOutcome::RetryLater);
    let error = uploader.status().last_error.unwrap();
    assert!(error.contains("enrol") && error.contains("[key]") && !error.contains(TOKEN), "{error}");
}

#[test]
fn a_server_that_lost_something_gets_it_again_or_learns_that_it_is_gone() {
    let store = Arc::<Mutex<Store>>::default();
    let server = server(&store);
    let device = Device::new();
    device.records(10);
    let (uploader, _) = start(settings(&server), &device, None);
    wait_until("all is sent", || device.journal.stats().records == 0);
    // Its store comes back from a backup: 8 to 10 are gone on both sides.
    store.lock().unwrap().mark = 7;
    store.lock().unwrap().entries.split_off(&8);
    device.record("r11");
    uploader.wake();
    wait_until("all is sent again", || store.lock().unwrap().mark == 11);
    let store = store.lock().unwrap();
    assert_eq!(store.ids()[6..], [Some("r7"), None, None, None, Some("r11")]);
    let lost = (0..server.asked()).flat_map(|n| body_of(&server.request(n)).head.lost).next_back().unwrap();
    assert_eq!((lost.first_sequence, lost.last_sequence, lost.reason), (8, 10, LossReason::Unknown));
}

#[test]
fn a_server_that_is_ahead_is_followed() {
    let store = Arc::new(Mutex::new(Store { mark: 6, ..Store::default() }));
    let server = server(&store);
    let device = Device::new();
    device.records(4);
    let (uploader, _) = start(settings(&server), &device, None);
    wait_until("all is sent", || device.journal.stats().high_water == 6);
    device.record("r7");
    uploader.wake();
    wait_until("the next one is sent", || store.lock().unwrap().mark == 7);
    assert_eq!(store.lock().unwrap().ids(), [Some("r7")]);
}

#[test]
fn one_record_that_is_refused_does_not_block_the_others() {
    let store = Arc::new(Mutex::new(Store { poison: "bad", ..Store::default() }));
    let server = server(&store);
    let device = Device::new();
    for id in 1..=200 {
        device.record(&if id == 77 || id == 150 { format!("bad{id}") } else { format!("r{id}") });
    }
    let (uploader, events) = start(settings(&server), &device, None);
    wait_until("all is sent", || device.journal.stats().records == 0);
    wait_until("the loss is told", || store.lock().unwrap().mark == 200);
    let store = store.lock().unwrap();
    let lost: Vec<u64> = store.entries.iter().filter(|(_, e)| e.is_none()).map(|(n, _)| *n).collect();
    assert_eq!((lost, store.entries.len()), (vec![77, 150], 200));
    let stats = device.journal.stats();
    assert_eq!((stats.lost, uploader.status().refused), (2, 2));
    let rejected = |e: &&UploadEvent| e.outcome == UploadOutcome::Rejected;
    assert!(events.lock().unwrap().iter().filter(rejected).count() < 40);
}

#[test]
fn a_server_that_refuses_everything_does_not_empty_the_journal() {
    let server = FakeCloud::replies(vec![Reply::json(422, r#"{"error":"no"}"#)]);
    let device = Device::new();
    device.records(50);
    let mut settings = settings(&server);
    settings.backoff_max = Duration::from_secs(900);
    let (uploader, _) = start(settings, &device, None);
    wait_until("three are given up", || uploader.status().refused == 3);
    for _ in 0..20 {
        uploader.wake();
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!((device.journal.stats().records, device.journal.stats().lost), (47, 3));
}

#[test]
fn a_metered_network_is_waited_out_until_records_would_be_lost() {
    let store = Arc::<Mutex<Store>>::default();
    let server = server(&store);
    let device = Device::with(JournalOptions {
        sync: SyncPolicy::Never,
        max_bytes: 1 << 20,
        ..JournalOptions::default()
    });
    let folder = tempfile::tempdir().unwrap();
    let clips = Arc::new(ClipStore::open(folder.path(), 1 << 20, None).unwrap());
    clips.keep_clip("s-1", b"fLaC", 1, None, now()).unwrap();
    let metered = Arc::new(AtomicBool::new(true));
    let (network, asked) = (metered.clone(), Arc::new(AtomicUsize::new(0)));
    let asks = asked.clone();
    let network = move || {
        asks.fetch_add(1, Ordering::Relaxed);
        network.load(Ordering::Relaxed)
    };
    let mut settings = settings(&server);
    settings.wait_if_metered = true;
    device.records(20);
    let uploader =
        Uploader::start(settings, device.journal.clone(), Some(clips.clone()), Box::new(network), |_| {})
            .unwrap();
    wait_until("it looks twice", || asked.load(Ordering::Relaxed) >= 2);
    assert!(server.asked() == 0 && uploader.status().waits_for_network);
    // 900 kB of 1 MiB.
    (0..300).for_each(|n| device.record(&format!("{n} {}", "x".repeat(3_000))));
    uploader.wake();
    wait_until("some is sent", || store.lock().unwrap().mark > 0);
    wait_until("it waits again", || uploader.status().waits_for_network);
    let stats = device.journal.stats();
    assert!(stats.bytes <= stats.max_bytes / 100 * 80 && stats.lost == 0);
    assert_eq!(clips.stats().clips, 1, "clips wait");
    metered.store(false, Ordering::Relaxed);
    uploader.wake();
    wait_until("all is sent", || device.journal.stats().records == 0 && server.asked() > 0);
    assert!(uploader.flush(PATIENCE));
    assert_eq!((store.lock().unwrap().mark, clips.stats().clips), (320, 0));
}

#[test]
fn clips_follow_the_records() {
    let store = Arc::<Mutex<Store>>::default();
    let server = FakeCloud::answering(move |_, request| match request.line.split(' ').next() {
        Some("POST") => store.lock().unwrap().take(request),
        _ if request.line.contains("s-2") => Reply::json(422, r#"{"error":"no such utterance"}"#),
        _ => Reply::json(204, ""),
    });
    let device = Device::new();
    device.records(3);
    let folder = tempfile::tempdir().unwrap();
    let clips = Arc::new(ClipStore::open(folder.path(), 1 << 20, None).unwrap());
    for (n, subject) in [(1, Some("anna")), (2, None), (3, None)] {
        clips.keep_clip(&format!("s-{n}"), format!("fLaC {n}").as_bytes(), 99, subject, now() + n).unwrap();
    }
    let (uploader, events) = start(settings(&server), &device, Some(clips.clone()));
    assert!(uploader.flush(PATIENCE));
    let lines: Vec<String> = (0..server.asked()).map(|n| server.request(n).line).collect();
    assert_eq!(
        lines[1..],
        [
            "PUT /base/api/v1/clips/s-1?granted_unix_ms=99&subject_id=anna HTTP/1.1",
            "PUT /base/api/v1/clips/s-2?granted_unix_ms=99 HTTP/1.1",
            "PUT /base/api/v1/clips/s-3?granted_unix_ms=99 HTTP/1.1",
        ]
    );
    let clip = server.request(1);
    assert_eq!((clip.header("content-type"), clip.body.as_slice()), (Some("audio/flac"), &b"fLaC 1"[..]));
    assert_eq!(clip.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    assert_eq!((clips.stats().clips, clips.stats().lost), (0, 1));
    assert_eq!(events.lock().unwrap().iter().filter(|e| e.sent == Sent::Clip).count(), 3);
}

/// What a server is asked for, in order, when a record comes up while it takes the first of three clips.
fn asked_while_clips_are_sent(interval: Duration, wakes: bool) -> Vec<String> {
    let store = Arc::<Mutex<Store>>::default();
    let device = Arc::new(Device::new());
    let uploader = Arc::<OnceLock<Uploader>>::default();
    let (with, waker) = (device.clone(), uploader.clone());
    let server = FakeCloud::answering(move |_, request| match request.line.starts_with("POST") {
        true => store.lock().unwrap().take(request),
        false => {
            if request.line.contains("s-1") {
                with.record("late");
                wait_until("it is started", || waker.get().is_some());
                if wakes {
                    waker.get().unwrap().wake();
                }
            }
            thread::sleep(Duration::from_millis(30));
            Reply::json(204, "")
        }
    });
    let clips = Arc::new(ClipStore::open(&device.folder.path().join("clips"), 1 << 20, None).unwrap());
    for n in 1..4 {
        clips.keep_clip(&format!("s-{n}"), b"fLaC", 99, None, n).unwrap();
    }
    let mut settings = settings(&server);
    settings.interval = interval;
    let (started, _) = start(settings, &device, Some(clips.clone()));
    assert!(uploader.set(started).is_ok());
    wait_until("all is sent", || clips.stats().clips == 0 && device.journal.stats().records == 0);
    let method = |n| server.request(n).line.split(' ').next().unwrap_or_default().to_owned();
    (0..server.asked()).map(method).collect()
}

#[test]
fn a_backlog_of_clips_does_not_hold_back_records() {
    let first = ["PUT", "POST", "PUT", "PUT"];
    assert_eq!(asked_while_clips_are_sent(Duration::from_millis(20), false), first);
    assert_eq!(asked_while_clips_are_sent(Duration::from_secs(3_600), true), first);
}

#[test]
fn a_clip_that_cannot_be_read_was_not_sent() {
    let store = Arc::<Mutex<Store>>::default();
    let server = server(&store);
    let device = Device::new();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("00000000000000000001-s-1.clip")).unwrap();
    let clips = Arc::new(ClipStore::open(folder.path(), 1 << 20, None).unwrap());
    clips.keep_clip("s-2", b"fLaC", 99, None, 2).unwrap();
    let (uploader, _) = start(settings(&server), &device, Some(clips.clone()));
    wait_until("the other is sent", || clips.stats().clips == 1);
    assert!(!uploader.flush(PATIENCE));
    assert_eq!((server.asked(), clips.stats().lost), (1, 0));
}

#[test]
fn an_end_does_not_wait_longer_than_it_may_and_leaves_all_on_disk() {
    let server = FakeCloud::replies(vec![Reply::Stall]);
    let device = Device::new();
    device.records(5);
    let (uploader, _) = start(settings(&server), &device, None);
    wait_until("a request is under way", || server.asked() == 1);
    assert!(!uploader.flush(Duration::from_millis(50)));
    let (uploader, _) = start(settings(&server), &device, None);
    wait_until("a request is under way", || server.asked() == 2);
    drop(uploader);
    assert_eq!(device.journal.stats().records, 5);
}

#[test]
fn the_uploader_keeps_the_sync_promise_while_it_waits() {
    let server = FakeCloud::replies(vec![Reply::Stall]);
    let options =
        JournalOptions { sync: SyncPolicy::Interval { interval_ms: 1 }, ..JournalOptions::default() };
    let device = Device::with(options);
    device.record("first");
    let (_uploader, _) = start(settings(&server), &device, None);
    wait_until("a request is under way", || server.asked() == 1);
    device.record("second");
    wait_until("it is synced by the uploader", || !device.journal.sync_due(u64::MAX).unwrap());
}
