//! A run that is given up answers nothing more, and asks nobody.

#![cfg(feature = "cloud")]

mod cloud_support;
mod support;

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cloud_support::{FakeCloud, Reply};
use earwitness::asr::cloud::{CloudRecognizer, CloudSettings, ProviderKind};
use earwitness::endpoint::{EndpointRules, Endpointer};
use earwitness::pipeline::{
    CloudEngine, Engines, Event, Pipeline, PipelineOptions, Policy, RouteRules, StopSignal,
};
use earwitness::uplink::spool::{Spool, SpoolOptions, SpoolState};
use support::fakes::{FakeRecognizer, LoudIsSpeech, Script, talk};

fn spool_in(folder: &Path) -> Spool {
    Spool::open(SpoolOptions { keep_answered: true, ..SpoolOptions::new(folder) }).unwrap()
}

#[test]
fn a_run_that_is_ended_at_once_answers_nothing_more_and_what_is_kept_waits() {
    let folder = tempfile::tempdir().unwrap();
    let spool = spool_in(folder.path());
    for spool in [None, Some(&spool)] {
        let mut local = FakeRecognizer::new(60_000);
        let engines = Engines { spool, ..Engines::local(&mut local) };
        let mut endpointer = Endpointer::new(EndpointRules::default(), Box::new(LoudIsSpeech)).unwrap();
        let source = Box::new(Script { blocks: talk(3), fails: false });
        let (stop, mut events, begin) = (StopSignal::default(), Vec::new(), Instant::now());
        let ender = stop.clone();
        let options = PipelineOptions { live: true, ..PipelineOptions::default() };
        Pipeline::with_engines(&mut endpointer, engines, options)
            .run(source, &stop, &mut |event| {
                if matches!(event, Event::SpeechEnded { .. }) {
                    ender.abort();
                }
                events.push(event);
            })
            .unwrap();
        assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
        let count = |of: fn(&Event) -> bool| events.iter().filter(|event| of(event)).count();
        let ended = count(|e| matches!(e, Event::SpeechEnded { .. }));
        let (dropped, deferred) =
            (count(|e| matches!(e, Event::Dropped { .. })), count(|e| matches!(e, Event::Deferred { .. })));
        assert!(ended > 0 && !events.iter().any(|e| matches!(e, Event::Final(_) | Event::Failed { .. })));
        match spool {
            None => assert_eq!((dropped, deferred), (ended, 0)),
            Some(spool) => {
                assert_eq!((dropped, deferred), (0, ended));
                assert_eq!(spool.entries().iter().filter(|e| e.state == SpoolState::Pending).count(), ended);
            }
        }
    }
}

/// Runs `talk(2)` under `policy` with a cloud that answers as `reply` says, and gives the run up at the first utterance's
/// end, or when the cloud is asked for the first time. Gives how often the cloud was asked, as told
/// and as heard there, and how long the end took.
fn given_up(policy: Policy, local_ms: u64, at_hop: bool, reply: Reply) -> (usize, usize, Duration) {
    let cloud = FakeCloud::replies(vec![reply]);
    let mut settings = CloudSettings::new(ProviderKind::OpenAi, &cloud.url()).unwrap();
    settings.backoff = Duration::from_millis(1);
    let mut recognizer = CloudRecognizer::new(settings).unwrap();
    let mut local = FakeRecognizer { avg_logprob: -3.0, ..FakeRecognizer::new(local_ms) };
    let begun = local.begun.clone();
    let rules =
        RouteRules { policy, consent: true, budget: Duration::from_secs(60), ..RouteRules::default() };
    let engines = Engines {
        cloud: Some(CloudEngine { recognizer: &mut recognizer, host: "cloud".into() }),
        rules,
        ..Engines::local(&mut local)
    };
    let mut endpointer = Endpointer::new(EndpointRules::default(), Box::new(LoudIsSpeech)).unwrap();
    let (stop, mut events, mut given_up) = (StopSignal::default(), Vec::new(), None);
    let ender = stop.clone();
    let options = PipelineOptions { speculate_after: None, ..PipelineOptions::default() };
    Pipeline::with_engines(&mut endpointer, engines, options)
        .run(Box::new(Script { blocks: talk(2), fails: false }), &stop, &mut |event| {
            let now = match &event {
                Event::Hop { .. } => at_hop,
                Event::SpeechEnded { .. } => !at_hop,
                _ => false,
            };
            if now && given_up.is_none() {
                // When the engine is at work.
                let patience = Instant::now();
                while !at_hop
                    && begun.load(Ordering::Relaxed) == 0
                    && patience.elapsed() < Duration::from_secs(60)
                {
                    std::thread::sleep(Duration::from_millis(1));
                }
                ender.abort();
                given_up = Some(Instant::now());
            }
            events.push(event);
        })
        .unwrap();
    assert!(!events.iter().any(|e| matches!(e, Event::Final(_) | Event::Failed { .. })), "{policy:?}");
    assert!(events.iter().any(|e| matches!(e, Event::Dropped { .. })), "{policy:?}");
    let hops = events.iter().filter(|e| matches!(e, Event::Hop { .. })).count();
    (hops, cloud.connections.load(Ordering::Relaxed), given_up.unwrap().elapsed())
}

#[test]
fn a_run_that_is_given_up_sends_nothing_more() {
    // Recognized here when it is given up: nobody else is asked.
    let (hops, asked, _) = given_up(Policy::LocalThenCloud, 60_000, false, Reply::text("from the cloud"));
    assert_eq!((hops, asked), (0, 0));
    // The cloud hears the first one: it is not waited for, nor is who is asked beside it, and the second is not sent.
    for (policy, local_ms) in [
        (Policy::LocalThenCloud, 1),
        (Policy::CloudThenLocal, 1),
        (Policy::CloudThenLocal, 60_000),
        (Policy::Cloud, 1),
    ] {
        let (hops, asked, took) = given_up(policy, local_ms, true, Reply::Stall);
        assert!(
            hops == 1 && asked <= 1 && took < Duration::from_secs(20),
            "{policy:?}: {hops}, {asked}, {took:?}"
        );
    }
}
