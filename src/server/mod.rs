//! The recognizer for other programs: OpenAI's audio routes, its realtime transcription, and Wyoming.
//!
//! | route | what |
//! |---|---|
//! | `POST /v1/audio/transcriptions` | multipart form to json, text, srt, vtt, verbose_json, or events with `stream=true` |
//! | `POST /v1/audio/translations` | the same, in English; multilingual models only |
//! | `GET /v1/models`, `/v1/models/{id}` | the one model |
//! | `GET /v1/realtime` | transcription sessions over a websocket |
//! | `GET /health` | 200 as long as requests are taken |
//! | `GET /metrics` | Prometheus |
//!
//! Each engine is a thread with a recognizer; the weights are mapped once for all. Requests wait in one
//! bounded queue and are refused with 429 when it is full, before their bodies are read. A request whose
//! client has gone is given up.

mod auth;
mod error;
mod feedback;
mod form;
mod metrics;
mod pool;
mod realtime;
mod realtime_session;
mod render;
mod transcriptions;
mod wyoming;
mod wyoming_event;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

pub use auth::Tokens;
pub use feedback::serve_feedback;
pub use pool::Engine;

use crate::asr::Recognizer;
use crate::asr::whisper::DecodingOptions;
use crate::endpoint::EndpointRules;
use crate::pipeline::StopSignal;
use crate::vad::VoiceActivityDetector;
use error::ApiError;
use metrics::Metrics;
use pool::EnginePool;

/// How often a running server asks whether it shall stop.
const STOP_POLL: Duration = Duration::from_millis(50);

/// How long sessions may take to end.
const SESSION_GRACE: Duration = Duration::from_secs(20);

/// How a server runs.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Where HTTP is listened to; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where Wyoming is listened to, if anywhere. It knows no tokens.
    pub wyoming: Option<SocketAddr>,
    /// Who may ask.
    pub tokens: Tokens,
    /// Largest request, bytes. 26 214 400: OpenAI's own limit of 25 MB.
    pub max_body_bytes: usize,
    /// Requests that may wait beyond those that are worked on.
    pub max_queued: usize,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            wyoming: None,
            tokens: Tokens::default(),
            max_body_bytes: 25 << 20,
            max_queued: 32,
        }
    }
}

/// Why a server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be listened to.
    #[error(
        "cannot listen on {address}: {source}; is another server running there? Choose another address with --listen"
    )]
    Listen {
        /// Which.
        address: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
    /// No engines.
    #[error("a server needs at least one engine")]
    NoEngine,
    /// Threads or sockets ran out.
    #[error("the server failed: {0}")]
    Io(#[from] std::io::Error),
}

/// Makes a detector of speech for a live session.
pub type DetectorFactory = Box<dyn Fn() -> Result<Box<dyn VoiceActivityDetector>, String> + Send + Sync>;

/// Where a running server listens.
#[derive(Clone, Copy, Debug)]
pub struct Listening {
    /// HTTP.
    pub http: SocketAddr,
    /// Wyoming.
    pub wyoming: Option<SocketAddr>,
}

/// What all requests share.
struct Shared {
    /// Of live sessions.
    detector: DetectorFactory,
    rules: EndpointRules,
    /// Becomes true when the server is to end.
    stopping: watch::Receiver<bool>,
    /// Never used: that it is gone tells that no request or session is left.
    _alive: mpsc::Sender<()>,
    pool: EnginePool,
    metrics: Arc<Metrics>,
    tokens: Tokens,
    model: String,
    multilingual: bool,
    options: DecodingOptions,
    max_body_bytes: usize,
}

impl Shared {
    /// The loaded model by its own name, or by the name that OpenAI's clients send by habit.
    fn check_model(&self, asked: Option<&str>) -> Result<(), ApiError> {
        match asked {
            None | Some("" | "whisper-1") => Ok(()),
            Some(name) if name == self.model => Ok(()),
            Some(name) => Err(ApiError::no_model(name, &self.model)),
        }
    }
}

/// A speech server, ready to run.
pub struct SpeechServer {
    shared: Arc<Shared>,
    options: ServerOptions,
    stop: watch::Sender<bool>,
    /// Ends when no session is alive.
    sessions: mpsc::Receiver<()>,
}

impl SpeechServer {
    /// A server in front of `engines`, which all have the same model and options; `detector` is for live sessions.
    ///
    /// # Errors
    /// [`ServerError::NoEngine`], or no threads.
    pub fn new(
        engines: Vec<Engine>,
        detector: DetectorFactory,
        options: ServerOptions,
    ) -> Result<Self, ServerError> {
        let first = engines.first().ok_or(ServerError::NoEngine)?;
        let model = first.recognizer.engine().model.clone();
        let multilingual = first.recognizer.dims().is_multilingual();
        let decoding = first.recognizer.options().clone();
        let rules = first.endpointer.rules().clone();
        let metrics = Arc::new(Metrics::new());
        let (stop, stopping) = watch::channel(false);
        let (alive, sessions) = mpsc::channel(1);
        let shared = Arc::new(Shared {
            detector,
            rules,
            stopping,
            _alive: alive,
            pool: EnginePool::new(engines, options.max_queued, metrics.clone())?,
            metrics,
            tokens: options.tokens.clone(),
            model,
            multilingual,
            options: decoding,
            max_body_bytes: options.max_body_bytes,
        });
        Ok(Self { shared, options, stop, sessions })
    }

    /// Serves until `stop`, finishes what it took, and returns. `ready` is told where it listens.
    ///
    /// # Errors
    /// [`ServerError::Listen`] and other failures of the system.
    pub fn run(self, stop: &StopSignal, ready: impl FnOnce(Listening)) -> Result<(), ServerError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("serve")
            .enable_all()
            .build()?;
        runtime.block_on(self.serve(stop, ready))
    }

    async fn serve(mut self, stop: &StopSignal, ready: impl FnOnce(Listening)) -> Result<(), ServerError> {
        let http = bind(self.options.listen).await?;
        let wyoming = match self.options.wyoming {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        ready(Listening {
            http: http.local_addr()?,
            wyoming: wyoming.as_ref().map(TcpListener::local_addr).transpose()?,
        });
        if let Some(listener) = wyoming {
            tokio::spawn(accept_wyoming(listener, self.shared.clone()));
        }
        let signal = stopped(stop.clone(), self.stop);
        axum::serve(http, routes(self.shared.clone())).with_graceful_shutdown(signal).await?;
        drop(self.shared);
        // Requests are over; sessions answer what was committed to them.
        if tokio::time::timeout(SESSION_GRACE, self.sessions.recv()).await.is_err() {
            tracing::warn!("sessions were cut off: they did not end within {} s", SESSION_GRACE.as_secs());
        }
        Ok(())
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, ServerError> {
    TcpListener::bind(address).await.map_err(|source| ServerError::Listen { address, source })
}

async fn accept_wyoming(listener: TcpListener, shared: Arc<Shared>) {
    let mut stopping = shared.stopping.clone();
    loop {
        tokio::select! {
            () = stops(&mut stopping) => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(tokio::spawn(wyoming::converse(shared.clone(), stream))),
                Err(error) => {
                    // Such as no more file descriptors: what is going on may end and give some back.
                    tracing::warn!(%error, "a Wyoming connection could not be taken");
                    tokio::time::sleep(STOP_POLL).await;
                }
            },
        }
    }
}

/// Returns when the server is to end.
async fn stops(stopping: &mut watch::Receiver<bool>) {
    // An error means that the server is gone, which is an end too.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

async fn stopped(stop: StopSignal, tell: watch::Sender<bool>) {
    while !stop.is_stopped() {
        tokio::time::sleep(STOP_POLL).await;
    }
    // Nobody listens if there are no sessions.
    let _ = tell.send(true);
}

fn routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/audio/transcriptions", post(transcriptions::transcriptions))
        .route("/v1/audio/translations", post(transcriptions::translations))
        .route("/v1/models", get(models))
        .route("/v1/models/{id}", get(model))
        .route("/v1/realtime", get(realtime::realtime))
        .route("/health", get(health))
        .route("/metrics", get(metrics_text))
        .fallback(|| async { ApiError::no_route() })
        .layer(DefaultBodyLimit::max(shared.max_body_bytes))
        .with_state(shared)
}

fn described(shared: &Shared) -> serde_json::Value {
    json!({ "id": shared.model, "object": "model", "created": 0, "owned_by": "earwitness" })
}

async fn models(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Result<Response, ApiError> {
    shared.tokens.check(&headers)?;
    Ok(Json(json!({ "object": "list", "data": [described(&shared)] })).into_response())
}

async fn model(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    shared.tokens.check(&headers)?;
    shared.check_model(Some(&id))?;
    Ok(Json(described(&shared)).into_response())
}

async fn health(State(shared): State<Arc<Shared>>) -> Response {
    Json(json!({ "status": "ok", "model": shared.model, "places_taken": shared.pool.taken() }))
        .into_response()
}

async fn metrics_text(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Result<Response, ApiError> {
    shared.tokens.check(&headers)?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let text = shared.metrics.render(shared.pool.taken());
    Ok(([(axum::http::header::CONTENT_TYPE, kind)], text).into_response())
}
