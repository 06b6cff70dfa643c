//! The list of what devices report, for people who want to know. A test holds it against the wire types.

/// Fields that belong together.
#[derive(Clone, Copy, Debug)]
pub struct CollectedGroup {
    /// What they describe.
    pub title: &'static str,
    /// What needs a consent, and the setting in the device's profile that gives it. Empty for figures, which need a
    /// server's address and nothing else.
    pub consents: &'static [(&'static str, &'static str)],
    /// The fields.
    pub fields: &'static [CollectedField],
}

/// A field of a record.
#[derive(Clone, Copy, Debug)]
pub struct CollectedField {
    /// Its name on the wire.
    pub name: &'static str,
    /// Its unit, or what kind of value it is.
    pub unit: &'static str,
    /// What it says.
    pub meaning: &'static str,
}

const fn field(name: &'static str, unit: &'static str, meaning: &'static str) -> CollectedField {
    CollectedField { name, unit, meaning }
}

/// All of it.
pub const COLLECTED: [CollectedGroup; 9] = [
    CollectedGroup {
        title: "Every utterance: where it was recognized",
        consents: &[],
        fields: &[
            field("utterance_id", "random name", "Session and index: joins the records of one utterance"),
            field("session_id", "random name", "The run of the program"),
            field("engine", "name", "Engine, model, quantization and version"),
            field("route", "word", "On the device or in the cloud"),
            field("reason", "word", "Why there"),
            field("profile", "name", "The device's profile"),
            field("app_version", "version", "Of the program"),
            field("replayed", "yes or no", "A recording was replayed; no microphone"),
            field(
                "replaces_earlier",
                "yes or no",
                "A better answer to an utterance that was recorded before",
            ),
            field("cost", "currency", "What the cloud asked for it"),
        ],
    },
    CollectedGroup {
        title: "Every utterance: the sound, in figures",
        consents: &[],
        fields: &[
            field("duration_ms", "ms", "Pre-roll to post-pad"),
            field("speech_ms", "ms", "Of these, speech"),
            field("rms_dbfs", "dBFS", "Level"),
            field("peak_dbfs", "dBFS", "Largest magnitude"),
            field("loudness_lufs", "LUFS", "Loudness by ITU-R BS.1770-4"),
            field("clipping_ratio", "share", "Samples at full scale"),
            field("dc_offset", "−1 to 1", "Mean of the samples"),
            field("snr_db", "dB", "Speech over the noise of the pauses"),
            field("bandwidth_hz", "Hz", "Frequency below which 99 % of the energy lies"),
            field("dropped_samples", "samples", "Lost by the source, at 16 kHz"),
            field("overruns", "count", "Times the capture buffer ran over"),
            field("native_rate_hz", "Hz", "Rate of the microphone"),
            field("native_channels", "count", "Channels of the microphone"),
            field("mean_speech_probability", "0 to 1", "Mean over the frames of speech"),
            field("missing_samples", "samples", "Samples that were no number"),
            field("zero_run_ms", "ms", "Longest run of digital silence"),
        ],
    },
    CollectedGroup {
        title: "Every utterance: the answer, in figures",
        consents: &[],
        fields: &[
            field("outcome", "word", "Transcript, no speech, empty, timeout, error, dropped"),
            field("words", "count", "Words of the text, not the words themselves"),
            field("characters", "count", "Characters of the text"),
            field("tokens", "count", "Tokens decoded"),
            field("avg_logprob", "ln p", "Mean log-probability of the tokens"),
            field("no_speech_prob", "0 to 1", "Probability that there was no speech"),
            field("compression_ratio", "ratio", "Above 2.4 the text repeats itself"),
            field("temperature", "0 to 2", "The temperature that gave the answer"),
            field("fallbacks", "count", "Attempts beyond the first"),
            field("language", "code", "Of the text"),
        ],
    },
    CollectedGroup {
        title: "Every utterance: the work",
        consents: &[],
        fields: &[
            field("queue_ms", "ms", "Waiting for the recognizer"),
            field("log_mel_ms", "ms", "Samples to spectrogram"),
            field("encode_ms", "ms", "Encoder"),
            field("decode_ms", "ms", "Decoder"),
            field("align_ms", "ms", "Alignment of words"),
            field("cloud_ms", "ms", "Waiting for the cloud"),
            field("recognize_ms", "ms", "The recognizer from start to answer"),
            field("end_of_speech_to_final_ms", "ms", "From the end of speech to the answer"),
            field("real_time_factor", "ratio", "Recognition over duration"),
            field("speculative", "yes or no", "Recognized before its end was sure"),
            field("queue_depth", "count", "Utterances that waited"),
            field("rss_bytes", "bytes", "Memory of the process"),
            field("cpu_share", "cores", "Processor time over wall time"),
            field("temperature_celsius", "°C", "Of the processor"),
            field("throttled", "yes or no", "The processor is slowed down"),
        ],
    },
    CollectedGroup {
        title: "Shadow: a second engine on the same speech, in counts",
        consents: &[],
        fields: &[
            field("primary_engine", "name", "The engine that answered"),
            field("shadow_engine", "name", "The engine in question"),
            field("shadow_route", "word", "Where the shadow answered"),
            field("primary_outcome", "word", "How the primary ended"),
            field("shadow_outcome", "word", "How the shadow ended"),
            field("substitutions", "words", "Words that differ"),
            field("deletions", "words", "Words that only the primary has"),
            field("insertions", "words", "Words that only the shadow has"),
            field("primary_words", "words", "Words of the primary"),
            field("shadow_words", "words", "Words of the shadow"),
            field("primary_ms", "ms", "Time of the primary"),
            field("shadow_ms", "ms", "Time of the shadow"),
            field("lag_ms", "ms", "From the primary's answer to the shadow's"),
            field("primary_cost", "currency", "What the primary's answer cost"),
            field("shadow_cost", "currency", "What the shadow's answer cost"),
            field("sample_ratio", "share", "Utterances that the shadow hears"),
        ],
    },
    CollectedGroup {
        title: "Feedback: what was done with an answer",
        consents: &[],
        fields: &[
            field("feedback", "word", "Accepted, edited, said again, typed instead, clicked, abandoned"),
            field("substitutions", "words", "With an edit: words replaced"),
            field("deletions", "words", "With an edit: words taken out"),
            field("insertions", "words", "With an edit: words put in"),
            field("words", "words", "With an edit: words of the result"),
        ],
    },
    CollectedGroup {
        title: "Sessions and heartbeats: how the device is",
        consents: &[],
        fields: &[
            field("ended", "yes or no", "The run ended as it should"),
            field("platform", "name", "Operating system and processor"),
            field("cores", "count", "Processors that the program may use"),
            field("audio_ms", "ms", "Audio heard in a run"),
            field("uptime_ms", "ms", "Since the run began"),
            field("utterances", "count", "Since the run began"),
            field("errors", "count", "Failures since the run began"),
            field("dropped", "count", "Utterances dropped since the run began"),
            field("journal_records", "count", "Records that wait for upload"),
            field("journal_bytes", "bytes", "What they take"),
            field("journal_lost", "count", "Records lost"),
            field("disk_free_bytes", "bytes", "Free space where the journal is"),
        ],
    },
    CollectedGroup {
        title: "Words and recordings",
        consents: &[("Texts", "telemetry_text"), ("Recordings", "telemetry_audio")],
        fields: &[
            field("text", "text", "What the primary understood"),
            field("shadow_text", "text", "What the shadow understood"),
            field("corrected_text", "text", "What the user made of it"),
            field("clip", "FLAC, 16 kHz", "The recording of one utterance"),
            field("consent", "time and scope", "When it was given, and to what: sent with each of these"),
        ],
    },
    CollectedGroup {
        title: "The person",
        consents: &[("Pseudonym and attributes", "telemetry_speaker")],
        fields: &[
            field("subject_id", "pseudonym", "The same over records of one person: what an erasure names"),
            field("attributes", "words", "What they said of themselves, such as accent or age band"),
        ],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use earwitness_telemetry::{
        Consent, Consented, FeedbackKind, FeedbackRecord, HealthRecord, InputMetrics, OutputMetrics,
        SessionRecord, ShadowRecord, SoftwareMetrics, Speaker, UtteranceRecord,
    };
    use serde_json::Value;

    use super::*;

    fn names(value: &Value, found: &mut BTreeSet<String>) {
        for (name, inner) in value.as_object().into_iter().flatten() {
            match inner {
                Value::Object(_) if ["input", "output", "software", "speaker"].contains(&&**name) => {
                    names(inner, found);
                }
                _ => drop(found.insert(name.clone())),
            }
        }
    }

    /// One of each, with every optional field present.
    fn records() -> Vec<Value> {
        let (number, text) = (Some(1.0), Some(String::new()));
        let utterance = UtteranceRecord {
            replayed: true,
            replaces_earlier: true,
            cost: number,
            input: InputMetrics {
                speech_ms: number,
                loudness_lufs: number,
                snr_db: number,
                bandwidth_hz: number,
                native_rate_hz: Some(1),
                native_channels: Some(1),
                ..InputMetrics::default()
            },
            output: OutputMetrics {
                tokens: Some(1),
                avg_logprob: number,
                no_speech_prob: number,
                compression_ratio: number,
                temperature: number,
                language: text.clone(),
                ..OutputMetrics::default()
            },
            software: SoftwareMetrics {
                end_of_speech_to_final_ms: number,
                queue_depth: Some(1),
                rss_bytes: Some(1),
                cpu_share: number,
                temperature_celsius: number,
                throttled: Some(true),
                ..SoftwareMetrics::default()
            },
            ..UtteranceRecord::default()
        };
        let shadow = ShadowRecord {
            primary_cost: number,
            shadow_cost: number,
            snr_db: number,
            language: text.clone(),
            ..ShadowRecord::default()
        };
        let feedback = FeedbackRecord {
            feedback: FeedbackKind::Edited,
            substitutions: Some(1),
            deletions: Some(1),
            insertions: Some(1),
            words: Some(1),
            ..FeedbackRecord::default()
        };
        let health = HealthRecord {
            rss_bytes: Some(1),
            cpu_share: number,
            disk_free_bytes: Some(1),
            temperature_celsius: number,
            throttled: Some(true),
            ..HealthRecord::default()
        };
        let session = SessionRecord { shadow_engine: text.clone(), ..SessionRecord::default() };
        let consented = Consented {
            consent: Consent { granted_unix_ms: 1, scopes: Vec::new() },
            text: text.clone(),
            shadow_text: text.clone(),
            corrected_text: text,
            speaker: Some(Speaker {
                subject_id: String::new(),
                attributes: [("accent".to_owned(), String::new())].into(),
            }),
        };
        [
            serde_json::to_value(utterance),
            serde_json::to_value(shadow),
            serde_json::to_value(feedback),
            serde_json::to_value(health),
            serde_json::to_value(session),
            serde_json::to_value(consented),
        ]
        .map(Result::unwrap)
        .into()
    }

    #[test]
    fn every_field_that_a_device_can_send_is_on_the_page_and_no_other() {
        let mut sent = BTreeSet::new();
        records().iter().for_each(|record| names(record, &mut sent));
        sent.insert("clip".to_owned()); // sent by itself
        let told: BTreeSet<String> =
            COLLECTED.iter().flat_map(|group| group.fields).map(|field| field.name.to_owned()).collect();
        assert_eq!(sent.difference(&told).collect::<Vec<_>>(), [""; 0], "sent, but not told");
        assert_eq!(told.difference(&sent).collect::<Vec<_>>(), [""; 0], "told, but never sent");
    }
}
