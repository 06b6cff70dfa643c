//! The network: a proxy that cuts connections at the worst moment, delays, repeats, and brings old requests late.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::sleep;

/// Longest message that passes: twice the largest batch.
const MAX_MESSAGE_BYTES: usize = 4 << 20;
/// Requests that are kept for later.
const MAX_KEPT: usize = 300;

/// What it did.
#[derive(Debug, Default)]
pub struct Deeds {
    /// Requests that came.
    pub requests: AtomicU64,
    /// Cut after the server had it, before its answer.
    pub answers_cut: AtomicU64,
    /// Cut before or within.
    pub requests_cut: AtomicU64,
    pub delayed: AtomicU64,
    /// Old requests sent again, some of which had never come.
    pub replayed: AtomicU64,
}

struct Shared {
    server: SocketAddr,
    open: AtomicBool,
    kept: Mutex<Vec<Arc<Vec<u8>>>>,
    deeds: Deeds,
}

pub struct Network {
    pub port: u16,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

impl Network {
    /// Closed: connections end as soon as they begin.
    pub fn new(server_port: u16) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let shared = Arc::new(Shared {
            server: SocketAddr::from((Ipv4Addr::LOCALHOST, server_port)),
            open: AtomicBool::new(false),
            kept: Mutex::default(),
            deeds: Deeds::default(),
        });
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(accept(listener, shared.clone()));
        Self { port, shared, _runtime: runtime }
    }

    pub fn open(&self) {
        self.shared.open.store(true, Ordering::Relaxed);
    }

    pub fn deeds(&self) -> &Deeds {
        &self.shared.deeds
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        if shared.open.load(Ordering::Relaxed) {
            tokio::spawn(carry(client, shared.clone()));
        }
    }
}

/// One connection of a device, and its counterpart to the server.
async fn carry(mut client: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    let (mut from_client, mut from_server) = (Vec::new(), Vec::new());
    let mut server = None;
    let deeds = &shared.deeds;
    let count = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
    while let Some(request) = message(&mut client, &mut from_client).await? {
        count(&deeds.requests);
        let request = Arc::new(request);
        shared.keep(&request);
        let dice = fastrand::f64();
        if dice < 0.02 {
            // It may come later than what is sent in its place.
            count(&deeds.requests_cut);
            tokio::spawn(replay(shared.clone(), request.clone(), fastrand::u64(0..1_000)));
            return Ok(());
        }
        if (0.10..0.16).contains(&dice) {
            count(&deeds.delayed);
            sleep(Duration::from_millis(fastrand::u64(5..300))).await;
        }
        if (0.16..0.19).contains(&dice) {
            // At the same time as the original.
            tokio::spawn(replay(shared.clone(), request.clone(), 0));
        }
        if fastrand::f64() < 0.06 {
            let old = shared.any_kept();
            tokio::spawn(replay(shared.clone(), old, fastrand::u64(0..500)));
        }
        let stream = match &mut server {
            Some(stream) => stream,
            none => none.insert(TcpStream::connect(shared.server).await?),
        };
        if (0.02..0.03).contains(&dice) {
            count(&deeds.requests_cut);
            return stream.write_all(&request[..fastrand::usize(0..request.len())]).await;
        }
        stream.write_all(&request).await?;
        if (0.03..0.05).contains(&dice) {
            count(&deeds.answers_cut);
            sleep(Duration::from_millis(fastrand::u64(0..50))).await;
            return Ok(());
        }
        let Some(answer) = message(stream, &mut from_server).await? else { return Ok(()) };
        if (0.05..0.10).contains(&dice) {
            count(&deeds.answers_cut);
            return Ok(());
        }
        client.write_all(&answer).await?;
    }
    Ok(())
}

async fn replay(shared: Arc<Shared>, request: Arc<Vec<u8>>, after_ms: u64) -> io::Result<()> {
    sleep(Duration::from_millis(after_ms)).await;
    let mut stream = TcpStream::connect(shared.server).await?;
    stream.write_all(&request).await?;
    let mut buffer = Vec::new();
    let answer = tokio::time::timeout(Duration::from_secs(20), message(&mut stream, &mut buffer));
    if matches!(answer.await, Ok(Ok(Some(_)))) {
        shared.deeds.replayed.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

impl Shared {
    /// The first ones stay likelier than later ones, so that some are very old.
    fn keep(&self, request: &Arc<Vec<u8>>) {
        let mut kept = self.kept.lock().unwrap();
        if kept.len() < MAX_KEPT {
            kept.push(request.clone());
        } else if fastrand::f64() < 0.5 {
            let at = fastrand::usize(MAX_KEPT / 4..MAX_KEPT);
            kept[at] = request.clone();
        }
    }

    fn any_kept(&self) -> Arc<Vec<u8>> {
        fastrand::choice(&*self.kept.lock().unwrap()).expect("this one at least").clone()
    }
}

/// The next HTTP message, head and body; `None` if the other side ended before it. What is read beyond it stays in `buffer`.
async fn message(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    loop {
        if let Some(length) = length(buffer)? {
            if length > MAX_MESSAGE_BYTES {
                return Err(io::Error::other("a message is too long"));
            }
            if buffer.len() >= length {
                let rest = buffer.split_off(length);
                return Ok(Some(std::mem::replace(buffer, rest)));
            }
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

/// Of head and body together; `None` while the head is not whole.
fn length(bytes: &[u8]) -> io::Result<Option<usize>> {
    let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    assert!(!text.contains("transfer-encoding"), "neither side sends in chunks");
    let body = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let body = body.map_or(Ok(0), |value| value.trim().parse::<usize>());
    Ok(Some(head + 4 + body.map_err(io::Error::other)?))
}
