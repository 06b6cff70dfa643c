//! Headless Chromium, driven through its DevTools protocol: pages as people see them.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// The browser answers at once; the machine may be loaded.
const PATIENCE: Duration = Duration::from_secs(60);
/// Names under which it is installed.
const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// How a page is looked at.
#[derive(Clone, Copy)]
pub struct Look {
    pub width: u32,
    pub dark: bool,
}

/// A running browser with one page.
pub struct Browser {
    child: Child,
    _folder: TempDir,
    socket: WebSocketStream<TcpStream>,
    session: String,
    calls: u64,
    /// What it told beside answers, in order.
    events: Vec<Value>,
}

impl Browser {
    /// Starts it with an own, empty profile. Tests never skip: a missing browser is named.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let profile = format!("--user-data-dir={}", folder.path().display());
        let start = |program: &&str| {
            Command::new(program)
                .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
                .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
                .args(["--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb"])
                .args([
                    "--remote-debugging-address=127.0.0.1",
                    "--remote-debugging-port=0",
                    profile.as_str(),
                    "about:blank",
                ])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .ok()
        };
        let mut child = PROGRAMS.iter().find_map(start).expect(
            "Chromium is installed (`make test` does it); EARWITNESS_NO_BROWSER=1 goes without the tests that need it",
        );
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let url = lines
            .find_map(|line| line.strip_prefix("DevTools listening on ").map(str::to_owned))
            .expect("the browser listens");
        std::thread::spawn(move || lines.for_each(drop));
        let address = url.strip_prefix("ws://").and_then(|rest| rest.split_once('/')).unwrap().0;
        let stream = TcpStream::connect(address).await.unwrap();
        // A screenshot comes as one message.
        let config =
            WebSocketConfig::default().max_message_size(Some(64 << 20)).max_frame_size(Some(64 << 20));
        let (socket, _) =
            tokio_tungstenite::client_async_with_config(url.as_str(), stream, Some(config)).await.unwrap();
        let (session, events) = (String::new(), Vec::new());
        let mut browser = Self { child, _folder: folder, socket, session, calls: 0, events };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", attach).await;
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Network", "Log", "Runtime"] {
            browser.call(&format!("{domain}.enable"), json!({})).await;
        }
        browser
    }

    /// Calls a method of the protocol; its result.
    pub async fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        let mut call = json!({ "id": id, "method": method, "params": params });
        if !self.session.is_empty() {
            call["sessionId"] = self.session.as_str().into();
        }
        self.socket.send(Message::text(call.to_string())).await.unwrap();
        loop {
            let mut message = self.hear().await;
            if message["id"].as_u64() == Some(id) {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].take();
            }
            self.events.push(message);
        }
    }

    async fn hear(&mut self) -> Value {
        let message = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("the browser speaks");
        serde_json::from_str(message.expect("the browser runs").unwrap().to_text().unwrap()).unwrap()
    }

    /// Opens `url` and waits until all of it is there.
    pub async fn open(&mut self, url: &str, look: Look) {
        let phone = look.width < 600;
        let size = json!({ "width": look.width, "height": if phone { 844 } else { 900 }, "deviceScaleFactor": 1, "mobile": phone });
        self.call("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = if look.dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", media).await;
        let before = self.events.len();
        let answer = self.call("Page.navigate", json!({ "url": url })).await;
        assert!(answer["errorText"].is_null(), "{url}: {}", answer["errorText"]);
        while !self.events[before..].iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.hear().await;
            self.events.push(event);
        }
    }

    /// What an expression of JavaScript says about the page. It is evaluated by the debugger, beside the page's policy.
    pub async fn evaluate(&mut self, expression: &str) -> Value {
        let mut answer =
            self.call("Runtime.evaluate", json!({ "expression": expression, "returnByValue": true })).await;
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].take()
    }

    /// All of the page as PNG.
    pub async fn screenshot(&mut self) -> Vec<u8> {
        let metrics = self.call("Page.getLayoutMetrics", json!({})).await;
        let size = &metrics["cssContentSize"];
        let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
        let params = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let shot = self.call("Page.captureScreenshot", params).await;
        STANDARD.decode(shot["data"].as_str().unwrap()).unwrap()
    }

    /// What was told since the last time, by the method's name.
    pub fn told(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.events)
    }
}

/// By its own number; its helpers end with it.
impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
