//! In builds without telemetry: a profile that asks for it is refused, not ignored.

use crate::config::Profile;
use crate::pipeline::{Event, RunSummary};
use crate::recorder::{FeedbackDesk, RecorderOptions};

use super::error::{ErrorKind, SetupError};
use super::routing::Notice;

/// There is none.
pub enum Reporting {}

impl Reporting {
    pub fn start(
        profile: &Profile,
        _run: RecorderOptions,
        _notice: Notice<'_>,
    ) -> Result<Option<Self>, SetupError> {
        match profile.telemetry.is_on() {
            true => {
                let message = "the profile has `[telemetry] url`, and this build reports nothing: build with \
                               `--features telemetry`, or take the section out";
                Err(SetupError::new(ErrorKind::Config, message))
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
