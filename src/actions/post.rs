//! A web service that gets the transcript as JSON.

use reqwest::redirect;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use super::{ActionTarget, MAX_ANSWER_BYTES, TIMEOUT};

pub(super) struct Client {
    runtime: Runtime,
    client: reqwest::Client,
    /// For this machine: past every proxy.
    direct: reqwest::Client,
}

impl Client {
    pub(super) fn new() -> std::io::Result<Self> {
        // Text goes to the host that was named, never to where that host redirects.
        let builder = || {
            crate::web::trusting_builder()
                .timeout(TIMEOUT)
                .user_agent(concat!("earwitness/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
        };
        Ok(Self {
            runtime: Builder::new_current_thread().enable_all().build()?,
            client: builder().build().map_err(std::io::Error::other)?,
            direct: builder().no_proxy().build().map_err(std::io::Error::other)?,
        })
    }

    /// What the service answered.
    pub(super) fn post(&self, url: &str, transcript: &Value) -> Result<Vec<u8>, String> {
        self.runtime.block_on(async {
            // Addresses may hold tokens: errors go without them.
            let fail = |e: reqwest::Error| e.without_url().to_string();
            let leaves = ActionTarget::Post(url.to_owned()).leaves_device();
            let client = if leaves { &self.client } else { &self.direct };
            let mut response = client.post(url).json(transcript).send().await.map_err(fail)?;
            let status = response.status();
            if !status.is_success() {
                return Err(format!("the service answered with status {}", status.as_u16()));
            }
            let mut body = Vec::new();
            while let Some(block) = response.chunk().await.map_err(fail)? {
                body.extend_from_slice(&block);
                if body.len() > MAX_ANSWER_BYTES {
                    return Err("the service's answer is too long".to_owned());
                }
            }
            Ok(body)
        })
    }
}
