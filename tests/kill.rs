//! The process is killed again and again while utterances flow: none is lost, none delivered twice.

#![cfg(all(feature = "cloud", unix))]

mod cloud_support;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use cloud_support::{FakeCloud, Reply};
use serde_json::Value;
use support::write_wav;

/// Tones of 0.6 s between pauses: what the energy detector takes for speech.
fn talk(path: &Path, utterances: usize) {
    let mut samples = vec![0.0_f32; 8_000];
    let mut rng = fastrand::Rng::with_seed(5);
    for _ in 0..utterances {
        samples.extend((0..9_600).map(|i| (i as f32 * 0.08).sin() * 0.4 + (rng.f32() - 0.5) * 0.05));
        samples.extend((0..11_200).map(|_| (rng.f32() - 0.5) * 1e-4));
    }
    write_wav(path, &samples);
}

fn start(profile: &Path, command: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_earwitness"))
        .args(command)
        .arg("--profile")
        .arg(profile)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What all runs together have told.
#[derive(Default)]
struct Told {
    kept: BTreeSet<String>,
    /// How often each was delivered, by kind.
    delivered: BTreeMap<String, usize>,
}

impl Told {
    fn hear(&mut self, line: &str) {
        // The last line before a kill may be cut.
        let Ok(event) = serde_json::from_str::<Value>(line) else { return };
        let id = || event["id"].as_str().expect("an id").to_owned();
        match event["event"].as_str() {
            Some("speech_ended") => drop(self.kept.insert(id())),
            Some("final" | "recovered" | "upgraded") => *self.delivered.entry(id()).or_default() += 1,
            _ => {}
        }
    }
}

#[test]
fn a_hundred_kills_lose_nothing_and_deliver_nothing_twice() {
    // Slow enough that requests are under way when the kill comes; some fail, so that the backlog is used.
    let cloud = FakeCloud::new(|n, _| {
        thread::sleep(Duration::from_millis(10));
        if n % 7 == 3 { Reply::CloseAfterUpload } else { Reply::text(&format!("text {n}")) }
    });
    let folder = tempfile::tempdir().unwrap();
    let (profile, wav, spool) =
        (folder.path().join("p.toml"), folder.path().join("talk.wav"), folder.path().join("spool"));
    std::fs::write(
        &profile,
        format!(
            "[vad]\ndetector = \"energy\"\n[consent]\ncloud_audio = true\n[route]\npolicy = \"cloud\"\n\
             [cloud]\nurl = \"{}\"\nattempts = 1\n[spool]\nkeep = true\nfolder = \"{}\"\n",
            cloud.url(),
            spool.display()
        ),
    )
    .unwrap();
    talk(&wav, 12);
    let wav = wav.to_str().unwrap();
    let mut told = Told::default();
    let mut rng = fastrand::Rng::with_seed(11);
    let mut kills = 0;
    while kills < 100 || told.kept.len() < 200 {
        let mut child = start(&profile, &["listen", "--json", "--input", wav, "--pace", "60"]);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let reader = thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>());
        thread::sleep(Duration::from_micros(rng.u64(5_000..400_000)));
        // SIGKILL.
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        reader.join().unwrap().iter().for_each(|line| told.hear(line));
        assert!(kills < 2_000, "only {} utterances flowed", told.kept.len());
    }
    // Then it is left in peace until all is sent.
    let command = ["spool", "retry", "--json", "--keep"];
    for _ in 0..200 {
        let output = start(&profile, &command).wait_with_output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().for_each(|line| told.hear(line));
        if output.status.success() {
            break;
        }
    }
    let list =
        support::earwitness().args(["spool", "list", "--json", "--profile"]).arg(&profile).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let records: BTreeMap<String, Value> = list
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|record| (record["id"].as_str().unwrap().to_owned(), record))
        .collect();
    let lost: Vec<_> = told.kept.iter().filter(|id| !records.contains_key(*id)).collect();
    assert!(lost.is_empty(), "{} of {} utterances are lost", lost.len(), told.kept.len());
    let open: Vec<_> = records.values().filter(|r| r["state"] != "answered").collect();
    assert!(open.is_empty(), "{open:?}");
    assert!(records.values().all(|r| r["text"].as_str().is_some_and(|t| t.starts_with("text "))));
    let twice: Vec<_> = told.delivered.iter().filter(|(_, n)| **n > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    eprintln!(
        "{kills} kills, {} utterances kept, {} shown, {} answered in the spool, {} requests",
        records.len(),
        told.delivered.len(),
        records.len(),
        cloud.asked()
    );
}

#[test]
fn a_key_may_be_made_where_one_stands() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_earwitness"))
        .args(["spool", "new-key", "spool.key"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(folder.path().join("spool.key").exists());
}
