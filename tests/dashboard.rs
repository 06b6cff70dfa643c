//! The whole loop as a stranger meets it: `earwitness demo --fleet`, and each page of its dashboard in a browser.
//!
//! The screenshots are in `target/dashboard-screenshots/`, for people to look at.

#![cfg(all(feature = "cloud", feature = "collect", feature = "serve", feature = "telemetry", unix))]

mod browser_support;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use browser_support::{Browser, Look};
use serde_json::{Value, json};

/// Long enough for a loaded machine; what is waited for comes as soon as it can.
const PATIENCE: Duration = Duration::from_secs(300);
const DEVICES: [&str; 3] = ["kitchen-pi", "office-laptop", "field-recorder"];
const LIGHT: Look = Look { width: 1280, dark: false };
const DARK: Look = Look { width: 1280, dark: true };
const PHONE: Look = Look { width: 390, dark: false };

/// A running demonstration. Dropped: asked to end, as by Ctrl-C, so that nothing of it stays.
struct Demo {
    child: Child,
    url: String,
    key: String,
    folder: tempfile::TempDir,
}

impl Demo {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_earwitness"))
            .args(["demo", "--fleet", "--json", "--listen", "127.0.0.1:0", "--pace", "2", "--for-s", "900"])
            .arg("--folder")
            .arg(folder.path())
            .env_remove("DO_NOT_TRACK")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let up: Value = serde_json::from_str(&line).expect("it says where it is");
        assert_eq!(up["devices"], json!(DEVICES));
        let text = |key: &str| up[key].as_str().unwrap().to_owned();
        Self { url: text("url"), key: text("admin_key"), child, folder }
    }

    fn interrupt(&self) {
        let killed = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(killed.unwrap().success());
    }

    /// Ends it; its exit code and what it said.
    fn end(mut self) -> (Option<i32>, String) {
        self.interrupt();
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
            let _ = self.child.wait();
        }
    }
}

fn browserless() -> bool {
    let without = std::env::var_os("EARWITNESS_NO_BROWSER").is_some_and(|value| value == "1");
    if without {
        eprintln!("EARWITNESS_NO_BROWSER=1: the dashboard is not looked at");
    }
    without
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !done().await {
        assert!(begin.elapsed() < PATIENCE, "{what} never happened");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// A browser with the cookie of somebody who signed in.
async fn signed_in(demo: &Demo) -> Browser {
    let client =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
    // A name and a key in hexadecimal-like letters: nothing to escape.
    let request = client
        .post(format!("{}/login", demo.url))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("name=admin&password={}&next=/", demo.key));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 303);
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
    let mut browser = Browser::start().await;
    let cookie =
        json!({ "name": name, "value": value, "url": demo.url, "httpOnly": true, "sameSite": "Strict" });
    assert_eq!(browser.call("Network.setCookie", cookie).await["success"], true);
    browser
}

/// Figures by the API, for programs.
async fn figures(demo: &Demo) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = client
        .get(format!("{}/api/v1/figures?hours=1", demo.url))
        .bearer_auth(&demo.key)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}

/// No complaint of the browser, no request to anybody else.
fn keeps_to_itself(browser: &mut Browser, demo: &Demo, page: &str) {
    let told = browser.told();
    let requests = told.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
    for request in requests {
        let url = request["params"]["request"]["url"].as_str().unwrap();
        // The browser draws its own player.
        assert!(url.starts_with(&demo.url) || url.starts_with("data:"), "{page} asks {url}");
    }
    let complaints: Vec<_> = told
        .iter()
        .filter(|event| {
            matches!(event["method"].as_str(), Some("Log.entryAdded" | "Runtime.exceptionThrown"))
        })
        .map(|event| &event["params"])
        .collect();
    assert!(complaints.is_empty(), "{page}: {complaints:?}");
}

/// A picture of something: more than one colour, which PNG would make very small.
fn keep_picture(png: &[u8], name: &str) {
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"), "{name} is no PNG");
    let mut seen = [false; 256];
    png.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    assert!(png.len() > 8_000 && seen.iter().all(|seen| *seen), "{name} is blank: {} bytes", png.len());
    let folder = folder_of_pictures();
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{name}.png")), png).unwrap();
}

/// Beside the build's other outputs.
fn folder_of_pictures() -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_earwitness"));
    binary.parent().and_then(Path::parent).unwrap().join("dashboard-screenshots")
}

/// A page: its address, name, words that it must show, plots that it must have.
const PAGES: [(&str, &str, &[&str], u64); 8] = [
    ("/", "fleet", &DEVICES, 0),
    ("/live", "live", &["in steps of 1 min", "End of speech to final text", "Signal to noise"], 10),
    ("/shadow", "shadow", &["tiny.en", "base", "Not decided", "too few devices"], 4),
    ("/adjudicate", "adjudicate", &["A", "B"], 0),
    ("/search?q=best", "search", &["kitchen-pi"], 0),
    ("/devices/kitchen-pi", "device", &["kitchen-pi", "hands-free", "Recent utterances"], 4),
    ("/privacy", "privacy", &["telemetry_audio", "Audit log"], 0),
    ("/admin", "admin", &["Enrolment codes", "field-recorder"], 0),
];

/// Processes whose command line names `folder`.
fn processes_in(folder: &Path) -> Vec<String> {
    let listed = Command::new("ps").args(["-eo", "pid=,args="]).output().unwrap();
    let folder = folder.to_str().unwrap();
    let lines = String::from_utf8_lossy(&listed.stdout);
    lines.lines().filter(|line| line.contains(folder)).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_demonstration_that_is_killed_leaves_no_process_behind() {
    let mut demo = Demo::start();
    let folder = demo.folder.path().to_owned();
    until("the devices run", async || {
        processes_in(&folder).iter().filter(|line| line.contains(" listen ")).count() == 3
    })
    .await;
    demo.child.kill().unwrap();
    demo.child.wait().unwrap();
    until("its processes end", async || processes_in(&folder).is_empty()).await;
}

#[tokio::test]
async fn the_demonstration_fills_a_dashboard_that_can_be_looked_at() {
    if browserless() {
        return;
    }
    let demo = Demo::start();
    until("figures of all devices come", async || {
        let figures = figures(&demo).await;
        figures["devices"].as_u64() >= Some(3) && figures["utterances"].as_u64() >= Some(40)
    })
    .await;
    let mut browser = signed_in(&demo).await;
    // Recordings and shadows come after the figures.
    for (page, what) in [
        ("/adjudicate", "document.querySelector('audio') !== null"),
        ("/shadow", "document.body.innerText.includes('Not decided')"),
        ("/search?q=best", "document.body.innerText.includes('kitchen-pi')"),
    ] {
        until(page, async || {
            browser.open(&format!("{}{page}", demo.url), LIGHT).await;
            browser.evaluate(what).await == true
        })
        .await;
    }
    browser.told();
    for (look, suffix) in [(LIGHT, "light"), (DARK, "dark"), (PHONE, "phone")] {
        for (path, name, words, plots) in PAGES {
            let page = format!("{name}-{suffix}");
            browser.open(&format!("{}{path}", demo.url), look).await;
            keep_picture(&browser.screenshot().await, &page);
            let text = browser.evaluate("document.body.innerText").await;
            let text = text.as_str().unwrap();
            for word in words {
                assert!(text.contains(word), "{page} does not say {word}:\n{text}");
            }
            let drawn = browser.evaluate("document.querySelectorAll('main svg').length").await;
            assert!(drawn.as_u64() >= Some(plots), "{page} has {drawn} plots");
            let wide = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]";
            let wide = browser.evaluate(wide).await;
            assert!(wide[0].as_u64() <= wide[1].as_u64(), "{page} is wider than the screen: {wide}");
            keeps_to_itself(&mut browser, &demo, &page);
        }
    }
    browser.open(&format!("{}/adjudicate", demo.url), LIGHT).await;
    let playable = "new Promise(done => { const a = document.querySelector('audio'); a.preload = 'auto'; \
        a.onloadedmetadata = () => done(a.duration); a.onerror = () => done(-1); a.load(); })";
    let answer = browser
        .call(
            "Runtime.evaluate",
            json!({ "expression": playable, "awaitPromise": true, "returnByValue": true }),
        )
        .await;
    assert!(answer["result"]["value"].as_f64() > Some(0.2), "the recording does not play: {answer}");
    // Whoever is not signed in sees the way in.
    browser.call("Network.clearBrowserCookies", json!({})).await;
    for (look, suffix) in [(LIGHT, "light"), (DARK, "dark"), (PHONE, "phone")] {
        browser.open(&format!("{}/login", demo.url), look).await;
        keep_picture(&browser.screenshot().await, &format!("login-{suffix}"));
        assert_eq!(browser.evaluate("document.querySelectorAll('input[type=password]').length").await, 1);
    }
    let url = demo.url.clone();
    let (code, said) = demo.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Dashboard: ") && said.contains("Ended. Utterances: "), "{said}");
    let disclosed = said.matches("Figures are sent to 127.0.0.1").count();
    assert_eq!(disclosed, DEVICES.len(), "each device says once what goes where: {said}");
    assert!(
        std::net::TcpStream::connect(url.strip_prefix("http://").unwrap()).is_err(),
        "the server still listens"
    );
}
