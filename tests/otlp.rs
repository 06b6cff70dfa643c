//! Metrics as an OpenTelemetry collector gets them: what is sent, when, and what it never holds.

#![cfg(feature = "telemetry")]

mod cloud_support;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cloud_support::{FakeCloud, Reply};
use earwitness::telemetry::{
    Consent, Consented, FeedbackKind, FeedbackRecord, HealthRecord, InputMetrics, Outcome, OutputMetrics,
    Record, RecordLine, Scope, SessionRecord, ShadowRecord, SoftwareMetrics, UtteranceRecord,
};
use earwitness::uplink::otlp::{OtlpExporter, OtlpOptions};
use earwitness::uplink::sink::RecordSink;
use serde_json::Value;

const LONG: Duration = Duration::from_secs(3_600);

fn exporter(collector: &FakeCloud, interval: Duration) -> OtlpExporter {
    OtlpExporter::start(OtlpOptions {
        url: format!("http://{}/", collector.address),
        interval,
        device_id: "kitchen-pi".into(),
        profile: "raspberry-pi-5".into(),
    })
    .unwrap()
}

fn utterance(outcome: Outcome, response_ms: f64) -> Record {
    Record::Utterance(Box::new(UtteranceRecord {
        engine: "whisper/tiny.en/int8@0.1.0".into(),
        route: "local".into(),
        cost: Some(0.25),
        input: InputMetrics {
            duration_ms: 2_000.0,
            rms_dbfs: -26.0,
            snr_db: Some(18.0),
            dropped_samples: 8_000,
            ..InputMetrics::default()
        },
        output: OutputMetrics { outcome, words: 7, ..OutputMetrics::default() },
        software: SoftwareMetrics {
            queue_ms: 1.0,
            log_mel_ms: 3.0,
            encode_ms: 40.0,
            decode_ms: 60.0,
            recognize_ms: 110.0,
            real_time_factor: 0.055,
            end_of_speech_to_final_ms: Some(response_ms),
            ..SoftwareMetrics::default()
        },
        ..UtteranceRecord::default()
    }))
}

/// One of each kind, and a text that somebody consented to send, elsewhere.
fn records() -> Vec<RecordLine> {
    let shadow = ShadowRecord {
        shadow_engine: "whisper/base/int8@0.1.0".into(),
        shadow_outcome: Outcome::Empty,
        substitutions: 2,
        insertions: 1,
        primary_words: 7,
        shadow_words: 8,
        shadow_ms: 400.0,
        ..ShadowRecord::default()
    };
    let health = HealthRecord {
        uptime_ms: 60_000,
        rss_bytes: Some(50 << 20),
        cpu_share: Some(0.25),
        temperature_celsius: Some(61.5),
        throttled: Some(true),
        disk_free_bytes: Some(u64::MAX),
        ..HealthRecord::default()
    };
    let consented = Consented {
        consent: Consent { granted_unix_ms: 1, scopes: vec![Scope::Text] },
        text: Some("open the secret garage".into()),
        shadow_text: None,
        corrected_text: None,
        speaker: None,
    };
    [
        Record::Session(SessionRecord::default()),
        utterance(Outcome::Transcript, 640.0),
        utterance(Outcome::Transcript, 900.0),
        utterance(Outcome::Timeout, 5_000.0),
        Record::Shadow(Box::new(shadow)),
        Record::Feedback(FeedbackRecord { feedback: FeedbackKind::Edited, ..FeedbackRecord::default() }),
        Record::Health(health),
    ]
    .into_iter()
    .map(|record| RecordLine { recorded_unix_ms: 1, record, consented: Some(consented.clone()) })
    .collect()
}

/// What a collector got for `records`.
fn exported(records: Vec<RecordLine>) -> Vec<u8> {
    let collector = FakeCloud::replies(vec![Reply::json(200, "{}")]);
    let exporter = exporter(&collector, LONG);
    records.into_iter().for_each(|line| exporter.record(line));
    drop(exporter);
    assert_eq!(collector.asked(), 1, "the last export is at the end");
    let request = collector.request(0);
    assert_eq!(request.line, "POST /v1/metrics HTTP/1.1");
    assert_eq!(request.header("content-type"), Some("application/json"));
    request.body
}

fn metric<'a>(request: &'a Value, name: &str) -> &'a Value {
    let metrics = request["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().unwrap();
    metrics.iter().find(|metric| metric["name"] == name).unwrap_or_else(|| panic!("{name} is not there"))
}

#[test]
fn records_become_sums_histograms_and_gauges() {
    let body = exported(records());
    let request: Value = serde_json::from_slice(&body).unwrap();
    let utterances = &metric(&request, "speech.utterances")["sum"];
    assert_eq!(
        (&utterances["aggregationTemporality"], &utterances["isMonotonic"]),
        (&2.into(), &true.into())
    );
    let points = utterances["dataPoints"].as_array().unwrap();
    let counts: Vec<_> = points
        .iter()
        .map(|p| (p["attributes"][0]["value"]["stringValue"].as_str().unwrap(), p["asInt"].as_str().unwrap()))
        .collect();
    assert_eq!(counts, [("timeout", "1"), ("transcript", "2")]);
    let response = &metric(&request, "speech.response.duration")["histogram"]["dataPoints"][0];
    assert_eq!((response["count"].as_str(), response["max"].as_f64()), (Some("3"), Some(5.0)));
    let buckets = response["bucketCounts"].as_array().unwrap();
    let bounds = response["explicitBounds"].as_array().unwrap();
    assert_eq!(buckets.len(), bounds.len() + 1);
    // 0.64 lies in ]0.5, 0.75], 0.9 in ]0.75, 1], 5 in ]3, 5].
    for bound in [0.75, 1.0, 5.0] {
        let at = bounds.iter().position(|b| b.as_f64() == Some(bound)).unwrap();
        assert_eq!(buckets[at], "1", "{bound}");
    }
    let of = |name: &str| metric(&request, name)["sum"]["dataPoints"][0].clone();
    assert_eq!(of("speech.words")["asInt"], "21");
    assert_eq!(of("speech.cost")["asDouble"], 0.75);
    assert_eq!(of("speech.audio.lost")["asDouble"], 1.5);
    assert_eq!(of("speech.shadow.words")["asInt"], "8");
    let gauge = |name: &str| metric(&request, name)["gauge"]["dataPoints"][0]["asDouble"].as_f64().unwrap();
    assert_eq!((gauge("speech.device.temperature"), gauge("speech.device.throttled")), (61.5, 1.0));
    let resource = request["resourceMetrics"][0]["resource"].to_string();
    assert!(resource.contains("\"service.instance.id\"") && resource.contains("kitchen-pi"), "{resource}");
}

#[test]
fn a_later_answer_adds_its_cost_and_no_second_utterance() {
    let mut later = utterance(Outcome::Transcript, 9_000.0);
    if let Record::Utterance(record) = &mut later {
        record.replaces_earlier = true;
    }
    let lines = [utterance(Outcome::Transcript, 640.0), later];
    let lines = lines.map(|record| RecordLine { recorded_unix_ms: 1, record, consented: None });
    let request: Value = serde_json::from_slice(&exported(lines.to_vec())).unwrap();
    let of = |name: &str| metric(&request, name)["sum"]["dataPoints"][0].clone();
    assert_eq!((&of("speech.utterances")["asInt"], &of("speech.words")["asInt"]), (&"1".into(), &"7".into()));
    assert_eq!(
        (&of("speech.cost")["asDouble"], &of("speech.audio.lost")["asDouble"]),
        (&0.5.into(), &0.5.into())
    );
    let response = &metric(&request, "speech.response.duration")["histogram"]["dataPoints"][0];
    assert_eq!((response["count"].as_str(), response["max"].as_f64()), (Some("1"), Some(0.64)));
}

#[test]
fn no_text_comes_to_the_collector_whatever_was_consented_to() {
    let body = String::from_utf8(exported(records())).unwrap();
    for word in ["secret", "garage", "consent"] {
        assert!(!body.contains(word), "{word}");
    }
}

#[test]
fn an_export_that_fails_is_made_up_for_by_the_next() {
    let collector = FakeCloud::replies(vec![
        Reply::json(503, "{}"),
        Reply::CloseAfterUpload,
        Reply::json(200, r#"{"partialSuccess":{"rejectedDataPoints":"1"}}"#),
        Reply::json(200, "{}"),
    ]);
    let exporter = exporter(&collector, Duration::from_millis(20));
    let lines = records();
    exporter.record(lines[1].clone());
    let deadline = Instant::now() + Duration::from_secs(20);
    while collector.asked() < 4 {
        assert!(Instant::now() < deadline, "only {} exports", collector.asked());
        std::thread::sleep(Duration::from_millis(5));
    }
    exporter.record(lines[2].clone());
    drop(exporter);
    let last = collector.request(collector.asked() - 1);
    let request: Value = serde_json::from_slice(&last.body).unwrap();
    let point = &metric(&request, "speech.utterances")["sum"]["dataPoints"][0];
    assert_eq!(point["asInt"], "2", "sums are since the run began");
    let first: Value = serde_json::from_slice(&collector.request(0).body).unwrap();
    let start = &metric(&first, "speech.utterances")["sum"]["dataPoints"][0]["startTimeUnixNano"];
    assert_eq!(&point["startTimeUnixNano"], start);
}

#[test]
fn nothing_recorded_is_nothing_sent() {
    let collector = FakeCloud::replies(vec![Reply::json(200, "{}")]);
    drop(exporter(&collector, LONG));
    assert_eq!(collector.asked(), 0);
}

#[test]
fn a_redirect_is_not_followed() {
    let other = FakeCloud::replies(vec![Reply::json(200, "{}")]);
    let there = format!("http://{}/v1/metrics", other.address);
    let collector = FakeCloud::new(move |_, _| Reply::json(307, "{}").with_header("location", &there));
    let exporter = exporter(&collector, LONG);
    exporter.record(records().remove(1));
    drop(exporter);
    assert_eq!((collector.asked(), other.asked()), (1, 0));
}

fn python_clients() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let folder = target.join("python-clients");
    assert!(
        folder.join("opentelemetry").exists(),
        "opentelemetry-proto is missing: `make test` installs it; by hand: sh scripts/install-clients.sh {}",
        target.display()
    );
    folder
}

#[test]
fn the_protocols_own_parser_takes_it_and_finds_the_same_figures() {
    let mut python = Command::new("python3")
        .env("PYTHONPATH", python_clients())
        .arg("tests/clients/otlp.py")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    python.stdin.take().unwrap().write_all(&exported(records())).unwrap();
    assert!(python.wait().unwrap().success());
}
