//! `GET /v1/realtime`: OpenAI's realtime transcription over a websocket.
//!
//! Audio comes in base64 and is cut into utterances here (`server_vad`), or by the client's `commit`s where
//! turn detection is off. Each becomes an item with a `delta` and a `completed` event. Shapes:
//! <https://developers.openai.com/api/docs/guides/realtime-transcription>.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::error::ApiError;
use super::pool::JobAudio;
use super::realtime_session::{Session, TurnDetection};
use super::transcriptions::{collect, submit};
use super::{Shared, stops};
use crate::audio::{PcmFormat, PcmLayout, Resampler, SAMPLE_RATE, encode_s16le, seconds_of};
use crate::endpoint::{EndpointEvent, Endpointer};

/// Largest message: OpenAI's limit for one piece of audio.
const MAX_MESSAGE_BYTES: usize = 15 << 20;
/// Most audio that may be held for one commit: ten minutes.
const MAX_BUFFERED: usize = 600 * SAMPLE_RATE.hz() as usize;
/// Shortest audio that can be committed by hand, as at OpenAI: 100 ms.
const MIN_COMMIT: usize = SAMPLE_RATE.hz() as usize / 10;

pub(super) async fn realtime(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if let Err(error) = shared.tokens.check(&headers) {
        return error.into_response();
    }
    upgrade
        .max_message_size(MAX_MESSAGE_BYTES)
        .on_upgrade(move |socket| async move { converse(shared, socket).await })
}

async fn converse(shared: Arc<Shared>, mut socket: WebSocket) {
    let mut stopping = shared.stopping.clone();
    let (events, mut outgoing) = unbounded_channel();
    let mut talk = match Conversation::new(shared, events) {
        Ok(talk) => talk,
        Err(error) => {
            tracing::error!(%error, "a realtime session cannot begin");
            return;
        }
    };
    talk.tell("session.created", json!({ "session": talk.session.describe() }));
    let mut going = false;
    loop {
        tokio::select! {
            biased;
            Some(event) = outgoing.recv() => {
                if socket.send(Message::Text(event.to_string().into())).await.is_err() {
                    break;
                }
            }
            // What was committed is still answered.
            _ = talk.answers.join_next(), if !talk.answers.is_empty() => {}
            () = stops(&mut stopping), if !going => going = true,
            message = socket.recv(), if !going => match message {
                Some(Ok(Message::Text(text))) => talk.hear(&text),
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => {}
            },
            else => break,
        }
        if going && talk.answers.is_empty() && outgoing.is_empty() {
            let reason = CloseFrame { code: close_code::AWAY, reason: "the server ends".into() };
            let _ = socket.send(Message::Close(Some(reason))).await;
            break;
        }
    }
}

/// One client's session.
struct Conversation {
    shared: Arc<Shared>,
    session: Session,
    events: UnboundedSender<Value>,
    event_count: u64,
    answers: JoinSet<()>,
    resampler: Resampler,
    endpointer: Option<Endpointer>,
    /// Audio since the last commit, where the client commits.
    buffer: Vec<f32>,
    item_count: u64,
    last_item: Option<String>,
}

impl Conversation {
    fn new(shared: Arc<Shared>, events: UnboundedSender<Value>) -> Result<Self, String> {
        let session = Session::new(&shared.model);
        let resampler = Resampler::new(session.rate).map_err(|e| e.to_string())?;
        let mut talk = Self {
            shared,
            session,
            events,
            event_count: 0,
            answers: JoinSet::new(),
            resampler,
            endpointer: None,
            buffer: Vec::new(),
            item_count: 0,
            last_item: None,
        };
        talk.endpointer = talk.new_endpointer()?;
        Ok(talk)
    }

    fn new_endpointer(&self) -> Result<Option<Endpointer>, String> {
        match &self.session.turn_detection {
            TurnDetection::Off => Ok(None),
            TurnDetection::ServerVad(wanted) => {
                let rules = wanted.apply(&self.shared.rules);
                let detector = (self.shared.detector)()?;
                Endpointer::new(rules, detector).map(Some).map_err(|e| e.to_string())
            }
        }
    }

    fn tell(&mut self, kind: &str, mut event: Value) {
        self.event_count += 1;
        event["type"] = kind.into();
        event["event_id"] = format!("event_{}", self.event_count).into();
        // The socket is gone only when the session ends.
        let _ = self.events.send(event);
    }

    fn hear(&mut self, text: &str) {
        let event: Value = serde_json::from_str(text).unwrap_or_default();
        let id = event["event_id"].clone();
        let result = match event["type"].as_str() {
            Some("session.update" | "transcription_session.update") => self.update(&event["session"]),
            Some("input_audio_buffer.append") => self.append(event["audio"].as_str().unwrap_or_default()),
            Some("input_audio_buffer.commit") => self.commit(),
            Some("input_audio_buffer.clear") => self.clear(),
            Some(other) => Err(ApiError::invalid("type", format!("there is no event `{other}` here"))),
            None => Err(ApiError::invalid("type", "this is not an event: JSON with a `type` is")),
        };
        if let Err(error) = result {
            let mut body = error.body();
            body["error"]["event_id"] = id;
            self.tell("error", body);
        }
    }

    fn update(&mut self, update: &Value) -> Result<(), ApiError> {
        let session = self.session.updated(update, &self.shared)?;
        let renewed =
            session.rate != self.session.rate || session.turn_detection != self.session.turn_detection;
        self.session = session;
        if renewed {
            self.resampler =
                Resampler::new(self.session.rate).map_err(|e| ApiError::internal(e.to_string()))?;
            self.endpointer = self.new_endpointer().map_err(ApiError::internal)?;
            self.buffer.clear();
        }
        self.tell("session.updated", json!({ "session": self.session.describe() }));
        Ok(())
    }

    fn append(&mut self, audio: &str) -> Result<(), ApiError> {
        let bytes =
            STANDARD.decode(audio).map_err(|_| ApiError::invalid("audio", "the audio is not base64"))?;
        let samples: Vec<f32> =
            bytes.as_chunks().0.iter().map(|b| f32::from(i16::from_le_bytes(*b)) / 32_768.0).collect();
        let mut heard = Vec::new();
        self.resampler.push(&samples, &mut heard).map_err(|e| ApiError::internal(e.to_string()))?;
        if self.endpointer.is_none() {
            if self.buffer.len() + heard.len() > MAX_BUFFERED {
                return Err(ApiError::invalid("audio", "more than ten minutes without a commit"));
            }
            self.buffer.extend(heard);
            return Ok(());
        }
        self.endpoint(|endpointer, emit| endpointer.push(&heard, emit));
        Ok(())
    }

    fn endpoint(&mut self, step: impl FnOnce(&mut Endpointer, &mut dyn FnMut(EndpointEvent))) {
        let Some(endpointer) = &mut self.endpointer else { return };
        let mut found = Vec::new();
        step(endpointer, &mut |event| found.push(event));
        for event in found {
            match event {
                EndpointEvent::SpeechStarted { position } => {
                    let ms = (position.seconds() * 1e3).round() as u64;
                    let item = self.next_item();
                    self.tell(
                        "input_audio_buffer.speech_started",
                        json!({ "audio_start_ms": ms, "item_id": item }),
                    );
                }
                EndpointEvent::SpeechEnded(utterance) => {
                    let ms = (utterance.end().seconds() * 1e3).round() as u64;
                    let item = self.next_item();
                    self.tell(
                        "input_audio_buffer.speech_stopped",
                        json!({ "audio_end_ms": ms, "item_id": item }),
                    );
                    self.commit_utterance(JobAudio::Utterance(utterance));
                }
            }
        }
    }

    fn next_item(&self) -> String {
        format!("item_{}", self.item_count + 1)
    }

    fn commit(&mut self) -> Result<(), ApiError> {
        if self.endpointer.is_some() {
            // A client that commits although the server listens for pauses ends the utterance at hand.
            self.endpoint(|endpointer, emit| endpointer.finish(emit));
            self.endpointer = self.new_endpointer().map_err(ApiError::internal)?;
            return Ok(());
        }
        let mut rest = Vec::new();
        self.resampler.finish(&mut rest).map_err(|e| ApiError::internal(e.to_string()))?;
        self.resampler = Resampler::new(self.session.rate).map_err(|e| ApiError::internal(e.to_string()))?;
        self.buffer.extend(rest);
        if self.buffer.len() < MIN_COMMIT {
            let ms = seconds_of(self.buffer.len()) * 1e3;
            let message = format!("there are only {ms:.0} ms of audio to commit: 100 are the least");
            let error = ApiError::invalid("type", message);
            return Err(ApiError { code: Some("input_audio_buffer_commit_empty"), ..error });
        }
        let bytes = encode_s16le(&std::mem::take(&mut self.buffer));
        // Endpointed by the engine: a client may commit silence, and silence has no text.
        let format = PcmFormat { layout: PcmLayout::S16Le, rate: SAMPLE_RATE, channels: 1 };
        self.commit_utterance(JobAudio::Pcm(bytes, format));
        Ok(())
    }

    fn clear(&mut self) -> Result<(), ApiError> {
        self.buffer.clear();
        self.endpointer = self.new_endpointer().map_err(ApiError::internal)?;
        self.tell("input_audio_buffer.cleared", json!({}));
        Ok(())
    }

    /// An item, and its transcript as soon as an engine has it.
    fn commit_utterance(&mut self, audio: JobAudio) {
        let item = self.next_item();
        self.item_count += 1;
        let previous = self.last_item.replace(item.clone());
        let ids = json!({ "previous_item_id": previous, "item_id": item });
        self.tell("input_audio_buffer.committed", ids);
        let described = json!({
            "id": item, "object": "realtime.item", "type": "message", "status": "completed", "role": "user",
            "content": [{ "type": "input_audio", "transcript": null }],
        });
        for kind in ["conversation.item.added", "conversation.item.done"] {
            self.tell(kind, json!({ "previous_item_id": previous, "item": described }));
        }
        let (events, count) = (self.events.clone(), self.event_count);
        self.event_count += 2;
        let Some(place) = self.shared.pool.reserve() else {
            let error = ApiError::busy(self.shared.pool.retry_after());
            self.tell(FAILED, failed(&item, &error));
            return;
        };
        let options = self.session.options.clone().unwrap_or_else(|| self.shared.options.clone());
        let updates = submit(&self.shared, place, audio, options);
        let shared = self.shared.clone();
        self.answers.spawn(async move {
            let mut number = count;
            let mut tell = |kind: &str, mut event: Value| {
                number += 1;
                event["type"] = kind.into();
                event["event_id"] = format!("event_{number}").into();
                event["item_id"] = item.clone().into();
                event["content_index"] = 0.into();
                let _ = events.send(event);
            };
            match collect(updates).await {
                Ok(answer) => {
                    let text = answer.text();
                    if !text.is_empty() {
                        tell("conversation.item.input_audio_transcription.delta", json!({ "delta": text }));
                    }
                    let done = json!({ "transcript": text, "usage": answer.usage() });
                    tell("conversation.item.input_audio_transcription.completed", done);
                    shared.metrics.answered("realtime", 200);
                }
                Err(error) => {
                    tell(FAILED, failed(&item, &error));
                    shared.metrics.answered("realtime", error.status.as_u16());
                }
            }
        });
    }
}

const FAILED: &str = "conversation.item.input_audio_transcription.failed";

fn failed(item: &str, error: &ApiError) -> Value {
    let mut event = error.body();
    event["item_id"] = item.into();
    event["content_index"] = 0.into();
    event
}
