//! Deepgram's websocket against a server on loopback that plays a documented session, and breaks it.

#![cfg(feature = "cloud")]

mod cloud_support;

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use cloud_support::{FakeCloud, Reply, fixture};
use earwitness::asr::cloud::{ApiKey, CloudError, CloudRecognizer, CloudSettings, ProviderKind};
use earwitness::asr::{Recognizer, RecognizerError, Transcript};
use earwitness::audio::encode_s16le;
use earwitness::utterance::Utterance;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, WebSocket, accept_hdr};

type Socket = WebSocket<TcpStream>;

/// What one connection said.
#[derive(Clone, Default)]
struct Said {
    uri: String,
    authorization: String,
    audio: Vec<u8>,
    texts: Vec<String>,
}

/// Reads up to and with `CloseStream`.
fn listen(socket: &mut Socket, said: &Mutex<Said>) {
    loop {
        match socket.read() {
            Ok(Message::Binary(block)) => said.lock().unwrap().audio.extend_from_slice(&block),
            Ok(Message::Text(text)) => {
                said.lock().unwrap().texts.push(text.to_string());
                if text.contains("CloseStream") {
                    return;
                }
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

/// A server that lets `play` speak on the n-th connection.
fn server(play: impl Fn(usize, &mut Socket, &Mutex<Said>) + Send + 'static) -> (String, Arc<Mutex<Said>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let said = Arc::new(Mutex::new(Said::default()));
    let shared = said.clone();
    thread::spawn(move || {
        for (n, stream) in listener.incoming().enumerate() {
            let note = shared.clone();
            #[allow(clippy::result_large_err, reason = "the callback's own type")]
            let headers = |request: &Request, response: Response| {
                let mut said = note.lock().unwrap();
                said.uri = request.uri().to_string();
                let key = request.headers().get("authorization");
                said.authorization = key.map_or_else(String::new, |v| v.to_str().unwrap().to_owned());
                Ok(response)
            };
            if let Ok(mut socket) = accept_hdr(stream.unwrap(), headers) {
                play(n, &mut socket, &shared);
            }
        }
    });
    (url, said)
}

fn session() -> Vec<String> {
    String::from_utf8(fixture("deepgram_stream.jsonl")).unwrap().lines().map(str::to_owned).collect()
}

fn play_session(socket: &mut Socket) {
    for line in session() {
        if socket.send(Message::text(line)).is_err() {
            return;
        }
    }
    let _ = socket.close(Some(CloseFrame { code: 1000.into(), reason: "".into() }));
    while socket.read().is_ok() {}
}

fn utterance() -> Utterance {
    Utterance::whole(0, (0..96_000).map(|i| (i as f32 * 0.03).sin() * 0.3).collect())
}

fn ask(url: &str, deadline_ms: u64) -> Result<Transcript, CloudError> {
    let mut settings = CloudSettings::new(ProviderKind::DeepgramStream, url).unwrap();
    settings.key = ApiKey::new("a-secret-key");
    settings.language = "en".to_owned();
    settings.deadline = Duration::from_millis(deadline_ms);
    settings.backoff = Duration::from_millis(1);
    settings.attempts = 2;
    match CloudRecognizer::new(settings)?.transcribe(&utterance(), &mut ()) {
        Ok(transcript) => Ok(transcript),
        Err(RecognizerError::Cloud(error)) => Err(error),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_documented_session_is_sent_and_understood() {
    let (url, said) = server(|_, socket, said| {
        listen(socket, said);
        play_session(socket);
    });
    let transcript = ask(&url, 5_000).unwrap();
    assert_eq!(transcript.text, "The quick brown fox jumps over the lazy dog. Then it sleeps.");
    assert_eq!(transcript.segments.len(), 3, "the empty final is none");
    let words: Vec<_> = transcript.segments.iter().flat_map(|s| &s.words).collect();
    assert_eq!((words.len(), words[0].word.as_str(), words[0].start), (12, " The", 0.32));
    assert!((transcript.provider_confidence.unwrap() - 0.97).abs() < 1e-4);
    let said = said.lock().unwrap();
    assert!(
        said.uri.starts_with("/v1/listen?encoding=linear16&sample_rate=16000&channels=1"),
        "{}",
        said.uri
    );
    assert_eq!(said.authorization, "Token a-secret-key");
    assert_eq!(said.audio, encode_s16le(&utterance().samples));
    assert_eq!(said.texts, [r#"{"type":"CloseStream"}"#]);
}

#[test]
fn a_server_that_speaks_before_all_is_sent_is_understood_too() {
    let (url, _said) = server(|_, socket, said| {
        for line in &session()[..3] {
            socket.send(Message::text(line.clone())).unwrap();
        }
        listen(socket, said);
        play_session(socket);
    });
    assert!(ask(&url, 5_000).unwrap().text.ends_with("Then it sleeps."));
}

#[test]
fn a_session_that_breaks_is_tried_again() {
    type Break = fn(&mut Socket);
    let breaks: [Break; 3] = [
        // Half closed: results, and then nothing more.
        |socket| {
            socket.send(Message::text(session()[3].clone())).unwrap();
            socket.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
            let _ = socket.get_mut().read(&mut [0; 1]);
        },
        |socket| drop(socket.close(Some(CloseFrame { code: 1011.into(), reason: "NET-0001".into() }))),
        |socket| {
            socket.send(Message::text(r#"{"type":"Error","description":"busy","variant":"X"}"#)).unwrap();
        },
    ];
    for fault in breaks {
        let (url, _said) = server(move |n, socket, said| {
            listen(socket, said);
            if n == 0 { fault(socket) } else { play_session(socket) }
        });
        assert!(ask(&url, 5_000).unwrap().text.starts_with("The quick"));
        let (url, _said) = server(move |_, socket, said| {
            listen(socket, said);
            fault(socket);
        });
        let error = ask(&url, 5_000).unwrap_err();
        assert!(matches!(error, CloudError::Broken { .. } | CloudError::Trouble { .. }), "{error}");
        assert!(error.retry_later(), "half a text is not taken for the whole");
    }
}

#[test]
fn nonsense_is_an_error_and_not_quoted() {
    for nonsense in ["secret{", "[]", r#"{"type":"Results","secret":1}"#, r#"{"no":"type"}"#] {
        let (url, _said) = server(move |_, socket, said| {
            listen(socket, said);
            socket.send(Message::text(nonsense)).unwrap();
            while socket.read().is_ok() {}
        });
        let error = ask(&url, 5_000).unwrap_err();
        assert!(matches!(error, CloudError::BadAnswer { .. }), "{nonsense}: {error}");
        assert!(!error.to_string().contains("secret"));
    }
}

#[test]
fn a_server_that_falls_silent_meets_the_deadline() {
    let (url, _said) = server(|_, socket, said| {
        listen(socket, said);
        socket.send(Message::text(session()[1].clone())).unwrap();
        while socket.read().is_ok() {}
    });
    let begin = Instant::now();
    let error = ask(&url, 400).unwrap_err();
    assert!(matches!(error, CloudError::Deadline { .. }), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(4));
}

#[test]
fn a_refused_upgrade_tells_the_servers_words() {
    let cloud = FakeCloud::replies(vec![Reply::json(401, fixture("deepgram_error_401.json"))]);
    let error = ask(&format!("http://{}", cloud.address), 5_000).unwrap_err();
    assert!(matches!(error, CloudError::Status { status: 401, .. }) && !error.retry_now(), "{error}");
    assert!(error.to_string().contains("not one of ours"), "{error}");
    // A server that knows nothing of websockets.
    let cloud = FakeCloud::replies(vec![Reply::json(200, "{}")]);
    let error = ask(&format!("http://{}", cloud.address), 5_000).unwrap_err();
    assert!(matches!(error, CloudError::Status { status: 200, .. }), "{error}");
}
