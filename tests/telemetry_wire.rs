//! What leaves the device when a real run reports: looked at on the wire, byte by byte.

#![cfg(feature = "telemetry")]

mod cloud_support;
mod support;

use std::path::Path;

use cloud_support::{FakeCloud, Reply};
use earwitness::telemetry::{Record, RecordLine, SessionRecord};
use earwitness::uplink::collector::ClipStore;
use earwitness::uplink::journal::{FolderDisk, Journal, JournalOptions};
use serde_json::Value;
use support::{earwitness, two_cities};

/// A collection server that takes everything.
fn server() -> FakeCloud {
    FakeCloud::answering(|_, request| match request.line.starts_with("PUT ") {
        true => Reply::Answer { status: 204, headers: Vec::new(), kind: "text/plain", body: Vec::new() },
        false => {
            let batch = batch(&request.body);
            let first = batch["first_sequence"].as_u64().expect("a sequence");
            let count = batch["records"].as_array().expect("records").len() as u64;
            let high_water = first + count - 1;
            Reply::json(200, format!(r#"{{"high_water":{high_water},"stored":{count},"duplicates":0}}"#))
        }
    })
}

fn batch(body: &[u8]) -> Value {
    serde_json::from_slice(&zstd::decode_all(body).expect("zstd")).expect("JSON")
}

/// What a run under `profile` prints, and nothing else of it.
fn listen(profile: &str, folder: &Path, variables: &[(&str, &str)]) -> String {
    let file = folder.join("profile.toml");
    std::fs::write(&file, profile).unwrap();
    let output = earwitness()
        .args(["listen", "--pace", "20", "--json", "--input"])
        .arg(two_cities())
        .arg("--profile")
        .arg(&file)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn profile(server: &FakeCloud, folder: &Path, rest: &str) -> String {
    use std::io::Write;
    let token = folder.join("token");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&token).unwrap().write_all(b"ewd_a-token-of-this-test-device\n").unwrap();
    format!(
        "[telemetry]\nurl = \"http://{}\"\ntoken_file = \"{}\"\nfolder = \"{}\"\nupload_interval_ms = 1000\n{rest}",
        server.address,
        token.display(),
        folder.join("journal").display()
    )
}

/// Words of the run's texts that are no names of fields or values in records.
fn words(events: &str) -> Vec<String> {
    let texts = events.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let texts =
        texts.filter(|event| event["event"] == "final").filter_map(|e| Some(e["text"].as_str()?.to_owned()));
    let words: std::collections::BTreeSet<String> = texts
        .flat_map(|text| {
            text.to_lowercase().split(|c: char| !c.is_alphabetic()).map(str::to_owned).collect::<Vec<_>>()
        })
        .filter(|word| word.len() > 6)
        .collect();
    words.into_iter().collect()
}

#[test]
fn figures_leave_the_device_and_no_word_and_no_audio() {
    let (server, folder) = (server(), tempfile::tempdir().unwrap());
    let events = listen(&profile(&server, folder.path(), ""), folder.path(), &[]);
    let words = words(&events);
    assert!(words.len() > 10 && words.iter().any(|word| word == "foolishness"), "{words:?}");
    let requests = server.requests.lock().unwrap();
    assert!(!requests.is_empty());
    let mut utterances = 0;
    for request in requests.iter() {
        assert!(request.line.starts_with("POST /api/v1/batches "), "{}", request.line);
        let batch = batch(&request.body);
        let sent = batch.to_string().to_lowercase();
        for word in &words {
            assert!(!sent.contains(word.as_str()), "`{word}` was sent");
        }
        assert!(!sent.contains("consented") && !sent.contains("subject"), "{sent}");
        let records = batch["records"].as_array().unwrap();
        utterances += records.iter().filter(|record| record["kind"] == "utterance").count();
    }
    let finals = events.lines().filter(|line| line.contains("\"event\":\"final\"")).count();
    assert_eq!(utterances, finals, "every utterance in figures, once");
}

#[test]
fn with_consent_texts_and_recordings_go_too_and_name_it() {
    let (server, folder) = (server(), tempfile::tempdir().unwrap());
    let consent =
        "[consent]\ntelemetry_text = true\ntelemetry_audio = true\ngranted_unix_ms = 1764000000000\n";
    listen(&profile(&server, folder.path(), consent), folder.path(), &[]);
    let requests = server.requests.lock().unwrap();
    let clips: Vec<_> =
        requests.iter().filter(|request| request.line.starts_with("PUT /api/v1/clips/")).collect();
    assert!(!clips.is_empty());
    for clip in clips {
        assert!(
            clip.line.contains("granted_unix_ms=1764000000000") && clip.body.starts_with(b"fLaC"),
            "{}",
            clip.line
        );
    }
    let batches = requests.iter().filter(|request| request.line.starts_with("POST "));
    let sent: String = batches.map(|request| batch(&request.body).to_string()).collect();
    assert!(sent.contains("foolishness") && sent.contains("1764000000000") && !sent.contains("speaker\""));
}

#[test]
fn what_waits_when_consent_is_withdrawn_is_not_sent() {
    let busy = FakeCloud::replies(vec![Reply::json(503, "").with_header("retry-after", "3600")]);
    let (server, folder) = (server(), tempfile::tempdir().unwrap());
    let consent = "[consent]\ntelemetry_text = true\ntelemetry_audio = true\ntelemetry_speaker = true\n\
                   granted_unix_ms = 1764000000000\n[speaker]\nsubject_id = \"anna\"\n";
    listen(&profile(&busy, folder.path(), consent), folder.path(), &[]);
    let clips = folder.path().join("journal/clips");
    assert!(std::fs::read_dir(&clips).unwrap().count() > 0);
    let file = folder.path().join("profile.toml");
    std::fs::write(&file, profile(&server, folder.path(), "")).unwrap();
    let run = |action: &str| {
        let output = earwitness().args(["telemetry", action, "--profile"]).arg(&file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let shown = run("show").0;
    let (_, told) = run("flush");
    assert!(told.contains("recordings that waited were deleted, not sent"), "{told}");
    assert_eq!(std::fs::read_dir(&clips).unwrap().count(), 0);
    let requests = server.requests.lock().unwrap();
    let batches = requests.iter().filter(|request| request.line.starts_with("POST "));
    let sent: String = batches.map(|request| batch(&request.body).to_string()).collect();
    assert_eq!(requests.iter().filter(|request| request.line.starts_with("PUT ")).count(), 0);
    for text in [&shown, &sent] {
        assert!(text.contains("\"utterance\""), "the figures stay");
        assert!(
            !text.contains("foolishness") && !text.contains("anna") && !text.contains("consented"),
            "{text}"
        );
    }
}

#[test]
fn an_erasure_leaves_the_files_of_others_and_waits_for_who_records() {
    let receipt = r#"{"receipt_id":"r-1"}"#;
    let (server, folder) =
        (FakeCloud::replies(vec![Reply::json(200, receipt)]), tempfile::tempdir().unwrap());
    let journal = folder.path().join("journal");
    let open = || Journal::open(JournalOptions::default(), FolderDisk::open(&journal).unwrap()).unwrap();
    let recording = open();
    let record = Record::Session(SessionRecord::default());
    recording.append(&RecordLine { recorded_unix_ms: 1, record, consented: None }, 1).unwrap();
    let clips = ClipStore::open(&journal.join("clips"), 100, None).unwrap();
    clips.keep_clip("s-1", &[7; 60], 1, None, 1).unwrap();
    clips.keep_clip("s-2", &[7; 60], 1, None, 2).unwrap();
    std::fs::create_dir(journal.join("photos")).unwrap();
    for other in ["photos/one.jpg", "spool.key"] {
        std::fs::write(journal.join(other), b"mine").unwrap();
    }
    // The token lies in the same folder, which the profile spells in two ways.
    let text = profile(&server, folder.path(), "");
    let token = folder.path().join("token");
    std::fs::rename(&token, journal.join("token")).unwrap();
    let spelled = folder.path().join("journal/../journal/token");
    let file = folder.path().join("profile.toml");
    std::fs::write(&file, text.replace(token.to_str().unwrap(), spelled.to_str().unwrap())).unwrap();
    let run = |arguments: &[&str]| {
        earwitness().arg("telemetry").args(arguments).arg("--profile").arg(&file).output().unwrap()
    };
    assert!(!run(&["erase", "--yes"]).status.success(), "somebody records");
    assert_eq!(server.asked(), 0, "and the server was not asked in vain");
    drop(recording);
    let status: Value = serde_json::from_slice(&run(&["status"]).stdout).unwrap();
    assert_eq!((&status["clips"], &status["lost_clips"]), (&1.into(), &1.into()));
    let erased = run(&["erase", "--yes"]);
    assert!(erased.status.success(), "{}", String::from_utf8_lossy(&erased.stderr));
    assert!(String::from_utf8_lossy(&erased.stdout).contains("r-1"));
    let mut left: Vec<_> =
        std::fs::read_dir(&journal).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["lock", "photos", "spool.key", "token"]);
    assert!(journal.join("photos/one.jpg").exists());
}

#[test]
fn what_is_for_this_machine_goes_past_every_proxy_and_devices_without_a_name_are_told_apart() {
    let proxy = FakeCloud::replies(vec![Reply::json(502, "")]);
    let (server, otlp) = (server(), FakeCloud::replies(vec![Reply::json(200, "{}")]));
    let action = FakeCloud::replies(vec![Reply::json(200, "{}")]);
    let folder = tempfile::tempdir().unwrap();
    let rest = format!("otlp_url = \"http://{}\"\n", otlp.address);
    let file = folder.path().join("profile.toml");
    std::fs::write(&file, profile(&server, folder.path(), &rest)).unwrap();
    let mut run = earwitness();
    run.args(["listen", "--pace", "20", "--json", "--input"]).arg(two_cities()).arg("--profile").arg(&file);
    run.arg("--action").arg(format!("http://{}/hook", action.address)).env("HOSTNAME", "attic-pi");
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        run.env(variable, format!("http://{}", proxy.address));
    }
    let output = run.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(proxy.connections.load(std::sync::atomic::Ordering::Relaxed), 0);
    assert!(server.asked() > 0 && otlp.asked() > 0 && action.asked() > 0);
    let metrics: Value = serde_json::from_slice(&otlp.request(0).body).unwrap();
    let resource = metrics["resourceMetrics"][0]["resource"].to_string();
    assert!(resource.contains("\"attic-pi\""), "{resource}");
}

#[test]
fn without_an_address_and_with_do_not_track_nothing_is_sent_or_kept() {
    let (server, folder) = (server(), tempfile::tempdir().unwrap());
    let home = folder.path().join("home");
    let home = home.to_str().unwrap();
    listen("", folder.path(), &[("XDG_DATA_HOME", home)]);
    listen(
        &profile(&server, folder.path(), ""),
        folder.path(),
        &[("DO_NOT_TRACK", "1"), ("XDG_DATA_HOME", home)],
    );
    assert_eq!(server.connections.load(std::sync::atomic::Ordering::Relaxed), 0);
    assert!(!folder.path().join("journal").exists() && !Path::new(home).exists());
}
