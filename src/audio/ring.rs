//! The reading end of a ring of mono samples that a thread fills which waits for nobody.
//!
//! What does not fit is lost and counted by the writer. It was lost after all that is in the ring at that moment, so the
//! reader takes those first and then tells of the gap.

use rtrb::Consumer;

use super::ChannelSelect;

/// Ring samples taken at once: 0.5 s at 48 kHz.
const MOST_FRAMES: usize = 24_000;

/// Where the reader stands.
#[derive(Default)]
pub(super) struct RingDrain {
    /// Lost frames already turned into a gap.
    lost_seen: u64,
    /// Frames still in the ring before the place where others were lost.
    until_gap: Option<usize>,
}

/// What one look at a ring brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Drained {
    /// Samples that were no number, replaced by 0.
    pub(super) non_finite: u64,
    /// After these samples so many frames were lost.
    pub(super) gap_frames: Option<u64>,
}

impl RingDrain {
    /// Replaces `mono` by some samples of `ring`, whose writer lost `lost` frames in all.
    pub(super) fn take(&mut self, ring: &mut Consumer<f32>, lost: u64, mono: &mut Vec<f32>) -> Drained {
        if lost > self.lost_seen && self.until_gap.is_none() {
            self.until_gap = Some(ring.slots());
        }
        let n = ring.slots().min(MOST_FRAMES).min(self.until_gap.unwrap_or(usize::MAX));
        mono.clear();
        let mut drained = Drained::default();
        if let Ok(chunk) = ring.read_chunk(n) {
            let (first, second) = chunk.as_slices();
            drained.non_finite =
                [first, second].map(|part| ChannelSelect::Mix.append(part, 1, mono)).iter().sum();
            chunk.commit_all();
        }
        if let Some(left) = &mut self.until_gap {
            *left -= n;
            if *left == 0 {
                self.until_gap = None;
                drained.gap_frames = Some(lost - self.lost_seen);
                self.lost_seen = lost;
            }
        }
        drained
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_is_told_after_what_was_there_before() {
        let (mut writer, mut reader) = rtrb::RingBuffer::new(8);
        let (mut drain, mut mono) = (RingDrain::default(), Vec::new());
        (0..5).for_each(|n| writer.push(n as f32).unwrap());
        let drained = drain.take(&mut reader, 3, &mut mono);
        assert_eq!((mono.len(), drained.gap_frames), (5, Some(3)));
        writer.push(f32::NAN).unwrap();
        let drained = drain.take(&mut reader, 3, &mut mono);
        assert_eq!(
            (mono.as_slice(), drained),
            ([0.0].as_slice(), Drained { non_finite: 1, gap_frames: None })
        );
    }
}
