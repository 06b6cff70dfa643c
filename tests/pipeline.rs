//! The pipeline's threads, with a recognizer that does as it is told.

mod support;

use std::sync::atomic::Ordering;
use std::time::Duration;

use earwitness::audio::{AudioError, AudioSource, NativeFormat, Read, SampleRate};
use earwitness::endpoint::{EndpointRules, Endpointer};
use earwitness::pipeline::{
    Event, Pipeline, PipelineError, PipelineOptions, RunSummary, StopSignal, UtteranceResult,
};
use support::fakes::{FakeRecognizer, LoudIsSpeech, Script, Step, talk};

fn run(
    blocks: Vec<Step>,
    fails: bool,
    recognizer: &mut FakeRecognizer,
    options: PipelineOptions,
) -> (Vec<Event>, Result<RunSummary, PipelineError>) {
    let mut endpointer = Endpointer::new(EndpointRules::default(), Box::new(LoudIsSpeech)).unwrap();
    let mut events = Vec::new();
    let result = Pipeline::new(&mut endpointer, recognizer, options).run(
        Box::new(Script { blocks, fails }),
        &StopSignal::default(),
        &mut |event| events.push(event),
    );
    (events, result)
}

fn finals(events: &[Event]) -> Vec<u64> {
    events.iter().filter_map(|e| if let Event::Final(r) = e { Some(r.utterance) } else { None }).collect()
}

#[test]
fn every_utterance_is_answered_once_in_order_with_times_on_the_stream() {
    let (events, summary) = run(talk(5), false, &mut FakeRecognizer::new(1), PipelineOptions::default());
    assert_eq!(finals(&events), [0, 1, 2, 3, 4]);
    let summary = summary.unwrap();
    assert_eq!((summary.utterances, summary.dropped, summary.failed), (5, 0, 0));
    assert!((summary.audio_s - 10.0).abs() < 1e-9);
    for event in &events {
        if let Event::Final(r) = event {
            let expected = 2.0 * r.utterance as f64;
            assert!(
                (r.start - (expected - 0.3).max(0.0)).abs() < 0.04,
                "utterance {} starts at {}",
                r.utterance,
                r.start
            );
            assert!((r.segments[0].start - r.start).abs() < 1e-9, "segment times are on the stream");
            assert!((r.speech_end - (expected + 1.0)).abs() < 0.04);
        }
    }
}

#[test]
fn a_recording_waits_for_a_slow_recognizer_and_loses_nothing() {
    let options = PipelineOptions { max_queued_s: 1.0, ..Default::default() };
    let (events, summary) = run(talk(8), false, &mut FakeRecognizer::new(30), options);
    assert_eq!(finals(&events).len(), 8);
    assert_eq!(summary.unwrap().dropped, 0);
}

#[test]
fn what_a_slow_recognizer_cannot_keep_up_with_live_is_reported() {
    let options = PipelineOptions { live: true, max_queued_s: 1.0, ..Default::default() };
    let (events, summary) = run(talk(8), false, &mut FakeRecognizer::new(200), options);
    let dropped = events.iter().filter(|e| matches!(e, Event::Dropped { .. })).count() as u64;
    let summary = summary.unwrap();
    assert!(dropped > 0);
    assert_eq!(summary.dropped, dropped);
    assert_eq!(finals(&events).len() as u64 + dropped, summary.utterances);
}

#[test]
fn a_failure_on_one_utterance_leaves_the_others() {
    let mut recognizer = FakeRecognizer { fail_on: vec![1], ..FakeRecognizer::new(1) };
    let (events, summary) = run(talk(3), false, &mut recognizer, PipelineOptions::default());
    assert_eq!(finals(&events), [0, 2]);
    assert_eq!(summary.unwrap().failed, 1);
    assert!(
        events
            .iter()
            .any(|e| matches!(e, Event::Failed { utterance: 1, error, .. } if error.contains("as told")))
    );
}

#[test]
fn a_source_that_fails_gives_its_speech_first_and_its_error_last() {
    let mut blocks = talk(2);
    blocks.push(Step::Speech(800));
    let (events, result) = run(blocks, true, &mut FakeRecognizer::new(1), PipelineOptions::default());
    assert_eq!(finals(&events), [0, 1, 2]);
    assert!(result.unwrap_err().to_string().contains("unplugged"));
}

#[test]
fn lost_samples_move_the_clock_and_are_told() {
    let blocks = vec![Step::Speech(1_000), Step::Gap(32_000), Step::Speech(1_000), Step::Silence(1_000)];
    let (events, summary) = run(blocks, false, &mut FakeRecognizer::new(1), PipelineOptions::default());
    assert!(events.iter().any(|e| matches!(e, Event::Gap { lost_samples: 32_000, .. })));
    assert_eq!(finals(&events).len(), 2, "two seconds of gap end an utterance");
    assert!((summary.unwrap().audio_s - 5.0).abs() < 1e-9);
}

#[test]
fn a_stop_ends_the_run_and_what_was_heard_is_still_answered() {
    let mut endpointer = Endpointer::new(EndpointRules::default(), Box::new(LoudIsSpeech)).unwrap();
    let mut recognizer = FakeRecognizer::new(1);
    let stop = StopSignal::default();
    let mut texts = Vec::new();
    // A source that never ends: only the stop can end it.
    struct Endless(u64);
    impl AudioSource for Endless {
        fn read(&mut self, block: &mut Vec<f32>) -> Result<Read, AudioError> {
            block.clear();
            self.0 += 1;
            block.resize(16_000, if self.0.is_multiple_of(2) { 0.5 } else { 0.0 });
            Ok(Read::Samples)
        }
        fn native(&self) -> NativeFormat {
            NativeFormat { rate: SampleRate::new(16_000).unwrap(), channels: 1 }
        }
    }
    let options = PipelineOptions { max_queued_s: 5.0, ..Default::default() };
    let summary = Pipeline::new(&mut endpointer, &mut recognizer, options)
        .run(Box::new(Endless(0)), &stop, &mut |event| {
            if let Event::Final(r) = event {
                texts.push(r.text);
                if texts.len() == 3 {
                    stop.stop();
                }
            }
        })
        .unwrap();
    assert_eq!(texts.len() as u64, summary.utterances);
    assert!(texts.len() >= 3);
}

#[test]
fn partials_give_way_to_the_final_answer() {
    let mut blocks: Vec<Step> = (0..100).map(|_| Step::Speech(100)).collect();
    blocks.extend((0..20).map(|_| Step::Silence(100)));
    struct Slow(Script);
    impl AudioSource for Slow {
        fn read(&mut self, block: &mut Vec<f32>) -> Result<Read, AudioError> {
            std::thread::sleep(Duration::from_millis(2));
            self.0.read(block)
        }
        fn native(&self) -> NativeFormat {
            self.0.native()
        }
    }
    let mut endpointer = Endpointer::new(EndpointRules::default(), Box::new(LoudIsSpeech)).unwrap();
    let mut recognizer = FakeRecognizer::new(5);
    let mut kinds = Vec::new();
    let options = PipelineOptions {
        live: true,
        partial_interval: Some(Duration::from_millis(10)),
        ..Default::default()
    };
    Pipeline::new(&mut endpointer, &mut recognizer, options)
        .run(
            Box::new(Slow(Script { blocks, fails: false })),
            &StopSignal::default(),
            &mut |event| match event {
                Event::Partial { utterance, .. } => kinds.push(("partial", utterance)),
                Event::Final(r) => kinds.push(("final", r.utterance)),
                _ => {}
            },
        )
        .unwrap();
    assert!(kinds.contains(&("partial", 0)));
    assert_eq!(kinds.last(), Some(&("final", 0)), "{kinds:?}");
}

#[test]
fn one_endpointer_serves_stream_after_stream() {
    let mut endpointer = Endpointer::new(EndpointRules::default(), Box::new(LoudIsSpeech)).unwrap();
    let mut recognizer = FakeRecognizer::new(0);
    for _ in 0..3 {
        let mut starts = Vec::new();
        Pipeline::new(&mut endpointer, &mut recognizer, PipelineOptions::default())
            .run(Box::new(Script { blocks: talk(1), fails: false }), &StopSignal::default(), &mut |event| {
                if let Event::Final(r) = event {
                    starts.push((r.utterance, r.start));
                }
            })
            .unwrap();
        assert_eq!(starts, [(0, 0.0)]);
    }
}

fn live() -> PipelineOptions {
    PipelineOptions { live: true, ..Default::default() }
}

fn results(events: &[Event]) -> Vec<&UtteranceResult> {
    events.iter().filter_map(|e| if let Event::Final(r) = e { Some(&**r) } else { None }).collect()
}

#[test]
fn a_pause_is_used_to_recognize_and_the_answer_is_there_at_its_end() {
    let mut recognizer = FakeRecognizer::new(1);
    let begun = recognizer.begun.clone();
    let blocks =
        vec![Step::Speech(1_000), Step::Silence(256), Step::Await(begun.clone(), 1), Step::Silence(1_000)];
    let (events, summary) = run(blocks, false, &mut recognizer, live());
    let results = results(&events);
    assert_eq!(results.len(), 1);
    assert!(results[0].speculative);
    assert!((results[0].segments[0].end - results[0].end).abs() < 1e-9, "the whole utterance was heard");
    assert!(results[0].latency_ms.unwrap() >= results[0].after_endpoint_ms.unwrap() + 500.0 - 1e-6);
    assert_eq!(begun.load(Ordering::Relaxed), 1, "it is recognized once");
    let summary = summary.unwrap();
    assert_eq!((summary.speculations, summary.speculations_used), (1, 1));
}

#[test]
fn speech_after_a_pause_discards_what_was_recognized_in_it() {
    for delay_ms in [0, 40] {
        let mut recognizer = FakeRecognizer::new(delay_ms);
        let begun = recognizer.begun.clone();
        let mut blocks = vec![Step::Speech(1_000), Step::Silence(256), Step::Await(begun.clone(), 1)];
        blocks.extend([Step::Speech(1_000), Step::Silence(256), Step::Await(begun, 2), Step::Silence(1_000)]);
        let (events, summary) = run(blocks, false, &mut recognizer, live());
        let results = results(&events);
        assert_eq!(results.len(), 1);
        assert!((results[0].segments[0].end - results[0].end).abs() < 1e-9, "both halves were heard");
        assert!(results[0].end > 2.2);
        let summary = summary.unwrap();
        assert_eq!((summary.speculations, summary.speculations_used), (2, 1));
    }
}

#[test]
fn without_speculation_an_utterance_is_recognized_when_it_has_ended() {
    let mut recognizer = FakeRecognizer::new(1);
    let options = PipelineOptions { speculate_after: None, ..live() };
    let (events, summary) = run(talk(2), false, &mut recognizer, options);
    assert!(results(&events).iter().all(|r| !r.speculative));
    assert_eq!(summary.unwrap().speculations, 0);
    assert_eq!(recognizer.begun.load(Ordering::Relaxed), 2);
}

#[test]
fn a_speculation_that_fails_is_tried_again_and_its_failure_reported_once() {
    let mut recognizer = FakeRecognizer { fail_on: vec![0], ..FakeRecognizer::new(1) };
    let begun = recognizer.begun.clone();
    let blocks =
        vec![Step::Speech(1_000), Step::Silence(256), Step::Await(begun.clone(), 1), Step::Silence(1_000)];
    let (events, summary) = run(blocks, false, &mut recognizer, live());
    assert_eq!(events.iter().filter(|e| matches!(e, Event::Failed { .. })).count(), 1);
    assert_eq!((summary.unwrap().failed, begun.load(Ordering::Relaxed)), (1, 2));
}
