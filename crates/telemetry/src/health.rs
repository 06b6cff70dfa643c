//! The heartbeat.

use serde::{Deserialize, Serialize};

/// How the device is, at regular intervals.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthRecord {
    /// The run of the program.
    pub session_id: String,
    /// Since the run began, ms.
    pub uptime_ms: u64,
    /// The device's profile.
    pub profile: String,
    /// The program's version.
    pub app_version: String,
    /// Utterances since the run began.
    pub utterances: u64,
    /// Failures since the run began.
    pub errors: u64,
    /// Utterances dropped since the run began.
    pub dropped: u64,
    /// Records that wait for upload.
    pub journal_records: u64,
    /// Bytes that they take.
    pub journal_bytes: u64,
    /// Records lost since the journal was made.
    pub journal_lost: u64,
    /// Memory of the process, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_bytes: Option<u64>,
    /// Processor time of the process over wall time since the last heartbeat; 1 is one core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_share: Option<f64>,
    /// Free space where the journal is, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_free_bytes: Option<u64>,
    /// The processor's temperature, degrees Celsius.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature_celsius: Option<f64>,
    /// See [`SoftwareMetrics::throttled`](crate::SoftwareMetrics::throttled).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttled: Option<bool>,
}
