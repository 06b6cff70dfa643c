//! Deepgram's streaming `/v1/listen`: an utterance over a websocket.
//!
//! Shapes: <https://developers.deepgram.com/reference/speech-to-text/listen-streaming>. Interim results are not asked
//! for; the text of an utterance is that of its final results, up to the `Metadata` that answers `CloseStream`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use reqwest::{Client, Url, header};
use serde::Deserialize;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};

use super::attempt::{Answer, Attempts};
use super::deepgram::{BodyWord, authorization};
use super::{CloudError, CloudSettings};
use crate::asr::{Segment, Transcript, Word};
use crate::audio::{SAMPLE_RATE, encode_s16le};

/// Audio in one message: 100 ms, as Deepgram advises.
const MESSAGE_BYTES: usize = SAMPLE_RATE.hz() as usize / 10 * 2;
/// Longest message that is read.
const MAX_MESSAGE_BYTES: usize = 4 << 20;

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Event {
    Results(Results),
    Metadata {},
    Error {
        description: Option<String>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Results {
    #[serde(default)]
    is_final: bool,
    #[serde(default)]
    start: f64,
    #[serde(default)]
    duration: f64,
    channel: Channel,
}

#[derive(Deserialize)]
struct Channel {
    alternatives: Vec<Alternative>,
}

#[derive(Deserialize)]
struct Alternative {
    transcript: String,
    confidence: Option<f32>,
    #[serde(default)]
    words: Vec<BodyWord>,
}

/// One attempt: connects, sends `samples`, reads the final results.
pub(super) async fn transcribe(
    client: &Client,
    settings: &CloudSettings,
    attempts: &Attempts<'_>,
    samples: &[f32],
) -> Result<Transcript, CloudError> {
    let socket = connect(client, settings, attempts).await?;
    let (mut sink, mut stream) = socket.split();
    let host = || settings.host();
    let broken = |error: SocketError| CloudError::Broken { host: host(), cause: in_words(&error) };
    let send = async {
        for block in encode_s16le(samples).chunks(MESSAGE_BYTES) {
            sink.send(Message::binary(block.to_vec())).await?;
        }
        sink.send(Message::text(r#"{"type":"CloseStream"}"#)).await
    };
    let mut found = Found::default();
    let read = async {
        while let Some(message) = stream.next().await {
            match message.map_err(broken)? {
                Message::Text(text) if found.hear(&text, settings)? => return Ok(()),
                Message::Close(frame) => {
                    let code = frame.map_or(1005, |frame| frame.code.into());
                    return closed(code, &found, host());
                }
                _ => {}
            }
        }
        closed(1006, &found, host())
    };
    // A server that is read from while it is written to cannot block on a full buffer.
    let (sent, read) = tokio::join!(send, read);
    read?;
    match sent {
        // It has answered all the same.
        Err(_) if found.complete => {}
        sent => sent.map_err(broken)?,
    }
    Ok(found.transcript())
}

/// A close without `Metadata` is an end only if it is a regular one after results.
fn closed(code: u16, found: &Found, host: String) -> Result<(), CloudError> {
    match code {
        1000 if found.results > 0 => Ok(()),
        _ => Err(CloudError::Broken { host, cause: format!("the websocket was closed with code {code}") }),
    }
}

/// The words of a socket's error, without what was received.
fn in_words(error: &SocketError) -> String {
    match error {
        SocketError::Io(error) => error.to_string(),
        SocketError::Protocol(error) => error.to_string(),
        SocketError::Capacity(error) => error.to_string(),
        SocketError::ConnectionClosed | SocketError::AlreadyClosed => "closed".to_owned(),
        _ => "the websocket protocol was violated".to_owned(),
    }
}

/// What has come so far.
#[derive(Default)]
struct Found {
    segments: Vec<Segment>,
    certain: f32,
    words: f32,
    results: usize,
    /// `Metadata` has come: there will be nothing more.
    complete: bool,
}

impl Found {
    /// Whether this was the last message.
    fn hear(&mut self, text: &str, settings: &CloudSettings) -> Result<bool, CloudError> {
        let bad = |why: &str| CloudError::BadAnswer { host: settings.host(), why: why.to_owned() };
        match serde_json::from_str(text).map_err(|_| bad("a message is not Deepgram's JSON"))? {
            Event::Results(results) => {
                self.results += 1;
                if results.is_final {
                    self.take(results);
                }
            }
            Event::Metadata {} => self.complete = self.results > 0 || self.complete,
            Event::Error { description } => {
                let why = description.unwrap_or_else(|| "an error without a description".to_owned());
                let why = settings.key.as_ref().map_or_else(|| why.clone(), |key| key.redact(&why));
                return Err(CloudError::Trouble { host: settings.host(), why });
            }
            Event::Other => {}
        }
        Ok(self.complete)
    }

    fn take(&mut self, results: Results) {
        let end = results.start + results.duration;
        let Some(best) = results.channel.alternatives.into_iter().next() else { return };
        if best.transcript.trim().is_empty() {
            return;
        }
        let words: Vec<Word> = best.words.into_iter().map(Word::from).collect();
        let weight = words.len().max(1) as f32;
        if let Some(confidence) = best.confidence {
            self.certain += confidence * weight;
            self.words += weight;
        }
        let (start, end) = match (words.first(), words.last()) {
            (Some(first), Some(last)) => (first.start, last.end),
            _ => (results.start, end),
        };
        let mut segment = Segment::plain(start, end, &best.transcript);
        segment.words = words;
        self.segments.push(segment);
    }

    fn transcript(self) -> Transcript {
        let text = self.segments.iter().map(|s| s.text.as_str()).collect::<Vec<_>>().join(" ");
        let mut transcript = Transcript::new(&text, None, self.segments);
        transcript.provider_confidence = (self.words > 0.0).then(|| self.certain / self.words);
        transcript
    }
}

/// The upgrade goes through the same client as all other requests: its TLS, its proxy, its time limits.
async fn connect(
    client: &Client,
    settings: &CloudSettings,
    attempts: &Attempts<'_>,
) -> Result<WebSocketStream<reqwest::Upgraded>, CloudError> {
    let nonce: [u8; 16] = std::array::from_fn(|_| fastrand::u8(..));
    let key = STANDARD.encode(nonce);
    let mut request = client
        .get(address(settings))
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, &key);
    if let Some(key) = &settings.key {
        request = request.header(header::AUTHORIZATION, authorization(key));
    }
    let transport = |e| CloudError::of_transport(&settings.host(), e);
    let response = request.send().await.map_err(transport)?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    if status != 101 {
        let body = attempts.body(response).await?;
        return Err(attempts.refused(&Answer { status, headers, body }, None));
    }
    let accepted = headers.get(header::SEC_WEBSOCKET_ACCEPT).and_then(|v| v.to_str().ok());
    if accepted != Some(derive_accept_key(key.as_bytes()).as_str()) {
        let why = "its websocket handshake is wrong".to_owned();
        return Err(CloudError::BadAnswer { host: settings.host(), why });
    }
    let upgraded = response.upgrade().await.map_err(transport)?;
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(limits)).await)
}

fn address(settings: &CloudSettings) -> Url {
    let mut url = settings.endpoint("v1/listen");
    let rate = SAMPLE_RATE.hz().to_string();
    let mut query = url.query_pairs_mut();
    for (name, value) in
        [("encoding", "linear16"), ("sample_rate", rate.as_str()), ("channels", "1"), ("punctuate", "true")]
    {
        query.append_pair(name, value);
    }
    if !settings.model.is_empty() {
        query.append_pair("model", &settings.model);
    }
    if !settings.language.is_empty() {
        query.append_pair("language", &settings.language);
    }
    drop(query);
    url
}
