//! The `speech.*` convention: which records move which metric. `docs/telemetry.md` lists them for users.

use super::instrument::{Counter, Description, Distributions, LastValue};
use super::wire::{Metric, Span};
use crate::telemetry::{HealthRecord, Record, ShadowRecord, UtteranceRecord};

/// Bounds of latencies, s: a doubling each, from what a cache costs to what nobody waits for, with 0.3, 0.5 and 0.75,
/// between which people begin to notice.
const SECONDS: &[f64] =
    &[0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0];
/// Bounds of the real-time factor. Above 1 a device falls behind.
const FACTORS: &[f64] = &[0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 5.0];
/// Bounds of lengths, s; utterances are split below 30.
const LENGTHS: &[f64] = &[0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0];
/// Bounds of ratios, dB.
const DECIBELS: &[f64] = &[-5.0, 0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0];
/// Bounds of levels, dBFS.
const LEVELS: &[f64] = &[-70.0, -60.0, -50.0, -45.0, -40.0, -35.0, -30.0, -25.0, -20.0, -15.0, -10.0];

const fn describe(
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    attributes: &'static [&'static str],
) -> Description {
    Description { name, unit, description, attributes }
}

const ANSWER: &[&str] = &["speech.engine", "speech.route"];

/// All metrics of one run.
#[derive(Debug)]
pub(super) struct SpeechMetrics {
    utterances: Counter,
    words: Counter,
    cost: Counter,
    lost_audio: Counter,
    length: Distributions,
    recognition: Distributions,
    stage: Distributions,
    response: Distributions,
    real_time_factor: Distributions,
    snr: Distributions,
    level: Distributions,
    shadow_utterances: Counter,
    shadow_edits: Counter,
    shadow_words: Counter,
    shadow_recognition: Distributions,
    feedback: Counter,
    uptime: LastValue,
    memory: LastValue,
    cpu: LastValue,
    temperature: LastValue,
    throttled: LastValue,
    disk_free: LastValue,
    journal_records: LastValue,
    journal_bytes: LastValue,
    journal_lost: LastValue,
}

impl SpeechMetrics {
    pub(super) fn new() -> Self {
        let gauge = |name, unit, description| LastValue::new(describe(name, unit, description, &[]));
        Self {
            utterances: Counter::whole(describe(
                "speech.utterances",
                "{utterance}",
                "Utterances, by how their recognition ended.",
                &["speech.outcome", "speech.engine", "speech.route"],
            )),
            words: Counter::whole(describe("speech.words", "{word}", "Words of the answers.", ANSWER)),
            cost: Counter::fractional(describe(
                "speech.cost",
                "{currency}",
                "What cloud answers cost, in the currency of the device's settings.",
                ANSWER,
            )),
            lost_audio: Counter::fractional(describe(
                "speech.audio.lost",
                "s",
                "Audio that the source lost before or in utterances.",
                &[],
            )),
            length: Distributions::new(
                describe("speech.audio.duration", "s", "Length of utterances.", &[]),
                LENGTHS,
            ),
            recognition: Distributions::new(
                describe(
                    "speech.recognition.duration",
                    "s",
                    "The recognizer from start to answer or failure.",
                    &["speech.outcome", "speech.engine", "speech.route"],
                ),
                SECONDS,
            ),
            stage: Distributions::new(
                describe(
                    "speech.stage.duration",
                    "s",
                    "Parts of that time, and the wait before.",
                    &["speech.stage"],
                ),
                SECONDS,
            ),
            response: Distributions::new(
                describe("speech.response.duration", "s", "From the end of speech to the answer.", ANSWER),
                SECONDS,
            ),
            real_time_factor: Distributions::new(
                describe(
                    "speech.real_time_factor",
                    "1",
                    "Time of recognition over duration of audio.",
                    ANSWER,
                ),
                FACTORS,
            ),
            snr: Distributions::new(
                describe("speech.input.snr", "dB", "Speech over the pauses around it.", &[]),
                DECIBELS,
            ),
            level: Distributions::new(
                describe("speech.input.level", "dB", "Root mean square over full scale.", &[]),
                LEVELS,
            ),
            shadow_utterances: Counter::whole(describe(
                "speech.shadow.utterances",
                "{utterance}",
                "Utterances that a shadow heard, by how it ended.",
                &["speech.outcome", "speech.engine"],
            )),
            shadow_edits: Counter::whole(describe(
                "speech.shadow.edits",
                "{word}",
                "Word edits from the primary's text to the shadow's.",
                &["speech.edit", "speech.engine"],
            )),
            shadow_words: Counter::whole(describe(
                "speech.shadow.words",
                "{word}",
                "Words of the longer of the two texts.",
                &["speech.engine"],
            )),
            shadow_recognition: Distributions::new(
                describe(
                    "speech.shadow.duration",
                    "s",
                    "The shadow, its pauses included.",
                    &["speech.engine"],
                ),
                SECONDS,
            ),
            feedback: Counter::whole(describe(
                "speech.feedback",
                "{act}",
                "What users did with answers.",
                &["speech.feedback.kind"],
            )),
            uptime: gauge("speech.device.uptime", "s", "Since the run began."),
            memory: gauge("speech.device.memory", "By", "Memory of the process."),
            cpu: gauge("speech.device.cpu", "1", "Processor time over wall time; 1 is one core."),
            temperature: gauge("speech.device.temperature", "Cel", "The processor's temperature."),
            throttled: gauge("speech.device.throttled", "1", "1 if the processor is held back, else 0."),
            disk_free: gauge("speech.device.disk.free", "By", "Free space where the journal is."),
            journal_records: gauge("speech.journal.records", "{record}", "Records that wait for upload."),
            journal_bytes: gauge("speech.journal.size", "By", "Bytes that they take."),
            journal_lost: gauge(
                "speech.journal.lost",
                "{record}",
                "Records lost since the journal was made.",
            ),
        }
    }

    /// Counts a record.
    pub(super) fn observe(&mut self, record: &Record) {
        match record {
            Record::Utterance(utterance) => self.utterance(utterance),
            Record::Shadow(shadow) => self.shadow(shadow),
            Record::Feedback(feedback) => self.feedback.add(1.0, &[&name(feedback.feedback)]),
            Record::Health(health) => self.health(health),
            Record::Session(_) => {}
        }
    }

    /// Counts an utterance. Of an answer that came later, only what it cost: the utterance was counted with its first one.
    fn utterance(&mut self, record: &UtteranceRecord) {
        let outcome = name(record.output.outcome);
        let (engine, route) = (record.engine.as_str(), record.route.as_str());
        if let Some(cost) = record.cost {
            self.cost.add(cost, &[engine, route]);
        }
        if record.replaces_earlier {
            return;
        }
        let (input, software) = (&record.input, &record.software);
        self.utterances.add(1.0, &[&outcome, engine, route]);
        self.length.record(input.duration_ms / 1e3, &[]);
        self.level.record(input.rms_dbfs, &[]);
        self.lost_audio.add(input.dropped_samples as f64 / 16e3, &[]);
        if let Some(snr_db) = input.snr_db {
            self.snr.record(snr_db, &[]);
        }
        if let Some(ms) = software.end_of_speech_to_final_ms {
            self.response.record(ms / 1e3, &[engine, route]);
        }
        // What was never begun took no time.
        if software.recognize_ms == 0.0 {
            return;
        }
        self.words.add(record.output.words as f64, &[engine, route]);
        self.recognition.record(software.recognize_ms / 1e3, &[&outcome, engine, route]);
        self.real_time_factor.record(software.real_time_factor, &[engine, route]);
        self.stage.record(software.queue_ms / 1e3, &["queue"]);
        for (stage, ms) in [
            ("log_mel", software.log_mel_ms),
            ("encode", software.encode_ms),
            ("decode", software.decode_ms),
            ("align", software.align_ms),
            ("cloud", software.cloud_ms),
        ] {
            if ms > 0.0 {
                self.stage.record(ms / 1e3, &[stage]);
            }
        }
    }

    fn shadow(&mut self, record: &ShadowRecord) {
        let engine = record.shadow_engine.as_str();
        self.shadow_utterances.add(1.0, &[&name(record.shadow_outcome), engine]);
        self.shadow_recognition.record(record.shadow_ms / 1e3, &[engine]);
        self.shadow_words.add(record.longer_words() as f64, &[engine]);
        for (edit, count) in [
            ("substitution", record.substitutions),
            ("deletion", record.deletions),
            ("insertion", record.insertions),
        ] {
            self.shadow_edits.add(count as f64, &[edit, engine]);
        }
    }

    fn health(&mut self, record: &HealthRecord) {
        self.uptime.set(Some(record.uptime_ms as f64 / 1e3));
        self.memory.set(record.rss_bytes.map(|bytes| bytes as f64));
        self.cpu.set(record.cpu_share);
        self.temperature.set(record.temperature_celsius);
        self.throttled.set(record.throttled.map(|throttled| if throttled { 1.0 } else { 0.0 }));
        self.disk_free.set(record.disk_free_bytes.map(|bytes| bytes as f64));
        self.journal_records.set(Some(record.journal_records as f64));
        self.journal_bytes.set(Some(record.journal_bytes as f64));
        self.journal_lost.set(Some(record.journal_lost as f64));
    }

    /// All that was seen.
    pub(super) fn collect(&self, span: Span) -> Vec<Metric> {
        let counters = [
            &self.utterances,
            &self.words,
            &self.cost,
            &self.lost_audio,
            &self.shadow_utterances,
            &self.shadow_edits,
            &self.shadow_words,
            &self.feedback,
        ];
        let distributions = [
            &self.length,
            &self.recognition,
            &self.stage,
            &self.response,
            &self.real_time_factor,
            &self.snr,
            &self.level,
            &self.shadow_recognition,
        ];
        let gauges = [
            &self.uptime,
            &self.memory,
            &self.cpu,
            &self.temperature,
            &self.throttled,
            &self.disk_free,
            &self.journal_records,
            &self.journal_bytes,
            &self.journal_lost,
        ];
        let counters = counters.into_iter().filter_map(|counter| counter.metric(span));
        let distributions = distributions.into_iter().filter_map(|one| one.metric(span));
        counters
            .chain(distributions)
            .chain(gauges.into_iter().filter_map(|gauge| gauge.metric(span)))
            .collect()
    }
}

/// The name that a unit variant has in JSON.
fn name(variant: impl serde::Serialize) -> String {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}
