//! The requests, one function each.

use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use reqwest::{RequestBuilder, Url, redirect};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use super::clips::Clip;
use super::{CollectorError, CollectorSettings, settings};
use crate::telemetry::limits::valid_id;
use crate::telemetry::{Accepted, Refusal};
use crate::uplink::spool::atomic_write;
use crate::web::{self, ApiKey, retry_after, with_causes};

/// Longest answer that is read: a receipt has some hundred bytes.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// Longest piece of a server's message that is passed on.
const MAX_MESSAGE_CHARS: usize = 200;

/// A connection to one server.
pub(super) struct Client {
    http: reqwest::Client,
    url: Url,
    token: Option<ApiKey>,
    host: String,
}

impl Client {
    pub(super) fn new(settings: &CollectorSettings) -> Result<Self, CollectorError> {
        settings.check()?;
        let mut client = Self::without_token(&settings.url, settings.connect_timeout, settings.deadline)?;
        client.token = Some(settings.token.clone());
        Ok(client)
    }

    fn without_token(
        url: &Url,
        connect_timeout: std::time::Duration,
        deadline: std::time::Duration,
    ) -> Result<Self, CollectorError> {
        // Records go to the host that was agreed to, never to where that host redirects.
        let http = web::client_builder(url)
            .connect_timeout(connect_timeout)
            .timeout(deadline)
            .user_agent(concat!("earwitness/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|e| CollectorError::Setup(with_causes(&e)))?;
        Ok(Self { http, url: url.clone(), token: None, host: web::host(url) })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// `wire` as a [`Batch`](crate::uplink::journal::Batch) has it.
    pub(super) async fn post_batch(&self, wire: Vec<u8>) -> Result<Accepted, CollectorError> {
        let request = self
            .http
            .post(web::endpoint(&self.url, "api/v1/batches"))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(CONTENT_ENCODING, HeaderValue::from_static("zstd"))
            .body(wire);
        self.json(request).await
    }

    pub(super) async fn put_clip(&self, clip: &Clip) -> Result<(), CollectorError> {
        let mut url = web::endpoint(&self.url, &format!("api/v1/clips/{}", clip.utterance_id));
        url.query_pairs_mut().append_pair("granted_unix_ms", &clip.granted_unix_ms.to_string());
        if let Some(subject) = &clip.subject_id {
            url.query_pairs_mut().append_pair("subject_id", subject);
        }
        let request = self
            .http
            .put(url)
            .header(CONTENT_TYPE, HeaderValue::from_static("audio/flac"))
            .body(clip.flac.clone());
        self.answer(request).await.map(drop)
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, CollectorError> {
        let body = self.answer(request).await?;
        serde_json::from_slice(&body).map_err(|error| {
            // The error's own words may quote the body.
            let why = format!("{:?} error in its JSON at column {}", error.classify(), error.column());
            CollectorError::BadAnswer { host: self.host.clone(), why }
        })
    }

    /// The body of an answer that says yes.
    async fn answer(&self, request: RequestBuilder) -> Result<Vec<u8>, CollectorError> {
        let request = match &self.token {
            Some(token) => request.header(AUTHORIZATION, token.header("Bearer ")),
            None => request,
        };
        let transport = |e| CollectorError::of_transport(&self.host, e);
        let mut response = request.send().await.map_err(transport)?;
        let mut body = Vec::new();
        while let Some(block) = response.chunk().await.map_err(transport)? {
            body.extend_from_slice(&block);
            if body.len() > MAX_ANSWER_BYTES {
                let why = "it is longer than 64 kB".to_owned();
                return Err(CollectorError::BadAnswer { host: self.host.clone(), why });
            }
        }
        if response.status().is_success() {
            return Ok(body);
        }
        let refusal = serde_json::from_slice::<Refusal>(&body).ok();
        let words = refusal.as_ref().map_or("", |refusal| refusal.error.as_str());
        Err(CollectorError::Status {
            host: self.host.clone(),
            status: response.status().as_u16(),
            message: self.message(words),
            retry_after: retry_after(response.headers()),
            expected_sequence: refusal.and_then(|refusal| refusal.expected_sequence),
        })
    }

    /// A server's words, fit for a log.
    fn message(&self, words: &str) -> String {
        let words: String = words.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE_CHARS).collect();
        let words = words.trim_end_matches('.').to_owned();
        self.token.as_ref().map_or_else(|| words.clone(), |token| token.redact(&words))
    }
}

/// A device that the server knows.
#[derive(Debug)]
pub struct Enrollment {
    /// The name under which it reports.
    pub device_id: String,
    /// Proves it.
    pub token: ApiKey,
}

impl Enrollment {
    /// Writes the token to a file that only its owner can read; [`ApiKey::from_file`] reads it.
    ///
    /// # Errors
    /// Those of the system.
    pub fn save_token(&self, file: &std::path::Path) -> std::io::Result<()> {
        atomic_write(file, format!("{}\n", self.token.secret()).as_bytes())
    }
}

/// Makes this device known to the server at `url`, which gave out `code`; blocks until it answers.
///
/// # Errors
/// [`CollectorError`]; the code is used up only if there is a token.
pub fn enroll(
    url: &str,
    code: &str,
    device_id: &str,
    allow_unencrypted: bool,
) -> Result<Enrollment, CollectorError> {
    #[derive(serde::Deserialize)]
    struct Answer {
        device_id: String,
        token: String,
    }
    let url = settings::address(url)?;
    settings::check(&url, allow_unencrypted)?;
    if !valid_id(device_id) {
        let why = "a device's name has up to 64 letters, digits, `-`, `_` and `.`".to_owned();
        return Err(CollectorError::Setup(why));
    }
    let limit = std::time::Duration::from_secs(30);
    let client = Client::without_token(&url, limit, limit)?;
    let body = serde_json::json!({ "code": code, "device_id": device_id }).to_string();
    let request = client
        .http
        .post(web::endpoint(&url, "api/v1/enroll"))
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .body(body);
    let answer: Answer = block_on(client.json(request))?;
    let token = ApiKey::new(&answer.token).filter(|_| answer.device_id == device_id);
    let why = || "it names another device, or no token".to_owned();
    let token = token.ok_or_else(|| CollectorError::BadAnswer { host: client.host.clone(), why: why() })?;
    Ok(Enrollment { device_id: answer.device_id, token })
}

/// Asks the server to delete everything that this device sent; blocks until it answers. Returns its receipt.
///
/// # Errors
/// [`CollectorError`]; nothing is known to be deleted then.
pub fn erase(settings: &CollectorSettings) -> Result<Value, CollectorError> {
    let client = Client::new(settings)?;
    let request = client
        .http
        .post(web::endpoint(&settings.url, "api/v1/erase"))
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .body("{}");
    block_on(client.json(request))
}

/// The runtime of requests.
pub(super) fn runtime() -> Result<Runtime, CollectorError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| CollectorError::Setup(format!("no runtime for requests: {e}")))
}

fn block_on<T>(work: impl Future<Output = Result<T, CollectorError>>) -> Result<T, CollectorError> {
    let runtime = runtime()?;
    let result = runtime.block_on(work);
    // A name lookup that hangs must not hold the program back.
    runtime.shutdown_background();
    result
}
