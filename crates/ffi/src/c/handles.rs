//! Handles: numbers that are given once, so that a wrong one is known.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use super::status::{EwStatus, Failure};

/// Things by their handle. Reading takes a lock that only opening and freeing hold.
pub(super) struct Handles<T> {
    what: &'static str,
    things: LazyLock<RwLock<HashMap<u64, Arc<T>>>>,
}

/// One number line for all kinds: a handle of one kind is none of another. 0 is never given.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl<T> Handles<T> {
    pub(super) const fn new(what: &'static str) -> Self {
        Self { what, things: LazyLock::new(RwLock::default) }
    }

    pub(super) fn add(&self, thing: T) -> u64 {
        let handle = NEXT.fetch_add(1, Ordering::Relaxed);
        self.things.write().unwrap_or_else(PoisonError::into_inner).insert(handle, Arc::new(thing));
        handle
    }

    pub(super) fn get(&self, handle: u64) -> Result<Arc<T>, Failure> {
        let things = self.things.read().unwrap_or_else(PoisonError::into_inner);
        things.get(&handle).cloned().ok_or_else(|| self.unknown(handle))
    }

    /// The thing is dropped when the last call that uses it ends.
    pub(super) fn remove(&self, handle: u64) -> Result<Arc<T>, Failure> {
        let removed = self.things.write().unwrap_or_else(PoisonError::into_inner).remove(&handle);
        removed.ok_or_else(|| self.unknown(handle))
    }

    fn unknown(&self, handle: u64) -> Failure {
        Failure::new(EwStatus::BadHandle, format!("{handle} is no {}: never opened, or freed", self.what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_good_once_and_for_its_kind_only() {
        let (numbers, words) = (Handles::new("number"), Handles::new("word"));
        let handle = numbers.add(5);
        let other = words.add("five");
        assert!(handle != 0 && handle != other);
        assert_eq!(numbers.get(handle).map(|n| *n).ok(), Some(5));
        assert!(numbers.get(other).is_err() && numbers.get(0).is_err());
        assert!(numbers.remove(handle).is_ok());
        let again = numbers.remove(handle).err().map(|failure| failure.status);
        assert_eq!(again, Some(EwStatus::BadHandle));
    }
}
