//! A part of the demonstration: this same program as a process of its own, as in the field. None outlives the run.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::super::exit::{CliError, Exit};

/// Set for the parts: end once standard input ends, which is when whoever started them is gone.
const ENDS_WITH_PARENT: &str = "EARWITNESS_ENDS_WITH_PARENT";
/// How often it is looked whether a process has ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a process may take to end where something went wrong already.
const LAST_PATIENCE: Duration = Duration::from_secs(3);

/// A running process. Dropped: ended.
pub struct Part {
    child: Child,
    readers: Vec<JoinHandle<()>>,
}

impl Part {
    /// Starts this program with `arguments`. Each line of its standard output goes to `told`, of its standard error to
    /// `said`.
    pub fn start(
        arguments: &[&str],
        told: impl FnMut(&str) + Send + 'static,
        said: impl FnMut(&str) + Send + 'static,
    ) -> Result<Self> {
        let mut command = this_program(arguments)?;
        // Its standard input is open for as long as this process lives.
        command.stdin(Stdio::piped()).env(ENDS_WITH_PARENT, "1");
        // Ctrl-C reaches this process only: it ends the devices first, then the server that waits for their last words.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().context("starting a part of the demonstration")?;
        let out = child.stdout.take().map(|out| read_lines(out, told));
        let err = child.stderr.take().map(|err| read_lines(err, said));
        Ok(Self { child, readers: out.into_iter().chain(err).collect() })
    }

    /// How it ended, if it has; all that it said has been heard then.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.child.try_wait().context("looking after a part of the demonstration")?;
        if status.is_some() {
            for reader in self.readers.drain(..) {
                // A reader that panicked has nothing more to say.
                let _ = reader.join();
            }
        }
        Ok(status)
    }

    /// Asks it to end, as Ctrl-C and `kill` do; where there is no such thing it is ended.
    pub fn ask_to_end(&mut self) {
        #[cfg(unix)]
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // It may have ended by itself.
            let _ =
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
        }
        #[cfg(not(unix))]
        let _ = self.child.kill();
    }

    /// Waits until `deadline`, or until somebody is in a `hurry`, then ends it.
    pub fn end_by(&mut self, deadline: Instant, hurry: &AtomicBool) {
        loop {
            match self.ended() {
                Ok(Some(_)) => return,
                Ok(None) if Instant::now() < deadline && !hurry.load(Ordering::Relaxed) => {
                    thread::sleep(LOOK_EVERY);
                }
                _ => break,
            }
        }
        // An error says that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Ok(Some(_)) = self.child.try_wait() {
            return;
        }
        self.ask_to_end();
        self.end_by(Instant::now() + LAST_PATIENCE, &AtomicBool::new(false));
    }
}

/// Runs this program to its end; what it printed. `secret` is an environment variable: arguments can be read by others.
pub fn ask(arguments: &[&str], secret: Option<(&str, &str)>) -> Result<String> {
    let output =
        this_program(arguments)?.envs(secret).output().context("running a part of the demonstration")?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let why = said.lines().last().unwrap_or("it said nothing");
    let what = arguments.iter().take(2).copied().collect::<Vec<_>>().join(" ");
    Err(CliError::new(Exit::Internal, format!("`earwitness {what}` failed: {why}")).into())
}

/// This program, in no way led to a database or a device that is not of the demonstration.
fn this_program(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("finding this program's file")?);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_remove("EARWITNESS_STORE").env_remove("EARWITNESS_ENROLMENT_CODE");
    Ok(command)
}

/// In a part: ends it as Ctrl-C does once the demonstration is gone, even if that was killed and could end nobody.
#[cfg(unix)]
pub fn end_with_parent() {
    if std::env::var_os(ENDS_WITH_PARENT).is_none() {
        return;
    }
    thread::spawn(|| {
        // Nobody writes: this returns when the other end is closed.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM);
    });
}

/// Elsewhere parts end with the console.
#[cfg(not(unix))]
pub fn end_with_parent() {}

fn read_lines(
    from: impl Read + Send + 'static,
    mut each: impl FnMut(&str) + Send + 'static,
) -> JoinHandle<()> {
    thread::spawn(move || BufReader::new(from).lines().map_while(Result::ok).for_each(|line| each(&line)))
}
