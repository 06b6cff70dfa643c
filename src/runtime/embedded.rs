//! [`Runtime`]: loaded once, then one session after the other; what an app embeds.
//!
//! ```text
//! Runtime::open ── loads engines, opens the journal ──► Runtime ── start ──► Session ── push, finish, cancel
//!                                                          ▲                    │
//!                                                          └── engines go back ◄┘ (its thread tells every event)
//! ```

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::engines::Setup;
use super::error::{ErrorKind, SetupError};
use super::reporting::Outlet;
use super::routing::Routing;
use super::session::{Input, Session, SessionEvent, locked};
use crate::asr::Recognizer;
use crate::asr::whisper::WhisperRecognizer;
use crate::config::Profile;
use crate::endpoint::Endpointer;
use crate::models::ModelStore;

/// How an app wants it.
#[derive(Clone, Debug, Default)]
pub struct RuntimeOptions {
    /// The device's profile.
    pub profile: Profile,
    /// What records call the profile; `app` if empty.
    pub profile_name: String,
    /// Where models are; the user's cache folder by default, which a phone does not have.
    pub model_folder: Option<PathBuf>,
    /// Where utterances and records that wait are kept, unless the profile says; the user's data folder by default.
    pub data_folder: Option<PathBuf>,
    /// Whether live sessions tell what an unfinished utterance sounds like so far.
    pub partials: bool,
}

/// Loaded engines, and the way to the collection server. Dropping it sends for a few seconds what waits.
pub struct Runtime(Arc<Inner>);

/// What sessions share.
pub(super) struct Inner {
    pub(super) profile: Profile,
    pub(super) profile_name: String,
    pub(super) partials: bool,
    pub(super) outlet: Option<Outlet>,
    notices: Vec<String>,
    parts: Mutex<Option<Parts>>,
}

/// What one session at a time uses.
pub(super) struct Parts {
    pub(super) endpointer: Endpointer,
    pub(super) local: Option<WhisperRecognizer>,
    pub(super) routing: Routing,
}

impl Parts {
    /// What answers, for records.
    pub(super) fn engine(&self) -> String {
        self.local.as_ref().map_or_else(|| "cloud".to_owned(), |local| local.engine().to_string())
    }
}

/// The engines in the hands of one session; they go back when it is dropped.
pub(super) struct Lease {
    pub(super) inner: Arc<Inner>,
    parts: Option<Parts>,
}

impl Lease {
    fn of(inner: &Arc<Inner>) -> Option<Self> {
        let parts = locked(&inner.parts).take()?;
        Some(Self { inner: inner.clone(), parts: Some(parts) })
    }

    /// Uses the engines. If that panics they are not used again: something in them is half done.
    pub(super) fn run<T>(mut self, work: impl FnOnce(&mut Parts) -> T) -> Option<T> {
        let mut parts = self.parts.take()?;
        let done = catch_unwind(AssertUnwindSafe(|| work(&mut parts))).ok()?;
        self.parts = Some(parts);
        Some(done)
    }

    pub(super) fn parts(&self) -> Option<&Parts> {
        self.parts.as_ref()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(parts) = self.parts.take() {
            *locked(&self.inner.parts) = Some(parts);
        }
    }
}

impl Runtime {
    /// Loads what the profile asks for: some tenths of a second, the first time seconds, because weights are packed.
    ///
    /// # Errors
    /// [`SetupError`]: a model is missing, the profile contradicts itself, a folder cannot be used.
    pub fn open(options: RuntimeOptions) -> Result<Self, SetupError> {
        let RuntimeOptions { mut profile, profile_name, model_folder, data_folder, partials } = options;
        if let Some(folder) = data_folder {
            let below = |folder: &Path, name: &str| folder.join(name);
            if profile.spool.folder.as_os_str().is_empty() {
                profile.spool.folder = below(&folder, "spool");
            }
            if profile.telemetry.folder.as_os_str().is_empty() {
                profile.telemetry.folder = below(&folder, "telemetry");
            }
        }
        let models = match model_folder {
            Some(folder) => ModelStore::open(folder),
            None => ModelStore::open_default()?,
        };
        let mut notices = Vec::new();
        let mut notice = |text: &str| notices.push(text.to_owned());
        let setup = Setup::new(&profile, &models);
        let endpointer = setup.endpointer()?;
        let routing = Routing::live(&setup, &mut notice)?;
        let local = match routing.uses_local() {
            true => Some(setup.recognizer()?.0),
            false => None,
        };
        let profile_name = if profile_name.is_empty() { "app".to_owned() } else { profile_name };
        let outlet = Outlet::open(&profile, &profile_name, &mut notice)?;
        let parts = Mutex::new(Some(Parts { endpointer, local, routing }));
        Ok(Self(Arc::new(Inner { profile, profile_name, partials, outlet, notices, parts })))
    }

    /// What people must know: what leaves this device, where to, and why. To be shown before the first session.
    pub fn notices(&self) -> &[String] {
        &self.0.notices
    }

    /// Starts a session. There is one at a time. `on_event` is called from the session's thread, never twice at once; while
    /// it runs the pipeline goes on, and waits only when a thousand events are ahead of it.
    ///
    /// # Errors
    /// [`SetupError`]: another session runs ([`ErrorKind::Usage`]), the file or microphone cannot be opened.
    pub fn start(
        &self,
        input: &Input,
        mut on_event: impl FnMut(SessionEvent) + Send + 'static,
    ) -> Result<Session, SetupError> {
        let Some(lease) = Lease::of(&self.0) else {
            let message = "another session of this runtime is running, or failed: finish or cancel it first, or open \
                           another runtime";
            return Err(SetupError::new(ErrorKind::Usage, message));
        };
        for notice in &self.0.notices {
            on_event(SessionEvent::Notice(notice.clone()));
        }
        Session::start(lease, input, on_event)
    }
}
