//! A day with the server: devices report, people look, judge and erase.

mod support;

use earwitness_collector::store::Role;
use reqwest::StatusCode;
use serde_json::json;
use support::{answer, batch, now_ms, shadow, start, utterance};

#[tokio::test(flavor = "multi_thread")]
async fn a_device_enrols_reports_and_is_seen() {
    let server = start(|_| {}).await;
    let admin = server.store.appoint("adam", Role::Admin).await.unwrap();
    let (status, code) = answer(server.post("/api/v1/enrolments").bearer_auth(&admin)).await;
    assert_eq!(status, StatusCode::OK);
    let enrolment = json!({"code": code["code"], "device_id": "kitchen-pi"});
    let (status, enrolled) = answer(server.post("/api/v1/enroll").body(enrolment.to_string())).await;
    assert_eq!((status, enrolled["device_id"].as_str()), (StatusCode::OK, Some("kitchen-pi")));
    let again = answer(server.post("/api/v1/enroll").body(enrolment.to_string())).await;
    assert_eq!(again.0, StatusCode::FORBIDDEN, "a code works once");
    let token = enrolled["token"].as_str().unwrap();
    let session = json!({
        "recorded_unix_ms": now_ms(), "kind": "session",
        "body": {"session_id": "x1", "engine": "whisper/tiny.en", "shadow_engine": "whisper/base",
                 "app_version": "0.1.0", "profile": "pi-4", "platform": "linux-aarch64", "cores": 4},
    });
    let health = json!({
        "recorded_unix_ms": now_ms(), "kind": "health",
        "body": {"session_id": "x1", "journal_records": 12, "temperature_celsius": 61.5, "throttled": true},
    });
    let (status, accepted) = server.send(token, &batch(1, &[session, utterance("x1-0"), health])).await;
    assert_eq!((status, accepted["high_water"].as_u64()), (StatusCode::OK, Some(3)));
    server.derive_all().await;
    let cookie = server.sign_in("vera", Role::Viewer).await;
    let (_, fleet) = server.page("/", &cookie).await;
    for part in ["kitchen-pi", "pi-4", "linux-aarch64", "whisper/tiny.en", "whisper/base"] {
        assert!(fleet.contains(part), "{part}");
    }
    let (_, device) = server.page("/devices/kitchen-pi", &cookie).await;
    assert!(device.contains("640 ms") && device.contains("x1"), "the utterance's time, and its session");
    for range in ["15m", "1h", "24h", "7d", "30d"] {
        let (status, live) = server.page(&format!("/live?range={range}"), &cookie).await;
        assert!(status == StatusCode::OK && live.contains("End of speech to final text"), "{range}");
    }
    let (_, figures) = answer(server.get("/api/v1/figures?hours=1").bearer_auth(&admin)).await;
    assert_eq!(figures["utterances"], 1);
    let p50 = figures["metrics"]["end_of_speech_to_final_ms"]["p50"].as_f64().unwrap();
    assert!((p50 / 640.0 - 1.0).abs() < 0.02, "{p50}");
    assert_eq!(server.page("/devices/none", &cookie).await.0, StatusCode::NOT_FOUND);
    let (_, metrics) = answer(server.get("/metrics")).await;
    assert!(metrics.as_str().unwrap().contains("earwitness_collector_records_total 3"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn disagreements_are_judged_blind_and_decide() {
    let server = start(|settings| {
        settings.sampling.per_edit = 1.0;
        settings.sampling.agreeing = 0.0001;
    })
    .await;
    // On every device the shadow is right and the primary is wrong by one word of four.
    for n in 0..12 {
        let token = server.device(&format!("dev-{n}")).await;
        let lines: Vec<_> = (0..3)
            .flat_map(|i| {
                let agreed = shadow(&format!("a-{i}"), "turn it off now", "turn it off now", 0);
                let differ = shadow(&format!("d-{i}"), "turn it of now", "turn it off now", 1);
                // Not the same everywhere: what never varies gives no interval.
                if n % 3 == 0 && i == 0 { vec![agreed] } else { vec![agreed, differ] }
            })
            .collect();
        assert_eq!(server.send(&token, &batch(1, &lines)).await.0, StatusCode::OK);
    }
    server.derive_all().await;
    let cookie = server.sign_in("lea", Role::Labeller).await;
    let csrf = server.csrf(&cookie).await;
    let (_, before) = server.page("/shadow", &cookie).await;
    assert!(
        before.contains("Not decided") && !before.contains("Better"),
        "without references nothing is decided"
    );
    let mut judged = 0;
    loop {
        let (_, html) = server.page("/adjudicate", &cookie).await;
        let Some(at) = html.find("name=\"item_id\" value=\"") else { break };
        let item = html[at + 22..].split('"').next().unwrap().to_owned();
        let (a, b) = (html.find("turn it off now").unwrap(), html.find("turn it of now").unwrap());
        assert!(
            !html.contains("tiny.en") && !html.contains("shadow_text"),
            "nothing says whose the texts are"
        );
        let choice = if a < b { "a" } else { "b" };
        let form = [
            ("csrf", csrf.as_str()),
            ("item_id", item.as_str()),
            ("order", "blind"),
            ("choice", choice),
            ("reference", ""),
            ("action", "submit"),
        ];
        assert_eq!(server.submit("/adjudicate", &cookie, &form).await.status(), StatusCode::SEE_OTHER);
        judged += 1;
        assert!(judged < 100);
    }
    assert!((32..=34).contains(&judged), "{judged} of 32 disagreements, and hardly an agreement");
    let (_, after) = server.page("/shadow", &cookie).await;
    assert!(after.contains("Better"), "the shadow is right wherever they differ");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_asks_erases_and_gives_a_receipt() {
    let server = start(|_| {}).await;
    let token = server.device("pi").await;
    let mut line = shadow("u-1", "my very private words", "my very private birds", 1);
    line["consented"]["consent"]["scopes"] = json!(["text", "speaker"]);
    line["consented"]["speaker"] = json!({"subject_id": "ann"});
    assert_eq!(server.send(&token, &batch(1, &[line])).await.0, StatusCode::OK);
    let clip = server.client.put(server.url("/api/v1/clips/u-1?granted_unix_ms=1&subject_id=ann"));
    let clip = clip.bearer_auth(&token).header("content-type", "audio/flac").body("fLaC my private voice");
    assert_eq!(answer(clip).await.0, StatusCode::NO_CONTENT);
    server.derive_all().await;
    let cookie = server.sign_in("adam", Role::Admin).await;
    let csrf = server.csrf(&cookie).await;
    assert!(server.page("/search?q=private", &cookie).await.1.contains("pi"));
    let form = [("csrf", csrf.as_str()), ("scope", "person"), ("id", "ann")];
    let asked = server.submit("/privacy/erase", &cookie, &form).await.text().await.unwrap();
    assert!(asked.contains("ann"));
    let wrong = [&form[..], &[("confirmed", "yes"), ("typed", "anna")]].concat();
    assert_eq!(server.submit("/privacy/erase", &cookie, &wrong).await.status(), StatusCode::OK, "asks again");
    let right = [&form[..], &[("confirmed", "yes"), ("typed", "ann")]].concat();
    let done = server.submit("/privacy/erase", &cookie, &right).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    let receipt = done.headers()["location"].to_str().unwrap().to_owned();
    let (status, html) = server.page(&receipt, &cookie).await;
    assert!(status == StatusCode::OK && html.contains("person"), "{receipt}");
    assert!(!server.page("/shadow", &cookie).await.1.contains("birds"));
    let (_, privacy) = server.page("/privacy", &cookie).await;
    assert!(privacy.contains("erase"), "the audit log tells");
    assert_eq!(server.page("/clips/pi/u-1", &cookie).await.0, StatusCode::NOT_FOUND);
    // No readable copy in any file that the server wrote.
    let folder = server.stop().await;
    let mut files = 0;
    for entry in walk(folder.path()) {
        let bytes = std::fs::read(&entry).unwrap();
        for secret in ["private", "birds", "fLaC"] {
            assert!(
                !bytes.windows(secret.len()).any(|w| w == secret.as_bytes()),
                "{} has {secret}",
                entry.display()
            );
        }
        files += 1;
    }
    assert!(files >= 2, "the database and the key");
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_there_when_the_server_comes_back() {
    let server = start(|_| {}).await;
    let token = server.device("pi").await;
    for first in 1..=20 {
        assert_eq!(server.send(&token, &batch(first, &[utterance("u")])).await.0, StatusCode::OK);
    }
    let folder = server.stop().await;
    let mut settings = earwitness_collector::Settings::in_folder(folder.path());
    settings.listen = "127.0.0.1:0".parse().unwrap();
    let server = support::start_in(folder, settings).await;
    let (_, state) = answer(server.get("/api/v1/streams/s1").bearer_auth(&token)).await;
    assert_eq!(state["high_water"], 20);
}

#[test]
fn the_description_names_every_route_and_no_other() {
    let source = include_str!("../src/api/mod.rs");
    let routed: std::collections::BTreeSet<String> = source
        .split(".route(\"")
        .skip(1)
        .map(|rest| {
            let path = rest.split('"').next().unwrap();
            let method = rest.split(", ").nth(1).unwrap().split('(').next().unwrap();
            format!("{method} {path}")
        })
        .collect();
    let document: serde_json::Value = serde_json::from_str(include_str!("../src/api/openapi.json")).unwrap();
    let described: std::collections::BTreeSet<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| format!("{method} {path}"))
        })
        .collect();
    assert_eq!(routed, described);
}
