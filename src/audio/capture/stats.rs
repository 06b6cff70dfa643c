//! What capture has gone through, in counters that any thread may read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Totals since the microphone was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct CaptureStats {
    /// Blocks received from the sound system.
    pub callbacks: u64,
    /// Callbacks that found the ring full, because the reader was too slow.
    pub overruns: u64,
    /// Overruns that the sound system reported on its own side.
    pub xruns: u64,
    /// Samples at 16 kHz lost to overruns and outages, as reported by `Read::Gap`.
    pub lost_samples: u64,
    /// Times that a dead stream was replaced by one that delivers.
    pub reconnects: u64,
    /// NaN or infinite samples, replaced by 0.
    pub non_finite: u64,
    /// From the sound's arrival at the converter to the last callback, as the sound system tells it.
    pub latency: Duration,
}

/// Reads [`CaptureStats`] while another thread owns the microphone.
#[derive(Clone, Debug)]
pub struct CaptureStatsHandle(pub(super) Arc<Counters>);

impl CaptureStatsHandle {
    /// The totals now.
    pub fn now(&self) -> CaptureStats {
        let c = &self.0;
        CaptureStats {
            callbacks: c.callbacks.load(Relaxed),
            overruns: c.overruns.load(Relaxed),
            xruns: c.xruns.load(Relaxed),
            lost_samples: c.lost_samples.load(Relaxed),
            reconnects: c.reconnects.load(Relaxed),
            non_finite: c.non_finite.load(Relaxed),
            latency: Duration::from_micros(c.latency_us.load(Relaxed)),
        }
    }
}

/// Shared by every stream that one microphone opens in its life.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) callbacks: AtomicU64,
    pub(super) overruns: AtomicU64,
    pub(super) xruns: AtomicU64,
    pub(super) lost_samples: AtomicU64,
    pub(super) reconnects: AtomicU64,
    pub(super) non_finite: AtomicU64,
    pub(super) latency_us: AtomicU64,
}

/// What one stream's callbacks tell its reader.
#[derive(Debug)]
pub(super) struct StreamState {
    opened: Instant,
    /// Nanoseconds from `opened` to the last callback; 0 before the first.
    last_callback_ns: AtomicU64,
    /// Frames that did not fit into the ring.
    pub(super) lost_frames: AtomicU64,
    /// The sound system has given this stream up.
    pub(super) broken: AtomicBool,
}

impl StreamState {
    pub(super) fn new() -> Self {
        Self {
            opened: Instant::now(),
            last_callback_ns: AtomicU64::new(0),
            lost_frames: AtomicU64::new(0),
            broken: AtomicBool::new(false),
        }
    }

    /// Notes that a callback came. Real-time safe.
    pub(super) fn called(&self) {
        self.last_callback_ns.store(self.opened.elapsed().as_nanos() as u64, Relaxed);
    }

    /// When the last callback came, or when the stream was opened.
    pub(super) fn last_sign_of_life(&self) -> Instant {
        self.opened + Duration::from_nanos(self.last_callback_ns.load(Relaxed))
    }
}
