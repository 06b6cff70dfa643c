//! [`MicrophoneSource`]: the caller's end of the ring, and the watchdog over the stream.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use super::helper::{ANSWER_TIMEOUT, drop_elsewhere, in_background, stuck};
use super::open::{Opened, Wanted, open};
use super::stats::{CaptureStats, CaptureStatsHandle, Counters};
use crate::audio::ring::RingDrain;
use crate::audio::source::{AudioSource, ChannelSelect, NativeFormat, Read, SourceFaults};
use crate::audio::{AudioError, Resampler, SAMPLE_RATE, output_length};

/// Without a callback for this long the stream counts as dead. The slowest healthy source seen, a
/// PulseAudio null sink with its default latency, delivers every 2 s only if not asked for less.
pub(super) const DEFAULT_WATCHDOG: Duration = Duration::from_secs(2);
/// `read` returns within about this time, with or without audio, so that its caller can stop.
const ANSWER_WITHIN: Duration = Duration::from_millis(100);
/// How often the ring is looked at; the callback cannot wake the reader without a system call. A
/// detector's frame is 32 ms: looking more often would only wake the processor.
const POLL: Duration = Duration::from_millis(32);
/// First and longest pause between attempts to open a dead device again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// Attempts that may hang for ever before the sound system is given up: each one holds a thread.
const MOST_STUCK_ATTEMPTS: u32 = 8;

/// A live microphone as a stream of 16 kHz blocks. Dropping it never blocks.
pub struct MicrophoneSource {
    wanted: Wanted,
    watchdog: Duration,
    counters: Arc<Counters>,
    id: String,
    native: NativeFormat,
    resampler: Resampler,
    mono: Vec<f32>,
    state: State,
    /// A gap to be reported before anything else.
    due_gap: u64,
}

enum State {
    Live(Live),
    Down(Outage),
}

struct Live {
    opened: Opened,
    drain: RingDrain,
    /// The outage that this stream shall end, until its first samples come.
    ends: Option<Outage>,
}

struct Outage {
    /// When the last good stream delivered for the last time.
    since: Instant,
    /// Samples at 16 kHz already reported as lost.
    reported: u64,
    attempts: u32,
    stuck: u32,
    next_attempt: Instant,
    opener: Option<(Receiver<Result<Opened, AudioError>>, Instant)>,
}

impl MicrophoneSource {
    pub(super) fn new(
        opened: Opened,
        wanted: Wanted,
        counters: Arc<Counters>,
        watchdog: Duration,
    ) -> Result<Self, AudioError> {
        tracing::info!(device = %opened.id, rate = opened.native.rate.hz(), channels = opened.native.channels, "recording");
        let wanted = Wanted {
            // Come back to the same sound system, and to the same device if one was named.
            host: opened.id.split_once(':').map(|(host, _)| host.to_owned()),
            device: wanted.device.map(|_| opened.id.clone()),
            or_default: false,
            ..wanted
        };
        Ok(Self {
            wanted,
            watchdog,
            counters,
            id: opened.id.clone(),
            native: opened.native,
            resampler: Resampler::new(opened.native.rate)?,
            mono: Vec::new(),
            state: State::Live(Live { opened, drain: RingDrain::default(), ends: None }),
            due_gap: 0,
        })
    }

    /// The id of the device that is recorded.
    pub fn device_id(&self) -> &str {
        &self.id
    }

    /// Which channel is heard.
    pub fn channel(&self) -> ChannelSelect {
        self.wanted.select
    }

    /// The totals so far.
    pub fn stats(&self) -> CaptureStats {
        self.stats_handle().now()
    }

    /// Reads the totals from another thread.
    pub fn stats_handle(&self) -> CaptureStatsHandle {
        CaptureStatsHandle(Arc::clone(&self.counters))
    }

    /// One look at a running stream: takes samples, or finds out that it is dead.
    fn look_live(&mut self, block: &mut Vec<f32>) -> Result<(), AudioError> {
        let State::Live(live) = &mut self.state else { return Ok(()) };
        let before = live.opened.ring.slots();
        if before > 0 {
            if let Some(outage) = live.ends.take() {
                let held = Duration::from_secs_f64(before as f64 / f64::from(self.native.rate.hz()));
                let lasted = outage.since.elapsed().saturating_sub(held);
                self.due_gap = samples_in(lasted).saturating_sub(outage.reported);
                self.counters.reconnects.fetch_add(1, Relaxed);
                tracing::info!(device = %self.id, seconds = lasted.as_secs_f64(), "recording again");
                return Ok(());
            }
            return self.take(block);
        }
        let silent = live.opened.state.last_sign_of_life().elapsed();
        let broken = live.opened.state.broken.load(Relaxed);
        if broken || silent >= self.watchdog {
            tracing::warn!(device = %self.id, broken, silent_s = silent.as_secs_f64(), "the microphone stopped delivering; reopening it");
            self.resampler.finish(block)?;
            self.go_down();
        }
        Ok(())
    }

    /// Moves samples from the ring to `block`, up to a place where others were lost.
    fn take(&mut self, block: &mut Vec<f32>) -> Result<(), AudioError> {
        let State::Live(live) = &mut self.state else { return Ok(()) };
        let lost = live.opened.state.lost_frames.load(Relaxed);
        let drained = live.drain.take(&mut live.opened.ring, lost, &mut self.mono);
        self.counters.non_finite.fetch_add(drained.non_finite, Relaxed);
        self.resampler.push(&self.mono, block)?;
        if let Some(frames) = drained.gap_frames {
            self.due_gap = output_length(frames, self.native.rate);
            self.resampler.finish(block)?;
        }
        Ok(())
    }

    fn go_down(&mut self) {
        let now = Instant::now();
        let fresh =
            |since| Outage { since, reported: 0, attempts: 0, stuck: 0, next_attempt: now, opener: None };
        let old = std::mem::replace(&mut self.state, State::Down(fresh(now)));
        if let State::Live(live) = old {
            // A stream that never delivered continues the outage that it was to end.
            let mut outage = live.ends.unwrap_or_else(|| fresh(live.opened.state.last_sign_of_life()));
            outage.next_attempt = now + backoff(outage.attempts);
            self.state = State::Down(outage);
            drop_elsewhere(live.opened.stream);
        }
    }

    /// One look at an outage: starts an attempt when it is time, and ends the outage if one worked.
    fn look_down(&mut self) -> Result<(), AudioError> {
        let State::Down(outage) = &mut self.state else { return Ok(()) };
        let now = Instant::now();
        let Some((opener, started)) = &outage.opener else {
            if now >= outage.next_attempt {
                let (wanted, counters) = (self.wanted.clone(), Arc::clone(&self.counters));
                outage.opener = Some((in_background(move || open(&wanted, &counters)), now));
            }
            return Ok(());
        };
        match opener.try_recv() {
            Ok(Ok(opened)) => return self.come_back(opened),
            Ok(Err(error)) => tracing::debug!(device = %self.id, %error, "the microphone is still away"),
            Err(TryRecvError::Empty) if started.elapsed() < ANSWER_TIMEOUT => return Ok(()),
            Err(_) => outage.stuck += 1,
        }
        if outage.stuck >= MOST_STUCK_ATTEMPTS {
            return Err(stuck("reopening the microphone"));
        }
        outage.opener = None;
        outage.attempts += 1;
        outage.next_attempt = now + backoff(outage.attempts);
        Ok(())
    }

    fn come_back(&mut self, opened: Opened) -> Result<(), AudioError> {
        self.resampler = Resampler::new(opened.native.rate)?;
        self.native = opened.native;
        self.id.clone_from(&opened.id);
        let live = Live { opened, drain: RingDrain::default(), ends: None };
        if let State::Down(mut outage) = std::mem::replace(&mut self.state, State::Live(live)) {
            outage.opener = None;
            outage.attempts += 1;
            if let State::Live(live) = &mut self.state {
                live.ends = Some(outage);
            }
        }
        Ok(())
    }

    /// Samples lost in the present outage that have not been reported.
    fn unreported(&mut self) -> u64 {
        let outage = match &mut self.state {
            State::Down(outage) => Some(outage),
            State::Live(live) => live.ends.as_mut(),
        };
        outage.map_or(0, |outage| {
            let lost = samples_in(outage.since.elapsed()).saturating_sub(outage.reported);
            outage.reported += lost;
            lost
        })
    }

    fn gap(&self, lost: u64) -> Read {
        self.counters.lost_samples.fetch_add(lost, Relaxed);
        Read::Gap(lost)
    }
}

impl AudioSource for MicrophoneSource {
    fn read(&mut self, block: &mut Vec<f32>) -> Result<Read, AudioError> {
        block.clear();
        let asked = Instant::now();
        loop {
            if self.due_gap > 0 {
                let lost = std::mem::take(&mut self.due_gap);
                return Ok(self.gap(lost));
            }
            match self.state {
                State::Live(_) => self.look_live(block)?,
                State::Down(_) => self.look_down()?,
            }
            if !block.is_empty() {
                return Ok(Read::Samples);
            }
            if asked.elapsed() >= ANSWER_WITHIN {
                let lost = self.unreported();
                return Ok(if lost > 0 { self.gap(lost) } else { Read::Samples });
            }
            if self.due_gap == 0 {
                thread::sleep(POLL);
            }
        }
    }

    fn native(&self) -> NativeFormat {
        self.native
    }

    fn faults(&self) -> SourceFaults {
        let stats = self.stats();
        SourceFaults {
            non_finite_samples: stats.non_finite,
            lost_samples: stats.lost_samples,
            overruns: stats.overruns + stats.xruns,
            ..SourceFaults::default()
        }
    }
}

impl Drop for MicrophoneSource {
    fn drop(&mut self) {
        let now = Instant::now();
        let gone = Outage { since: now, reported: 0, attempts: 0, stuck: 0, next_attempt: now, opener: None };
        if let State::Live(live) = std::mem::replace(&mut self.state, State::Down(gone)) {
            drop_elsewhere(live.opened.stream);
        }
    }
}

fn backoff(attempts: u32) -> Duration {
    if attempts == 0 {
        Duration::ZERO
    } else {
        (BACKOFF.0 * 2_u32.saturating_pow(attempts - 1).min(1 << 10)).min(BACKOFF.1)
    }
}

fn samples_in(time: Duration) -> u64 {
    (time.as_secs_f64() * f64::from(SAMPLE_RATE.hz())) as u64
}

#[cfg(test)]
mod tests;
