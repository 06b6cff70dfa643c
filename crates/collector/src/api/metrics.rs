//! The server's own figures, in the format of Prometheus. No device is named.

use std::sync::Mutex;
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use earwitness_telemetry::Accepted;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::{ApiError, Shared};

/// Counters since the server began.
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    batches: Counter,
    records: Counter,
    duplicates: Counter,
    unreadable: Counter,
    pub(crate) received_bytes: Counter,
    pub(crate) refusals: Counter,
    pub(crate) clips: Counter,
    pub(crate) derived: Counter,
    waiting: Gauge,
    store_seconds: Histogram,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let metrics = Self {
            registry: Mutex::new(Registry::with_prefix("earwitness_collector")),
            batches: Counter::default(),
            records: Counter::default(),
            duplicates: Counter::default(),
            unreadable: Counter::default(),
            received_bytes: Counter::default(),
            refusals: Counter::default(),
            clips: Counter::default(),
            derived: Counter::default(),
            waiting: Gauge::default(),
            // 1 ms to 16 s.
            store_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 15)),
        };
        if let Ok(mut registry) = metrics.registry.lock() {
            let counters = [
                ("batches", "Batches accepted", &metrics.batches),
                ("records", "Records stored", &metrics.records),
                ("duplicate_records", "Records that were there before", &metrics.duplicates),
                ("unreadable_records", "Records that are kept unread", &metrics.unreadable),
                ("refusals", "Requests without a valid token", &metrics.refusals),
                ("clips", "Clips kept", &metrics.clips),
                ("derived_records", "Records taken into roll-ups", &metrics.derived),
            ];
            for (name, help, counter) in counters {
                registry.register(name, help, counter.clone());
            }
            let bytes = metrics.received_bytes.clone();
            registry.register_with_unit("received", "Bodies of batches", Unit::Bytes, bytes);
            registry.register("waiting_batches", "Batches that wait to be stored", metrics.waiting.clone());
            let seconds = metrics.store_seconds.clone();
            registry.register_with_unit("batch", "From a batch's head to its answer", Unit::Seconds, seconds);
        }
        metrics
    }

    pub(crate) fn count(&self, accepted: &Accepted, took: Duration) {
        self.batches.inc();
        self.records.inc_by(accepted.stored);
        self.duplicates.inc_by(accepted.duplicates);
        self.unreadable.inc_by(accepted.unreadable);
        self.store_seconds.observe(took.as_secs_f64());
    }
}

/// `GET /metrics`.
pub(super) async fn show(State(app): State<Shared>) -> Result<Response, ApiError> {
    app.metrics.waiting.set(app.store.waiting() as i64);
    let mut text = String::new();
    if let Ok(registry) = app.metrics.registry.lock() {
        // Writing to a String does not fail.
        let _ = encode(&mut text, &registry);
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
