//! What is derived from the log.

use earwitness_scoring::fleet::OutcomeClass;

use super::*;

on_both! {
    roll_ups_hold_what_the_records_say,
    pairs_and_health_are_derived_from_their_records,
    records_of_other_versions_are_kept_and_disturb_nothing,
    two_servers_on_one_store_derive_each_record_once,
    old_records_expire,
}

async fn roll_ups_hold_what_the_records_say(f: Fixture) {
    f.store.append("pi", utterances(1, 100)).await.unwrap();
    f.store.append("laptop", utterances(1, 50)).await.unwrap();
    f.derive_all().await;
    let range = (now_ms() - 2 * rollup::HOUR_MS, now_ms() + 1);
    let filter = FigureFilter::default();
    for period in [rollup::MINUTE_MS, rollup::HOUR_MS] {
        let range = (range.0 / period * period, range.1);
        let (buckets, devices) = f.store.series(&filter, range, period, period).await.unwrap();
        let mut all = Figures::default();
        buckets.values().for_each(|figures| all.merge(figures));
        assert_eq!((all.utterances(), all.failures(), devices), (150, 15, 2), "period {period}");
        let p99 = all.quantile("recognize_ms", 0.99).unwrap();
        assert!((p99 - 198.0).abs() < 4.0, "{p99}");
    }
    let of_pi = FigureFilter { device_id: Some("pi".to_owned()), ..FigureFilter::default() };
    let range = (range.0 / rollup::HOUR_MS * rollup::HOUR_MS, range.1);
    let (buckets, _) = f.store.series(&of_pi, range, rollup::HOUR_MS, rollup::HOUR_MS).await.unwrap();
    assert_eq!(buckets.values().map(Figures::utterances).sum::<u64>(), 100);
    let offered = f.store.offered(range.0).await.unwrap();
    assert_eq!(
        (offered.engines, offered.profiles),
        (vec!["whisper/tiny.en".to_owned()], vec!["laptop".to_owned()])
    );
}

fn shadow(n: u64, edits: u64) -> RecordLine {
    let record = ShadowRecord {
        utterance_id: format!("u-{n}"),
        primary_engine: "tiny.en".to_owned(),
        shadow_engine: "base".to_owned(),
        primary_outcome: Outcome::Transcript,
        shadow_outcome: if n == 3 { Outcome::Empty } else { Outcome::Transcript },
        substitutions: edits,
        primary_words: 10,
        shadow_words: 12,
        primary_ms: 50.0,
        shadow_ms: 80.0,
        sample_ratio: 0.5,
        duration_ms: 3_000.0,
        snr_db: Some(12.0),
        ..ShadowRecord::default()
    };
    RecordLine {
        recorded_unix_ms: now_ms() as u64,
        record: Record::Shadow(Box::new(record)),
        consented: None,
    }
}

async fn pairs_and_health_are_derived_from_their_records(f: Fixture) {
    let health = earwitness_telemetry::HealthRecord { journal_records: 7, ..Default::default() };
    let health =
        RecordLine { recorded_unix_ms: now_ms() as u64, record: Record::Health(health), consented: None };
    let lines = [shadow(1, 2), shadow(2, 0), shadow(3, 4), health];
    f.store.append("pi", batch(head(1), &lines)).await.unwrap();
    f.derive_all().await;
    let keys = f.store.pair_keys(&PairFilter::default()).await.unwrap();
    assert_eq!(keys.len(), 1);
    let sums = f.store.pair_sums(&keys[0], &PairFilter::default(), SliceBy::Nothing).await.unwrap();
    // Half of the utterances were compared: each stands for two.
    assert_eq!((sums.len(), sums[0].utterances, sums[0].edits, sums[0].longer_words), (1, 3, 12.0, 72.0));
    assert_eq!(sums[0].latency_difference_ms, 90.0);
    for by in SliceBy::ALL {
        assert_eq!(f.store.pair_sums(&keys[0], &PairFilter::default(), by).await.unwrap().len(), 1, "{by:?}");
    }
    let by_snr = f.store.pair_sums(&keys[0], &PairFilter::default(), SliceBy::Snr).await.unwrap();
    assert_eq!(by_snr[0].slice, "10 to 20 dB");
    let outcomes = f.store.outcome_counts(&keys[0], &PairFilter::default()).await.unwrap();
    assert_eq!(outcomes.count(OutcomeClass::Transcript, OutcomeClass::Empty), 1, "{outcomes:?}");
    assert_eq!(
        f.store.median_times(&keys[0], &PairFilter::default()).await.unwrap(),
        (Some(50.0), Some(80.0))
    );
    let (pairs, total) = f.store.disagreements(&keys[0], &PairFilter::default(), (0, 10)).await.unwrap();
    assert_eq!((pairs.len(), total), (2, 2));
    let device = f.store.device("pi").await.unwrap().unwrap();
    assert_eq!(device.health.unwrap().journal_records, 7);
    assert_eq!(f.store.latest("pi", "shadow", 2).await.unwrap().len(), 2);
}

async fn records_of_other_versions_are_kept_and_disturb_nothing(f: Fixture) {
    let mut wire = serde_json::to_value(BatchHead { schema_version: 2, ..head(1) }).unwrap();
    wire["records"] = json!([
        {"recorded_unix_ms": 5, "kind": "hologram", "body": {"new": [1, 2]}},
        {"recorded_unix_ms": now_ms(), "kind": "utterance", "body": {"utterance_id": "u-9", "fresh_field": 3}},
        {"something": "else"},
        {"recorded_unix_ms": now_ms(), "kind": "utterance", "body": {"input": "not an object"}},
    ]);
    let accepted = f.store.append("pi", parse(wire.to_string().as_bytes()).unwrap()).await.unwrap();
    assert_eq!((accepted.stored, accepted.unreadable), (4, 1));
    f.derive_all().await;
    let hours = f.store.hours(Some("pi"), 0).await.unwrap();
    assert_eq!(hours.iter().map(|hour| hour.utterances).sum::<i64>(), 1);
    let sql = "select body from records where kind = 'hologram'";
    let kept = f.store.db.row(sql, Vec::new()).await.unwrap().unwrap().text(0).unwrap();
    assert_eq!(kept, r#"{"new":[1,2]}"#);
}

async fn two_servers_on_one_store_derive_each_record_once(f: Fixture) {
    let vault = Vault::open(&f.folder.path().join("server.key")).unwrap();
    let other = Store::open(&StoreOptions::new(&f.url), vault).await.unwrap();
    for n in 0..20 {
        let device = format!("dev-{n}");
        enrol(&f.store, &device).await;
        let (one, two) = tokio::join!(
            f.store.append(&device, utterances(1, 50)),
            other.append(&device, utterances(1, 50))
        );
        assert_eq!(one.unwrap().stored + two.unwrap().stored, 50);
    }
    let drain = async |store: &Store| while store.derive().await.unwrap() > 0 {};
    tokio::join!(drain(&f.store), drain(&other));
    f.derive_all().await;
    let hours = f.store.hours(None, 0).await.unwrap();
    assert_eq!(hours.iter().map(|hour| hour.utterances).sum::<i64>(), 1_000);
}

async fn old_records_expire(f: Fixture) {
    f.store.append("pi", utterances(1, 10)).await.unwrap();
    f.derive_all().await;
    f.store.expire(&Retention::default()).await.unwrap();
    assert_eq!(stored(&f.store, "pi").await.len(), 10);
    let long_ago = now_ms() - 200 * rollup::DAY_MS;
    if f.store.db.is_sqlite() {
        f.store.db.run("update records set received_ms = $1", db::values![long_ago]).await.unwrap();
    } else {
        // A month that has passed is a partition, and goes as a whole.
        let name = "records_2020_01";
        let sql = format!(
            "create table {name} partition of records for values from (1577836800000) to (1580515200000)"
        );
        f.store.db.run(sql, Vec::new()).await.unwrap();
        f.store.db.run("update records set received_ms = 1577836800001", Vec::new()).await.unwrap();
    }
    f.store.expire(&Retention::default()).await.unwrap();
    assert_eq!(stored(&f.store, "pi").await.len(), 0);
    if !f.store.db.is_sqlite() {
        // A month that never had a partition: its rows are in the default one.
        f.store.append("pi", utterances(11, 10)).await.unwrap();
        f.store.db.run("update records set received_ms = $1", db::values![long_ago]).await.unwrap();
        f.store.expire(&Retention::default()).await.unwrap();
        assert_eq!(stored(&f.store, "pi").await.len(), 0);
    }
    let hours = f.store.hours(Some("pi"), 0).await.unwrap();
    assert_eq!(hours.len(), 1, "roll-ups outlive the log");
}
