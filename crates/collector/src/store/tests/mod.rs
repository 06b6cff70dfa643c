//! What a store promises, on SQLite and on PostgreSQL alike.

#[path = "../../../tests/support/postgres.rs"]
mod postgres;

use earwitness_telemetry::{
    BatchHead, Consent, Consented, LossReason, LostRange, Outcome, Record, RecordLine, Scope, ShadowRecord,
    Speaker, UtteranceRecord,
};
use serde_json::json;

use super::*;
use crate::ingest::{NewBatch, parse};

mod clips;
mod compared;
mod erasure;
mod exactly_once;
mod hostile;
mod people;
mod races;
mod rollups;

/// A store and what it lies in.
struct Fixture {
    store: Store,
    url: String,
    folder: tempfile::TempDir,
}

async fn on_sqlite() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("t.db").display());
    fixture(url, folder).await
}

async fn on_postgres() -> Fixture {
    let url = tokio::task::spawn_blocking(postgres::new_database).await.unwrap();
    fixture(url, tempfile::tempdir().unwrap()).await
}

async fn fixture(url: String, folder: tempfile::TempDir) -> Fixture {
    let vault = Vault::open(&folder.path().join("server.key")).unwrap();
    let store = Store::open(&StoreOptions::new(&url), vault).await.unwrap();
    for device in ["pi", "laptop"] {
        enrol(&store, device).await;
    }
    Fixture { store, url, folder }
}

impl Fixture {
    /// Closes the store and opens it again, as after a restart.
    async fn reopened(self) -> Self {
        let Self { store, url, folder } = self;
        store.close().await;
        let vault = Vault::open(&folder.path().join("server.key")).unwrap();
        Self { store: Store::open(&StoreOptions::new(&url), vault).await.unwrap(), url, folder }
    }

    async fn derive_all(&self) {
        while self.store.derive().await.unwrap() > 0 {}
    }
}

async fn enrol(store: &Store, device: &str) -> String {
    let code = store.new_enrolment("tests", 60_000).await.unwrap();
    store.enrol(&code.code, device).await.unwrap()
}

fn head(first: u64) -> BatchHead {
    BatchHead {
        schema_version: 1,
        stream_id: "s1".to_owned(),
        first_sequence: first,
        sent_unix_ms: now_ms() as u64,
        lost: Vec::new(),
    }
}

/// A batch as it comes out of the reader of the wire.
fn batch(head: BatchHead, lines: &[RecordLine]) -> NewBatch {
    let mut wire = serde_json::to_value(head).unwrap();
    wire["records"] = serde_json::to_value(lines).unwrap();
    parse(wire.to_string().as_bytes()).unwrap()
}

fn utterance(n: u64) -> RecordLine {
    let mut record = UtteranceRecord {
        utterance_id: format!("u-{n}"),
        engine: "whisper/tiny.en".to_owned(),
        profile: "laptop".to_owned(),
        app_version: "0.1.0".to_owned(),
        ..UtteranceRecord::default()
    };
    record.software.recognize_ms = 100.0 + (n % 100) as f64;
    record.output.outcome = if n.is_multiple_of(10) { Outcome::Error } else { Outcome::Transcript };
    RecordLine {
        recorded_unix_ms: now_ms() as u64,
        record: Record::Utterance(Box::new(record)),
        consented: None,
    }
}

fn utterances(first: u64, count: u64) -> NewBatch {
    batch(head(first), &(first..first + count).map(utterance).collect::<Vec<_>>())
}

fn lost(first_sequence: u64, last_sequence: u64) -> LostRange {
    LostRange { first_sequence, last_sequence, reason: LossReason::SizeCap }
}

fn consented(text: &str, subject: Option<&str>, granted_unix_ms: u64) -> Consented {
    Consented {
        consent: Consent { granted_unix_ms, scopes: vec![Scope::Text, Scope::Speaker] },
        text: Some(text.to_owned()),
        shadow_text: None,
        corrected_text: None,
        speaker: subject.map(|id| Speaker { subject_id: id.to_owned(), attributes: Default::default() }),
    }
}

/// Sequences that are stored for a device.
async fn stored(store: &Store, device: &str) -> Vec<i64> {
    let sql = "select sequence from records where device_id = $1 order by stream_id, sequence";
    let rows = store.db.rows(sql, db::values![device]).await.unwrap();
    rows.iter().map(|row| row.int(0).unwrap()).collect()
}

/// The same test on both stores.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::super::on_sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::super::on_postgres().await).await;
            })*
        }
    };
}
use on_both;
