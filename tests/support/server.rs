//! A running `earwitness serve`.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Ends when dropped.
pub struct Server {
    child: Child,
    pub http: SocketAddr,
    pub wyoming: SocketAddr,
}

impl Server {
    /// Starts the binary on free ports with `arguments` and waits until it listens.
    pub fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_earwitness"))
            .args(["serve", "--listen", "127.0.0.1:0", "--wyoming", "127.0.0.1:0"])
            .args(arguments)
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let line = lines
            .by_ref()
            .map(|line| line.expect("text"))
            .inspect(|line| eprintln!("server: {line}"))
            .find(|line| line.starts_with("Serving on"))
            .expect("the server listens");
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| eprintln!("server: {line}")));
        let address = |scheme: &str| {
            let rest = line.split_once(scheme).expect("an address").1;
            let end = rest.find(['/', ' ']).unwrap_or(rest.len());
            rest[..end].parse().expect("an address")
        };
        Self { http: address("http://"), wyoming: address("tcp://"), child }
    }

    pub fn base(&self) -> String {
        format!("http://{}/v1", self.http)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, as Ctrl-C does.
    pub fn interrupt(&self) {
        let killed = Command::new("kill").args(["-INT", &self.pid().to_string()]).status();
        assert!(killed.expect("kill runs").success());
    }

    /// Its exit code, once it has ended.
    pub fn wait(&mut self, patience: Duration) -> Option<i32> {
        let begin = Instant::now();
        while begin.elapsed() < patience {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the server did not end within {patience:?}");
    }

    /// Sends all of `request`, as clients do that read only then, and gives the answer.
    pub fn ask(&self, request: &[u8]) -> String {
        use std::io::{Read, Write};
        let mut stream = TcpStream::connect(self.http).expect("the server listens");
        stream.write_all(request).expect("the server reads what it refuses");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the answer arrives");
        answer
    }

    /// Sends `request` as it is and gives all that comes back until the server closes or is silent for 30 s.
    pub fn raw(&self, request: &[u8]) -> String {
        use std::io::{Read, Write};
        let mut stream = TcpStream::connect(self.http).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time");
        // A refused body may be cut off while it is sent.
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A multipart request for a transcription of `file`, with further text fields.
pub fn multipart(path: &str, file: &[u8], fields: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes(),
        );
    }
    body.extend(b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n");
    body.extend(file);
    body.extend(b"\r\n--b--\r\n");
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend(body);
    request
}
