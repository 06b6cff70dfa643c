//! A collection server in memory that checks what a journal sends.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::{Batch, Journal};
use super::{NOW, id_of};
use crate::telemetry::limits::{MAX_BATCH_BYTES, MAX_BATCH_RECORDS, MAX_BATCH_WIRE_BYTES, MAX_LOST_RANGES};
use crate::telemetry::{BatchHead, LossReason, RecordLine};

#[derive(Debug, Deserialize)]
pub(super) struct Body {
    #[serde(flatten)]
    pub(super) head: BatchHead,
    pub(super) records: Vec<RecordLine>,
}

pub(super) fn body_of(batch: &Batch) -> Body {
    let json = zstd::bulk::decompress(&batch.wire, MAX_BATCH_BYTES).expect("a body within its limit");
    let body: Body = serde_json::from_slice(&json).expect("a batch");
    assert_eq!(body.head, batch.head);
    assert_eq!(body.records.len(), batch.records);
    assert!(batch.records <= MAX_BATCH_RECORDS && batch.wire.len() <= MAX_BATCH_WIRE_BYTES);
    assert!(body.head.lost.len() <= MAX_LOST_RANGES);
    body
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Record(String),
    Lost(LossReason),
}

/// What it has, and all that it was ever shown.
#[derive(Default)]
pub(super) struct FakeServer {
    pub(super) mark: u64,
    pub(super) stored: BTreeMap<u64, Known>,
    shown: BTreeMap<u64, String>,
    stream: Option<String>,
}

impl FakeServer {
    /// Takes a batch, or says where to go on.
    pub(super) fn take(&mut self, batch: &Batch) -> Result<u64, u64> {
        let Body { head, records } = body_of(batch);
        assert_eq!(self.stream.get_or_insert(head.stream_id.clone()), &head.stream_id, "the stream stays");
        for (sequence, line) in (head.first_sequence..).zip(&records) {
            let id = id_of(line);
            let before = self.shown.entry(sequence).or_insert_with(|| id.clone());
            assert_eq!(before, &id, "sequence {sequence} stands for two records");
        }
        let mut told = self.mark + 1;
        for range in &head.lost {
            assert!(range.first_sequence <= range.last_sequence && range.last_sequence < head.first_sequence);
            if range.first_sequence <= told {
                told = told.max(range.last_sequence + 1);
            }
        }
        if head.first_sequence > told {
            return Err(self.mark + 1);
        }
        let lost = head
            .lost
            .iter()
            .flat_map(|r| (r.first_sequence..=r.last_sequence).map(|n| (n, Known::Lost(r.reason))));
        let records = (head.first_sequence..).zip(records.iter().map(|line| Known::Record(id_of(line))));
        for (sequence, known) in
            lost.chain(records).filter(|(sequence, _)| *sequence > self.mark).collect::<Vec<_>>()
        {
            self.stored.insert(sequence, known);
        }
        self.mark = self.mark.max(batch.last_sequence());
        Ok(self.mark)
    }

    /// As if its store came back from a backup.
    pub(super) fn forget(&mut self, records: u64) {
        self.mark = self.mark.saturating_sub(records);
        self.stored.split_off(&(self.mark + 1));
    }

    /// Everything that waits in `journal`, answers included.
    pub(super) fn drain(&mut self, journal: &Journal) {
        for _ in 0..10_000 {
            let Some(batch) = journal.next_batch(NOW).unwrap() else { return };
            match self.take(&batch) {
                Ok(mark) => journal.acknowledge(mark).unwrap(),
                Err(expected) => journal.expect(expected).unwrap(),
            }
        }
        panic!("the journal never ends: {:?}", journal.stats());
    }

    pub(super) fn lost(&self) -> Vec<(u64, LossReason)> {
        self.stored
            .iter()
            .filter_map(|(n, known)| match known {
                Known::Lost(reason) => Some((*n, *reason)),
                Known::Record(_) => None,
            })
            .collect()
    }
}
