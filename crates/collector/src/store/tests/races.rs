//! Erasure beside everything else that goes on at the same time.

use super::*;
use crate::clips::{Clips, NewClip};

on_both! {
    what_was_said_before_an_erasure_is_gone_however_it_arrives,
    roll_ups_that_are_being_made_do_not_outlive_their_device,
    a_clip_of_before_an_erasure_is_not_kept_even_of_somebody_unknown,
    a_device_with_a_wrong_clock_is_erased_and_heard_rightly,
    erasures_at_the_same_time_share_the_scrub,
}

const ROUNDS: u64 = 15;

fn said(n: u64, subject: &str, granted_ms: i64) -> RecordLine {
    let consented = consented("my secret", Some(subject), granted_ms as u64);
    RecordLine { consented: Some(consented), ..utterance(n) }
}

async fn what_was_said_before_an_erasure_is_gone_however_it_arrives(f: Fixture) {
    for round in 1..=ROUNDS {
        let subject = format!("person-{round}");
        let line = said(round, &subject, now_ms() - 1_000);
        let scope = match round % 2 {
            0 => EraseScope::Person(subject.clone()),
            _ => EraseScope::Device("pi".to_owned()),
        };
        let batch = batch(BatchHead { stream_id: format!("s{round}"), ..head(1) }, &[line]);
        let later = async {
            tokio::time::sleep(Duration::from_micros(300 * round)).await;
            f.store.erase(&scope, "tests").await
        };
        let (appended, erased) = tokio::join!(f.store.append("pi", batch), later);
        appended.unwrap();
        erased.unwrap();
        let utterance = format!("u-{round}");
        assert_eq!(f.store.texts("pi", &utterance).await.unwrap(), Texts::default(), "round {round}");
        assert!(f.store.search("secret", None, 0, (0, 10)).await.unwrap().0.is_empty(), "round {round}");
        let sql = "select count(*) from texts where subject_id = $1";
        let left = f.store.db.row(sql, db::values![&subject]).await.unwrap().unwrap();
        assert_eq!(left.int(0).unwrap(), 0, "round {round}");
    }
}

async fn roll_ups_that_are_being_made_do_not_outlive_their_device(f: Fixture) {
    for round in 1..=ROUNDS {
        let head = BatchHead { stream_id: format!("s{round}"), ..head(1) };
        let lines: Vec<_> = (1..=200).map(utterance).collect();
        f.store.append("pi", batch(head, &lines)).await.unwrap();
        let scope = EraseScope::Device("pi".to_owned());
        let (derived, erased) = tokio::join!(f.store.derive(), f.store.erase(&scope, "tests"));
        derived.unwrap();
        erased.unwrap();
        f.derive_all().await;
        assert!(f.store.hours(Some("pi"), 0).await.unwrap().is_empty(), "round {round}");
    }
}

async fn a_clip_of_before_an_erasure_is_not_kept_even_of_somebody_unknown(f: Fixture) {
    let clips = Clips::open(f.folder.path().join("clips").to_str().unwrap()).unwrap();
    let granted_ms = now_ms() - 1_000;
    f.store.erase(&EraseScope::Device("pi".to_owned()), "tests").await.unwrap();
    let clip = |granted_ms| NewClip {
        device_id: "pi",
        utterance_id: "u-1",
        subject_id: "never-heard-of",
        granted_ms,
        flac: b"fLaC",
    };
    assert!(!clips.keep(&f.store, &clip(granted_ms)).await.unwrap());
    tokio::time::sleep(Duration::from_millis(3)).await;
    assert!(clips.keep(&f.store, &clip(now_ms())).await.unwrap());
}

async fn a_device_with_a_wrong_clock_is_erased_and_heard_rightly(f: Fixture) {
    const HOUR: i64 = rollup::HOUR_MS;
    f.store.erase(&EraseScope::Device("pi".to_owned()), "tests").await.unwrap();
    let erased = now_ms();
    tokio::time::sleep(Duration::from_millis(3)).await;
    for (n, skew_ms) in [(1, HOUR), (2, -HOUR), (3, -40 * 365 * rollup::DAY_MS)] {
        let at = |ms: i64| (ms + skew_ms) as u64;
        let head = BatchHead { stream_id: format!("s{n}"), sent_unix_ms: at(now_ms()), ..head(1) };
        let mut before = said(10 * n, "ann", erased - 60_000 + skew_ms);
        before.recorded_unix_ms = at(erased - 30_000);
        let mut after = said(10 * n + 1, "ann", now_ms() + skew_ms);
        after.recorded_unix_ms = at(now_ms());
        f.store.append("pi", batch(head, &[before, after])).await.unwrap();
        let texts = async |n: u64| f.store.texts("pi", &format!("u-{n}")).await.unwrap().primary;
        assert_eq!(texts(10 * n).await, None, "skew {skew_ms}");
        assert_eq!(texts(10 * n + 1).await.as_deref(), Some("my secret"), "skew {skew_ms}");
    }
    f.store.expire(&Retention::default()).await.unwrap();
    assert!(f.store.texts("pi", "u-31").await.unwrap().primary.is_some(), "its age is not its clock's");
}

async fn erasures_at_the_same_time_share_the_scrub(f: Fixture) {
    let scrubs: Vec<_> = (0..20)
        .map(|_| {
            let store = f.store.clone();
            tokio::spawn(async move { store.scrub().await })
        })
        .collect();
    for scrub in scrubs {
        scrub.await.unwrap().unwrap();
    }
}
