//! [`UtteranceInput`]: how an utterance came in, for those who keep figures of it.
//!
//! Carried by events only where [`PipelineOptions::keep_input`](super::PipelineOptions::keep_input) asks for it, and
//! never in their JSON. Nothing is measured here: that is for whoever takes the event, in their own time.

use std::sync::Arc;

use crate::audio::{AudioSource, NativeFormat};
use crate::utterance::Utterance;

/// What the source went through since the utterance before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureFacts {
    /// How the audio arrived; unknown for what waited in the spool.
    pub native: Option<NativeFormat>,
    /// Samples at 16 kHz that were lost.
    pub lost_samples: u64,
    /// Times that a capture buffer ran over.
    pub overruns: u64,
    /// Samples that were NaN or infinite.
    pub missing_samples: u64,
}

/// An utterance and how it came in. Its `Debug` shows no audio.
#[derive(Debug)]
pub struct UtteranceInput {
    /// The audio as the recognizer heard it.
    pub utterance: Utterance,
    /// The source.
    pub capture: CaptureFacts,
    /// Utterances that still waited when this one was taken.
    pub queue_depth: u64,
}

impl UtteranceInput {
    /// For one that waited in the spool: all else is forgotten.
    pub(super) fn of_kept(utterance: Utterance) -> Arc<Self> {
        Arc::new(Self { utterance, capture: CaptureFacts::default(), queue_depth: 0 })
    }
}

/// Turns totals since the stream began into totals since the last utterance.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CaptureLedger {
    lost_samples: u64,
    overruns: u64,
    missing_samples: u64,
}

impl CaptureLedger {
    /// What is new; `lost` samples and `non_finite` ones are those that the pipeline itself counted.
    pub(super) fn settle(&mut self, source: &dyn AudioSource, lost: u64, non_finite: u64) -> CaptureFacts {
        let faults = source.faults();
        let now = Self {
            lost_samples: lost,
            overruns: faults.overruns,
            missing_samples: faults.non_finite_samples + non_finite,
        };
        let before = std::mem::replace(self, now);
        CaptureFacts {
            native: Some(source.native()),
            lost_samples: now.lost_samples.saturating_sub(before.lost_samples),
            overruns: now.overruns.saturating_sub(before.overruns),
            missing_samples: now.missing_samples.saturating_sub(before.missing_samples),
        }
    }
}
