//! Records of comparisons with the shadow.

use super::consent::Texts;
use super::output::{self, name_of, outcome};
use super::thread::{RecorderThread, app_version};
use crate::pipeline::{ShadowComparison, ShadowFailure, ShadowSubject};
use crate::telemetry::{Record, ShadowRecord};

impl RecorderThread {
    pub(super) fn shadow(&mut self, comparison: &ShadowComparison, unix_ms: u64) {
        let subject = &comparison.subject;
        let edits = comparison.disagreement.edits;
        let record = ShadowRecord {
            shadow_engine: comparison.engine.to_string(),
            shadow_route: name_of(comparison.route),
            shadow_outcome: outcome(comparison.shadow_outcome),
            substitutions: edits.substitutions,
            deletions: edits.deletions,
            insertions: edits.insertions,
            primary_words: edits.reference_words,
            shadow_words: (edits.reference_words + edits.insertions).saturating_sub(edits.deletions),
            shadow_ms: comparison.shadow_ms,
            lag_ms: comparison.lag_ms,
            shadow_cost: comparison.cost,
            ..self.shadow_of(comparison.utterance, subject)
        };
        let texts = subject.texts.as_ref().map(|(primary, shadow)| Texts {
            primary: Some(primary),
            shadow: Some(shadow),
            ..Texts::default()
        });
        self.put(unix_ms, Record::Shadow(Box::new(record)), texts.unwrap_or_default());
    }

    /// There is no second text: nothing was compared, and no word is told from another.
    pub(super) fn shadow_failed(&mut self, failure: &ShadowFailure, unix_ms: u64) {
        let record = ShadowRecord {
            shadow_engine: failure.engine.to_string(),
            shadow_route: name_of(failure.route),
            shadow_outcome: output::failure(failure.timed_out),
            shadow_ms: failure.shadow_ms,
            lag_ms: failure.lag_ms,
            ..self.shadow_of(failure.utterance, &failure.subject)
        };
        self.put(unix_ms, Record::Shadow(Box::new(record)), Texts::default());
    }

    fn shadow_of(&self, utterance: u64, subject: &ShadowSubject) -> ShadowRecord {
        ShadowRecord {
            utterance_id: self.utterance_id(utterance),
            session_id: self.options.session_id.clone(),
            primary_engine: subject.primary_engine.to_string(),
            primary_outcome: outcome(subject.primary_outcome),
            primary_ms: subject.primary_ms,
            primary_cost: subject.primary_cost,
            sample_ratio: subject.sample_ratio,
            duration_ms: subject.duration_ms,
            snr_db: subject.snr_db,
            language: subject.language.clone(),
            profile: self.options.profile.clone(),
            app_version: app_version(),
            ..ShadowRecord::default()
        }
    }
}
