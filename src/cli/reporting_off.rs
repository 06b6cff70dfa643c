//! In builds without telemetry: a profile that asks for it is refused, not ignored.

use anyhow::Result;
use earwitness::config::Profile;
use earwitness::pipeline::{Event, RunSummary};
use earwitness::recorder::{FeedbackDesk, RecorderOptions};

use super::exit::{CliError, Exit};

/// There is none.
pub enum Reporting {}

impl Reporting {
    pub fn start(profile: &Profile, _run: RecorderOptions) -> Result<Option<Self>> {
        match profile.telemetry.is_on() {
            true => {
                let message = "the profile has `[telemetry] url`, and this build reports nothing: build with \
                               `--features telemetry`, or take the section out";
                Err(CliError::new(Exit::Config, message).into())
            }
            false => Ok(None),
        }
    }

    pub fn hear(&self, _event: &Event) {
        match *self {}
    }

    pub fn desk(&self) -> FeedbackDesk {
        match *self {}
    }

    pub fn finish(self, _summary: &RunSummary) {
        match self {}
    }
}
