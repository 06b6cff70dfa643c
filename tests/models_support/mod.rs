//! A small HTTP server and a small catalogue, for the tests of models.

#![allow(dead_code, missing_docs, unreachable_pub)] // each test program uses its part

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use earwitness::models::{Catalog, FetchSettings, PullEvent, PullOptions, PullProgress};
use sha2::{Digest, Sha256};

/// One request and what was served for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Served {
    pub path: String,
    pub range_from: Option<usize>,
    pub if_range: Option<String>,
    pub authorization: Option<String>,
    pub status: u16,
    pub body_bytes: usize,
}

/// What to answer.
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
    pub etag: Option<&'static str>,
    pub ranges: bool,
    /// Close the connection after so many bytes of the body.
    pub cut_after: Option<usize>,
}

impl Reply {
    pub fn file(body: &[u8]) -> Self {
        Self { status: 200, body: body.to_vec(), etag: Some("\"v1\""), ranges: true, cut_after: None }
    }

    pub fn status(status: u16) -> Self {
        Self { status, body: b"no".to_vec(), etag: None, ranges: false, cut_after: None }
    }

    pub fn cut_after(self, bytes: usize) -> Self {
        Self { cut_after: Some(bytes), ..self }
    }
}

/// A server on 127.0.0.1 that lives as long as the test program.
pub struct Server {
    pub address: String,
    log: Arc<Mutex<Vec<Served>>>,
}

impl Server {
    /// `answer` gets the request's number from 0 and its path.
    pub fn start(answer: impl Fn(usize, &str) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let log = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&log);
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let served = serve(stream.unwrap(), |path| answer(number, path));
                shared.lock().unwrap().push(served);
            }
        });
        Self { address, log }
    }

    /// Requests answered; waits for the one whose answer the client has just read.
    pub fn requests(&self, expected: usize) -> Vec<Served> {
        for _ in 0..500 {
            if self.log.lock().unwrap().len() >= expected {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.log.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, answer: impl FnOnce(&str) -> Reply) -> Served {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    let mut served =
        Served { path: first.split(' ').nth(1).unwrap_or_default().to_owned(), ..Served::default() };
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
        match name.to_lowercase().as_str() {
            "range" => {
                served.range_from = value.trim_start_matches("bytes=").trim_end_matches('-').parse().ok();
            }
            "if-range" => served.if_range = Some(value.to_owned()),
            "authorization" => served.authorization = Some(value.to_owned()),
            _ => {}
        }
    }
    let reply = answer(&served.path);
    let same = served.if_range.as_deref().is_none_or(|tag| Some(tag) == reply.etag);
    let from = served.range_from.filter(|&n| reply.ranges && same && n < reply.body.len());
    served.status = if from.is_some() { 206 } else { reply.status };
    let body = &reply.body[from.unwrap_or(0)..];
    let mut head =
        format!("HTTP/1.1 {} X\r\nContent-Length: {}\r\nConnection: close\r\n", served.status, body.len());
    if let Some(from) = from {
        head += &format!("Content-Range: bytes {from}-{}/{}\r\n", reply.body.len() - 1, reply.body.len());
    }
    if let Some(etag) = reply.etag {
        head += &format!("ETag: {etag}\r\n");
    }
    let body = &body[..reply.cut_after.unwrap_or(body.len()).min(body.len())];
    served.body_bytes = body.len();
    let _ = stream.write_all(format!("{head}\r\n").as_bytes()).and_then(|()| stream.write_all(body));
    let _ = stream.shutdown(Shutdown::Write);
    served
}

/// Bytes that do not repeat within a buffer.
pub fn weights(len: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(7);
    std::iter::repeat_with(|| rng.u8(..)).take(len).collect()
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

pub fn catalog_text(content: &[u8]) -> String {
    format!(
        r#"
        [[model]]
        name = "mini"
        default = true
        kind = "whisper"
        description = "a test model"
        licence = "MIT"
        files = [{{ name = "model.bin", bytes = {}, sha256 = "{}" }}]
        [[model.source]]
        type = "hub"
        repo = "org/mini"
        revision = "main"
        files = {{ "model.bin" = "weights/model.bin" }}
        "#,
        content.len(),
        sha256(content)
    )
}

/// A catalogue with one model `mini` of one file on a hub.
pub fn catalog(content: &[u8]) -> Catalog {
    Catalog::parse(&catalog_text(content)).unwrap()
}

/// Settings that reach only `server`, with short pauses.
pub fn options(hub: &str) -> PullOptions {
    let settings = FetchSettings {
        hub_endpoint: hub.to_owned(),
        backoff: Duration::from_millis(1),
        pip: Vec::new(),
        ..FetchSettings::default()
    };
    PullOptions { settings, ..PullOptions::default() }
}

/// Keeps what a pull says.
#[derive(Default)]
pub struct Heard {
    pub contacted: Vec<String>,
    pub advanced: u64,
    pub started_at: Vec<u64>,
}

impl PullProgress for Heard {
    fn on_event(&mut self, event: PullEvent<'_>) {
        match event {
            PullEvent::Contacting { host, .. } => self.contacted.push(host.to_owned()),
            PullEvent::Advanced(bytes) => self.advanced += bytes,
            PullEvent::FileStarted { present, .. } => self.started_at.push(present),
            _ => {}
        }
    }
}
