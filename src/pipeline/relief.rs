//! [`Relief`]: a hot device asks for less work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// While it is wanted, the pipeline does only what an answer needs: the shadow rests, and nothing is recognized before its
/// utterance has ended. No answer is lost or changed by it; texts come a little later.
#[derive(Clone, Debug, Default)]
pub struct Relief(Arc<AtomicBool>);

impl Relief {
    /// Asks for it, or takes that back; from any thread.
    pub fn want(&self, wanted: bool) {
        self.0.store(wanted, Ordering::Relaxed);
    }

    /// Whether it is wanted now.
    pub fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
