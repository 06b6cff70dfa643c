//! A real server on loopback, and people and devices that speak to it.

// Each test file uses a part of it.
#![allow(dead_code)]

pub mod postgres;

use std::net::SocketAddr;
use std::time::Duration;

use earwitness_collector::store::{Role, Store};
use earwitness_collector::{Server, ServerError, Settings, StopHandle};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// A server that runs until it is dropped or stopped.
pub struct Running {
    pub address: SocketAddr,
    pub store: Store,
    pub folder: tempfile::TempDir,
    pub client: Client,
    stop: StopHandle,
    task: Option<JoinHandle<Result<(), ServerError>>>,
}

/// With an own database of SQLite.
pub async fn start(change: impl FnOnce(&mut Settings)) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::in_folder(folder.path());
    settings.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    change(&mut settings);
    start_in(folder, settings).await
}

/// With these settings.
pub async fn start_in(folder: tempfile::TempDir, settings: Settings) -> Running {
    let server = Server::start(settings).await.unwrap();
    let (address, store, stop) = (server.address(), server.store().clone(), server.stop_handle());
    let task = Some(tokio::spawn(server.run()));
    let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    Running { address, store, folder, client, stop, task }
}

impl Running {
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.url(path))
    }

    pub fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(self.url(path))
    }

    /// A new device's token.
    pub async fn device(&self, name: &str) -> String {
        let code = self.store.new_enrolment("tests", 60_000).await.unwrap().code;
        self.store.enrol(&code, name).await.unwrap()
    }

    /// Sends a batch; status and answer.
    pub async fn send(&self, token: &str, batch: &Value) -> (StatusCode, Value) {
        let body = zstd::encode_all(batch.to_string().as_bytes(), 1).unwrap();
        let request =
            self.post("/api/v1/batches").bearer_auth(token).header("content-encoding", "zstd").body(body);
        answer(request).await
    }

    /// Takes all that came into the roll-ups.
    pub async fn derive_all(&self) {
        while self.store.derive().await.unwrap() > 0 {}
    }

    /// Somebody signed in, as the value of the `Cookie` header.
    pub async fn sign_in(&self, name: &str, role: Role) -> String {
        let key = self.store.appoint(name, role).await.unwrap();
        let form = [("name", name), ("password", key.as_str()), ("next", "/")];
        let response = self.post("/login").form(&form).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let cookie = response.headers()["set-cookie"].to_str().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        cookie.split(';').next().unwrap().to_owned()
    }

    /// A page as somebody sees it.
    pub async fn page(&self, path: &str, cookie: &str) -> (StatusCode, String) {
        let response = self.get(path).header("cookie", cookie).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    /// The proof that forms of this person carry.
    pub async fn csrf(&self, cookie: &str) -> String {
        let (_, html) = self.page("/", cookie).await;
        let at = html.find("name=\"csrf\" value=\"").expect("a form") + 19;
        html[at..].split('"').next().unwrap().to_owned()
    }

    pub async fn submit(&self, path: &str, cookie: &str, form: &[(&str, &str)]) -> reqwest::Response {
        self.post(path).header("cookie", cookie).form(form).send().await.unwrap()
    }

    /// Ends the server as a signal would; the folder with all it wrote.
    pub async fn stop(mut self) -> tempfile::TempDir {
        self.stop.stop(Duration::from_secs(5));
        self.task.take().unwrap().await.unwrap().unwrap();
        self.folder
    }
}

pub async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

pub fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_millis() as u64
}

/// A batch of these records from `first` on.
pub fn batch(first: u64, records: &[Value]) -> Value {
    json!({
        "schema_version": 1, "stream_id": "s1", "first_sequence": first, "sent_unix_ms": now_ms(), "records": records,
    })
}

pub fn utterance(id: &str) -> Value {
    json!({
        "recorded_unix_ms": now_ms(), "kind": "utterance",
        "body": {
            "utterance_id": id, "engine": "whisper/tiny.en", "profile": "laptop", "app_version": "0.1.0",
            "route": "local", "output": {"outcome": "transcript", "words": 3},
            "software": {"recognize_ms": 120.0, "end_of_speech_to_final_ms": 640.0},
        },
    })
}

/// A comparison whose texts may be read.
pub fn shadow(id: &str, primary: &str, shadow: &str, edits: u64) -> Value {
    json!({
        "recorded_unix_ms": now_ms(), "kind": "shadow",
        "body": {
            "utterance_id": id, "primary_engine": "tiny.en", "shadow_engine": "base",
            "primary_outcome": "transcript", "shadow_outcome": "transcript", "substitutions": edits,
            "primary_words": primary.split_whitespace().count(), "shadow_words": shadow.split_whitespace().count(),
            "primary_ms": 100.0, "shadow_ms": 180.0, "sample_ratio": 1.0, "duration_ms": 2500.0, "language": "en",
        },
        "consented": {
            "consent": {"granted_unix_ms": 1, "scopes": ["text"]}, "text": primary, "shadow_text": shadow,
        },
    })
}
