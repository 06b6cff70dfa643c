//! `earwitness serve` as other programs meet it: the published Python clients, and what they never send.

#![cfg(feature = "serve")]

mod support;

use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use support::server::{Server, multipart};
use support::{TWO_CITIES_TEXT, samples_of, two_cities, write_wav};

fn plain() -> Server {
    Server::start(&["--model", "tiny.en"], &[])
}

fn python_clients() -> PathBuf {
    let target =
        Path::new(env!("CARGO_BIN_EXE_earwitness")).ancestors().nth(2).expect("target/PROFILE/binary");
    let folder = target.join("python-clients");
    assert!(
        folder.join("installed.txt").is_file(),
        "the speech clients are missing: `make test` installs them; by hand: sh scripts/install-clients.sh {}",
        target.display()
    );
    folder
}

/// The recording as 16 kHz WAV.
fn speech(folder: &Path) -> PathBuf {
    let path = folder.join("speech.wav");
    write_wav(&path, &samples_of(&two_cities()));
    path
}

fn check(server: &Server, check: &str, token: Option<&str>) {
    let folder = tempfile::tempdir().unwrap();
    let wav = speech(folder.path());
    let output = Command::new("python3")
        .env("PYTHONPATH", python_clients())
        .arg("tests/clients/official.py")
        .args([check, &server.base(), &server.wyoming.port().to_string()])
        .arg(wav)
        .arg(TWO_CITIES_TEXT)
        .args(token)
        .output()
        .expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_openai_client_reads_every_format() {
    check(&plain(), "formats", None);
}

#[test]
fn the_openai_client_streams() {
    check(&plain(), "stream", None);
}

#[test]
fn the_openai_client_understands_refusals() {
    check(&plain(), "refusals", None);
}

#[test]
fn the_openai_client_talks_in_real_time() {
    check(&plain(), "realtime", None);
}

#[test]
fn the_wyoming_client_gets_its_transcript_in_pieces_and_whole() {
    check(&plain(), "wyoming", None);
}

#[test]
fn tokens_let_their_owners_in_and_nobody_else() {
    let server = Server::start(&[], &[("EARWITNESS_SERVE_TOKENS", "one-token,another-token")]);
    check(&server, "refusals", Some("another-token"));
    check(&server, "realtime", Some("one-token"));
    for path in ["/v1/models", "/metrics", "/v1/realtime"] {
        let answer =
            server.raw(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 4"), "{path}: {answer}");
    }
    let health = server.raw(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
}

#[test]
fn an_open_port_without_a_token_is_refused() {
    let output = support::earwitness().args(["serve", "--listen", "0.0.0.0:0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--token-file"));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output =
        support::earwitness().args(["serve", "--no-wyoming", "--listen", &address]).output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&address));
}

fn status(answer: &str) -> &str {
    answer.split_whitespace().nth(1).unwrap_or(answer)
}

const ROUTE: &str = "/v1/audio/transcriptions";

#[test]
fn what_is_no_request_is_answered_and_survived() {
    let server = Server::start(&["--max-upload-mib", "1"], &[]);
    let large = multipart(ROUTE, &vec![0; 2 << 20], &[]);
    assert_eq!(status(&server.raw(&large)), "413");
    for (request, expected) in [
        (multipart(ROUTE, b"", &[]), "400"),
        (multipart(ROUTE, b"RIFF....WAVE", &[]), "400"),
        (multipart(ROUTE, &[0; 500_000], &[("temperature", "hot")]), "400"),
        (multipart(ROUTE, b"x", &[("stream", "maybe")]), "400"),
        (multipart("/v1/audio/nothing", b"x", &[]), "404"),
        (b"POST /v1/audio/transcriptions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi".to_vec(), "400"),
        (b"GET /v1/audio/transcriptions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec(), "405"),
        (b"GET /v1/models HTTP/1.1\r\nhost: x\r\norigin: https://evil.example\r\nconnection: close\r\n\r\n".to_vec(), "403"),
    ] {
        let answer = server.raw(&request);
        assert_eq!(status(&answer), expected, "{answer}");
    }
    // A client that goes in the middle of its upload, and one that says nothing of use.
    let mut stream = TcpStream::connect(server.http).unwrap();
    stream.write_all(&large[..10_000]).unwrap();
    drop(stream);
    TcpStream::connect(server.wyoming).unwrap().write_all(b"\x00\xff not json\n").unwrap();
    let ask = || server.raw(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    let begin = std::time::Instant::now();
    // The server has to notice first that the client went.
    while !ask().contains("earwitness_places_taken 0") && begin.elapsed() < Duration::from_secs(10) {
        thread::sleep(Duration::from_millis(20));
    }
    let metrics = ask();
    assert!(
        metrics.contains(r#"earwitness_requests_total{route="transcriptions",status="400"}"#),
        "{metrics}"
    );
    assert!(metrics.contains("earwitness_places_taken 0"), "{metrics}");
}

#[test]
fn a_full_queue_answers_429_and_says_when() {
    let server = Server::start(&["--max-queued", "1"], &[]);
    let folder = tempfile::tempdir().unwrap();
    // Larger than what a socket holds: 8 MB.
    let mut wav = std::fs::read(speech(folder.path())).unwrap();
    wav.resize(8 << 20, 0);
    let request = multipart(ROUTE, &wav, &[]);
    let answers: Vec<String> = thread::scope(|scope| {
        let asks: Vec<_> = (0..8).map(|_| scope.spawn(|| server.ask(&request))).collect();
        asks.into_iter().map(|ask| ask.join().unwrap()).collect()
    });
    let of = |code: &str| answers.iter().filter(|a| status(a) == code).collect::<Vec<_>>();
    assert!(of("200").len() >= 2 && of("429").len() >= 3, "{answers:?}");
    assert_eq!(of("200").len() + of("429").len(), 8, "{answers:?}");
    assert!(of("429").iter().all(|a| a.contains("retry-after: ")), "{answers:?}");
    // Once they are done there is room again.
    assert_eq!(status(&server.ask(&request)), "200");
}

#[test]
fn an_interrupt_finishes_what_was_taken() {
    let mut server = Server::start(&[], &[]);
    let folder = tempfile::tempdir().unwrap();
    let wav = std::fs::read(speech(folder.path())).unwrap();
    let request = multipart(ROUTE, &wav, &[]);
    let idle_wyoming = TcpStream::connect(server.wyoming).unwrap();
    let answer = thread::scope(|scope| {
        let ask = scope.spawn(|| server.raw(&request));
        while !server
            .raw(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .contains("taken\":1")
        {
            thread::sleep(Duration::from_millis(5));
        }
        server.interrupt();
        ask.join().unwrap()
    });
    assert!(answer.contains("the worst of times"), "{answer}");
    assert_eq!(server.wait(Duration::from_secs(30)), Some(0));
    drop(idle_wyoming);
}

#[test]
fn silence_has_no_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("silence.wav");
    write_wav(&path, &vec![0.0; 160_000]);
    let answer = plain().raw(&multipart(ROUTE, &std::fs::read(path).unwrap(), &[]));
    assert!(answer.contains(r#""text":"""#), "{answer}");
}
