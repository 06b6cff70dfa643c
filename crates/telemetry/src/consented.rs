//! What may only travel with somebody's consent.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What a consent covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// What was understood.
    Text,
    /// The recording.
    Audio,
    /// Who spoke, and what they said of themselves.
    Speaker,
}

/// A consent as it was recorded on the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// When it was given, ms since 1970-01-01 UTC.
    pub granted_unix_ms: u64,
    /// To what.
    pub scopes: Vec<Scope>,
}

impl Consent {
    /// Whether `scope` is covered.
    pub fn covers(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}

/// Text and person of one record, apart from its figures, and the consent that lets them leave the device.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consented {
    /// Why this may be sent.
    pub consent: Consent,
    /// What the primary understood. Scope [`Scope::Text`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What the shadow understood. Scope [`Scope::Text`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow_text: Option<String>,
    /// What the user made of it. Scope [`Scope::Text`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrected_text: Option<String>,
    /// Scope [`Scope::Speaker`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<Speaker>,
}

impl Consented {
    /// What is here although the consent does not cover it.
    pub fn uncovered(&self) -> Option<Scope> {
        let text = self.text.is_some() || self.shadow_text.is_some() || self.corrected_text.is_some();
        [(text, Scope::Text), (self.speaker.is_some(), Scope::Speaker)]
            .into_iter()
            .find_map(|(present, scope)| (present && !self.consent.covers(scope)).then_some(scope))
    }
}

/// Shows no text and nobody.
impl fmt::Debug for Consented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consented").field("consent", &self.consent).finish_non_exhaustive()
    }
}

/// Who spoke.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Speaker {
    /// A pseudonym, the same over records of one person: what an erasure names.
    pub subject_id: String,
    /// What they said of themselves, such as `accent` or `age_band`: slices for error analysis.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

impl fmt::Debug for Speaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Speaker").finish_non_exhaustive()
    }
}
