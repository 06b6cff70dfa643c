//! A program that gets the transcript on its stdin.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{MAX_ANSWER_BYTES, TIMEOUT};

const POLL: Duration = Duration::from_millis(5);

/// Runs `program` and gives what it printed.
pub(super) fn run(program: &str, transcript: &Value) -> Result<Vec<u8>, String> {
    let spawned = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|e| format!("cannot run {program}: {e}"))?;
    let line = format!("{transcript}\n");
    let stdin = child.stdin.take();
    let stdout = child.stdout.take();
    let (status, printed) = std::thread::scope(|scope| {
        // A program that reads nothing, or prints first, must not hold us.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(line.as_bytes())));
        let printed = scope.spawn(move || {
            let mut bytes = Vec::new();
            if let Some(stdout) = stdout {
                // What was read until an error is what there is.
                let _ = stdout.take(MAX_ANSWER_BYTES as u64).read_to_end(&mut bytes);
            }
            bytes
        });
        (wait(&mut child), printed.join().unwrap_or_default())
    });
    match status? {
        Some(status) if status.success() => Ok(printed),
        Some(status) => Err(format!("{program} ended with {status}")),
        None => Err(format!("{program} was ended after {} s", TIMEOUT.as_secs())),
    }
}

/// Its status, or `None` if it had to be ended.
fn wait(child: &mut Child) -> Result<Option<std::process::ExitStatus>, String> {
    let begin = Instant::now();
    let fail = |e: std::io::Error| e.to_string();
    while begin.elapsed() < TIMEOUT {
        if let Some(status) = child.try_wait().map_err(fail)? {
            return Ok(Some(status));
        }
        std::thread::sleep(POLL);
    }
    child.kill().map_err(fail)?;
    child.wait().map_err(fail)?;
    Ok(None)
}
