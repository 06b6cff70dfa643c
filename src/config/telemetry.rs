//! The sections of a profile that say what the device reports, to whom, and about whom.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use crate::recorder::{RecordConsent, RecorderOptions};
use crate::telemetry::Speaker;
use crate::telemetry::limits::{MAX_ID_CHARS, valid_id};
use crate::uplink::address;

/// When records are forced to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncWhen {
    /// After each record: none is lost, at the price of the disk's life.
    Always,
    /// Every `sync_interval_ms`: a loss of power costs at most so much. SD cards wear out by small synced writes.
    #[default]
    Interval,
    /// When the system sees fit.
    Never,
}

/// Whether the network costs by volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metered {
    /// As the system says.
    #[default]
    Auto,
    /// It does.
    Yes,
    /// It does not.
    No,
}

/// `"auto"`, `true` or `false`.
impl<'de> Deserialize<'de> for Metered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AutoOrBool;

        impl Visitor<'_> for AutoOrBool {
            type Value = Metered;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"auto\", true or false")
            }

            fn visit_bool<E: de::Error>(self, metered: bool) -> Result<Metered, E> {
                Ok(if metered { Metered::Yes } else { Metered::No })
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Metered, E> {
                match word {
                    "auto" => Ok(Metered::Auto),
                    _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
                }
            }
        }
        deserializer.deserialize_any(AutoOrBool)
    }
}

/// What happens on a metered network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMetered {
    /// Records wait for another network.
    #[default]
    Wait,
    /// They are sent all the same.
    Upload,
}

/// What the device reports of itself, and to whom. Without an address nothing is kept or sent.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// The collection server: `https://metrics.example.com`, or `http://` of this machine. None if empty.
    pub url: String,
    /// File with the device's token, readable by its owner alone; wins over `token_env`.
    pub token_file: PathBuf,
    /// Environment variable with the token.
    pub token_env: String,
    /// The device's name on the server: letters, digits, `-`, `_`, `.`, at most 64. The enrolled one if empty.
    pub device_id: String,
    /// Folder of the journal; in the user's data folder if empty.
    pub folder: PathBuf,
    /// Cap on the journal, MiB; the oldest records go first. 64: some 40000 utterances, weeks of talk.
    pub max_mib: u64,
    /// Records older than this go, days.
    pub max_age_days: u64,
    /// `always`, `interval` or `never`.
    pub sync: SyncWhen,
    /// With `sync = "interval"`, ms.
    pub sync_interval_ms: u64,
    /// How often records are sent, ms.
    pub upload_interval_ms: u64,
    /// How often the device says that it is alive, ms; also how often metrics go to `otlp_url`.
    pub heartbeat_ms: u64,
    /// `"auto"`, `true` or `false`.
    pub metered: Metered,
    /// `wait` or `upload`.
    pub on_metered: OnMetered,
    /// Key file (`earwitness spool new-key FILE`) that seals the journal; not sealed if empty.
    pub key_file: PathBuf,
    /// An OpenTelemetry collector that gets metrics: `http://127.0.0.1:4318`. None if empty.
    pub otlp_url: String,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            token_file: PathBuf::new(),
            token_env: String::new(),
            device_id: String::new(),
            folder: PathBuf::new(),
            max_mib: 64,
            max_age_days: 90,
            sync: SyncWhen::default(),
            sync_interval_ms: 5_000,
            upload_interval_ms: 60_000,
            heartbeat_ms: 300_000,
            metered: Metered::default(),
            on_metered: OnMetered::default(),
            key_file: PathBuf::new(),
            otlp_url: String::new(),
        }
    }
}

impl TelemetryConfig {
    /// Whether anybody gets anything.
    pub fn is_on(&self) -> bool {
        !self.url.is_empty() || !self.otlp_url.is_empty()
    }
}

/// Who speaks to this device. Sent only with `consent.telemetry_speaker`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpeakerConfig {
    /// A pseudonym, the same over all records of one person: letters, digits, `-`, `_`, `.`, at most 64.
    pub subject_id: String,
    /// What they say of themselves, such as `accent = "Scottish"`: at most 16 of at most 64 characters.
    pub attributes: BTreeMap<String, String>,
}

/// Shows nobody.
impl fmt::Debug for SpeakerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpeakerConfig").finish_non_exhaustive()
    }
}

/// Attributes of one speaker.
const MAX_ATTRIBUTES: usize = 16;

impl super::Profile {
    /// Which key is out of range, or lacks what it needs.
    pub(super) fn validate_telemetry(&self) -> Result<(), String> {
        let telemetry = &self.telemetry;
        let within = |key: &str, value: u64, low: u64, high: u64| match (low..=high).contains(&value) {
            true => Ok(()),
            false => Err(format!("telemetry.{key} must be from {low} to {high}")),
        };
        within("max_mib", telemetry.max_mib, 1, 1 << 20)?;
        within("max_age_days", telemetry.max_age_days, 1, 3_650)?;
        within("sync_interval_ms", telemetry.sync_interval_ms, 100, 3_600_000)?;
        within("upload_interval_ms", telemetry.upload_interval_ms, 1_000, 86_400_000)?;
        within("heartbeat_ms", telemetry.heartbeat_ms, 1_000, 86_400_000)?;
        for (key, url) in [("url", &telemetry.url), ("otlp_url", &telemetry.otlp_url)] {
            if !url.is_empty() {
                address::check(url).map_err(|why| format!("telemetry.{key} {why}"))?;
            }
        }
        let id = |key: &str, id: &str| match id.is_empty() || valid_id(id) {
            true => Ok(()),
            false => Err(format!(
                "{key} must be 1 to {MAX_ID_CHARS} letters, digits, `-`, `_` and, but not first, `.`"
            )),
        };
        id("telemetry.device_id", &telemetry.device_id)?;
        id("speaker.subject_id", &self.speaker.subject_id)?;
        self.validate_telemetry_consent()
    }

    fn validate_telemetry_consent(&self) -> Result<(), String> {
        let consent = &self.consent;
        if consent.any_telemetry() && consent.granted_unix_ms.is_none_or(|at| at == 0) {
            return Err(
                "consent.granted_unix_ms must say when the user agreed to what consent.telemetry_text, \
                        telemetry_audio or telemetry_speaker allow, in ms since 1970-01-01 UTC \
                        (`date +%s000` prints now)"
                    .to_owned(),
            );
        }
        if consent.telemetry_speaker && self.speaker.subject_id.is_empty() {
            return Err("consent.telemetry_speaker needs `[speaker] subject_id`: a pseudonym by which the person can \
                        have everything erased"
                .to_owned());
        }
        let attributes = &self.speaker.attributes;
        let fits = |(key, value): (&String, &String)| valid_id(key) && value.chars().count() <= MAX_ID_CHARS;
        if attributes.len() > MAX_ATTRIBUTES || !attributes.iter().all(fits) {
            return Err(format!(
                "speaker.attributes may be at most {MAX_ATTRIBUTES}, with names like `accent` and values of at most \
                 {MAX_ID_CHARS} characters"
            ));
        }
        Ok(())
    }

    /// A new run of `engine` under this profile, which is called `name`.
    pub fn recorder_options(&self, name: &str, engine: &str) -> RecorderOptions {
        let mut options = RecorderOptions::new(name, engine);
        options.heartbeat = Duration::from_millis(self.telemetry.heartbeat_ms);
        options.consent = self.record_consent();
        if let Some(folder) = self.telemetry_folder() {
            options.folder = folder.to_owned();
        }
        options
    }

    /// What may travel beside the figures.
    pub fn record_consent(&self) -> RecordConsent {
        let SpeakerConfig { subject_id, attributes } = self.speaker.clone();
        RecordConsent {
            text: self.consent.telemetry_text,
            audio: self.consent.telemetry_audio,
            speaker: self.consent.telemetry_speaker.then_some(Speaker { subject_id, attributes }),
            granted_unix_ms: self.consent.granted_unix_ms.unwrap_or_default(),
        }
    }

    /// Where the journal lies if the profile says; else the caller's choice.
    pub fn telemetry_folder(&self) -> Option<&Path> {
        Some(self.telemetry.folder.as_path()).filter(|folder| *folder != Path::new(""))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Profile;
    use super::*;

    #[test]
    fn nothing_is_reported_and_nothing_agreed_to_by_default() {
        let profile = Profile::parse("", "empty").unwrap();
        assert!(!profile.telemetry.is_on() && !profile.consent.any_telemetry());
        assert_eq!((profile.telemetry.sync, profile.telemetry.heartbeat_ms), (SyncWhen::Interval, 300_000));
        assert_eq!(profile.telemetry_folder(), None);
        assert_eq!(profile.record_consent(), RecordConsent::default());
    }

    #[test]
    fn a_full_section_is_read() {
        let profile = Profile::parse(
            r#"
            [telemetry]
            url = "https://metrics.example.com"
            token_file = "/etc/earwitness/token"
            device_id = "kitchen-pi_2"
            folder = "/var/lib/earwitness/journal"
            sync = "always"
            metered = true
            on_metered = "upload"
            otlp_url = "http://127.0.0.1:4318"
            [consent]
            telemetry_text = true
            telemetry_speaker = true
            granted_unix_ms = 1764000000000
            [speaker]
            subject_id = "s-17"
            attributes = { accent = "Scottish", age_band = "60-69" }
            "#,
            "full",
        )
        .unwrap();
        assert_eq!(
            (profile.telemetry.metered, profile.telemetry.on_metered),
            (Metered::Yes, OnMetered::Upload)
        );
        assert_eq!(profile.speaker.attributes["accent"], "Scottish");
        assert!(!format!("{:?}", profile.speaker).contains("Scottish"), "nobody is shown");
        let options = profile.recorder_options("full", "engine");
        assert_eq!(options.folder, Path::new("/var/lib/earwitness/journal"));
        let consent = options.consent;
        assert!(consent.text && !consent.audio && consent.granted_unix_ms == 1_764_000_000_000);
        assert_eq!(consent.speaker.unwrap().subject_id, "s-17");
        for (text, metered) in [("false", Metered::No), ("\"auto\"", Metered::Auto)] {
            let profile = Profile::parse(&format!("[telemetry]\nmetered = {text}"), "x").unwrap();
            assert_eq!(profile.telemetry.metered, metered);
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_what_it_may_be() {
        let granted = "[consent]\ngranted_unix_ms = 1\ntelemetry_speaker = true\n";
        for (text, words) in [
            ("[telemetry]\nurl = \"http://example.com\"".to_owned(), "telemetry.url must be an https"),
            ("[telemetry]\notlp_url = \"example.com\"".to_owned(), "telemetry.otlp_url"),
            ("[telemetry]\ndevice_id = \"../x\"".to_owned(), "telemetry.device_id"),
            ("[telemetry]\nheartbeat_ms = 10".to_owned(), "telemetry.heartbeat_ms must be from 1000"),
            ("[telemetry]\nmax_mib = 0".to_owned(), "telemetry.max_mib"),
            ("[telemetry]\nmax_age_days = 0".to_owned(), "telemetry.max_age_days"),
            ("[telemetry]\nsync_interval_ms = 1".to_owned(), "telemetry.sync_interval_ms"),
            ("[telemetry]\nupload_interval_ms = 1".to_owned(), "telemetry.upload_interval_ms"),
            ("[telemetry]\nsync = \"sometimes\"".to_owned(), "always"),
            ("[telemetry]\nmetered = \"maybe\"".to_owned(), "\"auto\", true or false"),
            ("[telemetry]\nmetered = 3".to_owned(), "\"auto\", true or false"),
            ("[telemetry]\nnonsense = 3".to_owned(), "nonsense"),
            ("[consent]\ntelemetry_text = true".to_owned(), "consent.granted_unix_ms"),
            ("[consent]\ntelemetry_audio = true\ngranted_unix_ms = 0".to_owned(), "consent.granted_unix_ms"),
            (granted.to_owned(), "subject_id"),
            (format!("{granted}[speaker]\nsubject_id = \"a b\""), "speaker.subject_id"),
            (
                format!("{granted}[speaker]\nsubject_id = \"a\"\nattributes = {{ \"a b\" = \"c\" }}"),
                "speaker.attributes",
            ),
        ] {
            let error = Profile::parse(&text, "x.toml").unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
