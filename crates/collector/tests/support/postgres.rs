//! A PostgreSQL server for tests: the one that `EARWITNESS_TEST_POSTGRES` names, else one of our own.
//!
//! Our own lies in a scratch folder and listens on loopback. It ends with this process, however that ends: a shell
//! holds our pipe and stops the server when it closes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

/// Address of an existing server whose user may create databases: `postgres://user@host/postgres`.
const VARIABLE: &str = "EARWITNESS_TEST_POSTGRES";

/// The address of a new, empty database.
pub fn new_database() -> String {
    static SERVER: OnceLock<String> = OnceLock::new();
    let server = SERVER.get_or_init(|| std::env::var(VARIABLE).unwrap_or_else(|_| start()));
    let name = format!("test_{}_{}", std::process::id(), fastrand::u64(..));
    let created = Command::new(program("psql"))
        .args([server.as_str(), "--quiet", "--no-psqlrc", "--command", &format!("create database {name}")])
        .stdin(Stdio::null())
        .output()
        .expect("psql runs");
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    let (base, _) = server.rsplit_once('/').expect("postgres://host/database");
    format!("{base}/{name}")
}

/// Where distributions put what is not on the path.
fn program(name: &str) -> PathBuf {
    let on_path = std::env::var_os("PATH").and_then(|path| {
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.exists())
    });
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let packaged = versions.map(|version| version.path().join("bin").join(name)).find(|file| file.exists());
    packaged.or(on_path).unwrap_or_else(|| {
        panic!("`{name}` is missing: install PostgreSQL (`make test` does), or set {VARIABLE} to a server's address")
    })
}

fn start() -> String {
    let folder = std::env::temp_dir().join(format!("earwitness-postgres-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a scratch folder");
    let port = free_port();
    // PostgreSQL refuses to be root.
    let as_user = match root() {
        true => {
            let owned = Command::new("chown").arg("postgres").arg(&folder).status().expect("chown runs");
            assert!(owned.success(), "there is no user `postgres`: install PostgreSQL's server package");
            "runuser -u postgres --"
        }
        false => "",
    };
    let data = folder.join("data");
    let script = format!(
        "cd {folder}; {as_user} {initdb} --no-sync --auth=trust --username=postgres --encoding=UTF8 -D {data} \
         >initdb.log 2>&1 || exit 1\n\
         {as_user} {postgres} -D {data} -p {port} -k {folder} -c listen_addresses=127.0.0.1 \
         -c max_connections=200 -c shared_buffers=256MB -c max_wal_size=2GB >server.log 2>&1 &\n\
         server=$!\n\
         trap '' INT TERM HUP\n\
         cat >/dev/null\n\
         kill -INT $(head -n 1 {data}/postmaster.pid); wait $server\n\
         cd /; rm -rf {folder}",
        folder = quoted(&folder),
        data = quoted(&data),
        initdb = quoted(&program("initdb")),
        postgres = quoted(&program("postgres")),
    );
    let shell = Command::new("sh").args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
    // Its pipe stays open as long as this process lives.
    std::mem::forget(shell.expect("a shell"));
    let address = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    for _ in 0..600 {
        let ready = Command::new(program("pg_isready")).args(["-q", "-d", &address]).status();
        if ready.is_ok_and(|status| status.success()) {
            return address;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let log = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    panic!("PostgreSQL did not start:\n{}{}", log("initdb.log"), log("server.log"));
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display())
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    id.stdout.trim_ascii() == b"0"
}
