//! [`Runtime`]: loaded once, then one session after the other; what an app embeds.
//!
//! ```text
//! Runtime::open ── loads engines, opens the journal ──► Runtime ── start ──► Session ── push, finish, cancel
//!                                                          ▲                    │
//!                                                          └── engines go back ◄┘ (its thread tells every event)
//! ```

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use super::engines::Setup;
use super::error::{ErrorKind, SetupError};
use super::input::Input;
use super::outlet_status::OutletStatus;
use super::reporting::Outlet;
use super::routing::Routing;
use super::run::{Shared, again};
use super::session::{Session, SessionEvent, locked};
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
    /// Where packed weights are kept, which are made once from a model and mapped from then on; a folder in that of the
    /// models by default. Models that come with an app often lie where nothing can be written.
    pub cache_folder: Option<PathBuf>,
    /// Whether live sessions tell what an unfinished utterance sounds like so far.
    pub partials: bool,
}

impl RuntimeOptions {
    /// The profile, with what waits below `data_folder` unless it says where.
    pub(super) fn placed_profile(&self) -> Profile {
        let mut profile = self.profile.clone();
        if let Some(folder) = &self.data_folder {
            let place = |wanted: &mut PathBuf, name: &str| {
                if wanted.as_os_str().is_empty() {
                    *wanted = folder.join(name);
                }
            };
            place(&mut profile.spool.folder, "spool");
            place(&mut profile.telemetry.folder, "telemetry");
        }
        profile
    }
}

/// Loaded engines, and the way to the collection server. Dropping it lets a session that runs go on;
/// [`close`](Self::close) ends it.
pub struct Runtime(Arc<Inner>);

/// What sessions share.
pub(super) struct Inner {
    pub(super) profile: Profile,
    pub(super) profile_name: String,
    pub(super) partials: bool,
    pub(super) notices: Vec<String>,
    outlet: Mutex<Option<Arc<Outlet>>>,
    state: Mutex<State>,
}

struct State {
    /// `None` while a session has them.
    parts: Option<Parts>,
    closed: bool,
    /// Closed from a session's own callback, whose end does the rest.
    left: bool,
    /// Sessions that somebody still holds, the latest last.
    sessions: Vec<Weak<Shared>>,
}

impl Inner {
    pub(super) fn is_closed(&self) -> bool {
        locked(&self.state).closed
    }

    pub(super) fn outlet(&self) -> Option<Arc<Outlet>> {
        locked(&self.outlet).clone()
    }

    /// A new session has begun: those before take no more feedback.
    pub(super) fn goes_on_with(&self, shared: &Arc<Shared>) {
        let sessions = locked(&self.state).sessions.clone();
        let before =
            sessions.iter().filter_map(Weak::upgrade).filter(|session| !Arc::ptr_eq(session, shared));
        before.for_each(|session| session.retire());
    }

    /// A session has ended. `true` if its callback closed the runtime: then journal and uploader are let go, and what was not
    /// sent stays on disk.
    pub(super) fn finish_close(&self) -> bool {
        let left = locked(&self.state).left;
        let outlet = if left { locked(&self.outlet).take() } else { None };
        drop(outlet);
        left
    }
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
    /// The engines for the session that `shared` stands for, unless they are in use.
    fn of(inner: &Arc<Inner>, shared: &Arc<Shared>) -> Option<Self> {
        let mut state = locked(&inner.state);
        let parts = state.parts.take()?;
        state.sessions.retain(|session| session.strong_count() > 0);
        state.sessions.push(Arc::downgrade(shared));
        Some(Self { inner: inner.clone(), parts: Some(parts) })
    }

    /// Uses the engines. If that panics they are not used again: something in them is half done.
    pub(super) fn run<T>(&mut self, work: impl FnOnce(&mut Parts) -> T) -> Option<T> {
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
            let mut state = locked(&self.inner.state);
            if !state.closed {
                state.parts = Some(parts);
            }
        }
    }
}

impl Runtime {
    /// Loads what the profile asks for: some tenths of a second, the first time seconds, because weights are packed.
    ///
    /// # Errors
    /// [`SetupError`]: a model is missing, the profile contradicts itself, a folder cannot be used.
    pub fn open(options: RuntimeOptions) -> Result<Self, SetupError> {
        let profile = options.placed_profile();
        let models = match options.model_folder {
            Some(folder) => ModelStore::open(folder),
            None => ModelStore::open_default()?,
        };
        let mut notices = Vec::new();
        let mut notice = |text: &str| notices.push(text.to_owned());
        let mut setup = Setup::new(&profile, &models);
        if let Some(folder) = options.cache_folder {
            setup.packed = folder;
        }
        let endpointer = setup.endpointer()?;
        let routing = Routing::live(&setup, &mut notice)?;
        let local = match routing.uses_local() {
            true => Some(setup.recognizer()?.0),
            false => None,
        };
        let profile_name = match options.profile_name.is_empty() {
            true => "app".to_owned(),
            false => options.profile_name,
        };
        let outlet = Outlet::open(&profile, &profile_name, &mut notice)?;
        // Who lets it go without closing it does not want to wait.
        let outlet = outlet.map(|outlet| Arc::new(outlet.patience(Duration::ZERO)));
        let parts = Some(Parts { endpointer, local, routing });
        Ok(Self(Arc::new(Inner {
            profile,
            profile_name,
            partials: options.partials,
            notices,
            outlet: Mutex::new(outlet),
            state: Mutex::new(State { parts, closed: false, left: false, sessions: Vec::new() }),
        })))
    }

    /// What people must know: what leaves this device, where to, and why. To be shown before the first session.
    pub fn notices(&self) -> &[String] {
        &self.0.notices
    }

    /// What waits for the collection server, and how sending goes; `None` where the profile has no telemetry.
    pub fn outlet_status(&self) -> Option<OutletStatus> {
        self.0.outlet().map(|outlet| outlet.status())
    }

    /// Starts a session. There is one at a time. `on_event` is called from the session's thread, never twice at once, and
    /// maybe before this returns; while it runs the pipeline goes on, and waits only when a thousand events are ahead of it.
    ///
    /// # Errors
    /// [`SetupError`]: another session runs or the runtime is closed ([`ErrorKind::Usage`]), the file or microphone cannot
    /// be opened.
    pub fn start(
        &self,
        input: &Input,
        on_event: impl FnMut(SessionEvent) + Send + 'static,
    ) -> Result<Session, SetupError> {
        let shared = Arc::new(Shared::new(matches!(input, Input::Microphone(_))));
        let Some(lease) = Lease::of(&self.0, &shared) else {
            let message = match self.0.is_closed() {
                true => "this runtime is closed: open another",
                false => {
                    "another session of this runtime is running, or failed inside: finish or cancel it and wait for \
                     its end; if there is none, close this runtime and open another"
                }
            };
            return Err(SetupError::new(ErrorKind::Usage, message));
        };
        let started = Session::start(lease, &shared, input, on_event);
        // Who closes the runtime meanwhile waits for it.
        started.inspect_err(|error| shared.finish(Err(again(error))))
    }

    /// Ends everything: a session that runs is cancelled and waited for, what waits for the collection server is sent for at
    /// most `flush`, models, spool and journal are let go. Another runtime can use the same folders then. From a session's
    /// own callback it does not wait, and the session's end does the rest. What was not sent lies on disk.
    pub fn close(&self, flush: Duration) {
        let (parts, sessions) = {
            let mut state = locked(&self.0.state);
            state.closed = true;
            (state.parts.take(), state.sessions.clone())
        };
        drop(parts);
        let sessions: Vec<_> = sessions.iter().filter_map(Weak::upgrade).collect();
        sessions.iter().for_each(|session| session.cancel());
        if sessions.iter().any(|session| session.is_own_thread()) {
            locked(&self.0.state).left = true;
            return;
        }
        for session in sessions {
            // How it ended was told to whom it concerns.
            let _ = session.wait();
            session.retire();
        }
        let outlet = locked(&self.0.outlet).take();
        if let Some(outlet) = outlet {
            outlet.end(flush);
        }
    }
}
