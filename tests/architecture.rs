//! The arrows of ARCHITECTURE.md, checked: who may use whom, who may hold a clock, a thread or a socket.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

/// Path below src, and the code without comments and unit tests.
fn code() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    sources(&root)
        .into_iter()
        .filter(|p| !p.ends_with("tests.rs") && !p.components().any(|c| c.as_os_str() == "tests"))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let code: Vec<&str> = text.lines().filter(|l| !l.trim_start().starts_with("//")).collect();
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
            (name, code.join("\n"))
        })
        .collect()
}

fn module(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

#[test]
fn arrows_point_down_only() {
    // module -> what it may use of this crate
    let allowed: &[(&str, &[&str])] = &[
        ("audio", &["audio"]),
        ("isa", &["isa"]),
        ("vad", &["vad", "audio", "isa"]),
        ("utterance", &["audio"]),
        ("endpoint", &["endpoint", "audio", "utterance", "vad"]),
        ("asr", &["asr", "audio", "isa", "utterance", "web"]),
        ("actions", &["actions", "web"]),
        ("subtitles", &["asr"]),
        ("uplink", &["uplink", "audio", "private_file", "telemetry", "web"]),
        ("web", &["web", "private_file"]),
        ("device", &["device"]),
        (
            "recorder",
            &["recorder", "actions", "asr", "audio", "device", "pipeline", "scoring", "telemetry", "uplink"],
        ),
        (
            "runtime",
            &[
                "runtime",
                "actions",
                "asr",
                "audio",
                "config",
                "device",
                "endpoint",
                "isa",
                "models",
                "pipeline",
                "private_file",
                "recorder",
                "server",
                "telemetry",
                "uplink",
                "vad",
                "web",
            ],
        ),
        ("server", &["server", "asr", "audio", "endpoint", "pipeline", "subtitles", "utterance", "vad"]),
        ("scoring", &["scoring"]),
        ("models", &["models"]),
        ("pipeline", &["pipeline", "asr", "audio", "endpoint", "scoring", "uplink", "utterance"]),
        ("config", &["asr", "audio", "device", "endpoint", "pipeline", "recorder", "telemetry", "uplink"]),
    ];
    let mut checked = 0;
    for (file, code) in code() {
        let Some((_, may)) = allowed.iter().find(|(m, _)| *m == module(&file)) else {
            continue;
        };
        for used in code.split("crate::").skip(1) {
            let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if !used.is_empty() {
                assert!(may.contains(&used.as_str()), "src/{file} uses crate::{used}");
                checked += 1;
            }
        }
    }
    assert!(checked > 20, "only {checked} uses were seen: is the test looking at the sources?");
}

#[test]
fn clocks_threads_and_sockets_stay_where_they_are_allowed() {
    let rules: &[(&str, &[&str])] = &[
        (
            "Instant::now",
            &[
                "actions",
                "asr/cloud",
                "audio/capture",
                "audio/replay",
                "device",
                "models",
                "pipeline",
                "recorder",
                "runtime",
                "server",
                "cli",
                "uplink/collector",
            ],
        ),
        (
            "SystemTime::now",
            &[
                "runtime/reporting",
                "models",
                "recorder",
                "uplink/collector",
                "uplink/otlp",
                "uplink/spend",
                "uplink/spool",
            ],
        ),
        (
            "thread::spawn",
            &["audio/capture", "cli/act", "cli/demo_fleet", "cli/service", "pipeline", "models"],
        ),
        (
            "thread::Builder",
            &[
                "actions",
                "asr/kernels",
                "audio/capture",
                "cli/service",
                "pipeline",
                "models",
                "recorder",
                "runtime",
                "server",
                "uplink/collector",
                "uplink/otlp",
            ],
        ),
        ("thread::scope", &["actions", "pipeline"]),
        ("TcpStream", &["server"]),
        ("TcpListener", &["server"]),
        ("reqwest", &["actions", "asr/cloud", "models", "uplink/collector", "uplink/otlp", "web"]),
        ("println!", &[]),
    ];
    for (file, code) in code() {
        for (what, places) in rules {
            let here = places.iter().any(|p| file.starts_with(p));
            assert!(here || !code.contains(what), "src/{file} has {what}");
        }
    }
}

/// The compiler refuses unsafe code without an `allow`; each of those gives its reason and stands where it may.
#[test]
fn unsafe_code_gives_its_reason() {
    let places = ["asr/kernels/", "asr/whisper/load/", "device/mailbox.rs", "isa.rs", "vad/webrtc.rs"];
    let mut seen = 0;
    for (file, code) in code() {
        let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
        for (at, _) in code.match_indices("unsafe_code") {
            let rest: String = code[at..].chars().take(100).collect();
            assert!(rest.contains("reason = \""), "src/{file} has unsafe code without a reason");
            assert!(places.iter().any(|p| file.starts_with(p)), "src/{file} has unsafe code");
            seen += 1;
        }
    }
    assert!(seen > 5, "only {seen} seen: is the test looking at the sources?");
}
