use std::collections::BTreeSet;

use ::parquet::data_type::AsBytes;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::{Row, RowAccessor};
use proptest::prelude::*;

use super::*;

/// Keeps files in memory, and that each comes once.
#[derive(Default)]
struct Memory(BTreeMap<String, Vec<u8>>);

impl Memory {
    fn text(&self, path: &str) -> &str {
        std::str::from_utf8(&self.0[path]).expect("UTF-8")
    }
}

impl ExportTarget for Memory {
    fn put(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        assert!(path.split('/').all(|part| !part.is_empty() && part != "." && part != ".."), "{path}");
        assert!(self.0.insert(path.to_owned(), content.to_vec()).is_none(), "{path} came twice");
        Ok(())
    }
}

fn row(device: &str, utterance: &str) -> ExportRow {
    ExportRow {
        utterance_id: utterance.to_owned(),
        device_id: device.to_owned(),
        subject_id: Some("anna".to_owned()),
        recorded_unix_ms: 1_750_000_000_000,
        duration_s: 1.25,
        sample_rate_hz: 16_000,
        language: Some("en".to_owned()),
        reference: Some("turn on\tthe\nlights".to_owned()),
        primary_text: Some("turn on the lice".to_owned()),
        shadow_text: Some("turn on the lights \"now\"".to_owned()),
        primary_engine: Some("tiny.en".to_owned()),
        shadow_engine: Some("base".to_owned()),
        attributes: BTreeMap::from([("accent".to_owned(), "scots".to_owned())]),
        flac: Some(b"fLaC and so on".to_vec()),
    }
}

fn nemo(rows: &[ExportRow]) -> (ExportSummary, Memory) {
    let mut files = Memory::default();
    let mut export = NemoExport::new(&mut files);
    rows.iter().for_each(|row| export.add(row).expect("a row"));
    (export.finish().expect("an export"), files)
}

fn kaldi(rows: &[ExportRow]) -> (ExportSummary, Memory) {
    let mut files = Memory::default();
    let mut export = KaldiExport::new(&mut files);
    rows.iter().for_each(|row| export.add(row).expect("a row"));
    (export.finish().expect("an export"), files)
}

fn parquet(rows: &[ExportRow]) -> (ExportSummary, Vec<u8>) {
    let mut export = ParquetExport::new(Vec::new()).expect("a file");
    rows.iter().for_each(|row| export.add(row.clone()).expect("a row"));
    export.finish().expect("an export")
}

#[test]
fn a_nemo_line_has_the_keys_that_nemo_reads() {
    let (summary, files) = nemo(&[row("hall", "s1-1"), row("hall", "s1-2")]);
    assert_eq!(summary, ExportSummary { rows: 2, ..ExportSummary::default() });
    let lines: Vec<serde_json::Value> =
        files.text("manifest.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["audio_filepath"], "audio/hall/s1-1.flac");
    assert_eq!((&lines[0]["duration"], &lines[0]["text"]), (&1.25.into(), &"turn on the lights".into()));
    assert_eq!((&lines[0]["text_source"], &lines[0]["lang"]), (&"reference".into(), &"en".into()));
    assert_eq!(lines[1]["attributes"]["accent"], "scots");
    for line in &lines {
        assert!(files.0.contains_key(line["audio_filepath"].as_str().unwrap()));
    }
}

#[test]
fn without_a_reference_the_text_is_the_primarys_and_says_so() {
    let (_, files) = nemo(&[ExportRow { reference: None, ..row("hall", "s1-1") }]);
    let line: serde_json::Value = serde_json::from_str(files.text("manifest.jsonl")).unwrap();
    assert_eq!((&line["text"], &line["text_source"]), (&"turn on the lice".into(), &"primary".into()));
}

#[test]
fn rows_without_what_the_form_needs_are_left_out_and_counted() {
    let rows = [
        row("hall", "s1-1"),
        ExportRow { flac: None, ..row("hall", "s1-2") },
        ExportRow { reference: None, primary_text: None, ..row("hall", "s1-3") },
        ExportRow { reference: Some(" ".to_owned()), ..row("hall", "s1-4") },
    ];
    // NeMo knows empty texts, Kaldi does not.
    assert_eq!(nemo(&rows).0, ExportSummary { rows: 2, without_audio: 1, without_text: 1 });
    assert_eq!(kaldi(&rows).0, ExportSummary { rows: 1, without_audio: 1, without_text: 2 });
    assert_eq!(parquet(&rows).0, ExportSummary { rows: 4, without_audio: 0, without_text: 0 });
}

#[test]
fn ids_that_are_no_file_names_and_durations_that_are_no_numbers_end_the_export() {
    let mut export = NemoExport::new(Memory::default());
    for bad in [
        row("../hall", "s1-1"),
        row("hall", "s1 1"),
        row("", "s1-1"),
        ExportRow { subject_id: Some("a b".to_owned()), ..row("hall", "s1-1") },
    ] {
        assert!(matches!(export.add(&bad), Err(ExportError::Id)));
    }
    let bad = ExportRow { duration_s: f64::NAN, ..row("hall", "s1-1") };
    assert!(matches!(export.add(&bad), Err(ExportError::Duration { .. })));
    let mut export = KaldiExport::new(Memory::default());
    export.add(&row("hall", "s1-1")).unwrap();
    assert!(matches!(export.add(&row("hall", "s1-1")), Err(ExportError::Duplicate { .. })));
}

#[test]
fn debug_shows_neither_text_nor_person() {
    let shown = format!("{:?}", row("hall", "s1-1"));
    assert!(!shown.contains("lights") && !shown.contains("anna") && !shown.contains("fLaC"), "{shown}");
}

#[test]
fn a_folder_gets_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut export = KaldiExport::new(Folder::new(folder.path().join("data")));
    export.add(&row("hall", "s1-1")).unwrap();
    export.finish().unwrap();
    let read = |path: &str| std::fs::read_to_string(folder.path().join("data").join(path)).unwrap();
    assert_eq!(read("audio/hall/s1-1.flac"), "fLaC and so on");
    assert_eq!(read("text"), "anna+hall+s1-1 turn on the lights\n");
    assert_eq!(read("wav.scp"), "anna+hall+s1-1 flac -c -d -s audio/hall/s1-1.flac |\n");
    assert_eq!(read("utt2dur"), "anna+hall+s1-1 1.250\n");
}

/// What `validate_data_dir.sh` and `validate_text.pl` look at.
fn assert_valid_data_folder(files: &Memory) {
    let lines = |path: &str| -> Vec<(String, String)> {
        let content = files.text(path);
        assert!(content.is_empty() || content.ends_with('\n'), "{path}");
        let split = |line: &str| line.split_once(' ').map(|(key, rest)| (key.to_owned(), rest.to_owned()));
        content.lines().map(|line| split(line).unwrap_or_else(|| panic!("{path}: {line}"))).collect()
    };
    let keys = |path: &str| -> Vec<String> { lines(path).into_iter().map(|(key, _)| key).collect() };
    let utterances = keys("utt2spk");
    assert!(
        utterances.is_sorted_by(|a, b| a.as_bytes() < b.as_bytes()),
        "utt2spk is not sorted, or not unique"
    );
    let by_speaker: Vec<_> =
        lines("utt2spk").into_iter().map(|(utterance, speaker)| (speaker, utterance)).collect();
    assert!(by_speaker.is_sorted(), "not sorted by speaker");
    for path in ["wav.scp", "text", "utt2dur"] {
        assert_eq!(keys(path), utterances, "{path}");
    }
    for (speaker, utterance) in &by_speaker {
        assert!(utterance.starts_with(speaker.as_str()), "{speaker} is no prefix of {utterance}");
    }
    assert!(keys("spk2utt").is_sorted_by(|a, b| a.as_bytes() < b.as_bytes()), "spk2utt");
    let listed: Vec<_> = lines("spk2utt")
        .into_iter()
        .flat_map(|(speaker, utterances)| {
            utterances.split(' ').map(|utterance| (speaker.clone(), utterance.to_owned())).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(listed, by_speaker, "spk2utt is not utt2spk the other way round");
    for (_, text) in lines("text") {
        assert!(
            !text.trim().is_empty() && !text.contains("  ") && !text.chars().any(|c| c.is_control()),
            "{text:?}"
        );
        assert!(!["<eps>", "#0", "<s>", "</s>"].iter().any(|symbol| text.contains(symbol)), "{text}");
    }
    for (_, command) in lines("wav.scp") {
        let path = command.strip_prefix("flac -c -d -s ").and_then(|rest| rest.strip_suffix(" |"));
        assert!(files.0.contains_key(path.unwrap()), "{command}");
    }
    for (_, seconds) in lines("utt2dur") {
        assert!(seconds.parse::<f64>().is_ok_and(|seconds| seconds > 0.0), "{seconds}");
    }
}

#[test]
fn speakers_whose_names_begin_alike_stay_in_order() {
    let named = |speaker: &str, utterance: &str| ExportRow {
        subject_id: Some(speaker.to_owned()),
        ..row("hall", utterance)
    };
    let (_, files) =
        kaldi(&[named("anna-2", "a"), named("anna", "z"), named("anna.b", "c"), named("Anna", "b")]);
    assert_valid_data_folder(&files);
    assert!(files.text("spk2utt").starts_with("Anna Anna+hall+b\nanna anna+hall+z\nanna-2 "));
}

fn id() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_-][A-Za-z0-9_.-]{0,6}"
}

fn rows() -> impl Strategy<Value = Vec<ExportRow>> {
    let text = || prop::option::of("(\\PC|[ \t\n\r\x07]|<eps>|#0|<s>){0,12}");
    let flac = prop::option::of(prop::collection::vec(any::<u8>(), 0..9));
    let parts = (id(), id(), prop::option::of(id()), text(), text(), flac);
    let one = parts.prop_map(|(device, utterance, subject_id, reference, primary_text, flac)| ExportRow {
        subject_id,
        duration_s: f64::from(u32::try_from(device.len()).unwrap_or(0) - 1) / 4_000.0,
        reference,
        primary_text,
        flac,
        ..row(&device, &utterance)
    });
    prop::collection::vec(one, 0..30).prop_map(|mut rows| {
        let mut seen = BTreeSet::new();
        rows.retain(|row| seen.insert((row.device_id.clone(), row.utterance_id.clone())));
        rows
    })
}

fn string(row: &Row, place: usize) -> Option<String> {
    row.get_string(place).ok().cloned()
}

proptest! {
    #[test]
    fn every_kaldi_export_is_a_valid_data_folder(rows in rows()) {
        let (summary, files) = kaldi(&rows);
        assert_valid_data_folder(&files);
        prop_assert_eq!(files.text("text").lines().count() as u64, summary.rows);
        prop_assert_eq!(summary.rows + summary.without_audio + summary.without_text, rows.len() as u64);
    }

    #[test]
    fn every_nemo_line_is_json_with_text_on_one_line(rows in rows()) {
        let (summary, files) = nemo(&rows);
        let lines: Vec<&str> = files.text("manifest.jsonl").lines().collect();
        prop_assert_eq!(lines.len() as u64, summary.rows);
        for line in lines {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            prop_assert!(line["text"].is_string() && line["duration"].is_f64());
        }
    }

    #[test]
    fn parquet_gives_back_what_was_put_in(rows in rows()) {
        let (summary, bytes) = parquet(&rows);
        prop_assert_eq!(summary.rows, rows.len() as u64);
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        let read: Vec<Row> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(read.len(), rows.len());
        for (read, row) in read.iter().zip(&rows) {
            let audio = read.get_group(0).ok().map(|audio| audio.get_bytes(0).unwrap().as_bytes().to_vec());
            prop_assert_eq!(audio.as_ref(), row.flac.as_ref());
            prop_assert_eq!(string(read, 1), row.text().map(|(text, _)| text));
            prop_assert_eq!(string(read, 3), Some(row.device_id.clone()));
            prop_assert_eq!(string(read, 4), Some(row.utterance_id.clone()));
            prop_assert_eq!(string(read, 5), row.subject_id.clone());
            prop_assert_eq!(read.get_long(6).unwrap() as u64, row.recorded_unix_ms);
            prop_assert_eq!(read.get_double(7).unwrap(), row.duration_s);
            prop_assert_eq!(string(read, 10), row.reference.clone());
            prop_assert_eq!(string(read, 11), row.primary_text.clone());
        }
    }
}

#[test]
fn many_rows_make_several_groups_and_the_metadata_name_the_audio() {
    let rows: Vec<_> = (0..250).map(|n| row("hall", &format!("s1-{n}"))).collect();
    let (_, bytes) = parquet(&rows);
    let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
    let metadata = reader.metadata();
    assert_eq!(metadata.num_row_groups(), 3);
    let pairs = metadata.file_metadata().key_value_metadata().unwrap();
    let features =
        pairs.iter().find(|pair| pair.key == "huggingface").and_then(|pair| pair.value.clone()).unwrap();
    let features: serde_json::Value = serde_json::from_str(&features).unwrap();
    assert_eq!(features["info"]["features"]["audio"]["_type"], "Audio");
    let columns: BTreeSet<_> =
        metadata.file_metadata().schema().get_fields().iter().map(|field| field.name().to_owned()).collect();
    let described: BTreeSet<_> = features["info"]["features"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(columns, described);
}
