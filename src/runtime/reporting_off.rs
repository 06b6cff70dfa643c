//! In builds without telemetry: a profile that asks for it is refused, not ignored.

use std::time::Duration;

use super::error::{ErrorKind, SetupError};
use super::routing::Notice;
use crate::config::Profile;
use crate::pipeline::{Event, RunSummary};
use crate::recorder::{FeedbackDesk, RecorderOptions};

/// There is none.
pub enum Outlet {}

/// There is none.
pub enum RunRecorder {}

/// There is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutletStatus {
    /// Records that wait on disk.
    pub records: u64,
    /// Their size.
    pub bytes: u64,
    /// Records that were given up since the journal began.
    pub lost: u64,
    /// Failures to send in a row; 0 after a success.
    pub failures: u32,
    /// The last failure since the last success.
    pub last_error: Option<String>,
    /// When the server last took something, ms since 1970-01-01 UTC.
    pub last_accepted_unix_ms: Option<u64>,
    /// It waits for a network that is not metered.
    pub waits_for_network: bool,
}

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
