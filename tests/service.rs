//! `listen` under a service manager: readiness, signs of life, the end, over a socket of our own.
#![cfg(unix)]

mod support;

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long a message is waited for: models are loaded before the first.
const PATIENCE: Duration = Duration::from_secs(120);

/// A service manager: the messages that it receives.
struct Manager {
    socket: UnixDatagram,
    folder: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, folder }
    }

    /// Starts `listen` on a recording, as a service that must give a sign of life every second.
    fn listen(&self, recording: &Path, pace: &str) -> Child {
        Command::new(env!("CARGO_BIN_EXE_earwitness"))
            .args(["listen", "--json", "--pace", pace, "--input"])
            .arg(recording)
            .env("NOTIFY_SOCKET", self.folder.path().join("notify"))
            .env("WATCHDOG_USEC", "1000000")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn receive(&self) -> String {
        let mut message = [0; 1024];
        let length = self.socket.recv(&mut message).expect("a message in time");
        String::from_utf8(message[..length].to_vec()).unwrap()
    }

    /// All messages until one begins with `last`.
    fn receive_until(&self, last: &str) -> Vec<String> {
        let mut messages = vec![self.receive()];
        while !messages.last().unwrap().starts_with(last) {
            messages.push(self.receive());
        }
        messages
    }
}

#[test]
fn a_service_is_ready_when_it_hears_gives_signs_of_life_and_says_that_it_ends() {
    let manager = Manager::new();
    let listening = manager.listen(&support::installed("beckett"), "4");
    let messages = manager.receive_until("STOPPING=1");
    assert!(messages[0].starts_with("READY=1\nSTATUS=Listening to "), "{messages:?}");
    assert!(messages.iter().any(|m| m == "WATCHDOG=1"), "{messages:?}");
    let output = listening.wait_with_output().unwrap();
    assert!(output.status.success());
    let finals = String::from_utf8(output.stdout).unwrap();
    let texts: Vec<String> = finals
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|event| event["event"] == "final")
        .map(|event| event["text"].as_str().unwrap().to_owned())
        .collect();
    assert!(!texts.is_empty());
    let told = messages.join("\n");
    for word in texts.iter().flat_map(|text| text.split_whitespace()).filter(|word| word.len() > 6) {
        assert!(!told.contains(word), "what was said is told to the manager: {word}");
    }
}

#[test]
fn a_service_that_is_asked_to_end_says_so_and_ends_well() {
    let manager = Manager::new();
    let mut listening = manager.listen(&support::two_cities(), "1");
    manager.receive_until("READY=1");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(listening.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    manager.receive_until("STOPPING=1");
    assert!(listening.wait().unwrap().success());
}
