//! Enrolment, erasure, and where a token must never be.

use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::cloud_support::{FakeCloud, Reply};
use earwitness::uplink::collector::{CollectorError, CollectorSettings, Uploader, enroll, erase};
use earwitness::web::ApiKey;

use crate::server::*;

#[test]
fn a_device_enrols_and_keeps_its_token_to_itself() {
    let answer = r#"{"device_id":"kitchen-pi","token":"fresh-token"}"#;
    let server = FakeCloud::replies(vec![
        Reply::json(200, answer),
        Reply::json(403, r#"{"error":"the code was used"}"#),
        Reply::json(200, r#"{"device_id":"another","token":"t"}"#),
    ]);
    let url = format!("http://{}", server.address);
    let enrolled = enroll(&url, "the-code", "kitchen-pi", false).unwrap();
    let request = server.request(0);
    assert_eq!(
        (request.line.as_str(), request.header("authorization")),
        ("POST /api/v1/enroll HTTP/1.1", None)
    );
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body, serde_json::json!({ "code": "the-code", "device_id": "kitchen-pi" }));
    assert!(!format!("{enrolled:?}").contains("fresh-token"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    enrolled.save_token(&file).unwrap();
    assert!(ApiKey::from_file(&file).unwrap() == enrolled.token);
    let refused = enroll(&url, "the-code", "kitchen-pi", false).unwrap_err().to_string();
    assert!(refused.contains("the code was used") && !refused.contains("the-code"), "{refused}");
    assert!(matches!(enroll(&url, "c", "kitchen-pi", false), Err(CollectorError::BadAnswer { .. })));
    assert!(matches!(enroll(&url, "c", "../pi", false), Err(CollectorError::Setup(_))));
    let unencrypted = enroll("http://192.0.2.1", "c", "kitchen-pi", false);
    assert!(matches!(unencrypted, Err(CollectorError::Setup(why)) if why.contains("https")));
    assert_eq!(server.asked(), 3);
}

#[test]
fn an_erasure_brings_its_receipt() {
    let server = FakeCloud::replies(vec![Reply::json(200, r#"{"receipt_id":"r-1","erased_unix_ms":5}"#)]);
    let receipt = erase(&settings(&server)).unwrap();
    assert_eq!(receipt["receipt_id"], "r-1");
    assert_eq!(server.request(0).line, "POST /base/api/v1/erase HTTP/1.1");
    assert_eq!(server.request(0).header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
}

#[test]
fn a_token_is_not_sent_unencrypted() {
    let device = Device::new();
    let settings = CollectorSettings::new("http://192.0.2.1:8090", ApiKey::new(TOKEN).unwrap()).unwrap();
    let started = Uploader::start(settings, device.journal, None, Box::new(|| false), |_| {});
    assert!(matches!(started.err(), Some(CollectorError::Setup(why)) if why.contains("https")));
}

/// Every log line of a run with failures, at the finest level.
#[test]
fn neither_token_nor_record_enters_a_log() {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let writer = log.clone();
    // Threads of other tests in this binary write here too; they have the same secrets.
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
    let store = Arc::new(Mutex::new(Store { poison: "bad", ..Store::default() }));
    let shared = store.clone();
    let server = FakeCloud::answering(move |n, request| match n {
        0 => Reply::json(403, format!(r#"{{"error":"{TOKEN} is not known"}}"#)),
        1 => Reply::CloseAfterUpload,
        _ => shared.lock().unwrap().take(request),
    });
    let device = Device::new();
    device.record("a-secret-record");
    device.record("bad-secret-record");
    let (_uploader, _) = start(settings(&server), &device, None);
    wait_until("all is sent", || store.lock().unwrap().mark == 2);
    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(log.contains("telemetry is sent later") && log.contains("given up"), "{log}");
    assert!(!log.contains(TOKEN) && !log.contains("secret-record"), "{log}");
}

/// A folder's files hold no token.
#[test]
fn no_token_is_on_disk_beside_the_records() {
    let store = Arc::<Mutex<Store>>::default();
    let server = server(&store);
    let device = Device::new();
    device.records(3);
    let (uploader, _) = start(settings(&server), &device, None);
    assert!(uploader.flush(PATIENCE));
    fn files(folder: &Path) -> Vec<Vec<u8>> {
        std::fs::read_dir(folder).unwrap().filter_map(|e| std::fs::read(e.unwrap().path()).ok()).collect()
    }
    let all = files(&device.folder.path().join("journal"));
    assert!(
        !all.is_empty() && !all.iter().any(|bytes| bytes.windows(TOKEN.len()).any(|w| w == TOKEN.as_bytes()))
    );
}
