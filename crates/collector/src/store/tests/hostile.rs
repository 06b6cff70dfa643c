//! What a device that is enrolled, and means harm or is broken, cannot do to the others.

use super::*;
use crate::ingest::BatchError;

on_both! {
    a_huge_range_of_lost_records_is_one_step_and_no_sum_overflows,
    a_record_that_no_table_can_hold_stops_nobody_elses_roll_ups,
    comparisons_that_no_device_can_make_are_no_pairs,
}

#[test]
fn sequences_beyond_the_limit_are_refused() {
    let too_far = earwitness_telemetry::limits::MAX_SEQUENCE + 1;
    for (first, range) in [(too_far, None), (1, Some((1, too_far)))] {
        let lost: Vec<_> = range
            .into_iter()
            .map(|(a, b)| json!({"first_sequence": a, "last_sequence": b, "reason": "size_cap"}))
            .collect();
        let wire = json!({"schema_version": 1, "stream_id": "s1", "first_sequence": first, "sent_unix_ms": 1,
            "lost": lost, "records": []});
        assert!(matches!(parse(wire.to_string().as_bytes()), Err(BatchError::Invalid(_))), "{wire}");
    }
}

async fn a_huge_range_of_lost_records_is_one_step_and_no_sum_overflows(f: Fixture) {
    let end = earwitness_telemetry::limits::MAX_SEQUENCE;
    for stream in 0..20 {
        let lost = vec![lost(1, end - 10)];
        let head = BatchHead { stream_id: format!("s{stream}"), first_sequence: end - 9, lost, ..head(1) };
        f.store.append("pi", batch(head, &[utterance(1)])).await.unwrap();
    }
    let mut steps = 0;
    while f.store.derive().await.unwrap() > 0 {
        steps += 1;
        assert!(steps < 50, "it has no end");
    }
    let device = f.store.device("pi").await.unwrap().unwrap();
    assert_eq!(device.lost, 20 * (end as i64 - 10));
    assert_eq!(f.store.hours(Some("pi"), 0).await.unwrap().iter().map(|h| h.utterances).sum::<i64>(), 20);
}

fn named(n: u64, engine: &str) -> RecordLine {
    let mut line = utterance(n);
    if let Record::Utterance(record) = &mut line.record {
        engine.clone_into(&mut record.engine);
    }
    line
}

async fn a_record_that_no_table_can_hold_stops_nobody_elses_roll_ups(f: Fixture) {
    let long: String = (0..4_000_u32).map(|n| char::from_u32(0x4e00 + n * 7 % 20_000).unwrap()).collect();
    let lines = [named(1, "a\0b"), named(2, &long), utterance(3)];
    f.store.append("pi", batch(head(1), &lines)).await.unwrap();
    f.store.append("laptop", utterances(1, 2)).await.unwrap();
    f.derive_all().await;
    for (device, utterances) in [("pi", 1), ("laptop", 2)] {
        let hours = f.store.hours(Some(device), 0).await.unwrap();
        assert_eq!(hours.iter().map(|hour| hour.utterances).sum::<i64>(), utterances, "{device}");
    }
    assert_eq!(stored(&f.store, "pi").await.len(), 3, "the log has them");
}

async fn comparisons_that_no_device_can_make_are_no_pairs(f: Fixture) {
    let made = |n: u64, change: fn(&mut ShadowRecord)| {
        let mut record = ShadowRecord {
            utterance_id: format!("u-{n}"),
            primary_engine: "a".to_owned(),
            shadow_engine: "b".to_owned(),
            primary_outcome: Outcome::Transcript,
            shadow_outcome: Outcome::Transcript,
            sample_ratio: 1.0,
            ..ShadowRecord::default()
        };
        change(&mut record);
        let record = Record::Shadow(Box::new(record));
        RecordLine { recorded_unix_ms: now_ms() as u64, record, consented: None }
    };
    let lines = [
        made(1, |_| {}),
        made(2, |r| r.substitutions = i64::MAX as u64),
        made(3, |r| r.sample_ratio = 0.0),
        made(4, |r| r.sample_ratio = f64::MAX),
        made(5, |r| r.shadow_engine = "x".repeat(3_000)),
    ];
    f.store.append("pi", batch(head(1), &lines)).await.unwrap();
    f.derive_all().await;
    let rows = f.store.db.rows("select utterance_id from pairs", Vec::new()).await.unwrap();
    let names: Vec<_> = rows.iter().map(|row| row.text(0).unwrap()).collect();
    assert_eq!(names, ["u-1"]);
}
