//! The sections of a profile that say who answers, and what may leave the device.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::pipeline::{Policy, Route, RouteRules, ShadowRules};
use crate::uplink::spool::WhenFull;

/// What the user agreed to. Nothing is agreed to by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsentConfig {
    /// Audio may be sent to the API in `[cloud]`.
    pub cloud_audio: bool,
    /// Texts may be sent to the web services of `listen --action` that are not on this machine.
    pub action_text: bool,
    /// Comparisons with the shadow may hold both texts.
    pub shadow_text: bool,
    /// Texts may go to the collection server in `[telemetry]`.
    pub telemetry_text: bool,
    /// Recordings may.
    pub telemetry_audio: bool,
    /// Who spoke may, as far as `[speaker]` says.
    pub telemetry_speaker: bool,
    /// When the user agreed to these three, ms since 1970-01-01 UTC; needed with any of them.
    pub granted_unix_ms: Option<u64>,
}

impl ConsentConfig {
    /// Whether more than figures may go to the collection server.
    pub fn any_telemetry(&self) -> bool {
        self.telemetry_text || self.telemetry_audio || self.telemetry_speaker
    }
}

/// The cloud speech API.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CloudConfig {
    /// `openai` (and every server that speaks its language), `deepgram`, `deepgram_stream`, `google` or `azure`.
    pub provider: String,
    /// Base address: `https://api.openai.com/v1`, `http://127.0.0.1:8080/v1`. The provider's own if empty.
    pub url: String,
    /// The provider's name of the model; its default if empty.
    pub model: String,
    /// Language as the provider wants it: `en`, `en-US`; `whisper.language` if empty.
    pub language: String,
    /// Environment variable with the key; the provider's usual one if empty. Servers on this machine need none.
    pub key_env: String,
    /// File with the key, readable by its owner alone; wins over `key_env`.
    pub key_file: PathBuf,
    /// Over all attempts, ms.
    pub deadline_ms: u64,
    /// Attempts within the deadline.
    pub attempts: u32,
    /// Price of a minute of audio, in any currency.
    pub cost_per_minute: f64,
}

impl Default for CloudConfig {
    fn default() -> Self {
        Self {
            provider: "openai".to_owned(),
            url: String::new(),
            model: String::new(),
            language: String::new(),
            key_env: String::new(),
            key_file: PathBuf::new(),
            deadline_ms: 10_000,
            attempts: 3,
            cost_per_minute: 0.0,
        }
    }
}

/// Who is asked when.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RouteConfig {
    /// `local`, `cloud`, `local-then-cloud` or `cloud-then-local`.
    pub policy: Policy,
    /// How long another engine is waited for, ms. See [`RouteRules::budget`].
    pub budget_ms: u64,
    /// Local answers below this are also asked of the cloud, in [0, 1]. See [`RouteRules::min_confidence`].
    pub min_confidence: f32,
    /// Most that may be spent in a day (UTC), in the currency of `cloud.cost_per_minute`; no cap if absent.
    pub spend_cap_per_day: Option<f64>,
}

impl Default for RouteConfig {
    fn default() -> Self {
        let rules = RouteRules::default();
        Self {
            policy: rules.policy,
            budget_ms: rules.budget.as_millis() as u64,
            min_confidence: rules.min_confidence,
            spend_cap_per_day: None,
        }
    }
}

/// Where utterances are kept until they are answered.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpoolConfig {
    /// Keep every utterance before it is recognized, and after. Without it only what the cloud shall answer is kept,
    /// until it has.
    pub keep: bool,
    /// With `keep`: also once it is answered. `false` keeps it until then, so that nothing is lost and nothing collected.
    pub keep_answered: bool,
    /// Folder; the user's own data folder if empty.
    pub folder: PathBuf,
    /// Cap on the disk space, MiB.
    pub max_mib: u64,
    /// What happens at the cap: `drop_oldest` or `stop`.
    pub when_full: WhenFull,
    /// Key file (`earwitness spool new-key FILE`) that seals what is kept; not sealed if empty.
    pub key_file: PathBuf,
}

impl Default for SpoolConfig {
    fn default() -> Self {
        Self {
            keep: false,
            keep_answered: true,
            folder: PathBuf::new(),
            max_mib: 1024,
            when_full: WhenFull::default(),
            key_file: PathBuf::new(),
        }
    }
}

/// A second recognizer that is compared and never believed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShadowConfig {
    /// A model as in `whisper.model`, or `cloud` for the API in `[cloud]`; none if empty.
    pub engine: String,
    /// Share of utterances it hears, in [0, 1].
    pub sample: f64,
    /// Utterances that have waited longer are skipped, ms.
    pub max_lag_ms: u64,
    /// Its threads: 1 leaves the others to the primary.
    pub threads: usize,
}

impl Default for ShadowConfig {
    fn default() -> Self {
        let rules = ShadowRules::default();
        Self {
            engine: String::new(),
            sample: rules.sample,
            max_lag_ms: rules.max_lag.as_millis() as u64,
            threads: 1,
        }
    }
}

impl super::Profile {
    /// Which key is out of range, or lacks the consent it needs.
    pub(super) fn validate_routing(&self) -> Result<(), String> {
        let within = |key: &str, value: f64, low: f64, high: f64| match (low..=high).contains(&value) {
            true => Ok(()),
            false => Err(format!("{key} must be from {low} to {high}")),
        };
        within("cloud.deadline_ms", self.cloud.deadline_ms as f64, 100.0, 600_000.0)?;
        within("cloud.attempts", f64::from(self.cloud.attempts), 1.0, 10.0)?;
        within("cloud.cost_per_minute", self.cloud.cost_per_minute, 0.0, 1e6)?;
        within("route.budget_ms", self.route.budget_ms as f64, 50.0, 600_000.0)?;
        within("route.min_confidence", f64::from(self.route.min_confidence), 0.0, 1.0)?;
        within("route.spend_cap_per_day", self.route.spend_cap_per_day.unwrap_or(0.0), 0.0, 1e9)?;
        within("spool.max_mib", self.spool.max_mib as f64, 1.0, 1e9)?;
        within("shadow.sample", self.shadow.sample, 0.0, 1.0)?;
        within("shadow.max_lag_ms", self.shadow.max_lag_ms as f64, 100.0, 86_400_000.0)?;
        within("shadow.threads", self.shadow.threads as f64, 1.0, 256.0)?;
        if self.route.policy.uses_cloud() && !self.consent.cloud_audio {
            return Err(format!(
                "route.policy wants to send audio to a cloud: say in the profile that you agree, {}",
                "`consent.cloud_audio = true`, or set `route.policy = \"local\"`"
            ));
        }
        if self.shadow.engine == "cloud" && !self.consent.cloud_audio {
            return Err(
                "shadow.engine sends audio to a cloud: that needs `consent.cloud_audio = true`".to_owned()
            );
        }
        Ok(())
    }

    /// Who is asked when.
    pub fn route_rules(&self) -> RouteRules {
        RouteRules {
            policy: self.route.policy,
            consent: self.consent.cloud_audio,
            budget: Duration::from_millis(self.route.budget_ms),
            min_confidence: self.route.min_confidence,
            cost_per_minute: self.cloud.cost_per_minute,
            spend_cap_per_day: self.route.spend_cap_per_day,
            ..RouteRules::default()
        }
    }

    /// How the shadow hears.
    pub fn shadow_rules(&self) -> ShadowRules {
        let cloud = self.shadow.engine == "cloud";
        ShadowRules {
            sample: self.shadow.sample,
            max_lag: Duration::from_millis(self.shadow.max_lag_ms),
            texts: self.consent.shadow_text,
            recorded_texts: self.consent.telemetry_text,
            route: if cloud { Route::Cloud } else { Route::Local },
            cost_per_minute: if cloud { self.cloud.cost_per_minute } else { 0.0 },
        }
    }

    /// Whether utterances go to the spool before they are recognized.
    pub fn uses_spool(&self) -> bool {
        self.spool.keep || self.route.policy.uses_cloud()
    }
}
