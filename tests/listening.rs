//! Real speech through the live path, and through the command line.

mod support;

use std::fs;

use earwitness::scoring::{EnglishNormalizer, score};
use support::earwitness;

fn json_lines(output: &std::process::Output) -> Vec<serde_json::Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

#[test]
fn transcribe_prints_the_documented_object_and_the_right_text() {
    let output = earwitness()
        .args(["transcribe", "-f", "jsonl", "--word-timestamps"])
        .arg(support::two_cities())
        .output()
        .unwrap();
    let lines = json_lines(&output);
    assert_eq!(lines.len(), 1);
    let object = &lines[0];
    let keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    for key in ["file", "text", "language", "segments", "timings"] {
        assert!(keys.contains(&key), "{keys:?}");
    }
    let edits = score(&EnglishNormalizer, support::TWO_CITIES_TEXT, object["text"].as_str().unwrap());
    assert!(edits.wer().unwrap() < 0.08, "{edits:?}");
    let segments = object["segments"].as_array().unwrap();
    let ends: Vec<f64> = segments.iter().map(|s| s["end"].as_f64().unwrap()).collect();
    assert!(ends.windows(2).all(|w| w[0] <= w[1]));
    assert!(segments.iter().all(|s| !s["words"].as_array().unwrap().is_empty()));
    let audio_s = object["timings"]["audio_s"].as_f64().unwrap();
    assert!((44.0..45.0).contains(&audio_s), "{audio_s}");
}

#[test]
fn utterances_are_kept_until_they_are_answered_or_for_good() {
    let reading = support::two_cities();
    for (flags, kept) in [
        (&["--keep-unanswered"][..], false),
        (&["--keep"][..], true),
        (&["--keep", "--keep-unanswered"][..], true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let spool = folder.path().join("spool");
        let mut listen = earwitness();
        listen.args(["listen", "--json", "--pace", "20", "--input"]).arg(&reading);
        let events = json_lines(&listen.args(flags).arg("--spool").arg(&spool).output().unwrap());
        let finals = events.iter().filter(|e| e["event"] == "final");
        assert!(finals.clone().count() > 2 && finals.clone().all(|e| e["id"].is_string()), "each was kept");
        let listed = json_lines(
            &earwitness().args(["spool", "list", "--json", "--spool"]).arg(&spool).output().unwrap(),
        );
        assert_eq!(listed.len(), if kept { finals.count() } else { 0 }, "{flags:?}");
    }
}

#[test]
fn listening_to_a_replay_gives_what_transcribing_gives() {
    let file = support::two_cities();
    let transcribed =
        json_lines(&earwitness().args(["transcribe", "-f", "jsonl"]).arg(&file).output().unwrap());
    let listened = json_lines(
        &earwitness().args(["listen", "--json", "--pace", "8", "--input"]).arg(&file).output().unwrap(),
    );
    let texts: Vec<&str> =
        listened.iter().filter(|e| e["event"] == "final").map(|e| e["text"].as_str().unwrap()).collect();
    let edits = score(&EnglishNormalizer, transcribed[0]["text"].as_str().unwrap(), &texts.join(" "));
    assert_eq!(edits.errors(), 0, "{texts:?}");
    for event in listened.iter().filter(|e| e["event"] == "final") {
        let number = |key: &str| event[key].as_f64().unwrap();
        assert!(number("start") < number("speech_end") && number("speech_end") <= number("end"));
        assert!(number("latency_ms") > 0.0);
    }
    let summary = listened.last().unwrap();
    assert_eq!(summary["event"], "summary");
    assert_eq!((summary["dropped"].as_u64(), summary["faults"]["lost_samples"].as_u64()), (Some(0), Some(0)));
}

#[test]
fn every_detector_hears_the_first_and_the_last_word() {
    for detector in ["silero", "webrtc", "energy"] {
        let output = earwitness()
            .args(["transcribe", "--detector", detector])
            .arg(support::two_cities())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).to_lowercase();
        assert!(text.trim_start().starts_with("it was the best"), "{detector}: {text}");
        assert!(text.contains("degree of comparison"), "{detector}: {text}");
    }
}

#[test]
fn raw_samples_and_files_can_be_piped_in() {
    let samples = &support::samples_of(&support::two_cities())[..6 * 16_000];
    let raw: Vec<u8> = samples.iter().flat_map(|s| ((s * 32_767.0) as i16).to_le_bytes()).collect();
    let folder = tempfile::tempdir().unwrap();
    let wav = folder.path().join("speech.wav");
    support::write_wav(&wav, samples);
    for bytes in [raw, fs::read(&wav).unwrap()] {
        let output = earwitness().args(["transcribe", "-"]).write_stdin(bytes).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("best of times"), "{text} {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn output_files_take_the_recordings_names() {
    let folder = tempfile::tempdir().unwrap();
    let wav = folder.path().join("speech.wav");
    support::write_wav(&wav, &support::samples_of(&support::two_cities())[..6 * 16_000]);
    for format in ["text", "json", "jsonl", "srt", "vtt", "tsv"] {
        let out = folder.path().join("out");
        earwitness()
            .arg("transcribe")
            .arg(&wav)
            .args(["-f", format, "-o"])
            .arg(&out)
            .assert()
            .success()
            .stdout("");
        let extension = if format == "text" { "txt" } else { format };
        let text = fs::read_to_string(out.join(format!("speech.{extension}"))).unwrap();
        assert!(text.contains("best of times"), "{format}: {text}");
    }
}

#[test]
fn evaluate_scores_words_and_slots() {
    let folder = tempfile::tempdir().unwrap();
    support::write_wav(
        &folder.path().join("speech.wav"),
        &support::samples_of(&support::two_cities())[..(4.6 * 16_000.0) as usize],
    );
    let manifest = folder.path().join("manifest.jsonl");
    let row = serde_json::json!({
        "audio_filepath": "speech.wav",
        "text": "It was the best of times, it was the wurst of times",
        "slots": { "what": "best of times", "size": "large" },
    });
    fs::write(&manifest, format!("{row}\n")).unwrap();
    let output = earwitness().args(["evaluate", "--json"]).arg(&manifest).output().unwrap();
    let report = &json_lines(&output)[0];
    assert_eq!(report["edits"]["reference_words"], 12);
    assert_eq!(report["edits"]["substitutions"], 1, "{report}");
    assert_eq!((report["slots_found"].as_u64(), report["slots_total"].as_u64()), (Some(1), Some(2)));
    for key in ["wer", "audio_s", "processing_s", "rtf", "load_s", "peak_rss_mib"] {
        assert!(report[key].as_f64().is_some_and(|v| v > 0.0), "{key} in {report}");
    }
    assert!(report["files"].as_array().is_some_and(|f| f.len() == 1));
}

#[test]
fn evaluate_without_references_gives_null() {
    let folder = tempfile::tempdir().unwrap();
    support::write_wav(&folder.path().join("a.wav"), &[0.0; 8000]);
    fs::write(folder.path().join("m.jsonl"), "{\"audio_filepath\": \"a.wav\"}\n").unwrap();
    let output =
        earwitness().args(["evaluate", "--json"]).arg(folder.path().join("m.jsonl")).output().unwrap();
    assert!(json_lines(&output)[0]["wer"].is_null());
}

/// As `timeout` and some shells do: the process and its group both get the signal.
#[cfg(unix)]
#[test]
fn an_interrupt_ends_listening_with_what_was_said_and_a_summary() {
    use std::process::{Command, Stdio};
    let child = Command::new(env!("CARGO_BIN_EXE_earwitness"))
        .args(["listen", "--json", "--input"])
        .arg(support::two_cities())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Long enough to load the model and hear the first sentence begin, not end.
    std::thread::sleep(std::time::Duration::from_secs(5));
    for _ in 0..2 {
        let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
    let output = child.wait_with_output().unwrap();
    let events = json_lines(&output);
    let finals: Vec<&str> = events.iter().filter_map(|e| e["text"].as_str()).collect();
    assert!(finals.iter().any(|text| text.contains("best of times")), "{finals:?}");
    assert_eq!(events.last().unwrap()["event"], "summary");
}
