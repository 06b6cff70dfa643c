//! From a profile's `[telemetry]` to what reports: recorder, journal, uploader, OpenTelemetry.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::config::{Metered, OnMetered, Profile, SyncWhen};
use crate::pipeline::{Event, RunSummary};
use crate::recorder::{FeedbackDesk, RecorderOptions, TelemetryRecorder, new_session_id};
use crate::telemetry::{RecordLine, Scope};
use crate::uplink::collector::{
    ClipStore, CollectorSettings, NetworkCost, Sent, SystemNetwork, UploadEvent, UploadOutcome, Uploader,
};
use crate::uplink::journal::{FolderDisk, Journal, JournalOptions, SyncPolicy};
use crate::uplink::otlp::{OtlpExporter, OtlpOptions};
use crate::uplink::sink::{Clip, RecordSink, SinkStatus, Sinks};
use crate::uplink::spool::SpoolKey;
use crate::web::ApiKey;

use super::error::{ErrorKind, SetupError};
use super::outlet_status::OutletStatus;
use super::routing::{Notice, data_folder, do_not_track};

type Result<T> = std::result::Result<T, SetupError>;

/// How long the end of a run waits for what is on its way. The rest stays on disk and goes the next time.
const FLUSH: Duration = Duration::from_secs(5);
/// Clips may take this many times what records may.
const CLIPS_TO_RECORDS: u64 = 8;

/// The way of records off this device: journal, uploader, OpenTelemetry. It outlives the runs that are recorded.
pub struct Outlet {
    sinks: Arc<Sinks>,
    uploader: Mutex<Option<Uploader>>,
    journal: Option<Arc<Journal>>,
    /// Where the journal lies.
    folder: Option<PathBuf>,
    patience: Duration,
}

impl Outlet {
    /// Opens what the profile, which is called `profile_name`, asks for; `None` if it asks for nothing, or the user wants
    /// none.
    ///
    /// # Errors
    /// [`SetupError`]: the device is not enrolled, the journal is in use, an address is of no use.
    pub fn open(profile: &Profile, profile_name: &str, notice: Notice<'_>) -> Result<Option<Self>> {
        if !profile.telemetry.is_on() {
            return Ok(None);
        }
        if do_not_track() {
            notice("DO_NOT_TRACK is set: no figures are kept or sent.");
            return Ok(None);
        }
        let mut sinks: Vec<Arc<dyn RecordSink>> = Vec::new();
        let mut outlet = Self {
            sinks: Arc::new(Sinks(Vec::new())),
            uploader: Mutex::new(None),
            journal: None,
            folder: None,
            patience: FLUSH,
        };
        if !profile.telemetry.url.is_empty() {
            let outbox = Outbox::open_to_send(profile, notice)?;
            outlet.folder = Some(folder(profile)?);
            outlet.journal = Some(outbox.journal.clone());
            let settings = settings(profile)?;
            disclose(profile, &settings.host(), notice);
            outlet.uploader = Mutex::new(Some(Uploader::start(
                settings,
                outbox.journal.clone(),
                Some(outbox.clips.clone()),
                metered(profile),
                told,
            )?));
            sinks.push(Arc::new(outbox));
        }
        if !profile.telemetry.otlp_url.is_empty() {
            let url = &profile.telemetry.otlp_url;
            notice(&format!("Metrics are sent to {url} (OpenTelemetry): telemetry.otlp_url."));
            sinks.push(Arc::new(OtlpExporter::start(OtlpOptions {
                url: url.clone(),
                interval: Duration::from_millis(profile.telemetry.heartbeat_ms),
                // Devices without a name must not be one.
                device_id: device_id(profile).unwrap_or_else(|_| new_session_id()),
                profile: profile_name.to_owned(),
            })?));
        }
        outlet.sinks = Arc::new(Sinks(sinks));
        Ok(Some(outlet))
    }

    /// Begins to record a run.
    ///
    /// # Errors
    /// [`SetupError`]: there is no thread for it.
    pub fn recorder(&self, mut run: RecorderOptions) -> Result<RunRecorder> {
        if let Some(folder) = &self.folder {
            run.folder.clone_from(folder);
        }
        Ok(RunRecorder(TelemetryRecorder::new(run, self.sinks.clone())?))
    }

    /// Sends now what waits, instead of at the end of the interval.
    pub fn wake(&self) {
        if let Some(uploader) = &*self.uploader() {
            uploader.wake();
        }
    }

    /// How long its end sends what waits; 5 s by default.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How it goes.
    pub fn status(&self) -> OutletStatus {
        let journal = self.journal.as_ref().map(|journal| journal.stats());
        let (records, bytes, lost) =
            journal.map_or((0, 0, 0), |stats| (stats.records, stats.bytes, stats.lost));
        let upload = self.uploader().as_ref().map(Uploader::status).unwrap_or_default();
        OutletStatus {
            records,
            bytes,
            lost,
            failures: upload.failures,
            last_error: upload.last_error,
            last_accepted_unix_ms: upload.last_accepted_unix_ms,
            waits_for_network: upload.waits_for_network,
        }
    }

    /// Sends what waits for at most `within`, and nothing after that; the rest stays on disk.
    pub fn end(&self, within: Duration) {
        let uploader = self.uploader().take();
        if let Some(uploader) = uploader {
            uploader.wake();
            if !uploader.flush(within) {
                tracing::info!("records wait on disk for the next time");
            }
        }
    }

    fn uploader(&self) -> MutexGuard<'_, Option<Uploader>> {
        self.uploader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Outlet {
    /// Sends for a few seconds what waits; the rest stays on disk.
    fn drop(&mut self) {
        self.end(self.patience);
    }
}

/// Records one run.
pub struct RunRecorder(TelemetryRecorder);

impl RunRecorder {
    /// Takes note of an event. Never waits.
    pub fn hear(&self, event: &Event) {
        self.0.observe(event);
    }

    /// Where feedback goes.
    pub fn desk(&self) -> FeedbackDesk {
        self.0.feedback_desk()
    }

    /// Ends the run's records, but for feedback.
    pub fn end(&self, summary: &RunSummary) {
        let totals = self.0.end(summary);
        if totals.lost > 0 {
            tracing::warn!("{} records were not made: the recorder was too far behind", totals.lost);
        }
    }
}

/// Journal and clips of a device.
pub struct Outbox {
    /// Records that wait.
    pub journal: Arc<Journal>,
    /// Recordings that wait.
    pub clips: Arc<ClipStore>,
}

impl Outbox {
    /// Opens both, or makes them.
    pub fn open(profile: &Profile) -> Result<Self> {
        let config = &profile.telemetry;
        let key = match config.key_file.as_os_str().is_empty() {
            true => None,
            false => Some(SpoolKey::from_file(&config.key_file)?),
        };
        let folder = folder(profile)?;
        let max_bytes = config.max_mib << 20;
        let sync = match config.sync {
            SyncWhen::Always => SyncPolicy::EveryRecord,
            SyncWhen::Interval => SyncPolicy::Interval { interval_ms: config.sync_interval_ms },
            SyncWhen::Never => SyncPolicy::Never,
        };
        let options = JournalOptions {
            sync,
            max_bytes,
            max_age_days: config.max_age_days,
            key: key.clone(),
            withdrawn: withdrawn(profile),
        };
        let journal = Journal::open(options, FolderDisk::open(&folder)?)?;
        let max_bytes = max_bytes.saturating_mul(CLIPS_TO_RECORDS);
        let mut clips = ClipStore::open(&clips_in(&folder), max_bytes, key)?;
        if !profile.consent.telemetry_speaker {
            clips = clips.without_speakers();
        }
        Ok(Self { journal: Arc::new(journal), clips: Arc::new(clips) })
    }

    /// The same for an uploader: recordings that nobody agrees to send any more are deleted.
    pub fn open_to_send(profile: &Profile, notice: Notice<'_>) -> Result<Self> {
        let outbox = Self::open(profile)?;
        if !profile.consent.telemetry_audio {
            let cleared = outbox.clips.clear()?;
            if cleared > 0 {
                notice(&format!(
                    "{cleared} recordings that waited were deleted, not sent: consent.telemetry_audio is off."
                ));
            }
        }
        Ok(outbox)
    }
}

impl RecordSink for Outbox {
    fn record(&self, line: RecordLine) {
        let now = now_unix_ms();
        // Counted and reported by the journal itself; the recorder goes on.
        if let Err(error) = self.journal.append(&line, now) {
            tracing::warn!(%error, "a record is not kept");
        }
        if let Err(error) = self.journal.sync_due(now) {
            tracing::warn!(%error, "records are not durable yet");
        }
    }

    fn clip(&self, clip: Clip) {
        let subject = clip.subject_id.as_deref();
        let kept = self.clips.keep_clip(
            &clip.utterance_id,
            &clip.flac,
            clip.granted_unix_ms,
            subject,
            now_unix_ms(),
        );
        if let Err(error) = kept {
            tracing::warn!(%error, "a recording is not kept for the collection server");
        }
    }

    fn status(&self) -> SinkStatus {
        let stats = self.journal.stats();
        SinkStatus { records: stats.records, bytes: stats.bytes, lost: stats.lost }
    }
}

/// Where records wait.
pub fn folder(profile: &Profile) -> Result<PathBuf> {
    match profile.telemetry_folder() {
        Some(folder) => Ok(folder.to_owned()),
        None => Ok(data_folder("telemetry", "telemetry.folder")?),
    }
}

/// Where recordings wait, below the folder of the records.
pub fn clips_in(folder: &Path) -> PathBuf {
    folder.join("clips")
}

/// What nobody agrees to now, whatever records were made under.
fn withdrawn(profile: &Profile) -> Vec<Scope> {
    let consent = &profile.consent;
    [
        (consent.telemetry_text, Scope::Text),
        (consent.telemetry_audio, Scope::Audio),
        (consent.telemetry_speaker, Scope::Speaker),
    ]
    .into_iter()
    .filter_map(|(agreed, scope)| (!agreed).then_some(scope))
    .collect()
}

/// Where `earwitness telemetry enroll` leaves the token.
pub fn token_file(profile: &Profile) -> Result<PathBuf> {
    match profile.telemetry.token_file.as_os_str().is_empty() {
        true => Ok(folder(profile)?.join("token")),
        false => Ok(profile.telemetry.token_file.clone()),
    }
}

/// To whom, and as whom.
pub fn settings(profile: &Profile) -> Result<CollectorSettings> {
    let config = &profile.telemetry;
    let file = token_file(profile)?;
    let token = match (config.token_file.as_os_str().is_empty(), config.token_env.is_empty()) {
        (true, false) => ApiKey::from_env(&config.token_env)?,
        (true, true) if !file.exists() => {
            let message = format!(
                "this device is not known to {}: run `earwitness telemetry enroll --code …` once (a code comes from \
                 the server's Admin page, or from `earwitness collect code`)",
                config.url
            );
            return Err(SetupError::new(ErrorKind::Config, message));
        }
        _ => ApiKey::from_file(&file)?,
    };
    let mut settings = CollectorSettings::new(&config.url, token)?;
    settings.interval = Duration::from_millis(config.upload_interval_ms);
    settings.wait_if_metered = config.on_metered == OnMetered::Wait;
    settings.check()?;
    Ok(settings)
}

/// Whether the network costs by volume.
pub fn metered(profile: &Profile) -> Box<dyn NetworkCost> {
    match profile.telemetry.metered {
        Metered::Auto => Box::new(SystemNetwork),
        Metered::Yes => Box::new(|| true),
        Metered::No => Box::new(|| false),
    }
}

/// Says before anything is sent what goes where, and why it may.
fn disclose(profile: &Profile, host: &str, notice: Notice<'_>) {
    let consent = &profile.consent;
    let beside: Vec<&str> = [
        (consent.telemetry_text, "texts"),
        (consent.telemetry_audio, "recordings"),
        (consent.telemetry_speaker, "who speaks"),
    ]
    .into_iter()
    .filter_map(|(agreed, what)| agreed.then_some(what))
    .collect();
    let also = match beside.is_empty() {
        true => "no text and no audio".to_owned(),
        false => format!("with consent also {}", beside.join(", ")),
    };
    notice(&format!("Figures are sent to {host}, {also}: telemetry.url."));
}

/// Every request, for those who want to know: `-v`.
pub fn told(event: UploadEvent) {
    let what = match event.sent {
        Sent::Records(count) => format!("{count} records"),
        Sent::Clip => "a recording".to_owned(),
    };
    match event.outcome {
        UploadOutcome::Accepted => tracing::info!("{} took {what}, {} bytes", event.host, event.bytes),
        UploadOutcome::RetryLater => tracing::info!("{} did not take {what}; later again", event.host),
        UploadOutcome::Rejected => tracing::warn!("{} refused {what}", event.host),
    }
}

/// This device's clock, ms since 1970-01-01 UTC.
pub fn now_unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}

/// What to call this device where nothing says.
pub fn device_id(profile: &Profile) -> Result<String> {
    if !profile.telemetry.device_id.is_empty() {
        return Ok(profile.telemetry.device_id.clone());
    }
    let set = |variable| std::env::var(variable).ok();
    let name = set("HOSTNAME").or_else(|| set("COMPUTERNAME"));
    let name = name.or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok()).unwrap_or_default();
    let name: String =
        name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).take(64).collect();
    match name.is_empty() {
        true => Err(SetupError::new(ErrorKind::Usage, "say how this device is called: --device-id NAME")),
        false => Ok(name),
    }
}
