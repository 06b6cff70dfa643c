//! A device at work: it hears its recordings again and again, each time in a new run.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use indicatif::ProgressBar;

use super::super::exit::{CliError, Exit, eprint_line};
use super::device::{Device, Prepared};
use super::part::Part;

/// Runs that may fail one after the other.
const FAILURES_IN_A_ROW: u32 = 3;

/// A device and its present run.
pub struct Member {
    device: &'static Device,
    prepared: Prepared,
    part: Option<Part>,
    runs: usize,
    failures: u32,
    heard: Arc<AtomicU64>,
    /// What it said: each line is shown once, though each run says it.
    said: Arc<Mutex<HashSet<String>>>,
}

impl Member {
    /// A device that hears nothing yet.
    pub fn new(device: &'static Device, prepared: Prepared) -> Self {
        Self {
            device,
            prepared,
            part: None,
            runs: 0,
            failures: 0,
            heard: Arc::default(),
            said: Arc::default(),
        }
    }

    /// Its name and how many utterances it has recognized.
    pub fn progress(&self) -> String {
        format!("{} {}", self.device.name, self.heard.load(Ordering::Relaxed))
    }

    /// Begins with the next recording if none is heard.
    ///
    /// # Errors
    /// If run after run failed.
    pub fn look_after(&mut self, pace: f64, line: &ProgressBar) -> Result<()> {
        let ended = match &mut self.part {
            Some(part) => part.ended()?,
            None => return self.start(pace, line),
        };
        let Some(status) = ended else { return Ok(()) };
        self.failures = if status.success() { 0 } else { self.failures + 1 };
        if self.failures == FAILURES_IN_A_ROW {
            let message = format!("{} failed {FAILURES_IN_A_ROW} times in a row: {status}", self.device.name);
            return Err(CliError::new(Exit::Internal, message).into());
        }
        self.start(pace, line)
    }

    fn start(&mut self, pace: f64, line: &ProgressBar) -> Result<()> {
        let profile = self.prepared.profile.to_str().context("the folder's name is not Unicode")?;
        let recordings = &self.prepared.recordings;
        let recording =
            recordings[self.runs % recordings.len()].to_str().context("the folder's name is not Unicode")?;
        self.runs += 1;
        let heard = self.heard.clone();
        let told = move |event: &str| {
            if event.starts_with("{\"event\":\"final\"") {
                heard.fetch_add(1, Ordering::Relaxed);
            }
        };
        let (name, said, line) = (self.device.name, self.said.clone(), line.clone());
        let say = move |text: &str| {
            let new = said.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned());
            if new && !text.starts_with("Listening to ") {
                line.suspend(|| eprint_line(&format!("{name}: {text}")));
            }
        };
        let pace = pace.to_string();
        let arguments =
            ["listen", "--profile", profile, "--input", recording, "--pace", &pace, "--format", "jsonl"];
        self.part = Some(Part::start(&arguments, told, say)?);
        Ok(())
    }

    /// Asks it to send its last words.
    pub fn ask_to_end(&mut self) {
        if let Some(part) = &mut self.part {
            part.ask_to_end();
        }
    }

    /// Ends it by `deadline`; see [`Part::end_by`].
    pub fn end_by(&mut self, deadline: Instant, hurry: &std::sync::atomic::AtomicBool) {
        if let Some(part) = &mut self.part {
            part.end_by(deadline, hurry);
        }
    }
}
