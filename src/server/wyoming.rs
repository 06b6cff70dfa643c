//! The Wyoming protocol, Home Assistant's, over TCP.
//!
//! A client says `describe` and gets `info`; or `transcribe`, `audio-start`, `audio-chunk`s and `audio-stop`, and
//! gets `transcript-start`, a `transcript-chunk` for each utterance, the whole `transcript`, `transcript-stop`.
//! The protocol knows no tokens: whoever reaches the port may use it.

use std::sync::Arc;

use serde_json::json;
use tokio::io::{BufReader, BufWriter};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::mpsc::UnboundedReceiver;

use super::pool::{JobAudio, Place, Update};
use super::transcriptions::{Collected, submit};
use super::wyoming_event::{FrameError, WyomingEvent};
use super::{Shared, stops};
use crate::asr::whisper::{DecodingOptions, LANGUAGES, LanguageChoice};
use crate::audio::{PcmFormat, PcmLayout, SampleRate};

/// One recording as it comes in.
struct Incoming {
    place: Place,
    format: PcmFormat,
    bytes: Vec<u8>,
}

struct Session {
    shared: Arc<Shared>,
    writer: BufWriter<OwnedWriteHalf>,
    options: DecodingOptions,
    incoming: Option<Incoming>,
}

/// Talks with one client until it goes.
pub(super) async fn converse(shared: Arc<Shared>, stream: TcpStream) {
    let mut stopping = shared.stopping.clone();
    let (read, write) = stream.into_split();
    let options = shared.options.clone();
    let mut session = Session { shared, writer: BufWriter::new(write), options, incoming: None };
    let mut reader = BufReader::new(read);
    let ended = loop {
        let event = tokio::select! {
            event = WyomingEvent::read(&mut reader) => event,
            // A recording that is under way is still heard to its end.
            () = stops(&mut stopping), if session.incoming.is_none() => break Ok(()),
        };
        match event {
            Ok(None) => break Ok(()),
            Ok(Some(event)) => {
                if let Err(error) = session.hear(event).await {
                    break Err(FrameError::Io(error));
                }
            }
            Err(error) => break Err(error),
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a Wyoming connection ended");
    }
}

impl Session {
    async fn hear(&mut self, event: WyomingEvent) -> std::io::Result<()> {
        match event.kind.as_str() {
            "describe" => self.tell("info", self.info()).await,
            "transcribe" => self.set_options(&event).await,
            "audio-start" => self.begin(&event).await,
            "audio-chunk" => self.take(event).await,
            "audio-stop" => self.answer().await,
            "ping" => {
                let text = event.data.get("text").cloned();
                self.tell("pong", json!({ "text": text })).await
            }
            // The protocol asks to leave the rest alone.
            _ => Ok(()),
        }
    }

    async fn set_options(&mut self, event: &WyomingEvent) -> std::io::Result<()> {
        self.options = self.shared.options.clone();
        if let Some(name) = event.text("name")
            && let Err(error) = self.shared.check_model(Some(name))
        {
            return self.fail(&error.message, "model-not-found").await;
        }
        if let Some(language) = event.text("language").filter(|l| !l.is_empty()) {
            // Home Assistant sends regional codes.
            let code = language.split(['-', '_']).next().unwrap_or(language);
            match LanguageChoice::parse(code) {
                Ok(choice) if self.shared.multilingual || code.eq_ignore_ascii_case("en") => {
                    self.options.language = choice;
                }
                Ok(_) => return self.fail("this model knows English only", "language").await,
                Err(why) => return self.fail(&why, "language").await,
            }
        }
        Ok(())
    }

    async fn begin(&mut self, event: &WyomingEvent) -> std::io::Result<()> {
        self.incoming = None;
        let Some(format) = format_of(event) else {
            let message =
                "audio must have a rate from 8000 to 192000, a width of 1 to 4 bytes and 1 to 32 channels";
            return self.fail(message, "format").await;
        };
        match self.shared.pool.reserve() {
            Some(place) => {
                self.incoming = Some(Incoming { place, format, bytes: Vec::new() });
                Ok(())
            }
            None => {
                let after = self.shared.pool.retry_after().as_secs_f64().ceil();
                self.fail(&format!("the queue is full: try again in {after} s"), "busy").await
            }
        }
    }

    async fn take(&mut self, event: WyomingEvent) -> std::io::Result<()> {
        // What was refused at its start is not complained of with every piece.
        let Some(incoming) = &mut self.incoming else { return Ok(()) };
        if format_of(&event).is_some_and(|format| format != incoming.format) {
            self.incoming = None;
            return self.fail("the audio changed its format", "format").await;
        }
        incoming.bytes.extend_from_slice(&event.payload);
        if incoming.bytes.len() > self.shared.max_body_bytes {
            self.incoming = None;
            return self.fail("the recording is too long", "too-large").await;
        }
        Ok(())
    }

    async fn answer(&mut self) -> std::io::Result<()> {
        let Some(Incoming { place, format, bytes }) = self.incoming.take() else { return Ok(()) };
        let updates = submit(&self.shared, place, JobAudio::Pcm(bytes, format), self.options.clone());
        let status = match self.stream(updates).await? {
            Ok(()) => 200,
            Err(message) => {
                self.fail(&message, "failed").await?;
                500
            }
        };
        self.shared.metrics.answered("wyoming", status);
        Ok(())
    }

    /// Sends pieces as they come, then the whole.
    async fn stream(
        &mut self,
        mut updates: UnboundedReceiver<Update>,
    ) -> std::io::Result<Result<(), String>> {
        let mut collected = Collected::default();
        let mut started = false;
        while let Some(update) = updates.recv().await {
            match update {
                Update::Segments { segments, language } => {
                    let language_tag = json!({ "language": language });
                    let Some(delta) = collected.add(segments, language) else { continue };
                    if !std::mem::replace(&mut started, true) {
                        self.tell("transcript-start", language_tag).await?;
                    }
                    self.tell("transcript-chunk", json!({ "text": delta })).await?;
                }
                Update::Done(Ok(_)) => {
                    if !started {
                        self.tell("transcript-start", json!({})).await?;
                    }
                    let whole = json!({ "text": collected.text(), "language": collected.language });
                    self.tell("transcript", whole).await?;
                    self.tell("transcript-stop", json!({})).await?;
                    return Ok(Ok(()));
                }
                Update::Done(Err(error)) => return Ok(Err(error.to_string())),
            }
        }
        Ok(Err("the engine ended before its answer".to_owned()))
    }

    fn info(&self) -> serde_json::Value {
        let attribution = json!({ "name": "Earwitness", "url": "" });
        let languages: Vec<&str> = match self.shared.multilingual {
            true => LANGUAGES.iter().map(|l| l.code).collect(),
            false => vec!["en"],
        };
        json!({ "asr": [{
            "name": "earwitness",
            "attribution": attribution,
            "installed": true,
            "description": "Whisper on this machine",
            "version": env!("CARGO_PKG_VERSION"),
            "supports_transcript_streaming": true,
            "requires_external_vad": true,
            "models": [{
                "name": self.shared.model,
                "attribution": attribution,
                "installed": true,
                "description": null,
                "version": null,
                "languages": languages,
            }],
        }], "tts": [], "handle": [], "intent": [], "wake": [], "mic": [], "snd": [] })
    }

    async fn tell(&mut self, kind: &str, data: serde_json::Value) -> std::io::Result<()> {
        WyomingEvent::new(kind, data).write(&mut self.writer).await
    }

    async fn fail(&mut self, text: &str, code: &str) -> std::io::Result<()> {
        self.tell("error", json!({ "text": text, "code": code })).await
    }
}

fn format_of(event: &WyomingEvent) -> Option<PcmFormat> {
    let layout = match event.number("width")? {
        1 => PcmLayout::U8,
        2 => PcmLayout::S16Le,
        3 => PcmLayout::S24Le,
        4 => PcmLayout::S32Le,
        _ => return None,
    };
    let rate = SampleRate::new(u32::try_from(event.number("rate")?).ok()?)?;
    let channels = u16::try_from(event.number("channels")?).ok().filter(|n| (1..=32).contains(n))?;
    Some(PcmFormat { layout, rate, channels })
}
