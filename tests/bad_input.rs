//! Whatever is wrong, the message says what to do, the exit code tells the kind, nothing is lost, nothing panics.

mod support;

use std::fs;
use std::path::Path;
use std::process::Output;

use support::earwitness;

const AUDIO: i32 = 3;
const MODEL: i32 = 4;
const NETWORK: i32 = 5;
const MICROPHONE: i32 = 6;
const CONFIG: i32 = 7;
const DISK: i32 = 8;
const SOME_FILES: i32 = 9;

fn run(arguments: &[&str]) -> Output {
    earwitness().args(arguments).output().unwrap()
}

/// Exit code, no panic, nothing but results on stdout; gives stderr.
fn refuses(output: &Output, code: i32) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(stderr.contains("error: "), "{stderr}");
    stderr
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn speech(to: &Path, seconds: usize) {
    support::write_wav(to, &support::samples_of(&support::two_cities())[..seconds * 16_000]);
}

#[test]
fn files_that_are_no_audio_are_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let to = folder.path().join(name);
        fs::write(&to, bytes).unwrap();
        to
    };
    for (bad, advice) in [
        (file("text.wav", &b"These are words, not sounds. ".repeat(100)), "ffmpeg"),
        (file("empty.wav", b""), "empty"),
        (file("noise.mp3", &(0..5000u32).map(|i| (i * 7919 % 256) as u8).collect::<Vec<_>>()), ""),
        (folder.path().join("missing.wav"), "no such file"),
        (folder.path().to_owned(), "folder"),
    ] {
        let stderr = refuses(&run(&["transcribe", path(&bad)]), AUDIO);
        assert!(stderr.contains(advice), "{stderr}");
        assert!(stderr.contains(bad.file_name().unwrap().to_str().unwrap()), "{stderr}");
    }
}

#[test]
fn a_bad_file_is_reported_and_the_rest_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (bad, good) = (folder.path().join("bad.wav"), folder.path().join("good.wav"));
    fs::write(&bad, "no audio at all, only text").unwrap();
    speech(&good, 6);
    let output = run(&["transcribe", path(&bad), path(&good), "-f", "jsonl"]);
    assert_eq!(output.status.code(), Some(SOME_FILES));
    let lines: Vec<serde_json::Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 1);
    assert!(lines[0]["text"].as_str().unwrap().contains("best of times"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("bad.wav"));
}

#[test]
fn odd_but_valid_audio_is_transcribed() {
    let folder = tempfile::tempdir().unwrap();
    let samples = support::samples_of(&support::two_cities())[..6 * 16_000].to_vec();

    // 192 kHz, 8 channels, float, the voice on one of them: chosen by --channel.
    let studio = folder.path().join("studio.wav");
    let spec = hound::WavSpec {
        channels: 8,
        sample_rate: 192_000,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::create(&studio, spec).unwrap();
    for pair in samples.windows(2) {
        for step in 0..12 {
            let value = pair[0] + (pair[1] - pair[0]) * step as f32 / 12.0;
            for channel in 0..8 {
                writer.write_sample(if channel == 5 { value } else { 0.0 }).unwrap();
            }
        }
    }
    writer.finalize().unwrap();

    // NaN in the middle, and a name that lies about the format.
    let nan = folder.path().join("nan.mp3");
    let spec = hound::WavSpec { channels: 1, sample_rate: 16_000, ..spec };
    let mut writer = hound::WavWriter::create(&nan, spec).unwrap();
    for (i, s) in samples.iter().enumerate() {
        writer.write_sample(if i % 5000 == 0 { f32::NAN } else { *s }).unwrap();
    }
    writer.finalize().unwrap();

    // Cut off in the middle of the data.
    let whole = folder.path().join("whole.wav");
    support::write_wav(&whole, &samples);
    let cut = folder.path().join("cut.wav");
    let bytes = fs::read(&whole).unwrap();
    fs::write(&cut, &bytes[..bytes.len() - 20_000]).unwrap();

    for (file, more, warning) in
        [(&studio, vec!["--channel", "5"], ""), (&nan, vec![], "not numbers"), (&cut, vec![], "ends before")]
    {
        let output = run(&[&["transcribe", path(file)], more.as_slice()].concat());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("best of times"), "{}: {text}", file.display());
        assert!(stderr.contains(warning), "{stderr}");
    }
    let stderr = refuses(&run(&["transcribe", path(&studio), "--channel", "8"]), AUDIO);
    assert!(stderr.contains('8'), "{stderr}");
}

#[test]
fn a_recording_without_samples_is_an_empty_transcript() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nothing.wav");
    support::write_wav(&file, &[]);
    let output = run(&["transcribe", path(&file), "-f", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((json["text"].as_str(), json["segments"].as_array().map(Vec::len)), (Some(""), Some(0)));
}

#[test]
fn damaged_and_missing_models_are_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let good = support::installed("tiny.en");
    let speech_file = folder.path().join("speech.wav");
    speech(&speech_file, 2);
    let bytes = fs::read(good.join("model.bin")).unwrap();
    for (name, damaged) in [
        ("cut", bytes[..bytes.len() / 2].to_vec()),
        ("garbled", bytes.iter().enumerate().map(|(i, b)| if i < 4000 { b ^ 0x5a } else { *b }).collect()),
        ("empty", Vec::new()),
    ] {
        let model = folder.path().join(name);
        fs::create_dir(&model).unwrap();
        fs::write(model.join("model.bin"), damaged).unwrap();
        fs::copy(good.join("tokenizer.json"), model.join("tokenizer.json")).unwrap();
        let stderr = refuses(&run(&["transcribe", path(&speech_file), "--model", path(&model)]), MODEL);
        assert!(stderr.contains("model.bin"), "{stderr}");
    }
    let bare = folder.path().join("bare");
    fs::create_dir(&bare).unwrap();
    fs::copy(good.join("model.bin"), bare.join("model.bin")).unwrap();
    let stderr = refuses(&run(&["transcribe", path(&speech_file), "--model", path(&bare)]), MODEL);
    assert!(stderr.contains("tokenizer.json"), "{stderr}");

    let stderr = refuses(&run(&["transcribe", path(&speech_file), "--model", "tiny.fr"]), MODEL);
    assert!(stderr.contains("earwitness models"), "{stderr}");
    let store = folder.path().join("store");
    let output = earwitness()
        .env("EARWITNESS_MODELS", &store)
        .args(["transcribe", path(&speech_file)])
        .output()
        .unwrap();
    assert!(refuses(&output, MODEL).contains("earwitness models pull"));
}

#[test]
fn a_pull_without_a_network_says_so_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = earwitness()
        .env("EARWITNESS_MODELS", folder.path())
        .args(["models", "--offline", "pull", "tiny.en"])
        .output()
        .unwrap();
    refuses(&output, NETWORK);
    let listed =
        earwitness().env("EARWITNESS_MODELS", folder.path()).args(["models", "path", "tiny.en"]).output();
    refuses(&listed.unwrap(), MODEL);
}

#[test]
fn foreign_languages_need_a_multilingual_model() {
    let stderr = refuses(&run(&["transcribe", "x.wav", "--language", "de"]), 2);
    assert!(stderr.contains("--model base"), "{stderr}");
    let stderr = refuses(&run(&["transcribe", "x.wav", "--language", "klingon"]), 2);
    assert!(stderr.contains("klingon"), "{stderr}");
}

#[test]
fn profiles_and_manifests_that_are_not_valid_are_refused_with_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("p.toml");
    fs::write(&profile, "[endpoint]\npre_roll_msec = 300\n").unwrap();
    let stderr = refuses(&run(&["transcribe", "x.wav", "--profile", path(&profile)]), CONFIG);
    assert!(stderr.contains("pre_roll_msec") && stderr.contains("line 2"), "{stderr}");
    let missing = folder.path().join("missing.toml");
    refuses(&run(&["listen", "--profile", path(&missing)]), CONFIG);

    let manifest = folder.path().join("m.jsonl");
    fs::write(&manifest, "{\"audio_filepath\": \"a.wav\"}\n{\"audio\": 1}\n").unwrap();
    let stderr = refuses(&run(&["evaluate", path(&manifest)]), CONFIG);
    assert!(stderr.contains("line 2"), "{stderr}");
}

#[test]
fn unknown_and_absent_microphones_are_refused() {
    // No sound server: point every client at a socket that is not there.
    let folder = tempfile::tempdir().unwrap();
    let silent = |arguments: &[&str]| {
        let mut command = earwitness();
        command
            .env("PULSE_SERVER", format!("unix:{}/none", folder.path().display()))
            .env("XDG_RUNTIME_DIR", folder.path())
            .env("ALSA_CONFIG_PATH", "/dev/null")
            .args(arguments)
            .output()
            .unwrap()
    };
    let stderr = refuses(&silent(&["listen", "--device", "no such thing"]), MICROPHONE);
    assert!(stderr.contains("no such thing"), "{stderr}");
    refuses(&silent(&["listen"]), MICROPHONE);
    refuses(&silent(&["devices"]), MICROPHONE);
    let doctor = silent(&["doctor", "--json"]);
    assert_eq!(doctor.status.code(), Some(MICROPHONE));
    let report: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let broken = report["checks"].as_array().unwrap().iter().find(|c| c["status"] == "broken").unwrap();
    assert_eq!(broken["check"], "microphone");
    assert!(broken["advice"].as_str().is_some_and(|a| !a.is_empty()));
}

#[test]
fn a_full_disk_ends_with_its_own_code_and_no_half_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("speech.wav");
    speech(&file, 3);
    // /dev/full answers every write as a full disk does.
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has /dev/full");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_earwitness"))
        .args(["transcribe", path(&file)])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(DISK), "{}", String::from_utf8_lossy(&output.stderr));

    // A folder that cannot be made.
    let output = run(&["transcribe", path(&file), "--output-dir", "/dev/null/out"]);
    refuses(&output, DISK);
}

#[test]
fn transcripts_never_overwrite_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["transcribe", "a/talk.wav", "b/talk.mp3", "-o", path(folder.path())]);
    let stderr = refuses(&output, 2);
    assert!(stderr.contains("a/talk.wav") && stderr.contains("b/talk.mp3"), "{stderr}");
}
