use earwitness_telemetry::limits;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn wire(records: serde_json::Value) -> String {
    json!({
        "schema_version": 1, "stream_id": "s1", "first_sequence": 5, "sent_unix_ms": 1000, "records": records,
    })
    .to_string()
}

fn utterance() -> serde_json::Value {
    json!({"recorded_unix_ms": 900, "kind": "utterance", "body": {"utterance_id": "a-1", "duration_ms": 5}})
}

fn refused(json: &str) -> String {
    parse(json.as_bytes()).expect_err("is refused").to_string()
}

#[test]
fn a_batch_is_read_with_figures_as_they_came() {
    let batch = parse(wire(json!([utterance(), utterance()])).as_bytes()).unwrap();
    assert_eq!((batch.head.first_sequence, batch.records.len(), batch.unreadable), (5, 2, 0));
    let record = &batch.records[1];
    assert_eq!((record.sequence, record.recorded_ms, record.kind.as_str()), (6, 900, "utterance"));
    assert_eq!(record.body, r#"{"duration_ms":5,"utterance_id":"a-1"}"#);
    assert_eq!(record.utterance_id, None, "asked for only where there is a text");
}

#[test]
fn text_without_a_consent_that_covers_it_is_refused() {
    let with = |consented: serde_json::Value| {
        let mut record = utterance();
        record["consented"] = consented;
        wire(json!([record]))
    };
    let grant = |scopes: serde_json::Value| json!({"granted_unix_ms": 1, "scopes": scopes});
    assert!(refused(&with(json!({"text": "hello"}))).contains("consent"));
    assert!(
        refused(&with(json!({"text": "hello", "consent": grant(json!(["audio"]))}))).contains("cover text")
    );
    let speaker = json!({"subject_id": "ann"});
    let text_only = json!({"speaker": speaker, "consent": grant(json!(["text"]))});
    assert!(refused(&with(text_only)).contains("cover speaker"));
    let bad_name = json!({"speaker": {"subject_id": "../ann"}, "consent": grant(json!(["speaker"]))});
    assert!(refused(&with(bad_name)).contains("subject_id"));
    let fine = parse(with(json!({"text": "hello", "consent": grant(json!(["text"]))})).as_bytes()).unwrap();
    assert_eq!(fine.records[0].consented.as_ref().unwrap().text.as_deref(), Some("hello"));
    assert!(!fine.records[0].body.contains("hello"));
    assert_eq!(fine.records[0].utterance_id.as_deref(), Some("a-1"));
}

#[test]
fn what_is_beside_the_known_fields_of_a_record_is_not_kept() {
    let mut record = utterance();
    record["transcript"] = "a text in a field of nobody's".into();
    let batch = parse(wire(json!([record, {"text": "no record at all"}])).as_bytes()).unwrap();
    assert!(batch.records.iter().all(|record| !record.body.contains("text")));
    assert_eq!((batch.unreadable, batch.records[1].kind.as_str()), (1, UNREADABLE));
}

#[test]
fn limits_are_kept() {
    let many: Vec<_> = (0..=limits::MAX_BATCH_RECORDS).map(|_| json!(1)).collect();
    assert!(refused(&wire(json!(many))).contains("at most 1000 records"));
    let long =
        json!([{"recorded_unix_ms": 1, "kind": "x", "body": {"a": "y".repeat(limits::MAX_RECORD_BYTES)}}]);
    assert!(refused(&wire(long)).contains("record 5 has more than"));
    let mut deep = json!(1);
    for _ in 0..limits::MAX_RECORD_DEPTH + 3 {
        deep = json!([deep]);
    }
    assert!(refused(&wire(json!([deep]))).contains("levels"));
    assert!(refused(&"[".repeat(1 << 20)).contains("levels"));
    for (field, value) in [
        ("schema_version", json!(0)),
        ("stream_id", json!("../etc/passwd")),
        ("stream_id", json!("")),
        ("first_sequence", json!(0)),
        ("first_sequence", json!(u64::MAX)),
        ("lost", json!([{"first_sequence": 3, "last_sequence": 2, "reason": "size_cap"}])),
        (
            "lost",
            json!([{"first_sequence": 1, "last_sequence": 3, "reason": "size_cap"},
                        {"first_sequence": 3, "last_sequence": 4, "reason": "size_cap"}]),
        ),
    ] {
        let mut batch: serde_json::Value = serde_json::from_str(&wire(json!([]))).unwrap();
        batch[field] = value.clone();
        assert!(parse(batch.to_string().as_bytes()).is_err(), "{field} {value}");
    }
}

#[test]
fn a_bomb_is_stopped_at_the_limit() {
    let zeros = vec![b' '; 1 << 30];
    let bomb = zstd::encode_all(&zeros[..], 3).unwrap();
    drop(zeros);
    assert!(bomb.len() < 200_000);
    assert!(matches!(decode(Encoding::Zstd, &bomb), Err(BatchError::TooLarge { .. })));
    // A window of 2 GiB would be allocated before the first byte comes out.
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.include_contentsize(false).unwrap();
    std::io::Write::write_all(&mut encoder, &vec![7; 1 << 20]).unwrap();
    let wide = encoder.finish().unwrap();
    assert!(matches!(decode(Encoding::Zstd, &wide), Err(BatchError::Zstd(_))));
    let json = wire(json!([utterance()]));
    let whole = zstd::encode_all(json.as_bytes(), 3).unwrap();
    assert_eq!(decode(Encoding::Zstd, &whole).unwrap(), json.as_bytes());
    for cut in 0..whole.len() {
        assert!(decode(Encoding::Zstd, &whole[..cut]).is_err(), "cut to {cut}");
    }
    assert!(matches!(decode(Encoding::Identity, &vec![b' '; 9 << 20]), Err(BatchError::TooLarge { .. })));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&bytes);
        let _ = decode(Encoding::Zstd, &bytes).map(|json| parse(&json));
    }

    #[test]
    fn a_changed_batch_is_read_or_refused(at in 0usize..200, byte in any::<u8>()) {
        let mut json = wire(json!([utterance(), utterance()])).into_bytes();
        let at = at % json.len();
        json[at] = byte;
        if let Ok(batch) = parse(&json) {
            prop_assert!(batch.records.len() <= limits::MAX_BATCH_RECORDS);
        }
    }
}
