//! The endpointer against a scripted detector.
//!
//! The detector answers with its script's probabilities, one a frame of 20 ms, then 0, whatever it
//! hears; it counts its refreshes. Samples carry their own position, so that what an utterance holds
//! can be checked sample by sample.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;
use crate::vad::SpeechProbability;

const FRAME: usize = 320;

struct Scripted {
    script: Vec<f32>,
    at: usize,
    refreshes: Arc<AtomicUsize>,
    non_finite_heard: Arc<AtomicUsize>,
}

impl VoiceActivityDetector for Scripted {
    fn frame_len(&self) -> usize {
        FRAME
    }

    fn speech_probability(&mut self, frame: &[f32]) -> SpeechProbability {
        assert_eq!(frame.len(), FRAME);
        self.non_finite_heard.fetch_add(frame.iter().filter(|x| !x.is_finite()).count(), Ordering::Relaxed);
        self.at += 1;
        SpeechProbability(self.script.get(self.at - 1).copied().unwrap_or(0.0))
    }

    fn reset(&mut self) {}

    fn refresh(&mut self) {
        self.refreshes.fetch_add(1, Ordering::Relaxed);
    }

    fn name(&self) -> &'static str {
        "scripted"
    }
}

fn scripted(rules: EndpointRules, script: &[f32]) -> (Endpointer, Arc<AtomicUsize>) {
    let refreshes = Arc::new(AtomicUsize::new(0));
    let detector = Scripted {
        script: script.to_vec(),
        at: 0,
        refreshes: refreshes.clone(),
        non_finite_heard: Arc::default(),
    };
    (Endpointer::new(rules, Box::new(detector)).unwrap(), refreshes)
}

/// `n` samples from `from` on that carry their position; exact in f32 up to 17 minutes.
fn ramp(from: u64, n: usize) -> Vec<f32> {
    (from..from + n as u64).map(|at| at as f32 / (1 << 24) as f32).collect()
}

/// `frames` frames of probability `p`.
fn run(p: f32, frames: usize) -> Vec<f32> {
    vec![p; frames]
}

#[derive(Debug, Default, Clone, PartialEq)]
struct Heard {
    started: Vec<u64>,
    /// Start, end, speech end, decided, reason, mean probability in thousandths.
    ended: Vec<(u64, u64, u64, u64, EndReason, u32)>,
}

impl Heard {
    fn take(&mut self, event: EndpointEvent) {
        match event {
            EndpointEvent::SpeechStarted { position } => {
                assert_eq!(self.started.len(), self.ended.len(), "started twice");
                self.started.push(position.0);
            }
            EndpointEvent::SpeechEnded(u) => {
                assert_eq!(u.index, self.ended.len() as u64);
                assert_eq!(u.samples, ramp(u.start.0, u.samples.len()), "samples are those of the stream");
                let mean = (u.mean_speech_probability * 1_000.0).round() as u32;
                self.ended.push((u.start.0, u.end().0, u.speech_end.0, u.decided.0, u.end_reason, mean));
                assert_eq!(self.started.len(), self.ended.len(), "ended without a start");
            }
        }
    }
}

/// Feeds the script's audio, `extra` samples more or less, in blocks of the given sizes in turn.
fn hear(rules: &EndpointRules, script: &[f32], extra: isize, blocks: &[usize]) -> Heard {
    let (mut endpointer, _) = scripted(rules.clone(), script);
    let audio = ramp(0, (script.len() * FRAME).saturating_add_signed(extra));
    let mut heard = Heard::default();
    let mut rest = audio.as_slice();
    for &block in blocks.iter().cycle() {
        let (now, later) = rest.split_at(block.min(rest.len()));
        endpointer.push(now, &mut |event| heard.take(event));
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    assert_eq!(endpointer.position().0, audio.len() as u64);
    endpointer.finish(&mut |event| heard.take(event));
    assert!(endpointer.in_progress().is_none());
    heard
}

fn hear_whole(script: &[f32]) -> Heard {
    hear(&EndpointRules::default(), script, 0, &[FRAME])
}

/// A position in samples from one in ms.
fn at(ms: u32) -> u64 {
    samples_in_ms(ms) as u64
}

#[test]
fn an_utterance_has_pre_roll_post_pad_and_ends_after_the_trailing_silence() {
    let heard = hear_whole(&[run(0.0, 50), run(0.9, 50), run(0.0, 50)].concat());
    assert_eq!(heard.started, [at(1_000)]);
    assert_eq!(heard.ended, [(at(700), at(2_100), at(2_000), at(2_500), EndReason::Silence, 900)]);
}

#[test]
fn a_pause_shorter_than_the_trailing_silence_does_not_split() {
    let heard = hear_whole(&[run(0.0, 50), run(0.9, 20), run(0.0, 24), run(0.9, 20), run(0.0, 50)].concat());
    assert_eq!(heard.ended.len(), 1);
}

#[test]
fn speech_goes_on_between_the_thresholds_but_does_not_begin_there() {
    let heard = hear_whole(&[run(0.2, 200), run(0.0, 50)].concat());
    assert_eq!(heard.ended, []);
    let heard = hear_whole(&[run(0.0, 50), run(0.9, 10), run(0.2, 100), run(0.0, 50)].concat());
    assert_eq!(heard.ended[0].2, at(1_000 + 200 + 2_000));
}

#[test]
fn a_click_is_no_speech_and_a_faint_short_sound_is_given_up() {
    assert_eq!(hear_whole(&[run(0.0, 50), run(1.0, 2), run(0.0, 50)].concat()), Heard::default());
    assert_eq!(hear_whole(&[run(0.0, 50), run(0.5, 4), run(0.0, 50)].concat()), Heard::default());
    assert_eq!(hear_whole(&[run(0.0, 50), run(0.7, 4), run(0.0, 50)].concat()).ended.len(), 1);
    assert_eq!(hear_whole(&[run(0.0, 50), run(0.5, 5), run(0.0, 50)].concat()).ended.len(), 1);
}

#[test]
fn pre_roll_stops_at_the_end_of_the_utterance_before() {
    let rules = EndpointRules { min_trailing_silence_ms: 100, ..Default::default() };
    let heard = hear(&rules, &[run(0.9, 20), run(0.0, 6), run(0.9, 20), run(0.0, 20)].concat(), 0, &[FRAME]);
    assert_eq!(heard.ended.len(), 2);
    assert_eq!(heard.ended[0].1, heard.ended[1].0, "the second begins where the first ended");
    assert_eq!(heard.ended[0].0, 0, "the first begins with the stream");
}

#[test]
fn the_end_of_the_stream_ends_the_utterance_within_a_partial_frame() {
    let heard = hear(&EndpointRules::default(), &[run(0.0, 50), run(0.9, 10)].concat(), -100, &[FRAME]);
    let end = 60 * FRAME as u64 - 100;
    assert_eq!(heard.ended, [(at(700), end, end, end, EndReason::EndOfStream, 900)]);
}

#[test]
fn long_speech_is_cut_in_its_deepest_pause_without_losing_a_sample() {
    // 40 s of speech with one dip, too short to end it, at 25 s.
    let script = [run(0.9, 1_250), run(0.05, 6), run(0.9, 744), run(0.0, 50)].concat();
    let heard = hear_whole(&script);
    let (first, second) = (heard.ended[0], heard.ended[1]);
    assert_eq!(heard.ended.len(), 2);
    assert_eq!((first.4, second.4), (EndReason::MaxDuration, EndReason::Silence));
    assert_eq!(first.1, second.0, "contiguous");
    assert!((at(25_040)..=at(25_100)).contains(&first.1), "cut at {} s", first.1 as f32 / 16_000.0);
    assert!(first.1 - first.0 <= at(28_000));
    assert_eq!(heard.started, [0, first.1]);
}

#[test]
fn silence_left_over_by_a_cut_is_no_utterance() {
    let rules = EndpointRules { max_utterance_ms: 2_000, ..Default::default() };
    // The limit is reached 400 ms into the trailing silence.
    let heard = hear(&rules, &[run(0.9, 80), run(0.0, 100)].concat(), 0, &[FRAME]);
    assert_eq!((heard.ended.len(), heard.started.len()), (1, 1));
    assert_eq!(heard.ended[0].4, EndReason::MaxDuration);
    assert_eq!(heard.ended[0].2, at(1_600), "speech ended before the cut");
}

#[test]
fn the_open_utterance_shows_its_audio_and_how_long_silence_has_lasted() {
    let (mut endpointer, _) = scripted(EndpointRules::default(), &[run(0.0, 50), run(0.9, 50)].concat());
    endpointer.push(&ramp(0, 50 * FRAME), &mut |_| {});
    assert!(endpointer.in_progress().is_none());
    endpointer.push(&ramp(50 * FRAME as u64, 60 * FRAME), &mut |_| {});
    let open = endpointer.in_progress().unwrap();
    assert_eq!(
        (open.index, open.start.0, open.speech_end.0, open.silence),
        (0, at(700), at(2_000), 10 * FRAME)
    );
    assert_eq!(open.samples, ramp(at(700), 110 * FRAME - samples_in_ms(700)));
}

#[test]
fn the_detector_is_refreshed_in_long_silence_only() {
    let (mut endpointer, refreshes) = scripted(EndpointRules::default(), &run(0.9, 1_000));
    endpointer.push(&ramp(0, 1_000 * FRAME), &mut |_| {});
    assert_eq!(refreshes.load(Ordering::Relaxed), 0);
    endpointer.push(&vec![0.0; samples_in_ms(500 + 15_000)], &mut |_| {});
    assert_eq!(refreshes.load(Ordering::Relaxed), 3);
}

#[test]
fn samples_that_are_no_numbers_are_counted_and_become_0() {
    let non_finite_heard = Arc::new(AtomicUsize::new(0));
    let detector = Scripted {
        script: run(0.9, 5),
        at: 0,
        refreshes: Arc::default(),
        non_finite_heard: non_finite_heard.clone(),
    };
    let mut endpointer = Endpointer::new(EndpointRules::default(), Box::new(detector)).unwrap();
    let mut samples = vec![0.25; 5 * FRAME];
    samples[10] = f32::NAN;
    samples[400] = f32::NEG_INFINITY;
    let mut kept = Vec::new();
    let mut keep = |event| match event {
        EndpointEvent::SpeechEnded(utterance) => kept = utterance.samples,
        EndpointEvent::SpeechStarted { .. } => {}
    };
    endpointer.push(&samples, &mut keep);
    endpointer.finish(&mut keep);
    assert_eq!((endpointer.non_finite_samples(), non_finite_heard.load(Ordering::Relaxed)), (2, 0));
    assert_eq!((kept.len(), kept[10], kept[400], kept[11]), (5 * FRAME, 0.0, 0.0, 0.25));
}

#[test]
fn a_stream_may_go_on_after_finish_without_old_pre_roll() {
    let (mut endpointer, _) = scripted(EndpointRules::default(), &run(0.9, 100));
    let mut heard = Heard::default();
    for (from, len) in [(0, 1_000), (1_000, 16_000)] {
        endpointer.push(&ramp(from, len), &mut |event| heard.take(event));
        endpointer.finish(&mut |event| heard.take(event));
    }
    assert_eq!(heard.ended.iter().map(|u| (u.0, u.1)).collect::<Vec<_>>(), [(0, 1_000), (1_000, 17_000)]);
}

#[test]
fn a_rule_outside_its_range_makes_no_endpointer() {
    let rules = EndpointRules { max_utterance_ms: 60_000, ..Default::default() };
    let detector =
        Scripted { script: vec![], at: 0, refreshes: Arc::default(), non_finite_heard: Arc::default() };
    assert_eq!(Endpointer::new(rules, Box::new(detector)).unwrap_err().rule, "max_utterance_ms");
}

/// Stretches of 1 to 60 frames at probabilities on and around both thresholds.
fn scripts() -> impl Strategy<Value = Vec<f32>> {
    let probability = prop_oneof![Just(0.0_f32), Just(0.1), Just(0.2), Just(0.4), Just(0.95)];
    proptest::collection::vec((probability, 1_usize..60), 1..40)
        .prop_map(|runs| runs.into_iter().flat_map(|(p, frames)| run(p, frames)).collect())
}

proptest! {
    #[test]
    fn block_sizes_change_nothing(
        script in scripts(),
        extra in -319_isize..1,
        blocks in proptest::collection::vec(1_usize..5_000, 1..8),
    ) {
        let rules = EndpointRules { max_utterance_ms: 3_000, ..Default::default() };
        prop_assert_eq!(hear(&rules, &script, extra, &[FRAME]), hear(&rules, &script, extra, &blocks));
    }

    #[test]
    fn utterances_are_in_order_disjoint_bounded_and_hold_every_clearly_voiced_frame(script in scripts()) {
        let rules = EndpointRules { max_utterance_ms: 3_000, ..Default::default() };
        let heard = hear(&rules, &script, 0, &[FRAME]);
        let mut floor = 0;
        for &(start, end, speech_end, decided, ..) in &heard.ended {
            prop_assert!(floor <= start && start < speech_end && speech_end <= end && end <= decided);
            prop_assert!(end - start <= at(3_000));
            floor = end;
        }
        // 6 frames at 0.95 always begin or continue speech, so each of them is in some utterance.
        for (first, frames) in script.windows(6).enumerate() {
            if frames.iter().all(|&p| p == 0.95) {
                for position in [first * FRAME, (first + 6) * FRAME - 1] {
                    let position = position as u64;
                    prop_assert!(heard.ended.iter().any(|u| u.0 <= position && position < u.1), "lost {}", position);
                }
            }
        }
    }
}

#[test]
fn what_is_foreseen_in_a_pause_is_what_ends_after_it() {
    let script = [run(0.0, 20), run(0.9, 40), run(0.0, 20), run(0.9, 40), run(0.0, 60)].concat();
    let (mut endpointer, _) = scripted(EndpointRules::default(), &script);
    let (mut foreseen, mut ended) = (Vec::new(), Vec::new());
    for frame in 0..script.len() {
        endpointer.push(&ramp((frame * FRAME) as u64, FRAME), &mut |event| {
            if let EndpointEvent::SpeechEnded(utterance) = event {
                ended.push(utterance);
            }
        });
        if let Some(utterance) = endpointer.foreseen() {
            let silence = endpointer.in_progress().unwrap().silence;
            assert!(silence >= samples_in_ms(endpointer.rules().post_pad_ms), "its post-pad was heard");
            foreseen.push(utterance);
        }
    }
    assert_eq!(ended.len(), 1);
    // The first pause was too short: what was foreseen in it did not come.
    let came = foreseen.iter().filter(|u| u.speech_end == ended[0].speech_end).collect::<Vec<_>>();
    assert!(!came.is_empty() && came.len() < foreseen.len());
    for utterance in came {
        assert_eq!(utterance.samples, ended[0].samples);
        assert_eq!((utterance.index, utterance.start), (ended[0].index, ended[0].start));
        assert_eq!((utterance.decided, utterance.end_reason), (ended[0].decided, ended[0].end_reason));
        assert_eq!(utterance.mean_speech_probability, ended[0].mean_speech_probability);
    }
}

#[test]
fn what_the_source_lost_is_no_quiet_room() {
    let script = [run(0.0, 50), run(0.9, 50), run(0.0, 50)].concat();
    let noise =
        |n: usize, amplitude: f32| (0..n).map(move |i| if i % 2 == 0 { amplitude } else { -amplitude });
    let snr = |lost: usize| {
        let (mut endpointer, _) = scripted(EndpointRules::default(), &script);
        let mut samples: Vec<f32> = noise(50 * FRAME, 0.01).collect();
        samples[..lost * FRAME].fill(0.0);
        samples.extend(noise(50 * FRAME, 0.1).chain(noise(50 * FRAME, 0.01)));
        let mut found = None;
        endpointer.push(&samples, &mut |event| {
            if let EndpointEvent::SpeechEnded(utterance) = event {
                found = utterance.detection.unwrap().snr_db();
            }
        });
        found.unwrap()
    };
    assert!((snr(0) - snr(40)).abs() < 0.1, "{} and {}", snr(0), snr(40));
}
