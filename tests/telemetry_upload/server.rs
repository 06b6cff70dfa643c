//! A collection server that keeps what it gets, and a device that sends to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::cloud_support::{FakeCloud, Reply, Request};
use earwitness::telemetry::{BatchHead, Record, RecordLine, SessionRecord};
use earwitness::uplink::collector::{ClipStore, CollectorSettings, UploadEvent, Uploader};
use earwitness::uplink::journal::{FolderDisk, Journal, JournalOptions, SyncPolicy};
use earwitness::web::ApiKey;
use serde::Deserialize;

pub const TOKEN: &str = "device-token-5f2a";
/// Long enough for a loaded machine; what is waited for comes at once.
pub const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
pub struct Body {
    #[serde(flatten)]
    pub head: BatchHead,
    pub records: Vec<RecordLine>,
}

/// The uploader has the real clock.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

pub fn body_of(request: &Request) -> Body {
    serde_json::from_slice(&zstd::bulk::decompress(&request.body, 8 << 20).unwrap()).unwrap()
}

pub fn id_of(line: &RecordLine) -> String {
    let Record::Session(session) = &line.record else { panic!("a record of another kind") };
    session.session_id.clone()
}

/// What the server stored: `None` is known to be lost.
#[derive(Default)]
pub struct Store {
    pub mark: u64,
    pub entries: BTreeMap<u64, Option<String>>,
    pub duplicates: usize,
    /// Records with this in their id are refused.
    pub poison: &'static str,
}

impl Store {
    /// The answer that the contract asks for.
    pub fn take(&mut self, request: &Request) -> Reply {
        let Body { head, records } = body_of(request);
        if !self.poison.is_empty() && records.iter().any(|line| id_of(line).contains(self.poison)) {
            return Reply::json(422, r#"{"error":"a field has the wrong type"}"#);
        }
        let told = head.lost.iter().fold(self.mark, |mark, range| match range.first_sequence <= mark + 1 {
            true => mark.max(range.last_sequence),
            false => mark,
        });
        if head.first_sequence > told + 1 {
            let refusal = format!(r#"{{"error":"a hole","expected_sequence":{}}}"#, self.mark + 1);
            return Reply::json(409, refusal);
        }
        let lost = head.lost.iter().flat_map(|r| r.first_sequence..=r.last_sequence).map(|n| (n, None));
        let records = (head.first_sequence..).zip(records.iter().map(|line| Some(id_of(line))));
        for (sequence, entry) in lost.chain(records) {
            if sequence > self.mark {
                self.mark = sequence;
                self.entries.insert(sequence, entry);
            } else {
                self.duplicates += 1;
            }
        }
        Reply::json(200, format!(r#"{{"high_water":{},"stored":0,"duplicates":0}}"#, self.mark))
    }

    pub fn ids(&self) -> Vec<Option<&str>> {
        self.entries.values().map(Option::as_deref).collect()
    }
}

pub struct Device {
    pub journal: Arc<Journal>,
    pub folder: tempfile::TempDir,
}

impl Device {
    pub fn new() -> Self {
        Self::with(JournalOptions { sync: SyncPolicy::Never, ..JournalOptions::default() })
    }

    pub fn with(options: JournalOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal =
            Journal::open(options, FolderDisk::open(&folder.path().join("journal")).unwrap()).unwrap();
        Self { journal: Arc::new(journal), folder }
    }

    pub fn record(&self, id: &str) {
        let session = SessionRecord { session_id: id.to_owned(), ..SessionRecord::default() };
        let line = RecordLine { recorded_unix_ms: now(), record: Record::Session(session), consented: None };
        self.journal.append(&line, now()).unwrap();
    }

    pub fn records(&self, n: usize) {
        (1..=n).for_each(|id| self.record(&format!("r{id}")));
    }
}

/// Retries come in milliseconds; the rest is as in the field.
pub fn settings(server: &FakeCloud) -> CollectorSettings {
    let url = format!("http://{}/base/", server.address);
    let mut settings = CollectorSettings::new(&url, ApiKey::new(TOKEN).unwrap()).unwrap();
    settings.interval = Duration::from_millis(20);
    settings.backoff_initial = Duration::from_millis(2);
    settings.backoff_max = Duration::from_millis(50);
    settings
}

pub type Events = Arc<Mutex<Vec<UploadEvent>>>;

pub fn start(
    settings: CollectorSettings,
    device: &Device,
    clips: Option<Arc<ClipStore>>,
) -> (Uploader, Events) {
    let events = Events::default();
    let seen = events.clone();
    let on_event = move |event| seen.lock().unwrap().push(event);
    (Uploader::start(settings, device.journal.clone(), clips, Box::new(|| false), on_event).unwrap(), events)
}

pub fn wait_until(what: &str, done: impl Fn() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < PATIENCE, "{what} never happened");
        thread::sleep(Duration::from_millis(2));
    }
}

pub fn server(store: &Arc<Mutex<Store>>) -> FakeCloud {
    let store = store.clone();
    FakeCloud::answering(move |_, request| match request.line.starts_with("PUT") {
        true => Reply::json(204, ""),
        false => store.lock().unwrap().take(request),
    })
}
