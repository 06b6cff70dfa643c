//! In builds without telemetry: a profile that asks for it is refused, not ignored.

use std::time::Duration;

use super::error::{ErrorKind, SetupError};
use super::outlet_status::OutletStatus;
use super::routing::Notice;
use crate::config::Profile;
use crate::pipeline::{Event, RunSummary};
use crate::recorder::{FeedbackDesk, RecorderOptions};

/// There is none.
pub enum Outlet {}

/// There is none.
pub enum RunRecorder {}

impl Outlet {
    /// Refuses a profile that asks for one.
    ///
    /// # Errors
    /// [`SetupError`] of [`ErrorKind::Config`].
    pub fn open(
        profile: &Profile,
        _profile_name: &str,
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

    /// Cannot be called.
    ///
    /// # Errors
    /// None.
    pub fn recorder(&self, _run: RecorderOptions) -> Result<RunRecorder, SetupError> {
        match *self {}
    }

    /// Cannot be called.
    pub fn wake(&self) {
        match *self {}
    }

    /// Cannot be called.
    pub fn patience(self, _patience: Duration) -> Self {
        match self {}
    }

    /// Cannot be called.
    pub fn status(&self) -> OutletStatus {
        match *self {}
    }

    /// Cannot be called.
    pub fn end(&self, _within: Duration) {
        match *self {}
    }
}

impl RunRecorder {
    /// Cannot be called.
    pub fn hear(&self, _event: &Event) {
        match *self {}
    }

    /// Cannot be called.
    pub fn desk(&self) -> FeedbackDesk {
        match *self {}
    }

    /// Cannot be called.
    pub fn end(&self, _summary: &RunSummary) {
        match *self {}
    }
}
