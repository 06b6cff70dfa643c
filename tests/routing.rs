//! The router, the spool and the shadow inside the pipeline, with engines that do as they are told.

#![cfg(feature = "cloud")]

mod cloud_support;
mod support;

use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use cloud_support::{FakeCloud, Reply};
use earwitness::asr::EngineId;
use earwitness::asr::cloud::{CloudRecognizer, CloudSettings, ProviderKind};
use earwitness::endpoint::{EndpointRules, Endpointer};
use earwitness::pipeline::{
    CloudEngine, Engines, Event, Pipeline, PipelineOptions, Policy, Reason, Route, RouteRules, RunSummary,
    ShadowEngine, ShadowRules, StopSignal, UtteranceResult, retry_spooled,
};
use earwitness::uplink::spend::SpendMeter;
use earwitness::uplink::spool::{Spool, SpoolOptions, SpoolState};
use support::fakes::{FakeRecognizer, LoudIsSpeech, Script, Step, talk};

fn rules(policy: Policy) -> RouteRules {
    RouteRules { policy, consent: true, budget: Duration::from_millis(1000), ..RouteRules::default() }
}

fn cloud_at(url: &str) -> CloudRecognizer {
    let mut settings = CloudSettings::new(ProviderKind::OpenAi, url).unwrap();
    settings.backoff = Duration::from_millis(1);
    CloudRecognizer::new(settings).unwrap()
}

fn spool_in(folder: &Path) -> Spool {
    Spool::open(SpoolOptions { keep_answered: true, ..SpoolOptions::new(folder) }).unwrap()
}

/// One run of `blocks` through `engines`.
fn run(engines: Engines<'_>, blocks: Vec<Step>) -> (Vec<Event>, RunSummary) {
    let mut endpointer = Endpointer::new(EndpointRules::default(), Box::new(LoudIsSpeech)).unwrap();
    let mut events = Vec::new();
    let source = Box::new(Script { blocks, fails: false });
    let options = PipelineOptions { speculate_after: None, ..PipelineOptions::default() };
    let summary = Pipeline::with_engines(&mut endpointer, engines, options)
        .run(source, &StopSignal::default(), &mut |event| events.push(event))
        .unwrap();
    (events, summary)
}

/// `n` utterances through a local engine and the cloud at `url`.
fn routed(
    rules: RouteRules,
    local: &mut FakeRecognizer,
    url: &str,
    n: usize,
) -> (Vec<UtteranceResult>, Vec<Event>) {
    let mut cloud = cloud_at(url);
    let spend = SpendMeter::new(rules.cost_per_minute, rules.spend_cap_per_day);
    let engines = Engines {
        cloud: Some(CloudEngine { recognizer: &mut cloud, host: "cloud".into() }),
        rules,
        spend,
        ..Engines::local(local)
    };
    let (events, _) = run(engines, talk(n));
    let results =
        events.iter().filter_map(|e| if let Event::Final(r) = e { Some((**r).clone()) } else { None });
    (results.collect(), events)
}

fn hops(events: &[Event]) -> usize {
    events.iter().filter(|e| matches!(e, Event::Hop { .. })).count()
}

#[test]
fn without_consent_nothing_is_sent_whatever_the_policy() {
    let cloud = FakeCloud::replies(vec![Reply::text("cloud")]);
    for policy in [Policy::LocalThenCloud, Policy::CloudThenLocal, Policy::Local] {
        let rules = RouteRules { consent: false, ..rules(policy) };
        let mut local = FakeRecognizer { avg_logprob: -3.0, ..FakeRecognizer::new(1) };
        let (results, events) = routed(rules, &mut local, &cloud.url(), 2);
        assert_eq!((results.len(), hops(&events)), (2, 0));
        assert!(results.iter().all(|r| r.route == Route::Local));
        let reason = if policy == Policy::Local { Reason::Policy } else { Reason::NoConsent };
        assert_eq!(results[0].reason, reason, "{policy:?}");
    }
    let (results, events) = {
        let rules = RouteRules { consent: false, ..rules(Policy::Cloud) };
        routed(rules, &mut FakeRecognizer::new(1), &cloud.url(), 1)
    };
    assert!(results.is_empty() && events.iter().any(|e| matches!(e, Event::Failed { .. })));
    assert_eq!(cloud.connections.load(Ordering::Relaxed), 0);
}

#[test]
fn each_policy_asks_whom_it_says() {
    let cloud = FakeCloud::replies(vec![Reply::text("from the cloud")]);
    for (policy, logprob, route, reason, hop) in [
        (Policy::Local, -3.0, Route::Local, Reason::Policy, 0),
        (Policy::Cloud, 0.0, Route::Cloud, Reason::Policy, 1),
        (Policy::CloudThenLocal, 0.0, Route::Cloud, Reason::Policy, 1),
        (Policy::LocalThenCloud, -0.1, Route::Local, Reason::Policy, 0),
        (Policy::LocalThenCloud, -3.0, Route::Cloud, Reason::LowConfidence, 1),
    ] {
        let mut local = FakeRecognizer { avg_logprob: logprob, ..FakeRecognizer::new(300) };
        let (results, events) = routed(rules(policy), &mut local, &cloud.url(), 1);
        assert_eq!((results[0].route, results[0].reason, hops(&events)), (route, reason, hop), "{policy:?}");
        assert_eq!(results[0].text == "from the cloud", route == Route::Cloud);
        assert_eq!(results[0].engine.engine == "openai", route == Route::Cloud);
        let order: Vec<_> =
            events.iter().filter(|e| matches!(e, Event::Hop { .. } | Event::Final(_))).collect();
        assert_eq!(matches!(order[0], Event::Hop { .. }), hop == 1, "told before it is done");
    }
}

#[test]
fn a_cloud_that_fails_costs_no_answer() {
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/v1", listener.local_addr().unwrap())
    };
    let refuses = FakeCloud::replies(vec![Reply::json(401, "{}")]);
    let broken = FakeCloud::replies(vec![Reply::CloseAfterUpload]);
    let nonsense = FakeCloud::replies(vec![Reply::json(200, "nonsense")]);
    for (url, reason) in [
        (closed.clone(), Reason::Offline),
        (refuses.url(), Reason::CloudError),
        (broken.url(), Reason::CloudError),
        (nonsense.url(), Reason::CloudError),
    ] {
        for policy in [Policy::CloudThenLocal, Policy::LocalThenCloud] {
            let mut local = FakeRecognizer { avg_logprob: -3.0, ..FakeRecognizer::new(1) };
            let (results, _) = routed(rules(policy), &mut local, &url, 3);
            assert_eq!(results.len(), 3);
            assert!(results.iter().all(|r| r.route == Route::Local && r.text.starts_with("utterance")));
            assert_eq!(results[0].reason, reason, "{url} {policy:?}");
        }
    }
    // What cannot be reached is left alone for a while.
    let mut local = FakeRecognizer::new(1);
    let (_, events) = routed(rules(Policy::CloudThenLocal), &mut local, &closed, 5);
    assert_eq!(hops(&events), 1);
}

/// The claim of the latency budget, over real sockets: 100 of 100.
#[test]
fn a_cloud_that_stalls_never_delays_the_local_answer_beyond_the_budget() {
    let cloud = FakeCloud::replies(vec![Reply::Stall]);
    let one = |policy| {
        let mut local = FakeRecognizer { avg_logprob: -3.0, ..FakeRecognizer::new(50) };
        let mut cloud = cloud_at(&cloud.url());
        let engines = Engines {
            cloud: Some(CloudEngine { recognizer: &mut cloud, host: "cloud".into() }),
            rules: rules(policy),
            ..Engines::local(&mut local)
        };
        let mut endpointer = Endpointer::new(EndpointRules::default(), Box::new(LoudIsSpeech)).unwrap();
        let mut result = None;
        let source = Box::new(Script { blocks: talk(1), fails: false });
        let options = PipelineOptions { live: true, ..PipelineOptions::default() };
        Pipeline::with_engines(&mut endpointer, engines, options)
            .run(source, &StopSignal::default(), &mut |event| {
                if let Event::Final(r) = event {
                    result = Some(r);
                }
            })
            .unwrap();
        result.expect("an answer")
    };
    let within = thread::scope(|scope| {
        let workers: Vec<_> = (0..10)
            .map(|i| {
                let policy = if i % 2 == 0 { Policy::CloudThenLocal } else { Policy::LocalThenCloud };
                scope.spawn(move || {
                    let in_time = |_: &u32| {
                        let result = one(policy);
                        assert_eq!((result.route, result.reason), (Route::Local, Reason::Deadline));
                        result.after_endpoint_ms.unwrap() <= 1000.0
                    };
                    (0..10).filter(in_time).count()
                })
            })
            .collect();
        workers.into_iter().map(|w| w.join().unwrap()).sum::<usize>()
    });
    assert_eq!(within, 100, "of 100 runs");
}

#[test]
fn the_spend_cap_holds_and_the_cost_is_told() {
    let cloud = FakeCloud::replies(vec![Reply::text("cloud")]);
    // An utterance has 1.4 s with its pads: two cost 0.28 together at 6 a minute.
    let rules =
        RouteRules { cost_per_minute: 6.0, spend_cap_per_day: Some(0.3), ..rules(Policy::CloudThenLocal) };
    let (results, events) = routed(rules, &mut FakeRecognizer::new(300), &cloud.url(), 4);
    let routes: Vec<_> = results.iter().map(|r| (r.route, r.reason)).collect();
    assert_eq!(routes[..2], [(Route::Cloud, Reason::Policy); 2]);
    assert_eq!(routes[2..], [(Route::Local, Reason::SpendCap); 2]);
    assert!(results[0].cost.unwrap() > 0.1 && results[3].cost.is_none());
    assert_eq!((hops(&events), cloud.asked()), (2, 2));
}

#[test]
fn silence_is_not_sent_to_the_cloud() {
    struct Silent(EngineId);
    impl earwitness::asr::Recognizer for Silent {
        fn engine(&self) -> &EngineId {
            &self.0
        }
        fn transcribe(
            &mut self,
            _: &earwitness::utterance::Utterance,
            _: &mut dyn earwitness::asr::RecognitionObserver,
        ) -> Result<earwitness::asr::Transcript, earwitness::asr::RecognizerError> {
            Ok(earwitness::asr::Transcript::without_text(earwitness::asr::Outcome::NoSpeech, None))
        }
    }
    let server = FakeCloud::replies(vec![Reply::text("Thank you.")]);
    let mut cloud = cloud_at(&server.url());
    let mut local = Silent(EngineId::new("fake", "silent", ""));
    let engines = Engines {
        cloud: Some(CloudEngine { recognizer: &mut cloud, host: "cloud".into() }),
        rules: rules(Policy::LocalThenCloud),
        ..Engines::local(&mut local)
    };
    let (events, _) = run(engines, talk(1));
    assert_eq!((hops(&events), server.asked()), (0, 0));
}

#[test]
fn what_the_cloud_could_not_answer_waits_and_is_upgraded_later() {
    let folder = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{address}/v1");
    // Offline: the local text is there at once, the audio waits.
    let spool = spool_in(folder.path());
    let mut local = FakeRecognizer::new(1);
    let mut cloud = cloud_at(&url);
    let engines = Engines {
        cloud: Some(CloudEngine { recognizer: &mut cloud, host: "cloud".into() }),
        rules: rules(Policy::CloudThenLocal),
        spool: Some(&spool),
        ..Engines::local(&mut local)
    };
    let (events, _) = run(engines, talk(3));
    let waiting = events.iter().filter(|e| matches!(e, Event::Final(r) if r.upgrade_pending)).count();
    assert_eq!(waiting, 3);
    assert!(spool.entries().iter().all(|e| e.state == SpoolState::Provisional));
    drop(spool);
    // The next day, online.
    let server = FakeCloud::on(std::net::TcpListener::bind(address).unwrap(), |n, _| {
        Reply::text(&format!("better {n}"))
    });
    let spool = spool_in(folder.path());
    let retry = |spool: &Spool| {
        let (mut local, mut cloud) = (FakeRecognizer::new(1), cloud_at(&url));
        let engines = Engines {
            cloud: Some(CloudEngine { recognizer: &mut cloud, host: "cloud".into() }),
            rules: rules(Policy::CloudThenLocal),
            spool: Some(spool),
            ..Engines::local(&mut local)
        };
        let mut upgraded = Vec::new();
        let left = retry_spooled(engines, &StopSignal::default(), &mut |event| {
            if let Event::Upgraded(kept) = event {
                upgraded.push((kept.previous_text.clone().unwrap(), kept.text.clone(), kept.reason));
            }
        });
        (left, upgraded)
    };
    let (left, upgraded) = retry(&spool);
    let expected: Vec<_> =
        (0..3).map(|n| (format!("utterance {n}"), format!("better {n}"), Reason::Retried)).collect();
    assert_eq!((left, upgraded), (0, expected));
    assert_eq!(retry(&spool), (0, vec![]), "delivered once");
    assert_eq!(server.asked(), 3);
    let texts: Vec<_> = spool.entries().iter().map(|e| spool.record(&e.id).unwrap().text.unwrap()).collect();
    assert_eq!(texts, ["better 0", "better 1", "better 2"]);
}

#[test]
fn under_the_cloud_policy_what_is_offline_is_deferred_and_what_is_refused_is_not_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let spool = spool_in(folder.path());
    let server = FakeCloud::new(|n, _| if n == 0 { Reply::json(415, "{}") } else { Reply::json(401, "{}") });
    let mut cloud = cloud_at(&server.url());
    let engines = Engines {
        local: None,
        cloud: Some(CloudEngine { recognizer: &mut cloud, host: "cloud".into() }),
        rules: rules(Policy::Cloud),
        spend: SpendMeter::new(0.0, None),
        spool: Some(&spool),
        shadow: None,
    };
    let (events, summary) = run(engines, talk(3));
    assert_eq!((summary.failed, summary.deferred), (1, 2));
    assert!(events.iter().any(|e| matches!(e, Event::Failed { utterance: 0, .. })));
    let states: Vec<_> = spool.entries().iter().map(|e| e.state).collect();
    assert_eq!(states, [SpoolState::Rejected, SpoolState::Pending, SpoolState::Pending]);
}

#[test]
fn what_a_crash_left_is_recovered_when_there_is_time() {
    let folder = tempfile::tempdir().unwrap();
    let old: Vec<String> = {
        let spool = spool_in(folder.path());
        (0..3).map(|_| spool.keep(&vec![0.25; 16_000]).unwrap()).collect()
    };
    let spool = spool_in(folder.path());
    let mut local = FakeRecognizer::new(1);
    let begun = local.begun.clone();
    let engines = Engines { spool: Some(&spool), ..Engines::local(&mut local) };
    let mut blocks = talk(1);
    blocks.push(Step::Await(begun, 4));
    blocks.extend(talk(1));
    let (events, summary) = run(engines, blocks);
    let recovered: Vec<_> = events
        .iter()
        .filter_map(|e| if let Event::Recovered(k) = e { Some(k.id.clone()) } else { None })
        .collect();
    assert_eq!((recovered, summary.recovered), (old, 3));
    assert_eq!(events.iter().filter(|e| matches!(e, Event::Final(_))).count(), 2);
    assert!(spool.entries().iter().all(|e| e.state == SpoolState::Answered));
}

#[test]
fn a_live_overflow_is_deferred_to_the_spool_and_answered_before_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let spool = spool_in(folder.path());
    let mut local = FakeRecognizer::new(30);
    let engines = Engines { spool: Some(&spool), ..Engines::local(&mut local) };
    let mut endpointer = Endpointer::new(EndpointRules::default(), Box::new(LoudIsSpeech)).unwrap();
    let options = PipelineOptions { live: true, max_queued_s: 2.0, ..PipelineOptions::default() };
    let source = Box::new(Script { blocks: talk(20), fails: false });
    let (mut answered, mut deferred) = (0, 0);
    let summary = Pipeline::with_engines(&mut endpointer, engines, options)
        .run(source, &StopSignal::default(), &mut |event| match event {
            Event::Final(_) | Event::Recovered(_) => answered += 1,
            Event::Deferred { .. } => deferred += 1,
            _ => {}
        })
        .unwrap();
    assert!(deferred > 0 && summary.dropped == 0);
    assert_eq!(answered, 20);
}

#[test]
fn a_disk_that_is_full_is_told_and_costs_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let options = SpoolOptions {
        max_mib: 1,
        when_full: earwitness::uplink::spool::WhenFull::Stop,
        keep_answered: true,
        ..SpoolOptions::new(folder.path())
    };
    let spool = Spool::open(options).unwrap();
    let mut rng = fastrand::Rng::with_seed(3);
    // Nothing that FLAC could shrink.
    while spool.keep(&(0..80_000).map(|_| rng.f32() * 2.0 - 1.0).collect::<Vec<_>>()).is_ok() {}
    while spool.keep(&(0..200).map(|_| rng.f32() * 2.0 - 1.0).collect::<Vec<_>>()).is_ok() {}
    while spool.keep(&[0.5; 16]).is_ok() {}
    let mut local = FakeRecognizer::new(1);
    let (events, summary) = run(Engines { spool: Some(&spool), ..Engines::local(&mut local) }, talk(2));
    assert_eq!((summary.not_kept, events.iter().filter(|e| matches!(e, Event::Final(_))).count()), (2, 2));
}

fn shadowed(rules: ShadowRules, primary_ms: u64, shadow_ms: u64, n: usize) -> (Vec<Event>, RunSummary) {
    let mut primary = FakeRecognizer::new(primary_ms);
    let mut shadow = FakeRecognizer::new(shadow_ms);
    shadow.engine = EngineId::new("fake", "shadow", "none");
    let engines = Engines {
        shadow: Some(ShadowEngine { recognizer: &mut shadow, rules }),
        ..Engines::local(&mut primary)
    };
    run(engines, talk(n))
}

#[test]
fn the_shadow_is_compared_and_never_believed() {
    let (events, summary) = shadowed(ShadowRules { texts: true, ..ShadowRules::default() }, 1, 1, 10);
    let texts: Vec<_> = events
        .iter()
        .filter_map(|e| if let Event::Final(r) = e { Some(r.text.clone()) } else { None })
        .collect();
    assert_eq!(texts, (0..10).map(|n| format!("utterance {n}")).collect::<Vec<_>>());
    let totals = summary.shadow.unwrap();
    assert_eq!((totals.compared, totals.skipped, totals.failed), (10, 0, 0));
    // "utterance 3" and "shadow 3": one word of two.
    assert_eq!(totals.disagreement.rate(), Some(0.5));
    let Some(Event::Shadow(first)) = events.iter().find(|e| matches!(e, Event::Shadow(_))) else { panic!() };
    assert_eq!(first.primary_text.as_deref(), Some("utterance 0"));
    assert_eq!(first.shadow_text.as_deref(), Some("shadow 0"));
}

#[test]
fn texts_stay_out_of_comparisons_without_consent() {
    let (events, _) = shadowed(ShadowRules::default(), 1, 1, 3);
    let shown: Vec<_> = events
        .iter()
        .filter(|e| matches!(e, Event::Shadow(_)))
        .map(|e| serde_json::to_string(e).unwrap())
        .collect();
    assert_eq!(shown.len(), 3);
    assert!(shown.iter().all(|line| !line.contains("utterance 0") && !line.contains("_text")), "{shown:?}");
}

#[test]
fn what_the_shadow_cannot_keep_up_with_is_skipped_whole_and_counted() {
    // Each utterance has 1.4 s: two wait at most.
    let rules = ShadowRules { max_lag: Duration::from_secs(3), ..ShadowRules::default() };
    let begin = Instant::now();
    let (events, summary) = shadowed(rules, 1, 150, 40);
    let totals = summary.shadow.unwrap();
    assert_eq!(totals.compared + totals.skipped, 40);
    assert!(totals.skipped > 20 && totals.compared >= 1, "{totals:?}");
    assert_eq!(events.iter().filter(|e| matches!(e, Event::Final(_))).count(), 40);
    assert!(begin.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_share_of_utterances_is_sampled() {
    let (_, summary) = shadowed(
        ShadowRules { sample: 0.5, max_lag: Duration::from_secs(600), ..ShadowRules::default() },
        0,
        0,
        100,
    );
    let compared = summary.shadow.unwrap().compared;
    assert!((20..=80).contains(&compared), "{compared}");
    let (_, summary) = shadowed(ShadowRules { sample: 0.0, ..ShadowRules::default() }, 0, 0, 10);
    assert_eq!(summary.shadow.unwrap().compared, 0);
}
