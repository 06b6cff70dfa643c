//! [`Pauses`]: how loud it is when nobody speaks.

use std::collections::VecDeque;

use crate::audio::samples_in_ms;

/// Pause that is remembered: long enough for a steady mean, short enough to follow the room.
const REMEMBERED_MS: u32 = 2_000;
/// Less pause than this says nothing of the noise.
const LEAST_MS: u32 = 100;

/// Mean squares of the latest frames in which nobody spoke, before, within and after utterances.
#[derive(Debug)]
pub(super) struct Pauses {
    powers: VecDeque<f32>,
    remembered: usize,
    least: usize,
}

impl Pauses {
    /// Nothing heard yet.
    pub(super) fn new(frame_len: usize) -> Self {
        let frames = |ms| (samples_in_ms(ms) / frame_len).max(1);
        let remembered = frames(REMEMBERED_MS);
        Self { powers: VecDeque::with_capacity(remembered + 1), remembered, least: frames(LEAST_MS) }
    }

    /// Hears a frame in which nobody spoke, by its mean square.
    pub(super) fn push(&mut self, power: f32) {
        if self.powers.len() == self.remembered {
            self.powers.pop_front();
        }
        self.powers.push_back(power);
    }

    /// Forgets the room.
    pub(super) fn clear(&mut self) {
        self.powers.clear();
    }

    /// Mean square of the quieter half: the other half holds the ends of words and what the detector missed.
    /// `None` without 100 ms of pause.
    pub(super) fn power(&self) -> Option<f32> {
        if self.powers.len() < self.least {
            return None;
        }
        let mut powers: Vec<f32> = self.powers.iter().copied().collect();
        powers.sort_by(f32::total_cmp);
        let quieter = powers.len().div_ceil(2);
        Some(powers[..quieter].iter().sum::<f32>() / quieter as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quieter_half_counts_and_the_room_is_forgotten() {
        let mut pauses = Pauses::new(512);
        assert_eq!(pauses.power(), None);
        [4.0, 1.0, 1.0, 100.0].into_iter().for_each(|power| pauses.push(power));
        assert_eq!(pauses.power(), Some(1.0));
        (0..100).for_each(|_| pauses.push(9.0));
        assert_eq!(pauses.power(), Some(9.0), "two seconds later the room is another");
        pauses.clear();
        assert_eq!(pauses.power(), None);
    }
}
