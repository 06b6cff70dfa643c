//! How a runtime is opened, and what waits for its collection server.

use std::path::PathBuf;

use earwitness::config::Profile;
use earwitness::runtime::{OutletStatus, RuntimeOptions};

use super::error::EarwitnessError;

/// How a runtime is opened.
#[derive(Clone, Debug, uniffi::Record)]
pub struct RuntimeConfig {
    /// The device's profile in TOML, consents included.
    #[uniffi(default = "")]
    pub profile_toml: String,
    /// What records call the profile.
    #[uniffi(default = "app")]
    pub profile_name: String,
    /// Where models are; the user's cache folder if absent, which phones do not have.
    #[uniffi(default = None)]
    pub model_folder: Option<String>,
    /// Where utterances and records that wait are kept; the user's data folder if absent.
    #[uniffi(default = None)]
    pub data_folder: Option<String>,
    /// Where packed weights are kept, which are made once from a model; a folder in `model_folder` if absent, which can be
    /// written to then. An app's own resources cannot.
    #[uniffi(default = None)]
    pub cache_folder: Option<String>,
    /// Whether live sessions tell partial texts.
    #[uniffi(default = true)]
    pub partials: bool,
}

impl TryFrom<RuntimeConfig> for RuntimeOptions {
    type Error = EarwitnessError;

    fn try_from(config: RuntimeConfig) -> Result<Self, EarwitnessError> {
        let profile = Profile::parse(&config.profile_toml, "profile_toml")
            .map_err(|e| EarwitnessError::Config { reason: e.to_string() })?;
        Ok(Self {
            profile,
            profile_name: config.profile_name,
            model_folder: config.model_folder.map(PathBuf::from),
            data_folder: config.data_folder.map(PathBuf::from),
            cache_folder: config.cache_folder.map(PathBuf::from),
            partials: config.partials,
        })
    }
}

/// What waits for the collection server, and how sending goes.
#[derive(Clone, Debug, uniffi::Record)]
pub struct TelemetryStatus {
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

impl From<OutletStatus> for TelemetryStatus {
    fn from(status: OutletStatus) -> Self {
        Self {
            records: status.records,
            bytes: status.bytes,
            lost: status.lost,
            failures: status.failures,
            last_error: status.last_error,
            last_accepted_unix_ms: status.last_accepted_unix_ms,
            waits_for_network: status.waits_for_network,
        }
    }
}
