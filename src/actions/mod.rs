//! What is done with a final transcript: another program or a web service gets it, and may answer with results.
//!
//! ```json
//! {"utterance": 3, "start": 12.1, "end": 14.0, "text": "open the garage", "language": "en", "route": "local"}
//! ```
//! A program gets that line on its stdin, a service as the body of a POST. Either may answer with JSON that has a
//! list `results`; they are counted and handed back. One thread does the work behind a bounded queue: an action
//! that hangs delays no transcript, and what it has no room for is counted.

mod exec;
mod feedback;
#[cfg(feature = "cloud")]
mod post;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

pub use feedback::{Feedback, FeedbackCounts, FeedbackKind};

/// Transcripts that may wait.
const MAX_QUEUED: usize = 64;
/// An action that takes longer is given up.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest answer that is read.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Where transcripts are handed on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionTarget {
    /// A web service.
    Post(String),
    /// A program, by its path or name; no shell is involved.
    Exec(String),
}

impl ActionTarget {
    /// Its name in events: the host or the program.
    pub fn name(&self) -> String {
        match self {
            Self::Exec(program) => program.clone(),
            Self::Post(url) => {
                let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
                let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
                authority.rsplit('@').next().unwrap_or(authority).to_owned()
            }
        }
    }

    /// Whether text would leave this device.
    pub fn leaves_device(&self) -> bool {
        let Self::Post(_) = self else { return false };
        let authority = self.name();
        let host = match authority.strip_prefix('[') {
            Some(v6) => v6.split(']').next().unwrap_or_default(),
            None => authority.split(':').next().unwrap_or_default(),
        };
        let loopback = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        !(host == "localhost" || loopback)
    }
}

/// What came of one action.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ActionOutcome {
    /// Which utterance.
    pub utterance: u64,
    /// The host or program.
    pub target: String,
    /// From handing it over to its answer, ms.
    pub ms: f64,
    /// How many results it gave.
    pub result_count: usize,
    /// The results.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<Value>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The thread that acts.
pub struct Actions {
    jobs: Option<SyncSender<(u64, Value)>>,
    thread: Option<JoinHandle<()>>,
    skipped: AtomicU64,
}

impl Actions {
    /// Hands transcripts on to each of `targets`, in order, and tells `on_outcome` from the thread that acts.
    ///
    /// # Errors
    /// If there is no thread to be had, or no client for requests.
    pub fn start(
        targets: Vec<ActionTarget>,
        on_outcome: impl Fn(ActionOutcome) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (jobs, received) = sync_channel(MAX_QUEUED);
        let client = Client::new()?;
        let thread = std::thread::Builder::new()
            .name("actions".to_owned())
            .spawn(move || work(&received, &targets, &client, &on_outcome))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), skipped: AtomicU64::new(0) })
    }

    /// Hands on `transcript`, the object of the module's documentation.
    pub fn hand_on(&self, utterance: u64, transcript: Value) {
        let Some(jobs) = &self.jobs else { return };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            jobs.try_send((utterance, transcript))
        {
            self.skipped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Transcripts that were not handed on because the actions were too far behind.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }
}

impl Drop for Actions {
    /// What waits is still handed on.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // A panic was printed by its own thread.
            let _ = thread.join();
        }
    }
}

#[cfg(feature = "cloud")]
use post::Client;

/// Without the feature `cloud` there is nothing to make requests with.
#[cfg(not(feature = "cloud"))]
struct Client;

#[cfg(not(feature = "cloud"))]
impl Client {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    fn post(&self, _url: &str, _body: &Value) -> Result<Vec<u8>, String> {
        Err("this build makes no requests: build with `--features cloud`".to_owned())
    }
}

fn work(
    jobs: &Receiver<(u64, Value)>,
    targets: &[ActionTarget],
    client: &Client,
    on_outcome: &impl Fn(ActionOutcome),
) {
    for (utterance, transcript) in jobs {
        for target in targets {
            let begin = Instant::now();
            let answer = match target {
                ActionTarget::Post(url) => client.post(url, &transcript),
                ActionTarget::Exec(program) => exec::run(program, &transcript),
            };
            let (results, error) = match answer {
                Ok(body) => (results_in(&body), None),
                Err(error) => (Vec::new(), Some(error)),
            };
            on_outcome(ActionOutcome {
                utterance,
                target: target.name(),
                ms: (begin.elapsed().as_secs_f64() * 1e6).round() / 1e3,
                result_count: results.len(),
                results,
                error,
            });
        }
    }
}

/// The list `results` of a JSON answer; an answer that is none has no results.
fn results_in(body: &[u8]) -> Vec<Value> {
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(mut answer)) => match answer.remove("results") {
            Some(Value::Array(results)) => results,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_named_without_paths_or_passwords() {
        for (url, name, leaves) in [
            ("http://127.0.0.1:9/search?q=1", "127.0.0.1:9", false),
            ("http://localhost/x", "localhost", false),
            ("http://[::1]:8/", "[::1]:8", false),
            ("https://me:secret@example.com/hook", "example.com", true),
            ("http://127.0.0.1.example.com/", "127.0.0.1.example.com", true),
        ] {
            let target = ActionTarget::Post(url.to_owned());
            assert_eq!((target.name().as_str(), target.leaves_device()), (name, leaves));
        }
        assert!(!ActionTarget::Exec("notify-send".to_owned()).leaves_device());
    }

    #[test]
    fn only_a_list_of_results_counts() {
        assert_eq!(results_in(br#"{"results":[1,{"title":"x"}]}"#).len(), 2);
        for none in [&b""[..], b"[1]", b"{}", br#"{"results":3}"#, b"<html>"] {
            assert!(results_in(none).is_empty());
        }
    }
}
