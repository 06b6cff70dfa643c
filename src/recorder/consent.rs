//! [`RecordConsent`]: what the user agreed to, and what may therefore travel beside the figures.

use crate::telemetry::{Consent, Consented, Scope, Speaker};

/// What may travel beside the figures; nothing by default. Its `Debug` shows nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordConsent {
    /// What was understood.
    pub text: bool,
    /// Recordings.
    pub audio: bool,
    /// Who spoke.
    pub speaker: Option<Speaker>,
    /// When the user agreed, ms since 1970-01-01 UTC.
    pub granted_unix_ms: u64,
}

/// Texts of one record. Without consent they are not copied.
#[derive(Clone, Copy, Default)]
pub(super) struct Texts<'a> {
    pub(super) primary: Option<&'a str>,
    pub(super) shadow: Option<&'a str>,
    pub(super) corrected: Option<&'a str>,
}

impl<'a> Texts<'a> {
    pub(super) fn of(primary: &'a str) -> Self {
        Self { primary: Some(primary), ..Self::default() }
    }
}

impl RecordConsent {
    /// What of `texts` and of the speaker the consent covers; `None` if that is nothing.
    pub(super) fn cover(&self, texts: Texts<'_>) -> Option<Consented> {
        let text = |text: Option<&str>| text.filter(|text| self.text && !text.is_empty()).map(str::to_owned);
        let consented = Consented {
            consent: self.as_recorded(),
            text: text(texts.primary),
            shadow_text: text(texts.shadow),
            corrected_text: text(texts.corrected),
            speaker: self.speaker.clone(),
        };
        let Consented { text, shadow_text, corrected_text, speaker, .. } = &consented;
        let empty = text.is_none() && shadow_text.is_none() && corrected_text.is_none() && speaker.is_none();
        (!empty).then_some(consented)
    }

    fn as_recorded(&self) -> Consent {
        let scopes =
            [(self.text, Scope::Text), (self.audio, Scope::Audio), (self.speaker.is_some(), Scope::Speaker)];
        Consent {
            granted_unix_ms: self.granted_unix_ms,
            scopes: scopes.into_iter().filter_map(|(agreed, scope)| agreed.then_some(scope)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consent(n: u8) -> RecordConsent {
        RecordConsent {
            text: n & 1 != 0,
            audio: n & 2 != 0,
            speaker: (n & 4 != 0).then(|| Speaker { subject_id: "s".into(), attributes: Default::default() }),
            granted_unix_ms: 7,
        }
    }

    #[test]
    fn nothing_travels_that_was_not_agreed_to() {
        let texts = Texts { primary: Some("one"), shadow: Some("two"), corrected: Some("three") };
        for n in 0..8 {
            let covered = consent(n).cover(texts);
            assert_eq!(covered.is_some(), n & 0b101 != 0, "audio alone is no part of a record");
            let Some(covered) = covered else { continue };
            assert_eq!(covered.uncovered(), None);
            assert_eq!(covered.text.is_some(), n & 1 != 0);
            assert_eq!(covered.corrected_text.is_some(), covered.shadow_text.is_some());
            assert_eq!(covered.speaker.is_some(), n & 4 != 0);
            assert_eq!(covered.consent.covers(Scope::Audio), n & 2 != 0);
            assert_eq!(covered.consent.granted_unix_ms, 7);
        }
    }

    #[test]
    fn an_empty_text_is_no_text() {
        assert_eq!(consent(1).cover(Texts::of("")), None);
    }
}
