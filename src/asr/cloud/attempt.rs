//! One deadline over all attempts, and the pauses between them.

use std::future::Future;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{RequestBuilder, Response};
use tokio::time::{Instant, sleep, timeout_at};

use super::settings::CloudSettings;
use super::{BadBody, CloudError};
use crate::web::retry_after;

/// Longest answer that is read. A transcript of an hour with word times has 2 MB.
const MAX_ANSWER_BYTES: usize = 16 << 20;
/// Longest piece of a server's error message that is passed on.
const MAX_MESSAGE_CHARS: usize = 200;

/// What a server answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// Whether the body says that it is JSON.
    pub(super) fn is_json(&self) -> bool {
        let kind = self.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        kind.split(';').next().is_some_and(|kind| {
            let kind = kind.trim().to_ascii_lowercase();
            kind == "application/json" || kind.ends_with("+json")
        })
    }

    /// The body as the JSON it must be.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, BadBody> {
        if !self.is_json() {
            let is = self.headers.get(CONTENT_TYPE).map_or("nothing", |_| "another");
            return Err(BadBody::Malformed(format!("{is} content type instead of application/json")));
        }
        // An array would be taken for an object whose fields come in order.
        if !self.body.trim_ascii_start().starts_with(b"{") {
            return Err(BadBody::Malformed("it is not a JSON object".to_owned()));
        }
        Ok(serde_json::from_slice(&self.body)?)
    }
}

/// The attempts of one request.
pub(super) struct Attempts<'a> {
    settings: &'a CloudSettings,
    deadline: Instant,
}

impl<'a> Attempts<'a> {
    /// The deadline counts from now.
    pub(super) fn new(settings: &'a CloudSettings) -> Self {
        // The runtime's clock is monotonic: a jump of the wall clock changes nothing.
        Self { settings, deadline: Instant::now() + settings.deadline }
    }

    /// Asks until there is a result, an error that stays, or no time.
    pub(super) async fn run<T>(
        &self,
        request: impl Fn() -> RequestBuilder,
        read: impl Fn(&Answer) -> Result<T, BadBody>,
        own_retry_after: impl Fn(&Answer) -> Option<Duration>,
    ) -> Result<T, CloudError> {
        let attempt = || async {
            let answer = self.ask(request()).await?;
            self.judge(&answer, &read, &own_retry_after)
        };
        self.retry(attempt).await
    }

    /// Tries `attempt` until there is a result, an error that stays, or no time.
    pub(super) async fn retry<T, F: Future<Output = Result<T, CloudError>>>(
        &self,
        attempt: impl Fn() -> F,
    ) -> Result<T, CloudError> {
        let mut last = None;
        let mut tried = 0;
        loop {
            let error = match self.within(attempt(), last).await {
                Ok(result) => return Ok(result),
                Err(error) => error,
            };
            tried += 1;
            if !error.retry_now() || tried >= self.settings.attempts {
                return Err(error);
            }
            let bound = self.settings.backoff.saturating_mul(1 << (tried - 1).min(10));
            let pause = error.retry_after().unwrap_or_else(|| bound.mul_f64(fastrand::f64()));
            if Instant::now() + pause >= self.deadline {
                // Nobody gains by waiting for what cannot come in time.
                return Err(error);
            }
            tracing::info!(%error, ?pause, "asking the cloud again");
            sleep(pause).await;
            last = Some(Box::new(error));
        }
    }

    async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, CloudError>>,
        last: Option<Box<CloudError>>,
    ) -> Result<T, CloudError> {
        match timeout_at(self.deadline, work).await {
            Ok(result) => result,
            Err(_) => Err(CloudError::Deadline {
                host: self.settings.host(),
                deadline: self.settings.deadline,
                last,
            }),
        }
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Answer, CloudError> {
        let transport = |e| CloudError::of_transport(&self.settings.host(), e);
        let response = request.send().await.map_err(transport)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = self.body(response).await?;
        Ok(Answer { status, headers, body })
    }

    /// The whole body, unless it is too long.
    pub(super) async fn body(&self, mut response: Response) -> Result<Vec<u8>, CloudError> {
        let mut body = Vec::new();
        let host = || self.settings.host();
        while let Some(block) = response.chunk().await.map_err(|e| CloudError::of_transport(&host(), e))? {
            body.extend_from_slice(&block);
            if body.len() > MAX_ANSWER_BYTES {
                return Err(CloudError::BadAnswer {
                    host: host(),
                    why: "it is longer than 16 MB".to_owned(),
                });
            }
        }
        Ok(body)
    }

    fn judge<T>(
        &self,
        answer: &Answer,
        read: &impl Fn(&Answer) -> Result<T, BadBody>,
        own_retry_after: &impl Fn(&Answer) -> Option<Duration>,
    ) -> Result<T, CloudError> {
        let host = self.settings.host();
        match answer.status {
            200 => read(answer).map_err(|bad| match bad {
                BadBody::Malformed(why) => CloudError::BadAnswer { host, why },
                BadBody::Trouble(why) => CloudError::Trouble { host, why },
            }),
            _ => Err(self.refused(answer, own_retry_after(answer))),
        }
    }

    /// What a status that is not the wanted one says.
    pub(super) fn refused(&self, answer: &Answer, own_retry_after: Option<Duration>) -> CloudError {
        CloudError::Status {
            host: self.settings.host(),
            status: answer.status,
            message: self.message(answer),
            retry_after: retry_after(&answer.headers).or(own_retry_after),
            exhausted: is_exhausted(answer),
        }
    }

    /// The server's words on an error: of JSON those of a known field, of other texts none.
    fn message(&self, answer: &Answer) -> String {
        let Ok(body) = serde_json::from_slice::<serde_json::Value>(&answer.body) else {
            return String::new();
        };
        let known = ["/error/message", "/err_msg", "/message", "/detail", "/detail/0/msg", "/error"];
        let Some(words) = known.iter().find_map(|path| body.pointer(path)?.as_str()) else {
            return String::new();
        };
        let words: String = words.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE_CHARS).collect();
        let words = words.trim_end_matches('.').to_owned();
        let words = self.settings.key.as_ref().map_or_else(|| words.clone(), |key| key.redact(&words));
        match &self.settings.prompt {
            Some(prompt) if !prompt.is_empty() => words.replace(prompt.as_str(), "[prompt]"),
            _ => words,
        }
    }
}

/// A status 429 that no waiting cures.
fn is_exhausted(answer: &Answer) -> bool {
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    ["/error/code", "/error/type"].iter().any(|path| {
        let word = body.pointer(path).and_then(|word| word.as_str());
        matches!(word, Some("insufficient_quota" | "credit_balance_exhausted"))
    })
}
