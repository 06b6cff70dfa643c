//! Counters of the server, in the text format of Prometheus.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

type Labels = Vec<(&'static str, String)>;

/// What is counted.
pub(super) struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<Labels, Counter>,
    rejected: Counter,
    audio: Counter<f64, AtomicU64>,
    jobs: Histogram,
    job_total: Counter<f64, AtomicU64>,
    jobs_done: Counter,
    places_taken: Gauge,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("earwitness");
        let requests = Family::<Labels, Counter>::default();
        registry.register("requests", "Answered requests by route and status", requests.clone());
        let rejected = Counter::default();
        registry.register("rejected", "Requests refused because the queue was full", rejected.clone());
        let audio = Counter::<f64, AtomicU64>::default();
        registry.register_with_unit("audio", "Audio transcribed", Unit::Seconds, audio.clone());
        // 50 ms to 100 s: from a spoken word on a server to an hour's lecture on a small board.
        let jobs = Histogram::new(exponential_buckets(0.05, 2.0, 12));
        registry.register_with_unit(
            "job",
            "Time of an engine for one recording",
            Unit::Seconds,
            jobs.clone(),
        );
        let places_taken = Gauge::default();
        registry.register("places_taken", "Recordings worked on or waiting", places_taken.clone());
        Self {
            registry: Mutex::new(registry),
            requests,
            rejected,
            audio,
            jobs,
            job_total: Counter::default(),
            jobs_done: Counter::default(),
            places_taken,
        }
    }

    /// A request was answered.
    pub(super) fn answered(&self, route: &str, status: u16) {
        let labels = vec![("route", route.to_owned()), ("status", status.to_string())];
        self.requests.get_or_create(&labels).inc();
    }

    /// There was no place for a request.
    pub(super) fn rejected(&self) {
        self.rejected.inc();
    }

    /// An engine finished with a recording of `audio_s`, if it could be heard.
    pub(super) fn job_done(&self, seconds: f64, audio_s: Option<f64>) {
        self.jobs.observe(seconds);
        self.job_total.inc_by(seconds);
        self.jobs_done.inc();
        self.audio.inc_by(audio_s.unwrap_or(0.0));
    }

    /// Mean time of a job so far, s; 1 before the first.
    pub(super) fn mean_job_s(&self) -> f64 {
        match self.jobs_done.get() {
            0 => 1.0,
            n => self.job_total.get() / n as f64,
        }
    }

    /// All of it as text.
    pub(super) fn render(&self, places_taken: usize) -> String {
        self.places_taken.set(places_taken as i64);
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a String does not fail.
        let _ = encode(&mut text, &registry);
        text
    }
}
