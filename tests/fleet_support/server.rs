//! `earwitness collect` as a process: started, killed, asked.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// For a start, an end, an answer. Generous: other tests load the machine, too.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Collector {
    folder: PathBuf,
    store: Option<String>,
    pub port: u16,
    log: File,
    child: Option<Child>,
    pub kills: u32,
    pub ends: u32,
    /// Records that came again, over all its lives, as far as it told.
    pub duplicates: u64,
}

impl Collector {
    /// In `folder`, with SQLite if no other store is named.
    pub fn new(folder: &Path, store: Option<String>) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let log = OpenOptions::new().create(true).append(true).open(folder.join("server.log")).unwrap();
        let folder = folder.to_owned();
        Self { folder, store, port: free_port(), log, child: None, kills: 0, ends: 0, duplicates: 0 }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_earwitness"));
        command.arg("collect").arg("--folder").arg(&self.folder).stdin(Stdio::null());
        command.env_remove("EARWITNESS_STORE");
        if let Some(store) = &self.store {
            command.args(["--store", store]);
        }
        command
    }

    /// An administrator's key.
    pub fn appoint(&self) -> String {
        let output = self.command().args(["appoint", "adam", "--role", "admin"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Makes a device known; its token.
    pub fn enrol(&self, key: &str, device_id: &str) -> String {
        let json = |answer: Option<(u16, String)>| -> serde_json::Value {
            let Some((200, body)) = answer else { panic!("{device_id} is not enrolled: {answer:?}") };
            serde_json::from_str(&body).unwrap()
        };
        let code = json(self.ask("POST", "/api/v1/enrolments", Some(key), ""));
        let body = serde_json::json!({ "code": code["code"], "device_id": device_id }).to_string();
        let enrolled = json(self.ask("POST", "/api/v1/enroll", None, &body));
        enrolled["token"].as_str().expect("a token").to_owned()
    }

    pub fn is_up(&self) -> bool {
        self.child.is_some()
    }

    pub fn start(&mut self) {
        self.start_as(self.command());
    }

    /// No file of it may grow beyond 2 MiB: SQLite cannot write, as on a full disk.
    pub fn start_on_full_disk(&mut self) {
        let server = self.command();
        let mut shell = Command::new("sh");
        // The signal is for programs that do not look at errors. Blocks have 512 bytes.
        shell.args(["-c", "trap '' XFSZ; ulimit -f 4096; exec \"$0\" \"$@\""]);
        shell.arg(server.get_program()).args(server.get_args()).stdin(Stdio::null());
        self.start_as(shell);
    }

    /// Batches that it could not store, in all its lives.
    pub fn not_stored(&self) -> usize {
        let log = std::fs::read(self.folder.join("server.log")).unwrap();
        String::from_utf8_lossy(&log).matches("a batch could not be stored").count()
    }

    fn start_as(&mut self, mut command: Command) {
        assert!(self.child.is_none(), "the server runs already");
        let mut child = command
            .args(["--listen", &format!("127.0.0.1:{}", self.port), "--max-requests-per-s", "100000"])
            .stdout(self.log.try_clone().unwrap())
            .stderr(self.log.try_clone().unwrap())
            .spawn()
            .unwrap();
        let begin = Instant::now();
        while self.ask("GET", "/health", None, "").is_none_or(|(status, _)| status != 200) {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none() && begin.elapsed() < PATIENCE, "{ended:?}: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        self.child = Some(child);
    }

    pub fn kill(&mut self) {
        self.count_duplicates();
        let Some(mut child) = self.child.take() else { return };
        assert_eq!(child.try_wait().unwrap(), None, "the server ended by itself: {}", self.log());
        child.kill().unwrap();
        child.wait().unwrap();
        self.kills += 1;
    }

    /// SIGTERM; what was accepted is stored.
    pub fn end(&mut self) {
        self.count_duplicates();
        let Some(mut child) = self.child.take() else { return };
        let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(asked.success());
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if begin.elapsed() > PATIENCE {
                let _ = child.kill();
                panic!("the server does not end: {}", self.log());
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        assert!(status.success(), "{status}: {}", self.log());
        self.ends += 1;
    }

    /// Counters begin anew with each life: called before its end.
    fn count_duplicates(&mut self) {
        let Some((200, text)) = self.ask("GET", "/metrics", None, "") else { return };
        let figure = |line: &str| {
            line.strip_prefix("earwitness_collector_duplicate_records_total ")?.trim().parse::<u64>().ok()
        };
        self.duplicates += text.lines().find_map(figure).expect("the counter of duplicates");
    }

    /// Status and body; `None` if nobody answers.
    pub fn ask(&self, method: &str, path: &str, key: Option<&str>, body: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let key = key.map(|key| format!("Authorization: Bearer {key}\r\n")).unwrap_or_default();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{key}\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    pub fn sqlite_file(&self) -> PathBuf {
        self.folder.join("earwitness.db")
    }

    pub fn store(&self) -> Option<&str> {
        self.store.as_deref()
    }

    pub fn log(&self) -> String {
        tail(&self.folder.join("server.log"))
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The end of a log.
pub fn tail(path: &Path) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&text[text.len().saturating_sub(4_000)..]).into_owned()
}

/// Below the ports that systems give to outgoing connections: none of these takes it while the server is down.
fn free_port() -> u16 {
    let mut ports = (0..200).map(|_| fastrand::u16(15_000..32_000));
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}
