//! Metrics for an OpenTelemetry collector: OTLP over HTTP, in JSON.
//!
//! ```text
//! recorder ─► OtlpExporter (a RecordSink: adds up) ── every interval ──► POST {otlp_url}/v1/metrics
//! ```
//! What fleets are watched with already can watch this device too, beside the project's own collection server or
//! without it. Sums are cumulative: an export that fails is not repeated, the next one holds all of it, and a device that
//! was offline shows a gap and no loss. Only figures are looked at: what somebody consented to beside them does not
//! come here.

mod instrument;
mod metrics;
mod wire;

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::CONTENT_TYPE;
use reqwest::{Url, redirect};
use tokio::runtime::{Builder, Runtime};

use self::metrics::SpeechMetrics;
use self::wire::{Attribute, ExportRequest, Resource, ResourceMetrics, Scope, ScopeMetrics, Span};
use super::address;
use super::sink::RecordSink;
use crate::telemetry::RecordLine;
use crate::web;

/// One export, connection included. The default of OTLP exporters.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest answer that is read.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// Where metrics go, and how they are called there.
#[derive(Clone, Debug)]
pub struct OtlpOptions {
    /// Base address: `http://127.0.0.1:4318`; `/v1/metrics` is added.
    pub url: String,
    /// How often.
    pub interval: Duration,
    /// `service.instance.id`: the device's name.
    pub device_id: String,
    /// `speech.profile`: the device's profile.
    pub profile: String,
}

/// Why there is no exporter.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// Not encrypted, or no address.
    #[error("telemetry.otlp_url {0}")]
    Address(String),
    /// The system lacks something.
    #[error("metrics cannot be exported: {0}")]
    Setup(#[from] std::io::Error),
}

/// Adds up records and sends metrics; dropped, it sends a last time.
pub struct OtlpExporter {
    metrics: Arc<Mutex<SpeechMetrics>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl OtlpExporter {
    /// Starts the thread that sends.
    ///
    /// # Errors
    /// [`OtlpError`].
    pub fn start(options: OtlpOptions) -> Result<Self, OtlpError> {
        address::check(&options.url).map_err(OtlpError::Address)?;
        let metrics = Arc::new(Mutex::new(SpeechMetrics::new()));
        let sender = MetricsSender::new(options, metrics.clone())?;
        let (stop, stopped) = channel();
        let thread =
            std::thread::Builder::new().name("otlp".to_owned()).spawn(move || sender.run(&stopped))?;
        Ok(Self { metrics, stop: Some(stop), thread: Some(thread) })
    }
}

impl RecordSink for OtlpExporter {
    fn record(&self, line: RecordLine) {
        // A panic elsewhere leaves sums as they were.
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner).observe(&line.record);
    }
}

impl Drop for OtlpExporter {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic was printed by its own thread.
            let _ = thread.join();
        }
    }
}

struct MetricsSender {
    options: OtlpOptions,
    metrics: Arc<Mutex<SpeechMetrics>>,
    address: String,
    began_unix_nano: u64,
    runtime: Runtime,
    client: reqwest::Client,
    /// The last export failed: it was told once.
    failing: bool,
}

impl MetricsSender {
    fn new(options: OtlpOptions, metrics: Arc<Mutex<SpeechMetrics>>) -> std::io::Result<Self> {
        // Figures go to the host that was named, never to where that host redirects.
        let url = Url::parse(&options.url).map_err(std::io::Error::other)?;
        let client = web::client_builder(&url)
            .timeout(TIMEOUT)
            .user_agent(concat!("earwitness/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .build()
            .map_err(std::io::Error::other)?;
        Ok(Self {
            address: format!("{}/v1/metrics", options.url.trim_end_matches('/')),
            options,
            metrics,
            began_unix_nano: now_unix_nano(),
            runtime: Builder::new_current_thread().enable_all().build()?,
            client,
            failing: false,
        })
    }

    /// Sends until the exporter is dropped, and once more then.
    fn run(mut self, stopped: &Receiver<()>) {
        loop {
            let stop = stopped.recv_timeout(self.options.interval) != Err(RecvTimeoutError::Timeout);
            self.export();
            if stop {
                return;
            }
        }
    }

    fn export(&mut self) {
        let Some(body) = self.body() else { return };
        match self.runtime.block_on(self.post(body)) {
            Ok(()) => self.failing = false,
            Err(why) if !self.failing => {
                self.failing = true;
                tracing::warn!("metrics were not exported, the next export holds them too: {why}");
            }
            Err(why) => tracing::debug!("metrics were not exported: {why}"),
        }
    }

    /// `None` as long as nothing was recorded.
    fn body(&self) -> Option<Vec<u8>> {
        let span = Span { start_time_unix_nano: self.began_unix_nano, time_unix_nano: now_unix_nano() };
        let metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner).collect(span);
        if metrics.is_empty() {
            return None;
        }
        let attributes = vec![
            Attribute::new("service.name", "earwitness"),
            Attribute::new("service.version", env!("CARGO_PKG_VERSION")),
            Attribute::new("service.instance.id", self.options.device_id.as_str()),
            Attribute::new("os.type", std::env::consts::OS),
            Attribute::new("host.arch", architecture()),
            Attribute::new("speech.profile", self.options.profile.as_str()),
        ];
        let scope = Scope { name: "earwitness", version: env!("CARGO_PKG_VERSION") };
        let resource_metrics = [ResourceMetrics {
            resource: Resource { attributes },
            scope_metrics: [ScopeMetrics { scope, metrics }],
        }];
        // Strings and finite numbers only.
        serde_json::to_vec(&ExportRequest { resource_metrics }).ok()
    }

    async fn post(&self, body: Vec<u8>) -> Result<(), String> {
        let fail = |error: reqwest::Error| error.without_url().to_string();
        let request = self.client.post(&self.address).header(CONTENT_TYPE, "application/json").body(body);
        let mut answer = request.send().await.map_err(fail)?;
        let status = answer.status();
        let mut read = Vec::new();
        while let Some(block) = answer.chunk().await.map_err(fail)? {
            read.extend_from_slice(&block);
            if read.len() > MAX_ANSWER_BYTES {
                return Err("the collector's answer is too long".to_owned());
            }
        }
        if !status.is_success() {
            return Err(format!("the collector answered with status {}", status.as_u16()));
        }
        match rejected_points(&read) {
            0 => Ok(()),
            n => Err(format!("the collector refused {n} points")),
        }
    }
}

/// Of an answer with status 200: points that were not taken all the same.
fn rejected_points(answer: &[u8]) -> u64 {
    let Ok(answer) = serde_json::from_slice::<serde_json::Value>(answer) else { return 0 };
    let rejected = &answer["partialSuccess"]["rejectedDataPoints"];
    rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok()).unwrap_or(0)
}

/// The processor in OpenTelemetry's words.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "arm32",
        other => other,
    }
}

fn now_unix_nano() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_that_were_refused_are_read_from_the_answer() {
        for (answer, rejected) in [
            (&b""[..], 0),
            (b"{}", 0),
            (br#"{"partialSuccess":{}}"#, 0),
            (br#"{"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"no"}}"#, 3),
            (br#"{"partialSuccess":{"rejectedDataPoints":4}}"#, 4),
        ] {
            assert_eq!(rejected_points(answer), rejected);
        }
    }

    #[test]
    fn an_address_that_is_not_encrypted_is_refused() {
        let options = OtlpOptions {
            url: "http://example.com".into(),
            interval: Duration::from_secs(1),
            device_id: "d".into(),
            profile: "p".into(),
        };
        let error = OtlpExporter::start(options).err().unwrap().to_string();
        assert!(error.contains("telemetry.otlp_url must be an https://"), "{error}");
    }
}
