//! Which engine answers: the policy, and what is told of each decision.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Who is asked, and in which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// This device only. Nothing leaves it.
    #[default]
    Local,
    /// The cloud only; what it cannot answer now waits in the spool.
    Cloud,
    /// This device; the cloud as well where it is not sure.
    LocalThenCloud,
    /// The cloud; this device where the cloud does not answer in time.
    CloudThenLocal,
}

impl Policy {
    /// Whether audio may be sent away under it.
    pub fn uses_cloud(self) -> bool {
        self != Self::Local
    }

    /// Whether this device answers under it.
    pub fn uses_local(self) -> bool {
        self != Self::Cloud
    }
}

/// How the policy is applied.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteRules {
    /// Who is asked.
    pub policy: Policy,
    /// The user's recorded consent that audio is sent to the cloud. Without it nothing is.
    pub consent: bool,
    /// From the endpointer's decision to the answer, where another engine is waited for. 3 s: people who wait longer
    /// for a dictated sentence begin to speak again.
    pub budget: Duration,
    /// Local answers below this confidence are also asked of the cloud, in [0, 1]. 0.5: an `avg_logprob` of -0.7,
    /// about where Whisper's own fall-back test lies.
    pub min_confidence: f32,
    /// Cost of a minute of audio, in any currency.
    pub cost_per_minute: f64,
    /// Most that may be spent in a day (UTC), in the same currency.
    pub spend_cap_per_day: Option<f64>,
    /// How long the cloud is left alone after it could not be reached; doubles up to 5 minutes.
    pub offline_pause: Duration,
}

impl Default for RouteRules {
    fn default() -> Self {
        Self {
            policy: Policy::Local,
            consent: false,
            budget: Duration::from_secs(3),
            min_confidence: 0.5,
            cost_per_minute: 0.0,
            spend_cap_per_day: None,
            offline_pause: Duration::from_secs(5),
        }
    }
}

/// Where an answer was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// On this device.
    Local,
    /// By a cloud speech API.
    Cloud,
}

/// Why it was made there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The policy asks this engine first.
    Policy,
    /// The local answer was below the wanted confidence.
    LowConfidence,
    /// The local engine failed.
    LocalFailed,
    /// There is no consent to send audio.
    NoConsent,
    /// No cloud is set up.
    NoCloud,
    /// The day's cap is reached.
    SpendCap,
    /// The cloud cannot be reached, or could not a moment ago.
    Offline,
    /// The cloud did not answer within the budget.
    Deadline,
    /// The cloud answered with an error.
    CloudError,
    /// It waited in the spool.
    Retried,
}
