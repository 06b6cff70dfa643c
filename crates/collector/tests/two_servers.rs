//! Two collection servers on one PostgreSQL, under load, as behind a balancer that sends everything to both.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use earwitness_collector::Settings;
use earwitness_collector::store::{Role, StoreOptions};
use reqwest::StatusCode;
use support::{Running, answer, batch, postgres, start_in, utterance};

const DEVICES: usize = 24;
const BATCHES: u64 = 20;
const RECORDS: u64 = 25;

async fn server(url: &str, key: &std::path::Path) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::in_folder(folder.path());
    settings.listen = "127.0.0.1:0".parse().unwrap();
    settings.store = StoreOptions::new(url);
    settings.key_file = key.to_owned();
    settings.limits.requests_per_s = 100_000;
    settings.limits.burst = 100_000;
    start_in(folder, settings).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_both_are_sent_is_stored_once_and_either_may_go() {
    let url = tokio::task::spawn_blocking(postgres::new_database).await.unwrap();
    let keys = tempfile::tempdir().unwrap();
    let key = keys.path().join("server.key");
    let one = Arc::new(server(&url, &key).await);
    let two = Arc::new(server(&url, &key).await);
    let stored = Arc::new(AtomicU64::new(0));
    let mut devices = Vec::new();
    for n in 0..DEVICES {
        // Enrolled at one, known to both.
        let token = one.device(&format!("dev-{n}")).await;
        let (one, two, stored) = (Arc::clone(&one), Arc::clone(&two), Arc::clone(&stored));
        devices.push(tokio::spawn(async move {
            for k in 0..BATCHES {
                let first = k * RECORDS + 1;
                let lines: Vec<_> = (first..first + RECORDS).map(|i| utterance(&format!("u-{i}"))).collect();
                let batch = batch(first, &lines);
                let (a, b) = tokio::join!(one.send(&token, &batch), two.send(&token, &batch));
                for (status, accepted) in [a, b] {
                    assert_eq!(status, StatusCode::OK, "{accepted}");
                    assert_eq!(accepted["high_water"].as_u64(), Some(first + RECORDS - 1));
                    stored.fetch_add(accepted["stored"].as_u64().unwrap(), Ordering::Relaxed);
                }
            }
            token
        }));
    }
    let mut tokens = Vec::new();
    for device in devices {
        tokens.push(device.await.unwrap());
    }
    let all = DEVICES as u64 * BATCHES * RECORDS;
    assert_eq!(stored.load(Ordering::Relaxed), all, "each record was new to exactly one of them");
    // Who signs in at one is signed in at the other.
    let cookie = one.sign_in("vera", Role::Viewer).await;
    assert_eq!(two.page("/", &cookie).await.0, StatusCode::OK);
    // One goes; the other has everything and takes the rest.
    let one = Arc::into_inner(one).expect("nobody else asks it");
    one.stop().await;
    let (status, accepted) = two.send(&tokens[0], &batch(BATCHES * RECORDS + 1, &[utterance("last")])).await;
    assert_eq!((status, accepted["stored"].as_u64()), (StatusCode::OK, Some(1)));
    two.derive_all().await;
    let admin = two.store.appoint("adam", Role::Admin).await.unwrap();
    let (_, figures) = answer(two.get("/api/v1/figures?hours=2").bearer_auth(&admin)).await;
    assert_eq!(
        (figures["utterances"].as_u64(), figures["devices"].as_u64()),
        (Some(all + 1), Some(DEVICES as u64))
    );
}
