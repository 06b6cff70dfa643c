//! Threads for calls into the sound system that may never return.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::audio::AudioError;

/// How long opening or listing may take. A healthy sound server answers within 0.1 s, a first
/// `module-suspend` wake-up or Bluetooth headset within a few seconds.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs `work` on a thread of its own; its result arrives on the receiver. If nobody waits for it
/// any more the result is dropped on that thread, where blocking harms nobody.
pub(super) fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (sender, receiver) = mpsc::channel();
    // Without a thread the sender is dropped, which the receiver sees as a dead helper.
    let _ = thread::Builder::new().name("earwitness-audio-helper".into()).spawn(move || {
        let _ = sender.send(work());
    });
    receiver
}

/// Runs `work` on another thread and waits for it at most [`ANSWER_TIMEOUT`].
pub(super) fn within_timeout<T: Send + 'static>(
    doing: &str,
    work: impl FnOnce() -> Result<T, AudioError> + Send + 'static,
) -> Result<T, AudioError> {
    match in_background(work).recv_timeout(ANSWER_TIMEOUT) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(stuck(doing)),
    }
}

/// The error for a sound system that does not answer.
pub(super) fn stuck(doing: &str) -> AudioError {
    AudioError::SoundSystemStuck { doing: doing.to_owned(), seconds: ANSWER_TIMEOUT.as_secs() }
}

/// Drops something whose `drop` may block for ever, without waiting for it.
pub(super) fn drop_elsewhere<T: Send + 'static>(thing: T) {
    drop(in_background(move || drop(thing)));
}
