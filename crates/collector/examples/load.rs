//! How fast a collection server takes records, beside the fastest that its database takes them.
//!
//! ```sh
//! cargo run --release -p earwitness-collector --example load -- target/release/earwitness [STORE] [DEVICES] [SECONDS] [RECORDS_PER_S]
//! ```
//! RECORDS_PER_S bounds what is sent (as fast as it goes). STORE is `sqlite` (default) or `postgres://…` of an empty database. A server is started on loopback, durable as always;
//! 8 connections send batches of 500 utterances of about 1.1 kB from DEVICES (200) for SECONDS (20), as devices that catch
//! up. Before and after it, such rows go into a table of the same shape with nothing in between: COPY on PostgreSQL, statements of 64
//! rows on SQLite, as many in a transaction as the server has on average, each made durable. One line of JSON tells.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::{Value, json};

const CONNECTIONS: usize = 8;
const BATCH: u64 = 500;
/// Rows of the database alone.
const BULK_RECORDS: u64 = 300_000;

struct Server {
    child: Child,
    folder: std::path::PathBuf,
    url: String,
    key: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn start(program: &str, store: &str) -> Server {
    let folder = std::env::temp_dir().join(format!("earwitness-load-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a scratch folder");
    let mut common = vec!["--folder".to_owned(), folder.display().to_string()];
    if store != "sqlite" {
        common.extend(["--store".to_owned(), store.to_owned()]);
    }
    let appointed = Command::new(program)
        .args(["collect", "appoint", "load", "--role", "admin"])
        .args(&common)
        .output()
        .expect("the server's program runs");
    assert!(appointed.status.success(), "{}", String::from_utf8_lossy(&appointed.stderr));
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let listen = format!("127.0.0.1:{port}");
    let child = Command::new(program)
        .args(["collect", "--listen", &listen, "--max-requests-per-s", "100000"])
        .args(&common)
        .stdin(Stdio::null())
        .spawn()
        .expect("the server starts");
    let key = String::from_utf8_lossy(&appointed.stdout).trim().to_owned();
    Server { child, folder, url: format!("http://{listen}"), key }
}

/// Resident memory of the server, MiB.
fn memory_mib(server: &Server) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1024.0
}

/// Records like those of devices, in JSON, with times of the last hours.
fn records(seed: u64) -> Vec<String> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let now = now.as_millis() as u64;
    let record = |n: u64, rng: &mut fastrand::Rng| {
        json!({
            "recorded_unix_ms": now - rng.u64(0..6 * 3_600_000), "kind": "utterance", "body": {
                "utterance_id": format!("a1b2c3d4e5f60718-{n}"), "session_id": "a1b2c3d4e5f60718",
                "engine": "whisper/tiny.en/int8@0.1.0", "route": "local", "reason": "policy", "profile": "raspberry-pi-4",
                "app_version": "0.1.0",
                "input": {"duration_ms": 1000.0 + rng.f64() * 9000.0, "speech_ms": 900.0 + rng.f64() * 5000.0,
                    "rms_dbfs": -40.0 + rng.f64() * 20.0, "peak_dbfs": -12.0 + rng.f64() * 9.0,
                    "loudness_lufs": -35.0 + rng.f64() * 12.0, "clipping_ratio": 0.0, "dc_offset": 0.0001,
                    "snr_db": 8.0 + rng.f64() * 25.0, "bandwidth_hz": 3500.0 + rng.f64() * 4400.0,
                    "dropped_samples": 0, "overruns": 0, "native_rate_hz": 48000, "native_channels": 2,
                    "mean_speech_probability": 0.9, "missing_samples": 0, "zero_run_ms": 0.0},
                "output": {"outcome": "transcript", "words": rng.u64(1..30), "characters": rng.u64(5..150),
                    "tokens": rng.u64(3..50), "avg_logprob": -rng.f64(), "no_speech_prob": rng.f64() * 0.1,
                    "compression_ratio": 1.0 + rng.f64(), "temperature": 0.0, "fallbacks": 0, "language": "en"},
                "software": {"queue_ms": rng.f64(), "log_mel_ms": 3.0, "encode_ms": 60.0 + rng.f64() * 50.0,
                    "decode_ms": 30.0 + rng.f64() * 80.0, "align_ms": 0.0, "cloud_ms": 0.0,
                    "recognize_ms": 100.0 + rng.f64() * 120.0, "end_of_speech_to_final_ms": 500.0 + rng.f64() * 300.0,
                    "real_time_factor": 0.03, "speculative": true, "queue_depth": 0, "rss_bytes": 120_000_000,
                    "cpu_share": rng.f64(), "temperature_celsius": 40.0 + rng.f64() * 30.0}
            }
        })
        .to_string()
    };
    (0..BATCH).map(|n| record(n, &mut rng)).collect()
}

async fn enrol(client: &Client, server: &Server, name: &str) -> String {
    let code = client.post(format!("{}/api/v1/enrolments", server.url)).bearer_auth(&server.key);
    let code: Value =
        serde_json::from_str(&code.send().await.expect("a code").text().await.expect("text")).expect("JSON");
    let body = json!({"code": code["code"], "device_id": name}).to_string();
    let enrolled =
        client.post(format!("{}/api/v1/enroll", server.url)).body(body).send().await.expect("enrolled");
    let enrolled: Value = serde_json::from_str(&enrolled.text().await.expect("text")).expect("JSON");
    enrolled["token"].as_str().expect("a token").to_owned()
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let Some(program) = arguments.get(1) else {
        eprint("say which program: target/release/earwitness");
        std::process::exit(2);
    };
    let store = arguments.get(2).map_or("sqlite", String::as_str).to_owned();
    let number =
        |place: usize, default: u64| arguments.get(place).and_then(|a| a.parse().ok()).unwrap_or(default);
    let (devices, seconds, most_per_s) = (number(3, 200), number(4, 20), number(5, u64::MAX));
    let bulk_before = bulk::rate(&store, BULK_RECORDS, devices).await;
    let server = Arc::new(start(program, &store));
    let client = Client::new();
    for _ in 0..200 {
        if client.get(format!("{}/health", server.url)).send().await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut tokens = Vec::new();
    for n in 0..devices {
        tokens.push(enrol(&client, &server, &format!("device-{n:05}")).await);
    }
    let records = records(7).join(",") + "]}";
    let bytes_per_record = records.len() as u64 / BATCH;
    let records = Arc::new(zstd::encode_all(records.as_bytes(), 3).expect("compresses"));
    let stored = Arc::new(AtomicU64::new(0));
    let begin = Instant::now();
    let deadline = begin + Duration::from_secs(seconds);
    let mut lanes = Vec::new();
    let tokens = Arc::new(tokens);
    for lane in 0..CONNECTIONS {
        let (client, server, tokens) = (Client::new(), Arc::clone(&server), Arc::clone(&tokens));
        let (records, stored) = (Arc::clone(&records), Arc::clone(&stored));
        lanes.push(tokio::spawn(async move {
            let (mut took, mut round) = (Vec::new(), 0_u64);
            let mine: Vec<usize> = (lane..tokens.len()).step_by(CONNECTIONS).collect();
            'all: loop {
                for device in &mine {
                    if Instant::now() > deadline {
                        break 'all;
                    }
                    let head = format!(
                        "{{\"schema_version\":1,\"stream_id\":\"s1\",\"sent_unix_ms\":1,\"first_sequence\":{},\"records\":[",
                        round * BATCH + 1
                    );
                    // Two frames, one after the other: what devices spend on compression is not the server's.
                    let head = zstd::encode_all(head.as_bytes(), 1).expect("compresses");
                    let body = [head.as_slice(), &records].concat();
                    let sent = Instant::now();
                    loop {
                        let request = client
                            .post(format!("{}/api/v1/batches", server.url))
                            .bearer_auth(&tokens[*device])
                            .header("content-encoding", "zstd")
                            .body(body.clone());
                        let answer = request.send().await.expect("an answer");
                        if answer.status() == 200 {
                            break;
                        }
                        assert!(matches!(answer.status().as_u16(), 429 | 503), "{}", answer.status());
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    took.push(sent.elapsed().as_secs_f64() * 1e3);
                    let so_far = stored.fetch_add(BATCH, Ordering::Relaxed) + BATCH;
                    let due = Duration::from_secs_f64(so_far as f64 / most_per_s as f64);
                    tokio::time::sleep(due.saturating_sub(begin.elapsed())).await;
                }
                round += 1;
            }
            took
        }));
    }
    let (mut memory, mut rates, mut before) = (Vec::new(), Vec::new(), 0);
    let tenth = Duration::from_secs_f64(seconds as f64 / 10.0);
    for _ in 0..10 {
        tokio::time::sleep(tenth).await;
        memory.push(memory_mib(&server).round());
        let now = stored.load(Ordering::Relaxed);
        rates.push(((now - before) as f64 / tenth.as_secs_f64()).round());
        before = now;
    }
    let mut took = Vec::new();
    for lane in lanes {
        took.extend(lane.await.expect("a lane"));
    }
    let elapsed = begin.elapsed().as_secs_f64();
    let stored = stored.load(Ordering::Relaxed);
    let derived = derived_after(&client, &server, stored).await;
    let whole = begin.elapsed().as_secs_f64();
    took.sort_by(f64::total_cmp);
    let quantile = |q: f64| took.get(((took.len() - 1) as f64 * q) as usize).copied().unwrap_or(f64::NAN);
    let memory_end = memory_mib(&server).round();
    // The server is gone before its database is measured alone.
    drop(server);
    // Before and after: a machine is not the same from one minute to the next. The better counts.
    let bulk = bulk_before.max(bulk::rate(&store, BULK_RECORDS, devices).await);
    let rate = stored as f64 / elapsed;
    let line = json!({
        "store": store.split(':').next(), "devices": devices, "records": stored, "bytes_per_record": bytes_per_record,
        "seconds": round(elapsed), "records_per_s": rate.round(), "bulk_records_per_s": bulk.round(),
        "share_of_bulk": round(rate / bulk), "in_rollups_records_per_s": (derived as f64 / whole).round(),
        "batch_p50_ms": round(quantile(0.5)), "batch_p99_ms": round(quantile(0.99)),
        "records_per_s_by_tenths": rates, "memory_mib": memory, "memory_end_mib": memory_end,
    });
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn eprint(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Waits until everything is in the roll-ups; how many records are.
async fn derived_after(client: &Client, server: &Server, stored: u64) -> u64 {
    for _ in 0..3_000 {
        let metrics = client.get(format!("{}/metrics", server.url)).send().await.expect("metrics");
        let text = metrics.text().await.expect("text");
        let line =
            text.lines().find_map(|line| line.strip_prefix("earwitness_collector_derived_records_total "));
        let derived = line.and_then(|count| count.parse().ok()).unwrap_or(0);
        if derived >= stored {
            return derived;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    0
}

mod bulk {
    //! The database alone.

    use std::time::Instant;

    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

    /// Rows in one durable transaction: what the server has with 8 connections that send 500 each.
    const ROWS: usize = 4_000;

    pub async fn rate(store: &str, records: u64, devices: u64) -> f64 {
        let bodies: Vec<String> = super::records(9);
        let bodies: Vec<String> = bodies.iter().map(|record| body(record)).collect();
        match store {
            "sqlite" => sqlite(&bodies, records, devices).await,
            url => postgres(url, &bodies, records, devices).await,
        }
    }

    fn body(record: &str) -> String {
        let value: serde_json::Value = serde_json::from_str(record).expect("JSON");
        value["body"].to_string()
    }

    async fn sqlite(bodies: &[String], records: u64, devices: u64) -> f64 {
        let folder = std::env::temp_dir().join(format!("earwitness-bulk-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a scratch folder");
        let options = SqliteConnectOptions::new()
            .filename(folder.join("bulk.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("cache_size", "-65536")
            .pragma("wal_autocheckpoint", "4096");
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.expect("opens");
        for statement in [
            "create table records (device_id text not null, stream_id text not null, sequence integer not null, \
             received_ms integer not null, recorded_ms integer not null, kind text not null, body text not null) strict",
            "create unique index records_by_sequence on records (device_id, stream_id, sequence)",
        ] {
            sqlx::query(statement).execute(&pool).await.expect("a table");
        }
        let places = vec!["(?, ?, ?, ?, ?, ?, ?)"; 64].join(", ");
        let insert = format!("insert into records values {places}");
        let begin = Instant::now();
        let (mut done, mut sequence) = (0, 0);
        while done < records {
            let mut tx = pool.begin().await.expect("begins");
            for _ in 0..ROWS / 64 {
                let mut query = sqlx::query(sqlx::AssertSqlSafe(insert.as_str()));
                for n in 0..64_u64 {
                    let device = (done / super::BATCH) % devices;
                    sequence += 1;
                    query = query
                        .bind(format!("device-{device:05}"))
                        .bind("s1")
                        .bind(sequence)
                        .bind(1_i64)
                        .bind(1_i64)
                        .bind("utterance")
                        .bind(bodies[((done + n) % super::BATCH) as usize].as_str());
                }
                query.execute(&mut *tx).await.expect("inserts");
                done += 64;
            }
            tx.commit().await.expect("commits");
        }
        let rate = done as f64 / begin.elapsed().as_secs_f64();
        pool.close().await;
        let _ = std::fs::remove_dir_all(folder);
        rate
    }

    async fn postgres(url: &str, bodies: &[String], records: u64, devices: u64) -> f64 {
        let pool =
            sqlx::postgres::PgPoolOptions::new().max_connections(1).connect(url).await.expect("connects");
        for statement in [
            "drop table if exists bulk",
            "create table bulk (device_id text not null, stream_id text not null, sequence bigint not null, \
             received_ms bigint not null, recorded_ms bigint not null, kind text not null, body text not null)",
            "create index bulk_by_sequence on bulk (device_id, stream_id, sequence)",
        ] {
            sqlx::query(statement).execute(&pool).await.expect("a table");
        }
        let begin = Instant::now();
        let (mut done, mut sequence) = (0, 0_u64);
        while done < records {
            let mut text = String::new();
            for n in 0..ROWS as u64 {
                let device = ((done + n) / super::BATCH) % devices;
                sequence += 1;
                // No character of these bodies needs an escape.
                text.push_str(&format!("device-{device:05}\ts1\t{sequence}\t1\t1\tutterance\t"));
                text.push_str(&bodies[((done + n) % super::BATCH) as usize]);
                text.push('\n');
            }
            let mut tx = pool.begin().await.expect("begins");
            let mut copy = tx.copy_in_raw("copy bulk from stdin").await.expect("copies");
            copy.send(text.as_bytes()).await.expect("sends");
            copy.finish().await.expect("finishes");
            tx.commit().await.expect("commits");
            done += ROWS as u64;
        }
        let rate = done as f64 / begin.elapsed().as_secs_f64();
        sqlx::query("drop table bulk").execute(&pool).await.expect("drops");
        rate
    }
}
