//! The uploader's thread.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::backoff::Backoff;
use super::client::Client;
use super::{
    ClipStore, CollectorError, CollectorSettings, NetworkCost, Sent, Signals, UploadEvent, UploadOutcome,
    UploadStatus,
};
use crate::telemetry::limits::MAX_BATCH_RECORDS;
use crate::uplink::journal::{Batch, Journal, SyncPolicy};

/// Records that are given up in a row before each further one costs a pause: what refuses more is not about records.
const MAX_REFUSED_IN_A_ROW: u32 = 3;
/// Share of the cap from which on records are sent over a metered network, in hundredths.
const NEARLY_FULL_PERCENT: u64 = 80;
/// Shortest interval of syncs, ms.
const MIN_TICK_MS: u64 = 20;

/// What a worker works with.
pub(super) struct Parts {
    pub(super) journal: Arc<Journal>,
    pub(super) clips: Option<Arc<ClipStore>>,
    pub(super) network: Box<dyn NetworkCost>,
    pub(super) on_event: Box<dyn FnMut(UploadEvent) + Send>,
    pub(super) signals: Arc<Signals>,
    pub(super) ends: watch::Receiver<Option<Duration>>,
    pub(super) status: Arc<Mutex<UploadStatus>>,
}

pub(super) struct Worker {
    settings: CollectorSettings,
    client: Client,
    parts: Parts,
    attention: Attention,
    backoff: Backoff,
    /// Nothing is sent before this.
    hold: Option<Instant>,
    /// Most records of a batch: fewer while one is searched that the server refuses.
    most: usize,
    refused_in_a_row: u32,
}

/// What a round came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Round {
    /// Nothing waits.
    Empty,
    /// Something waits, and must.
    Waiting,
    /// Records came up while clips were sent: they are first.
    Again,
}

impl Worker {
    pub(super) fn new(settings: CollectorSettings, parts: Parts) -> Result<Self, CollectorError> {
        let client = Client::new(&settings)?;
        let attention =
            Attention { journal: parts.journal.clone(), ends: parts.ends.clone(), deadline: None };
        let backoff = Backoff::new(&settings);
        Ok(Self {
            settings,
            client,
            parts,
            attention,
            backoff,
            hold: None,
            most: MAX_BATCH_RECORDS,
            refused_in_a_row: 0,
        })
    }

    /// Works until it is told to end. Whether all was sent.
    pub(super) async fn run(mut self) -> bool {
        loop {
            let round = self.round().await;
            if self.attention.is_ending() {
                if let Err(error) = self.parts.journal.sync() {
                    tracing::warn!(%error, "telemetry could not be made durable");
                }
                return round == Round::Empty;
            }
            let until = self.hold.unwrap_or_else(|| Instant::now() + self.settings.interval);
            let held = self.hold.is_some();
            let signals = self.parts.signals.clone();
            let rest = async {
                tokio::select! {
                    () = sleep_until(until) => {}
                    () = signals.wake.notified(), if !held => {}
                }
            };
            // Told to end: one more round, unless the server wants to be left alone.
            self.attention.attend(rest, true).await;
        }
    }

    /// Sends until nothing waits, or what waits must.
    async fn round(&mut self) -> Round {
        if self.hold.is_some_and(|until| Instant::now() < until) {
            return Round::Waiting;
        }
        self.hold = None;
        loop {
            if !self.send_records().await {
                return Round::Waiting;
            }
            match self.send_clips().await {
                Round::Again => {}
                ended => return ended,
            }
        }
    }

    /// Sends all records; false if they, or something among them, must wait.
    async fn send_records(&mut self) -> bool {
        loop {
            // Asked first: what is not sent need not be read and compressed.
            if self.parts.journal.stats().records > 0 && self.network_is_dear(true) {
                return false;
            }
            let batch = match self.parts.journal.next_batch_of(self.most, now_unix_ms()) {
                Ok(Some(batch)) => batch,
                Ok(None) => return true,
                Err(error) => {
                    tracing::warn!(%error, "telemetry cannot be read");
                    self.hold = Some(Instant::now() + self.settings.interval);
                    return false;
                }
            };
            if !self.send_batch(batch).await {
                return false;
            }
        }
    }

    /// Whether to go on at once.
    async fn send_batch(&mut self, batch: Batch) -> bool {
        let last = batch.last_sequence();
        let Batch { head, records, wire } = batch;
        let bytes = wire.len();
        let Some(answer) = self.attention.attend(self.client.post_batch(wire), false).await else {
            return false;
        };
        let journal = self.parts.journal.clone();
        let before = journal.stats().high_water;
        let settled = match &answer {
            Ok(accepted) => journal.acknowledge(accepted.high_water),
            Err(CollectorError::Status { status: 409, expected_sequence: Some(expected), .. }) => {
                journal.expect(*expected)
            }
            Err(_) => Ok(()),
        };
        if let Err(error) = settled {
            tracing::warn!(%error, "the telemetry journal could not be brought up to date");
        }
        let moved = journal.stats().high_water != before;
        let outcome = match &answer {
            Ok(_) if moved => UploadOutcome::Accepted,
            Err(error) if error.is_about_content() => UploadOutcome::Rejected,
            _ => UploadOutcome::RetryLater,
        };
        self.tell(Sent::Records(records), bytes, outcome);
        match answer {
            Ok(_) if moved => {
                self.most = (self.most * 2).min(MAX_BATCH_RECORDS);
                self.refused_in_a_row = 0;
                self.succeeded(|status| status.records += records as u64);
                true
            }
            Ok(accepted) => {
                let why = format!("its mark {} does not move with a batch up to {last}", accepted.high_water);
                self.failed(&CollectorError::BadAnswer { host: self.client.host().to_owned(), why })
            }
            // Each is a step on, or it is not repeated.
            Err(CollectorError::Status { status: 409, expected_sequence: Some(_), .. }) if moved => true,
            Err(error) if error.is_about_content() && records > 0 => {
                self.refused(&error, head.first_sequence, records)
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Searches the record that the server refuses; gives it up once it is alone.
    fn refused(&mut self, error: &CollectorError, first: u64, records: usize) -> bool {
        if records > 1 {
            self.most = records / 2;
            return true;
        }
        tracing::warn!(%error, "the collection server refuses a record: it is given up");
        if let Err(error) = self.parts.journal.give_up(first, first) {
            tracing::warn!(%error, "the telemetry journal could not be brought up to date");
        }
        self.status(|status| status.refused += 1);
        self.refused_in_a_row += 1;
        if self.refused_in_a_row < MAX_REFUSED_IN_A_ROW {
            return true;
        }
        self.hold = Some(Instant::now() + self.settings.backoff_max.mul_f64(0.5 + fastrand::f64() / 2.0));
        self.status(|status| status.last_error = Some(error.to_string()));
        false
    }

    async fn send_clips(&mut self) -> Round {
        let Some(clips) = self.parts.clips.clone() else { return Round::Empty };
        let began = Instant::now();
        loop {
            let (name, clip) = match clips.oldest() {
                Ok(Some(oldest)) => oldest,
                // What cannot be read has not been sent.
                Ok(None) if clips.stats().unreadable == 0 => return Round::Empty,
                Ok(None) => return Round::Waiting,
                Err(error) => {
                    tracing::warn!(%error, "a clip cannot be read now: it is kept");
                    return Round::Waiting;
                }
            };
            if self.network_is_dear(false) {
                return Round::Waiting;
            }
            let Some(answer) = self.attention.attend(self.client.put_clip(&clip), false).await else {
                return Round::Waiting;
            };
            let outcome = match &answer {
                Ok(()) => UploadOutcome::Accepted,
                Err(error) if error.is_about_content() => UploadOutcome::Rejected,
                Err(_) => UploadOutcome::RetryLater,
            };
            self.tell(Sent::Clip, clip.flac.len(), outcome);
            match answer {
                Ok(()) => {
                    clips.done(&name, true);
                    self.succeeded(|status| status.clips += 1);
                }
                Err(error) if outcome == UploadOutcome::Rejected => {
                    tracing::warn!(%error, "the collection server refuses a clip: it is given up");
                    clips.done(&name, false);
                }
                Err(error) => {
                    self.failed(&error);
                    return Round::Waiting;
                }
            }
            if self.parts.journal.stats().records > 0
                && (began.elapsed() >= self.settings.interval || self.woken())
            {
                return Round::Again;
            }
        }
    }

    /// Whether somebody asked for a look at the journal, which they have then.
    fn woken(&self) -> bool {
        pin!(self.parts.signals.wake.notified()).enable()
    }

    /// Whether what waits must wait for another network. Records that would be lost otherwise need not.
    fn network_is_dear(&mut self, records: bool) -> bool {
        let stats = self.parts.journal.stats();
        let nearly_full = stats.bytes > stats.max_bytes / 100 * NEARLY_FULL_PERCENT;
        let waits =
            self.settings.wait_if_metered && !(records && nearly_full) && self.parts.network.is_metered();
        self.status(|status| status.waits_for_network = waits);
        waits
    }

    fn succeeded(&mut self, change: impl FnOnce(&mut UploadStatus)) {
        self.backoff.succeeded();
        self.status(|status| {
            status.failures = 0;
            status.last_error = None;
            status.last_accepted_unix_ms = Some(now_unix_ms());
            change(status);
        });
    }

    fn failed(&mut self, error: &CollectorError) -> bool {
        let pause = self.backoff.failed(error, fastrand::f64());
        tracing::info!(%error, ?pause, "telemetry is sent later");
        self.hold = Some(Instant::now() + pause);
        let failures = self.backoff.failures();
        self.status(|status| {
            status.failures = failures;
            status.last_error = Some(error.to_string());
        });
        false
    }

    fn tell(&mut self, sent: Sent, bytes: usize, outcome: UploadOutcome) {
        self.status(|status| status.requests += 1);
        let host = self.client.host().to_owned();
        (self.parts.on_event)(UploadEvent { host, sent, bytes, outcome });
    }

    fn status(&self, change: impl FnOnce(&mut UploadStatus)) {
        change(&mut self.parts.status.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What goes on beside a request or a rest: syncs that are due, and the end.
struct Attention {
    journal: Arc<Journal>,
    ends: watch::Receiver<Option<Duration>>,
    /// Set when the end was announced.
    deadline: Option<Instant>,
}

impl Attention {
    fn is_ending(&self) -> bool {
        self.deadline.is_some()
    }

    /// What `work` gives; `None` if its time is over: at the deadline of the end, or with `idle` as soon as that is announced.
    async fn attend<T>(&mut self, work: impl Future<Output = T>, idle: bool) -> Option<T> {
        let mut work = pin!(work);
        let tick = match self.journal.sync_policy() {
            SyncPolicy::Interval { interval_ms } => Some(Duration::from_millis(interval_ms.max(MIN_TICK_MS))),
            SyncPolicy::EveryRecord | SyncPolicy::Never => None,
        };
        loop {
            if self.deadline.is_none()
                && let Some(within) = *self.ends.borrow_and_update()
            {
                self.deadline = Some(Instant::now() + within);
            }
            if idle && self.is_ending() {
                return None;
            }
            let deadline = self.deadline;
            let over = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = over => return None,
                done = &mut work => return Some(done),
                changed = self.ends.changed(), if deadline.is_none() => {
                    if changed.is_err() {
                        // Nobody is left to announce it.
                        self.deadline = Some(Instant::now());
                    }
                }
                () = sleep(tick.unwrap_or_default()), if tick.is_some() => {
                    if let Err(error) = self.journal.sync_due(now_unix_ms()) {
                        tracing::warn!(%error, "telemetry could not be made durable");
                    }
                }
            }
        }
    }
}

fn now_unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
