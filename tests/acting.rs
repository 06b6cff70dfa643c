//! `listen` hands texts on, takes feedback, and keeps secrets: through the binary, on real speech.

#![cfg(all(feature = "cloud", feature = "serve"))]

mod cloud_support;
mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use cloud_support::{FakeCloud, Reply};
use serde_json::Value;
use support::{earwitness, samples_of, two_cities, write_wav};

fn speech(folder: &Path) -> String {
    let path = folder.join("speech.wav");
    write_wav(&path, &samples_of(&two_cities())[..16_000 * 30]);
    path.to_str().unwrap().to_owned()
}

fn events(stdout: &[u8]) -> Vec<Value> {
    String::from_utf8_lossy(stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|e| e["event"] == kind).collect()
}

#[test]
fn each_text_is_posted_and_the_results_are_shown() {
    let service = FakeCloud::new(|n, _| match n {
        0 => Reply::json(200, r#"{"results":[{"title":"one"},{"title":"two"}]}"#),
        _ => Reply::json(500, "{}"),
    });
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{}/search", service.address);
    let output = earwitness()
        .args(["listen", "--json", "--pace", "50", "--input", &speech(folder.path()), "--action", &url])
        .output()
        .unwrap();
    let events = events(&output.stdout);
    let (texts, actions) = (of(&events, "final"), of(&events, "action"));
    assert!(texts.len() > 1 && texts.len() == actions.len(), "{events:?}");
    assert_eq!(actions[0]["result_count"], 2);
    assert_eq!(actions[0]["results"][1]["title"], "two");
    assert!(actions[1]["error"].as_str().unwrap().contains("500"));
    let sent: Value = serde_json::from_slice(&service.request(0).body).unwrap();
    assert_eq!(sent["text"], texts[0]["text"]);
}

#[cfg(unix)]
#[test]
fn a_program_gets_each_text_and_one_that_fails_costs_none() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("act.sh");
    let log = folder.path().join("log");
    std::fs::write(&program, format!("#!/bin/sh\ncat >> {}\necho '{{\"results\":[1]}}'\n", log.display()))
        .unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = earwitness()
        .args(["listen", "--json", "--pace", "50", "--input", &speech(folder.path())])
        .arg("--exec")
        .arg(&program)
        .args(["--exec", "/no/such/program"])
        .output()
        .unwrap();
    let events = events(&output.stdout);
    let texts: Vec<_> = of(&events, "final").iter().map(|e| e["text"].clone()).collect();
    let got = std::fs::read_to_string(log).unwrap();
    let got: Vec<Value> =
        got.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()["text"].clone()).collect();
    assert_eq!(got, texts);
    let failed = of(&events, "action").into_iter().filter(|a| a.get("error").is_some()).count();
    assert_eq!(failed, texts.len());
}

#[test]
fn text_leaves_for_another_machine_only_with_consent() {
    let folder = tempfile::tempdir().unwrap();
    let output = earwitness()
        .args(["listen", "--input", &speech(folder.path()), "--action", "https://example.invalid/hook"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(7));
    assert!(String::from_utf8_lossy(&output.stderr).contains("consent.action_text"));
}

#[test]
fn feedback_comes_by_line_and_by_request() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_earwitness"))
        .args([
            "listen",
            "--json",
            "--pace",
            "4",
            "--feedback",
            "--feedback-listen",
            "127.0.0.1:0",
            "--input",
        ])
        .arg(speech(folder.path()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.as_mut().unwrap().write_all(b"0 accepted\nnonsense\n0 edited\n").unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find(|line| line.starts_with("Feedback is taken")).unwrap();
    let address = line.split_once("http://").unwrap().1.split('/').next().unwrap().to_owned();
    let post = |origin: &str, body: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        let request = format!(
            "POST /feedback HTTP/1.1\r\nhost: {address}\r\n{origin}connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(post("", r#"{"utterance":0,"feedback":"result-clicked"}"#), "204");
    assert_eq!(post("", "what"), "400");
    assert_eq!(post("origin: https://evil.example\r\n", "0 redo"), "403");
    let output = child.wait_with_output().unwrap();
    let events = events(&output.stdout);
    let mut kinds: Vec<_> = of(&events, "feedback").iter().map(|e| e["feedback"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["accepted", "edited", "result-clicked"]);
    let totals = of(&events, "feedback_totals")[0];
    assert_eq!((&totals["accepted"], &totals["redo"]), (&1.into(), &0.into()));
}

/// With everything that can talk turned on, at the loudest log level.
#[test]
fn neither_key_nor_text_nor_audio_reaches_a_log() {
    const KEY: &str = "sk-very-secret-key-0123456789";
    const TEXT: &str = "zebra crossing at midnight";
    let cloud = FakeCloud::replies(vec![
        Reply::text(TEXT),
        Reply::json(401, format!(r#"{{"error":{{"message":"{KEY} is wrong"}}}}"#)),
        Reply::json(200, format!("{TEXT}{{")),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("p.toml");
    for provider in ["openai", "deepgram", "deepgram_stream", "google", "azure"] {
        let base = if provider == "openai" { cloud.url() } else { format!("http://{}", cloud.address) };
        std::fs::write(
            &profile,
            format!(
                "[consent]\ncloud_audio = true\n[route]\npolicy = \"cloud-then-local\"\nbudget_ms = 500\n\
                 [whisper]\ninitial_prompt = \"{TEXT}\"\n\
                 [cloud]\nprovider = \"{provider}\"\nurl = \"{base}\"\nkey_env = \"THE_KEY\"\n[spool]\nfolder = \"{}\"\n",
                folder.path().join("spool").display()
            ),
        )
        .unwrap();
        let output = earwitness()
            .args(["listen", "--json", "--pace", "50", "--input", &speech(folder.path()), "--profile"])
            .arg(&profile)
            .env("THE_KEY", KEY)
            .env("EARWITNESS_LOG", "trace")
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{provider}: {log}");
        assert!(log.len() > 1_000, "{provider}: was the log on? {log}");
        for secret in [KEY, "secret-key", TEXT, "zebra", "best of times", "worst of times"] {
            let line = log.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "{provider}: {line:?}");
        }
        // What was heard here must have been there to leak.
        assert!(String::from_utf8_lossy(&output.stdout).contains("of times") || cloud.asked() > 0);
    }
}
