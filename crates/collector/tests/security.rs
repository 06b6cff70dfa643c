//! What a server on a hostile network must stand: each refusal with its status, and nothing changed by it.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use earwitness_collector::store::Role;
use reqwest::StatusCode;
use serde_json::json;
use support::{Running, answer, batch, shadow, start, utterance};

async fn server() -> Running {
    start(|_| {}).await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_valid_token_nothing_is_taken() {
    let server = server().await;
    let token = server.device("pi").await;
    let one = batch(1, &[utterance("u-1")]);
    let (status, _) = answer(server.post("/api/v1/batches").body(one.to_string())).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let wrong = format!("{}x", &token[..token.len() - 1]);
    for bad in [wrong.as_str(), "", "ewd_", &"a".repeat(5000), "' or 1=1 --"] {
        let (status, _) = server.send(bad, &one).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{bad:.20}");
    }
    assert_eq!(server.send(&token, &one).await.0, StatusCode::OK);
    assert!(server.store.revoke("pi").await.unwrap());
    assert_eq!(server.send(&token, &batch(2, &[utterance("u-2")])).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(server.store.device("pi").await.unwrap().unwrap().records, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_speaks_for_its_own_device_only() {
    let server = server().await;
    let (pi, laptop) = (server.device("pi").await, server.device("laptop").await);
    server.send(&pi, &batch(1, &[utterance("u-1"), utterance("u-2")])).await;
    // The same stream name of another device is another stream: nothing of the first is seen or moved.
    let (status, state) = answer(server.get("/api/v1/streams/s1").bearer_auth(&laptop)).await;
    assert_eq!((status, state["high_water"].as_u64()), (StatusCode::OK, Some(0)));
    let (status, refusal) = server.send(&laptop, &batch(3, &[utterance("u-3")])).await;
    assert_eq!((status, refusal["expected_sequence"].as_u64()), (StatusCode::CONFLICT, Some(1)));
    // Erasing by a device erases that device.
    let (status, receipt) = answer(server.post("/api/v1/erase").bearer_auth(&laptop)).await;
    assert_eq!((status, receipt["records"].as_u64()), (StatusCode::OK, Some(0)));
    assert_eq!(server.store.device("pi").await.unwrap().unwrap().records, 2);
    // Devices may not ask what people may, nor people what devices may.
    assert_eq!(answer(server.get("/api/v1/fleet").bearer_auth(&pi)).await.0, StatusCode::FORBIDDEN);
    let key = server.store.appoint("ann", Role::Viewer).await.unwrap();
    assert_eq!(server.send(&key, &batch(1, &[])).await.0, StatusCode::FORBIDDEN);
    assert_eq!(answer(server.get("/api/v1/fleet").bearer_auth(&key)).await.0, StatusCode::OK);
    assert_eq!(answer(server.post("/api/v1/enrolments").bearer_auth(&key)).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_too_large_too_deep_or_bombs_are_refused() {
    let server = server().await;
    let token = server.device("pi").await;
    let send = async |encoding: Option<&str>, body: Vec<u8>| {
        let mut request = server.post("/api/v1/batches").bearer_auth(&token).body(body);
        if let Some(encoding) = encoding {
            request = request.header("content-encoding", encoding);
        }
        answer(request).await.0
    };
    assert_eq!(send(None, vec![b' '; 9 << 20]).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(send(Some("zstd"), vec![0; 3 << 20]).await, StatusCode::PAYLOAD_TOO_LARGE);
    let bomb = zstd::encode_all(&vec![b' '; 512 << 20][..], 3).unwrap();
    assert!(bomb.len() < 100_000);
    assert_eq!(send(Some("zstd"), bomb).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(send(Some("gzip"), vec![1]).await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(send(Some("zstd"), b"no zstd".to_vec()).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(send(None, vec![b'['; 1 << 20]).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(send(None, b"{}".to_vec()).await, StatusCode::UNPROCESSABLE_ENTITY);
    let text_without_consent = json!([{
        "recorded_unix_ms": 1, "kind": "utterance", "body": {}, "consented": {"text": "hello"},
    }]);
    let batch = batch(1, text_without_consent.as_array().unwrap());
    assert_eq!(send(None, batch.to_string().into_bytes()).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(server.store.device("pi").await.unwrap().unwrap().records, 0);
}

/// Sends `bytes`, then waits until the server has closed; what it said.
fn dribble(server: &Running, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(server.address).unwrap();
    socket.write_all(bytes).unwrap();
    let mut said = Vec::new();
    let _ = socket.read_to_end(&mut said);
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_too_slowly_is_cut_off_and_others_are_served() {
    let server = start(|settings| {
        settings.limits.head_timeout = Duration::from_millis(300);
        settings.limits.body_timeout = Duration::from_millis(300);
    })
    .await;
    let token = server.device("pi").await;
    tokio::task::block_in_place(|| {
        // Both return only because the server closed.
        let said = dribble(&server, b"POST /api/v1/batches HTTP/1.1\r\nHost: x\r\nX-Slow: ");
        assert!(said.is_empty() || said.contains("408"), "{said}");
        let head = format!(
            "POST /api/v1/batches HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
             Content-Length: 1000\r\n\r\n{{"
        );
        let said = dribble(&server, head.as_bytes());
        assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    });
    let slow: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    assert_eq!(server.send(&token, &batch(1, &[utterance("u-1")])).await.0, StatusCode::OK);
    drop(slow);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_clips_never_become_paths() {
    let server = server().await;
    let token = server.device("pi").await;
    let put = async |path: &str, body: &[u8]| {
        let request =
            server.client.put(server.url(path)).bearer_auth(&token).header("content-type", "audio/flac");
        answer(request.body(body.to_vec())).await.0
    };
    for name in ["..%2F..%2Fetc%2Fpasswd", "%2e%2e", ".hidden", "a%00b", &"x".repeat(65), "a%20b"] {
        let status = put(&format!("/api/v1/clips/{name}?granted_unix_ms=1"), b"fLaC").await;
        assert!(status.is_client_error(), "{name} {status}");
    }
    assert_eq!(put("/api/v1/clips/u-1?granted_unix_ms=1", b"RIFF").await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(put("/api/v1/clips/u-1", b"fLaC").await, StatusCode::UNPROCESSABLE_ENTITY);
    let subject = put("/api/v1/clips/u-1?granted_unix_ms=1&subject_id=..%2Fann", b"fLaC").await;
    assert_eq!(subject, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        put("/api/v1/clips/u-1?granted_unix_ms=1", &[b"fLaC".as_slice(), &[7; 100]].concat()).await,
        204
    );
    assert_eq!(
        put("/api/v1/clips/u-1?granted_unix_ms=1", &[b"fLaC".as_slice(), &[8; 100]].concat()).await,
        204
    );
    let clips = server.folder.path().join("clips/clips");
    let files: Vec<_> = std::fs::read_dir(clips).unwrap().map(|f| f.unwrap()).collect();
    assert_eq!(files.len(), 1, "a clip that is sent again replaces the first");
    let bytes = std::fs::read(files[0].path()).unwrap();
    assert!(!bytes.windows(4).any(|w| w == b"fLaC") && !bytes.windows(8).any(|w| w == [8; 8]), "sealed");
    let cookie = server.sign_in("lea", Role::Labeller).await;
    let clip = server.get("/clips/pi/u-1").header("cookie", &cookie).send().await.unwrap();
    assert_eq!((clip.status(), clip.bytes().await.unwrap().len()), (StatusCode::OK, 104));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_in_a_transcript_is_shown_as_text() {
    let server = server().await;
    let token = server.device("pi").await;
    let evil = "hello <script>alert(1)</script> \"><img src=x onerror=alert(2)>";
    let mut hostile = utterance("u-1");
    hostile["body"]["engine"] = "<script>alert(3)</script>".into();
    hostile["body"]["profile"] = "'\"><svg onload=alert(4)>".into();
    let lines = [hostile, shadow("u-1", evil, "hello world", 4)];
    assert_eq!(server.send(&token, &batch(1, &lines)).await.0, StatusCode::OK);
    server.derive_all().await;
    let cookie = server.sign_in("adam", Role::Admin).await;
    for path in
        ["/", "/live", "/shadow", "/adjudicate", "/search?q=hello", "/devices/pi", "/privacy", "/admin"]
    {
        let response = server.get(path).header("cookie", &cookie).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let html = response.text().await.unwrap();
        for part in ["<script>alert", "<img src=x", "<svg onload"] {
            assert!(!html.contains(part), "{path} has {part}");
        }
    }
    let (_, html) = server.page("/search?q=hello", &cookie).await;
    assert!(html.contains("&#60;script&#62;") || html.contains("&lt;script&gt;"), "it is there as text");
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_of_other_sites_change_nothing() {
    let server = server().await;
    server.device("pi").await;
    let cookie = server.sign_in("adam", Role::Admin).await;
    let csrf = server.csrf(&cookie).await;
    let other = server.sign_in("eve", Role::Admin).await;
    let of_other = server.csrf(&other).await;
    let revoke = "/devices/pi/revoke";
    for form in [
        vec![("confirmed", "yes")],
        vec![("confirmed", "yes"), ("csrf", "")],
        vec![("confirmed", "yes"), ("csrf", of_other.as_str())],
    ] {
        assert_eq!(server.submit(revoke, &cookie, &form).await.status(), StatusCode::FORBIDDEN);
    }
    let form = [("confirmed", "yes"), ("csrf", csrf.as_str())];
    let foreign =
        server.post(revoke).header("cookie", &cookie).header("origin", "https://evil.example").form(&form);
    assert_eq!(foreign.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    assert!(server.store.device("pi").await.unwrap().unwrap().revoked_ms.is_none());
    assert_eq!(server.get(revoke).header("cookie", &cookie).send().await.unwrap().status(), 405);
    // Without a confirmation it asks; with it, it does.
    let asked = server.submit(revoke, &cookie, &[("csrf", csrf.as_str())]).await;
    assert!(asked.text().await.unwrap().contains("Revoke the token of pi?"));
    let ours = server.post(revoke).header("cookie", &cookie).header("origin", server.url("")).form(&form);
    assert_eq!(ours.send().await.unwrap().status(), StatusCode::SEE_OTHER);
    assert!(server.store.device("pi").await.unwrap().unwrap().revoked_ms.is_some());
    let out = server.submit("/logout", &cookie, &[("csrf", csrf.as_str())]).await;
    assert_eq!(out.status(), StatusCode::SEE_OTHER);
    assert_eq!(server.page("/", &cookie).await.0, StatusCode::SEE_OTHER, "the cookie is worth nothing now");
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_open_what_they_say_and_no_more() {
    let server = server().await;
    let token = server.device("pi").await;
    server.send(&token, &batch(1, &[shadow("u-1", "the secret words", "the secret birds", 1)])).await;
    server.derive_all().await;
    let viewer = server.sign_in("vera", Role::Viewer).await;
    let labeller = server.sign_in("lea", Role::Labeller).await;
    let admin = server.sign_in("adam", Role::Admin).await;
    for (path, by_viewer, by_labeller) in [
        ("/", 200, 200),
        ("/live", 200, 200),
        ("/shadow", 200, 200),
        ("/devices/pi", 200, 200),
        ("/privacy", 200, 200),
        ("/adjudicate", 403, 200),
        ("/search?q=secret", 403, 200),
        ("/clips/pi/u-1", 403, 404),
        ("/admin", 403, 403),
    ] {
        assert_eq!(server.page(path, &viewer).await.0, by_viewer, "{path}");
        assert_eq!(server.page(path, &labeller).await.0, by_labeller, "{path}");
        assert_ne!(server.page(path, &admin).await.0, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(server.page(path, "").await.0, StatusCode::SEE_OTHER, "{path} without signing in");
    }
    assert!(!server.page("/shadow", &viewer).await.1.contains("birds"), "viewers read no texts");
    assert!(server.page("/shadow", &labeller).await.1.contains("birds"));
    let csrf = server.csrf(&labeller).await;
    for path in ["/devices/pi/erase", "/privacy/erase", "/admin/people", "/admin/codes"] {
        let form =
            [("csrf", csrf.as_str()), ("scope", "device"), ("id", "pi"), ("name", "x"), ("role", "admin")];
        assert_eq!(server.submit(path, &labeller, &form).await.status(), StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_and_too_many_guesses_wait() {
    let server = start(|settings| {
        settings.limits.requests_per_s = 1;
        settings.limits.burst = 5;
        settings.limits.refusals_per_minute = 10;
    })
    .await;
    let (pi, laptop) = (server.device("pi").await, server.device("laptop").await);
    let ask = async |token: &str| server.get("/api/v1/streams/s1").bearer_auth(token).send().await.unwrap();
    let mut last = ask(&pi).await;
    for _ in 0..6 {
        last = ask(&pi).await;
    }
    assert_eq!(last.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = last.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
    assert_eq!(ask(&laptop).await.status(), StatusCode::OK, "others are not held up");
    for n in 0..12 {
        ask(&format!("ewd_guess-number-{n}-of-many-guesses")).await;
    }
    assert_eq!(ask("ewd_another-guess-that-is-long-enough").await.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_for_a_body_the_answer_is_come_again() {
    let server = start(|settings| settings.limits.max_body_bytes_in_flight = 100).await;
    let token = server.device("pi").await;
    let request =
        server.post("/api/v1/batches").bearer_auth(&token).body(batch(1, &[utterance("u-1")]).to_string());
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn a_server_that_others_reach_wants_encryption() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = earwitness_collector::Settings::in_folder(folder.path());
    settings.listen = "0.0.0.0:0".parse().unwrap();
    let refused = earwitness_collector::Server::start(settings).await.err().unwrap().to_string();
    assert!(refused.contains("--tls-cert"), "{refused}");
}
