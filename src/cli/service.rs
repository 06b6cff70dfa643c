//! What `listen` and `serve` tell the service manager: that they are ready, how it goes, that they are alive.
//!
//! The protocol is systemd's (`sd_notify`): datagrams to the socket in `NOTIFY_SOCKET`. Without that variable, and on
//! systems without such sockets, nothing is sent. A sign of life is sent only while audio comes, or the microphone was away for
//! less than [`AWAY`], and while what was said gets its answers: a process in which one of these hangs is restarted by the
//! manager. No message carries what was said.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use earwitness::audio::{AudioError, AudioSource, NativeFormat, Read, SourceFaults};
use earwitness::pipeline::{Event, StopSignal};

/// The service manager that started this process, if one did.
#[derive(Clone, Debug, Default)]
pub struct Manager {
    socket: Option<OsString>,
    /// How often it wants a sign of life.
    watchdog: Option<Duration>,
}

impl Manager {
    /// The one that the environment names.
    pub fn of_environment() -> Self {
        let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        Self {
            socket: std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()),
            watchdog: number("WATCHDOG_USEC").filter(|&us| ours && us > 0).map(Duration::from_micros),
        }
    }

    /// Sends one message. A manager that does not listen is no reason to stop.
    pub fn tell(&self, message: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = send(socket, message)
        {
            tracing::debug!(%error, "the service manager does not listen");
        }
    }
}

#[cfg(unix)]
fn send(socket: &OsString, message: &str) -> std::io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::UnixDatagram;
    let datagrams = UnixDatagram::unbound()?;
    // A manager that does not read must not hold the pipeline up.
    datagrams.set_nonblocking(true)?;
    match socket.as_bytes().strip_prefix(b"@") {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Some(name) => {
            #[cfg(target_os = "android")]
            use std::os::android::net::SocketAddrExt;
            #[cfg(target_os = "linux")]
            use std::os::linux::net::SocketAddrExt;
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
            datagrams.send_to_addr(message.as_bytes(), &address)?;
        }
        _ => {
            datagrams.send_to(message.as_bytes(), socket)?;
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn send(_socket: &OsString, _message: &str) -> std::io::Result<()> {
    Ok(())
}

/// A microphone that is away is looked for so long; then a new process, with a new connection to the sound system, may do
/// better.
const AWAY: Duration = Duration::from_secs(600);
/// A gap of less is nothing to speak of.
const SHORT: Duration = Duration::from_secs(2);
/// An utterance that has no answer after this long never gets one. The slowest board takes some minutes for the longest.
const HANGS: Duration = Duration::from_secs(600);
/// What is not answered so long after the end of listening waits on disk for another run, before the manager kills
/// (`TimeoutStopSec=60`).
const ENDING: Duration = Duration::from_secs(40);

/// What shows that the pipeline goes on.
#[derive(Clone, Debug, Default)]
struct Pulse {
    audio: Arc<AtomicU64>,
    /// Which utterances wait for an answer, and since when.
    waiting: Arc<Mutex<BTreeMap<u64, Instant>>>,
}

impl Pulse {
    fn beat(&self) {
        self.audio.fetch_add(1, Ordering::Relaxed);
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<u64, Instant>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What came before it is over, too: a spool may have had the answer already, and nothing is told then.
    fn answered(&self, utterance: u64) {
        let mut waiting = self.waiting();
        let after = waiting.split_off(&utterance);
        *waiting = after.into_iter().filter(|(index, _)| *index != utterance).collect();
    }

    fn hangs(&self, limit: Duration) -> bool {
        self.waiting().values().any(|since| since.elapsed() > limit)
    }
}

/// One run of the pipeline, as the manager sees it.
pub struct Watched {
    manager: Manager,
    pulse: Pulse,
    stop: StopSignal,
    name: String,
    utterances: u64,
    lost: u64,
}

impl Watched {
    /// `name` is what is listened to; `stop` ends it.
    pub fn new(manager: Manager, name: &str, stop: &StopSignal) -> Self {
        let (pulse, stop) = (Pulse::default(), stop.clone());
        Self { manager, pulse, stop, name: name.to_owned(), utterances: 0, lost: 0 }
    }

    /// The same source; the manager hears of its first audio (`READY`), of its progress (`WATCHDOG`) and of its end (`STOPPING`).
    pub fn source(&self, source: Box<dyn AudioSource>) -> Box<dyn AudioSource> {
        if self.manager.socket.is_none() {
            return source;
        }
        let (manager, pulse, stop) = (self.manager.clone(), self.pulse.clone(), self.stop.clone());
        Box::new(WatchedSource {
            source,
            manager,
            pulse,
            stop,
            status: self.status(),
            signs: None,
            away: None,
            told_away: false,
        })
    }

    /// Takes note of an event.
    pub fn hear(&mut self, event: &Event) {
        match event {
            Event::SpeechEnded { utterance, .. } => {
                self.pulse.waiting().insert(*utterance, Instant::now());
            }
            Event::Final(result) => self.pulse.answered(result.utterance),
            Event::Failed { utterance, .. }
            | Event::Deferred { utterance, .. }
            | Event::Dropped { utterance, .. } => self.pulse.answered(*utterance),
            _ => {}
        }
        match event {
            Event::Final(_) => self.utterances += 1,
            Event::Failed { .. } | Event::Dropped { .. } => self.lost += 1,
            _ => return,
        }
        self.manager.tell(&self.status());
    }

    fn status(&self) -> String {
        let Self { name, utterances, lost, .. } = self;
        format!(
            "STATUS=Listening to {}: {utterances} utterances recognized, {lost} lost",
            name.replace('\n', " ")
        )
    }
}

struct WatchedSource {
    source: Box<dyn AudioSource>,
    manager: Manager,
    pulse: Pulse,
    stop: StopSignal,
    /// What is said of it when it begins.
    status: String,
    /// Ends the signs of life when it is dropped; absent until the first audio.
    signs: Option<Sender<()>>,
    /// Since when the microphone is.
    away: Option<Instant>,
    told_away: bool,
}

impl WatchedSource {
    fn begin(&mut self) {
        self.manager.tell(&format!("READY=1\n{}", self.status));
        let (sender, ended) = channel();
        if let Some(every) = self.manager.watchdog {
            let (manager, pulse) = (self.manager.clone(), self.pulse.clone());
            std::thread::spawn(move || {
                let mut seen = 0;
                while ended.recv_timeout(every / 2) == Err(RecvTimeoutError::Timeout) {
                    let now = pulse.audio.load(Ordering::Relaxed);
                    if now != seen && !pulse.hangs(HANGS) {
                        manager.tell("WATCHDOG=1");
                    }
                    seen = now;
                }
            });
        }
        self.signs = Some(sender);
    }
}

impl AudioSource for WatchedSource {
    fn read(&mut self, block: &mut Vec<f32>) -> Result<Read, AudioError> {
        let read = self.source.read(block)?;
        // A microphone that has nothing yet gives an empty block: that is no progress.
        if !block.is_empty() {
            self.pulse.beat();
            if self.signs.is_none() {
                self.begin();
            }
            self.away = None;
            if std::mem::take(&mut self.told_away) {
                self.manager.tell(&self.status);
            }
        } else if matches!(read, Read::Gap(_)) {
            let since = *self.away.get_or_insert_with(Instant::now);
            if since.elapsed() < AWAY {
                self.pulse.beat();
            }
            if since.elapsed() > SHORT
                && self.signs.is_some()
                && !std::mem::replace(&mut self.told_away, true)
            {
                self.manager.tell("STATUS=The microphone is away: looking for it");
            }
        }
        Ok(read)
    }

    fn native(&self) -> NativeFormat {
        self.source.native()
    }

    fn duration_hint(&self) -> Option<Duration> {
        self.source.duration_hint()
    }

    fn faults(&self) -> SourceFaults {
        self.source.faults()
    }
}

impl Drop for WatchedSource {
    /// The pipeline lets go of its source when it hears no more; what was heard is still answered.
    fn drop(&mut self) {
        self.manager.tell("STOPPING=1\nSTATUS=Ending");
        if self.manager.socket.is_none() || !self.stop.is_stopped() {
            return;
        }
        let stop = self.stop.clone();
        // It ends with the process; without it all that was heard is answered, however long that takes.
        let _ = std::thread::Builder::new().name("ending".to_owned()).spawn(move || {
            std::thread::sleep(ENDING);
            stop.abort();
        });
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use earwitness::audio::SampleRate;

    use super::*;

    /// Gives a block of one sample for each `true`, an empty one for each `false`, then empty ones.
    struct Blocks(Vec<bool>);

    impl AudioSource for Blocks {
        fn read(&mut self, block: &mut Vec<f32>) -> Result<Read, AudioError> {
            block.clear();
            if self.0.pop() == Some(true) {
                block.push(0.0);
            }
            Ok(Read::Samples)
        }

        fn native(&self) -> NativeFormat {
            NativeFormat { rate: SampleRate::new(16_000).unwrap(), channels: 1 }
        }
    }

    /// A microphone that is away.
    struct Away;

    impl AudioSource for Away {
        fn read(&mut self, block: &mut Vec<f32>) -> Result<Read, AudioError> {
            block.clear();
            Ok(Read::Gap(1_600))
        }

        fn native(&self) -> NativeFormat {
            NativeFormat { rate: SampleRate::new(16_000).unwrap(), channels: 1 }
        }
    }

    #[test]
    fn a_microphone_that_is_away_is_not_ready() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let manager = Manager { socket: Some(path.into()), watchdog: None };
        let watched = Watched::new(manager, "a test", &StopSignal::default());
        let mut source = watched.source(Box::new(Away));
        source.read(&mut Vec::new()).unwrap();
        assert!(socket.recv(&mut [0; 256]).is_err(), "no READY");
    }

    #[test]
    fn a_recognizer_hangs_when_nothing_said_is_answered_for_long() {
        let mut watched = Watched::new(Manager::default(), "a test", &StopSignal::default());
        let ended = |utterance| Event::SpeechEnded {
            utterance,
            start: 0.0,
            end: 1.0,
            end_reason: earwitness::utterance::EndReason::Silence,
            id: None,
        };
        let dropped = |utterance| Event::Dropped { utterance, start: 0.0, end: 1.0, input: None };
        let failed = |utterance| Event::Failed {
            utterance,
            start: 0.0,
            end: 1.0,
            error: String::new(),
            attempt: None,
        };
        let short = Duration::from_millis(5);
        for utterance in 0..3 {
            watched.hear(&ended(utterance));
        }
        assert!(!watched.pulse.hangs(HANGS));
        watched.hear(&failed(0));
        std::thread::sleep(short * 2);
        assert!(watched.pulse.hangs(short), "two more wait");
        watched.hear(&dropped(2));
        assert!(!watched.pulse.hangs(Duration::ZERO));
    }

    #[test]
    fn a_source_that_gives_nothing_is_not_ready_and_shows_no_life() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let receive_within = |patience_ms| {
            socket.set_read_timeout(Some(Duration::from_millis(patience_ms))).unwrap();
            let mut message = [0; 256];
            socket.recv(&mut message).ok().map(|n| String::from_utf8_lossy(&message[..n]).into_owned())
        };
        let manager = Manager { socket: Some(path.into()), watchdog: Some(Duration::from_millis(100)) };
        let watched = Watched::new(manager, "a test", &StopSignal::default());
        let mut source = watched.source(Box::new(Blocks(vec![true, false])));
        let mut block = Vec::new();
        source.read(&mut block).unwrap();
        let receive = || receive_within(60_000);
        assert_eq!(receive_within(300), None, "no audio yet");
        source.read(&mut block).unwrap();
        assert!(receive().unwrap().starts_with("READY=1"));
        assert_eq!(receive().as_deref(), Some("WATCHDOG=1"), "audio came");
        source.read(&mut block).unwrap();
        assert_eq!(receive_within(300), None, "none came since");
        drop(source);
        assert!(receive().unwrap().starts_with("STOPPING=1"));
    }
}
