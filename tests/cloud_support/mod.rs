//! A speech API on loopback that answers as it is told, and fails as it is told.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What happens to one connection's next request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A whole answer: status, extra header lines, content type, body.
    Answer { status: u16, headers: Vec<(&'static str, String)>, kind: &'static str, body: Vec<u8> },
    /// The connection is closed as soon as it is made.
    CloseAtOnce,
    /// Closed after the first bytes of the request.
    CloseDuringUpload,
    /// Closed after the whole request, without an answer.
    CloseAfterUpload,
    /// Nothing comes after the request, for as long as the client waits.
    Stall,
    /// The header promises more than comes, and the connection closes.
    CutBody { body: Vec<u8> },
    /// The body comes byte by byte.
    SlowBody { body: Vec<u8>, pause: Duration },
    /// Not HTTP.
    Garbage,
}

impl Reply {
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Answer { status, headers: Vec::new(), kind: "application/json", body: body.into() }
    }

    pub fn text(text: &str) -> Self {
        Self::json(200, serde_json::json!({ "text": text }).to_string())
    }

    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name, value.to_owned()));
        }
        self
    }
}

/// A request that came whole.
#[derive(Clone, Debug)]
pub struct Request {
    /// `POST /path?query HTTP/1.1`.
    pub line: String,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The value of a text field of a multipart body.
    pub fn field(&self, name: &str) -> Option<String> {
        let body = String::from_utf8_lossy(&self.body);
        let (_, rest) = body.split_once(&format!("name=\"{name}\"\r\n\r\n"))?;
        Some(rest.split_once("\r\n")?.0.to_owned())
    }

    /// The bytes of the multipart part named `file`.
    pub fn file(&self) -> Option<Vec<u8>> {
        let at = find(&self.body, b"name=\"file\"")?;
        let begin = at + find(&self.body[at..], b"\r\n\r\n")? + 4;
        let end = begin + find(&self.body[begin..], b"\r\n--")?;
        Some(self.body[begin..end].to_vec())
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

type Script = dyn Fn(usize, &Request) -> Reply + Send + Sync;

/// The server; it ends when dropped.
pub struct FakeCloud {
    pub address: SocketAddr,
    pub requests: Arc<Mutex<Vec<Request>>>,
    pub connections: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
}

impl FakeCloud {
    /// Answers the n-th request, from 0, as `script` says.
    pub fn new(script: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::on(listener, script)
    }

    /// The same, but the script sees the body too: every request is read to its end.
    pub fn answering(script: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::start(listener, script, true)
    }

    /// As [`FakeCloud::new`], on a listener that is there already.
    pub fn on(
        listener: TcpListener,
        script: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start(listener, script, false)
    }

    fn start(
        listener: TcpListener,
        script: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static,
        reads_first: bool,
    ) -> Self {
        let cloud = Self {
            address: listener.local_addr().unwrap(),
            requests: Arc::default(),
            connections: Arc::default(),
            ended: Arc::default(),
        };
        let (requests, connections) = (cloud.requests.clone(), cloud.connections.clone());
        let ended = cloud.ended.clone();
        let script: Arc<Script> = Arc::new(script);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                connections.fetch_add(1, Ordering::Relaxed);
                let (requests, script, ended) = (requests.clone(), script.clone(), ended.clone());
                // A client that goes away is part of what is tested.
                thread::spawn(move || drop(serve(stream, &requests, script.as_ref(), &ended, reads_first)));
            }
        });
        cloud
    }

    /// Each request gets the next reply, the last one for ever.
    pub fn replies(replies: Vec<Reply>) -> Self {
        Self::new(move |n, _| replies[n.min(replies.len() - 1)].clone())
    }

    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub fn asked(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    pub fn request(&self, n: usize) -> Request {
        self.requests.lock().unwrap()[n].clone()
    }
}

impl Drop for FakeCloud {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
    }
}

fn serve(
    mut stream: TcpStream,
    requests: &Mutex<Vec<Request>>,
    script: &Script,
    ended: &AtomicBool,
    reads_first: bool,
) -> std::io::Result<()> {
    loop {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read(&mut byte)? == 0 {
                return Ok(());
            }
            head.push(byte[0]);
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        let mut lines = text.lines();
        let line = lines.next().unwrap_or_default().to_owned();
        let headers: Vec<(String, String)> = lines
            .filter_map(|l| l.split_once(": "))
            .map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()))
            .collect();
        let mut request = Request { line, headers, body: Vec::new() };
        let length = request.header("content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
        if reads_first {
            request.body = vec![0; length];
            stream.read_exact(&mut request.body)?;
        }
        let n = requests.lock().unwrap().len();
        let reply = script(n, &request);
        if matches!(reply, Reply::CloseAtOnce | Reply::CloseDuringUpload) {
            requests.lock().unwrap().push(request);
            return Ok(());
        }
        if !reads_first {
            request.body = vec![0; length];
            stream.read_exact(&mut request.body)?;
        }
        requests.lock().unwrap().push(request);
        match reply {
            Reply::Answer { status, headers, kind, body } => {
                let mut head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n",
                    body.len()
                );
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                stream.write_all(head.as_bytes())?;
                stream.write_all(b"\r\n")?;
                stream.write_all(&body)?;
            }
            Reply::CloseAtOnce | Reply::CloseDuringUpload | Reply::CloseAfterUpload => return Ok(()),
            Reply::Stall => {
                stream.set_read_timeout(Some(Duration::from_millis(50)))?;
                while !ended.load(Ordering::Relaxed) {
                    match stream.read(&mut byte) {
                        Ok(0) => return Ok(()),
                        Ok(_) => {}
                        Err(e)
                            if matches!(
                                e.kind(),
                                std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                            ) => {}
                        Err(e) => return Err(e),
                    }
                }
                return Ok(());
            }
            Reply::CutBody { body } => {
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                    body.len() + 100
                );
                stream.write_all(head.as_bytes())?;
                return stream.write_all(&body);
            }
            Reply::SlowBody { body, pause } => {
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes())?;
                for byte in body {
                    stream.write_all(&[byte])?;
                    thread::sleep(pause);
                }
            }
            Reply::Garbage => return stream.write_all(b"\x16\x03\x01 this is not HTTP\r\n\r\n"),
        }
    }
}

/// A body from tests/fixtures/cloud.
pub fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cloud").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
