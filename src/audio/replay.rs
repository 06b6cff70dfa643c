//! [`Replay`]: any source at the pace of a microphone.
//!
//! A recording read as fast as it can be says nothing about latency. Replayed, it arrives in blocks
//! of 20 ms, each no earlier than a microphone would have delivered it. Deadlines are counted from
//! the first block, so a slow consumer is not given extra time: it finds the next blocks waiting.

use std::time::{Duration, Instant};

use super::source::{AudioSource, NativeFormat, Read, SourceFaults};
use super::{AudioError, seconds_of};

/// Samples per block: 20 ms, what sound systems commonly deliver.
pub const REPLAY_BLOCK_SAMPLES: usize = 320;

/// Where [`Replay`] gets its time from.
pub trait Clock: Send {
    /// Time since some fixed moment.
    fn now(&self) -> Duration;
    /// Waits until [`Clock::now`] is at least `deadline`.
    fn sleep_until(&mut self, deadline: Duration);
}

/// Real time.
#[derive(Debug)]
pub struct WallClock(Instant);

impl Default for WallClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for WallClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep_until(&mut self, deadline: Duration) {
        if let Some(wait) = deadline.checked_sub(self.now()) {
            std::thread::sleep(wait);
        }
    }
}

/// A source whose samples become available at `pace` times real time.
pub struct Replay<S, C = WallClock> {
    inner: S,
    clock: C,
    pace: f64,
    /// When the stream's position 0 was.
    began: Option<Duration>,
    /// Samples and gaps handed over so far.
    position: u64,
    /// What the inner source has given; `used` samples of it are handed over.
    waiting: Vec<f32>,
    used: usize,
    fresh: Vec<f32>,
    /// The gap or end met while `waiting` was being filled.
    then: Option<Read>,
}

impl<S: AudioSource> Replay<S> {
    /// Replays `inner` at `pace` (1.0 is real time, 2.0 twice as fast; values that are not
    /// positive numbers count as 1.0).
    pub fn new(inner: S, pace: f64) -> Self {
        Self::with_clock(inner, pace, WallClock::default())
    }
}

impl<S: AudioSource, C: Clock> Replay<S, C> {
    /// The same on another clock.
    pub fn with_clock(inner: S, pace: f64, clock: C) -> Self {
        let pace = if pace.is_finite() && pace > 0.0 { pace } else { 1.0 };
        Self {
            inner,
            clock,
            pace,
            began: None,
            position: 0,
            waiting: Vec::new(),
            used: 0,
            fresh: Vec::new(),
            then: None,
        }
    }

    /// The source being replayed.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Reads until a whole block is waiting or the source has a gap or its end.
    fn fill(&mut self) -> Result<(), AudioError> {
        while self.then.is_none() && self.waiting.len() - self.used < REPLAY_BLOCK_SAMPLES {
            match self.inner.read(&mut self.fresh)? {
                Read::Samples => {
                    self.waiting.drain(..self.used);
                    self.used = 0;
                    self.waiting.extend_from_slice(&self.fresh);
                }
                other => self.then = Some(other),
            }
        }
        Ok(())
    }

    /// Waits until `samples` more could have been recorded.
    fn wait_for(&mut self, samples: u64) {
        let now = self.clock.now();
        let began = *self.began.get_or_insert(now);
        self.position += samples;
        let due = seconds_of(self.position as usize) / self.pace;
        self.clock.sleep_until(began + Duration::from_secs_f64(due));
    }
}

impl<S: AudioSource, C: Clock> AudioSource for Replay<S, C> {
    fn read(&mut self, block: &mut Vec<f32>) -> Result<Read, AudioError> {
        block.clear();
        self.fill()?;
        let n = REPLAY_BLOCK_SAMPLES.min(self.waiting.len() - self.used);
        if n > 0 {
            self.wait_for(n as u64);
            block.extend_from_slice(&self.waiting[self.used..self.used + n]);
            self.used += n;
            return Ok(Read::Samples);
        }
        match self.then {
            Some(Read::Gap(lost)) => {
                self.then = None;
                self.wait_for(lost);
                Ok(Read::Gap(lost))
            }
            _ => Ok(Read::End),
        }
    }

    fn native(&self) -> NativeFormat {
        self.inner.native()
    }

    fn duration_hint(&self) -> Option<Duration> {
        self.inner.duration_hint()
    }

    fn faults(&self) -> SourceFaults {
        self.inner.faults()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::audio::SAMPLE_RATE;

    /// Time that passes only by sleeping, and what was slept until.
    #[derive(Default)]
    struct FakeClock {
        now: Duration,
        deadlines: Vec<Duration>,
    }

    impl Clock for FakeClock {
        fn now(&self) -> Duration {
            self.now
        }
        fn sleep_until(&mut self, deadline: Duration) {
            self.deadlines.push(deadline);
            self.now = self.now.max(deadline);
        }
    }

    /// Plays back a script of reads; `Samples` come as counting numbers.
    struct Script(VecDeque<Result<usize, Read>>, f32);

    impl AudioSource for Script {
        fn read(&mut self, block: &mut Vec<f32>) -> Result<Read, AudioError> {
            block.clear();
            match self.0.pop_front() {
                Some(Ok(n)) => {
                    block.extend((0..n).map(|i| self.1 + i as f32));
                    self.1 += n as f32;
                    Ok(Read::Samples)
                }
                Some(Err(other)) => Ok(other),
                None => Ok(Read::End),
            }
        }
        fn native(&self) -> NativeFormat {
            NativeFormat { rate: SAMPLE_RATE, channels: 1 }
        }
    }

    fn replay(script: Vec<Result<usize, Read>>, pace: f64) -> Replay<Script, FakeClock> {
        Replay::with_clock(Script(script.into(), 0.0), pace, FakeClock::default())
    }

    fn milliseconds(replay: &Replay<Script, FakeClock>) -> Vec<u128> {
        replay.clock.deadlines.iter().map(Duration::as_millis).collect()
    }

    #[test]
    fn blocks_of_20_ms_come_when_a_microphone_would_bring_them() {
        let mut source = replay(vec![Ok(700), Ok(1), Ok(259)], 1.0);
        let mut block = Vec::new();
        let mut all = Vec::new();
        while source.read(&mut block).unwrap() == Read::Samples {
            assert_eq!(block.len(), REPLAY_BLOCK_SAMPLES);
            all.extend_from_slice(&block);
        }
        assert_eq!(all, (0..960).map(|i| i as f32).collect::<Vec<_>>());
        assert_eq!(milliseconds(&source), [20, 40, 60]);
        assert_eq!(source.read(&mut block).unwrap(), Read::End);
    }

    #[test]
    fn a_pace_of_two_halves_the_waits_and_nonsense_counts_as_one() {
        let mut block = Vec::new();
        for (pace, wanted) in [(2.0, 10), (0.5, 40), (0.0, 20), (f64::NAN, 20)] {
            let mut source = replay(vec![Ok(320)], pace);
            source.read(&mut block).unwrap();
            assert_eq!(milliseconds(&source), [wanted]);
        }
    }

    #[test]
    fn a_gap_takes_as_long_as_the_samples_it_replaces() {
        let mut source = replay(vec![Ok(100), Err(Read::Gap(16_000)), Ok(320)], 1.0);
        let mut block = Vec::new();
        let reads: Vec<Read> = (0..4).map(|_| source.read(&mut block).unwrap()).collect();
        assert_eq!(reads, [Read::Samples, Read::Gap(16_000), Read::Samples, Read::End]);
        assert_eq!(milliseconds(&source), [6, 1006, 1026]);
    }
}
