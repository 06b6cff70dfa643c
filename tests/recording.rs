//! What a run of the pipeline leaves as records, with engines that do as they are told.

#[cfg(feature = "cloud")]
mod cloud_support;
mod support;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use earwitness::actions::Feedback;
use earwitness::asr::EngineId;
use earwitness::endpoint::{EndpointRules, Endpointer};
use earwitness::pipeline::{
    Engines, Event, Pipeline, PipelineOptions, RunSummary, ShadowEngine, ShadowRules, StopSignal,
};
use earwitness::recorder::{RecordConsent, RecorderOptions, RecorderTotals, TelemetryRecorder};
use earwitness::telemetry::{
    FeedbackKind, Outcome, Record, RecordLine, Scope, ShadowRecord, Speaker, UtteranceRecord,
};
use earwitness::uplink::sink::{Clip, RecordSink, SinkStatus};
use earwitness::uplink::spool::{Spool, SpoolOptions};
use support::fakes::{FakeRecognizer, LoudIsSpeech, Script, Step, talk};

/// Keeps all it gets; holds each record for `delay`.
#[derive(Default)]
struct FakeSink {
    lines: Mutex<Vec<RecordLine>>,
    clips: Mutex<Vec<Clip>>,
    delay: Duration,
}

impl RecordSink for FakeSink {
    fn record(&self, line: RecordLine) {
        std::thread::sleep(self.delay);
        self.lines.lock().unwrap().push(line);
    }
    fn clip(&self, clip: Clip) {
        self.clips.lock().unwrap().push(clip);
    }
    fn status(&self) -> SinkStatus {
        SinkStatus { records: self.lines.lock().unwrap().len() as u64, bytes: 77, lost: 1 }
    }
}

impl FakeSink {
    fn lines(&self) -> Vec<RecordLine> {
        self.lines.lock().unwrap().clone()
    }
    fn utterances(&self) -> Vec<UtteranceRecord> {
        self.pick(|record| if let Record::Utterance(u) = record { Some((**u).clone()) } else { None })
    }
    fn shadows(&self) -> Vec<ShadowRecord> {
        self.pick(|record| if let Record::Shadow(s) = record { Some((**s).clone()) } else { None })
    }
    fn pick<T>(&self, of: impl Fn(&Record) -> Option<T>) -> Vec<T> {
        self.lines().iter().filter_map(|line| of(&line.record)).collect()
    }
}

fn options() -> RecorderOptions {
    RecorderOptions { session_id: "s1".into(), ..RecorderOptions::new("kitchen", "fake/utterance/none@1") }
}

fn all_consents() -> RecordConsent {
    RecordConsent {
        text: true,
        audio: true,
        speaker: Some(Speaker {
            subject_id: "person-7".into(),
            attributes: BTreeMap::from([("accent".into(), "Scottish".into())]),
        }),
        granted_unix_ms: 1_764_000_000_000,
    }
}

struct Run {
    sink: Arc<FakeSink>,
    events: Vec<Event>,
    summary: RunSummary,
    totals: RecorderTotals,
}

/// Runs `blocks` through `engines` with a recorder beside; `during` may give feedback at each event.
fn record(
    options: RecorderOptions,
    pipeline: PipelineOptions,
    engines: Engines<'_>,
    blocks: Vec<Step>,
    mut during: impl FnMut(&Event, &TelemetryRecorder),
) -> Run {
    let mut endpointer = Endpointer::new(EndpointRules::default(), Box::new(LoudIsSpeech)).unwrap();
    let sink = Arc::new(FakeSink::default());
    let recorder = TelemetryRecorder::new(options, sink.clone()).unwrap();
    let mut events = Vec::new();
    let pipeline = PipelineOptions { keep_input: true, ..pipeline };
    let summary = Pipeline::with_engines(&mut endpointer, engines, pipeline)
        .run(Box::new(Script { blocks, fails: false }), &StopSignal::default(), &mut |event| {
            recorder.observe(&event);
            during(&event, &recorder);
            events.push(event);
        })
        .unwrap();
    let totals = recorder.finish(&summary);
    Run { sink, events, summary, totals }
}

fn simply(blocks: Vec<Step>, recognizer: &mut FakeRecognizer, options: RecorderOptions) -> Run {
    record(options, PipelineOptions::default(), Engines::local(recognizer), blocks, |_, _| {})
}

#[test]
fn a_run_is_a_session_with_a_record_for_each_utterance() {
    let mut recognizer = FakeRecognizer { fail_on: vec![1], avg_logprob: -0.25, ..FakeRecognizer::new(2) };
    let run = simply(talk(3), &mut recognizer, options());
    let lines = run.sink.lines();
    let kinds: Vec<_> = lines.iter().map(|line| line.record.kind()).collect();
    assert_eq!(kinds, ["session", "utterance", "utterance", "utterance", "health", "session"]);
    assert_eq!(run.totals, RecorderTotals { records: 6, lost: 0 });
    assert!(lines.windows(2).all(|pair| pair[0].recorded_unix_ms <= pair[1].recorded_unix_ms));
    assert!(lines.iter().all(|line| line.consented.is_none()));

    let utterances = run.sink.utterances();
    let ids: Vec<_> = utterances.iter().map(|u| u.utterance_id.as_str()).collect();
    assert_eq!(ids, ["s1-0", "s1-1", "s1-2"]);
    let outcomes: Vec<_> = utterances.iter().map(|u| u.output.outcome).collect();
    assert_eq!(outcomes, [Outcome::Transcript, Outcome::Error, Outcome::Transcript]);
    for utterance in &utterances {
        assert_eq!((utterance.session_id.as_str(), utterance.profile.as_str()), ("s1", "kitchen"));
        assert_eq!((utterance.route.as_str(), utterance.reason.as_str()), ("local", "policy"));
        assert_eq!(utterance.engine, recognizer.engine.to_string());
        assert_eq!(
            (utterance.input.native_rate_hz, utterance.input.native_channels),
            (Some(16_000), Some(1))
        );
        assert!(utterance.software.recognize_ms >= 2.0 && utterance.software.real_time_factor > 0.0);
        assert!(utterance.software.queue_depth.is_some_and(|depth| depth < 3));
        assert!(utterance.input.speech_ms.is_some_and(|ms| (900.0..=1_100.0).contains(&ms)));
        assert!((utterance.input.peak_dbfs + 6.02).abs() < 0.01, "speech is written as 0.5");
        // Its pauses are exactly 0: there is no noise to compare with.
        assert_eq!(utterance.input.snr_db, None);
        assert!(utterance.input.duration_ms > 1_000.0 && utterance.input.loudness_lufs.is_some());
    }
    let first = &utterances[0].output;
    assert_eq!((first.words, first.characters, first.tokens), (2, 11, Some(1)));
    assert_eq!(first.avg_logprob, Some(-0.25));
    let Record::Session(end) = &lines[5].record else { panic!() };
    assert!(end.ended && end.utterances == 3 && end.audio_ms == 6_000);
    let Record::Health(health) = &lines[4].record else { panic!() };
    assert_eq!((health.utterances, health.errors, health.dropped), (3, 1, 0));
    assert_eq!((health.journal_records, health.journal_bytes, health.journal_lost), (4, 77, 1));
}

#[test]
fn what_the_source_lost_is_told_with_the_utterance_after_it() {
    let mut blocks = talk(1);
    blocks.push(Step::Gap(8_000));
    blocks.extend(talk(2));
    let run = simply(blocks, &mut FakeRecognizer::new(0), options());
    let lost: Vec<_> = run.sink.utterances().iter().map(|u| u.input.dropped_samples).collect();
    assert_eq!(lost, [0, 8_000, 0]);
}

#[test]
fn dropped_utterances_have_their_audio_measured_too() {
    let live = PipelineOptions { live: true, max_queued_s: 1.0, speculate_after: None, ..Default::default() };
    let mut recognizer = FakeRecognizer::new(200);
    let run = record(options(), live, Engines::local(&mut recognizer), talk(8), |_, _| {});
    let utterances = run.sink.utterances();
    assert_eq!(utterances.len() as u64, run.summary.utterances);
    let (dropped, answered): (Vec<_>, Vec<_>) =
        utterances.iter().partition(|u| u.output.outcome == Outcome::Dropped);
    assert!(dropped.len() as u64 == run.summary.dropped && !dropped.is_empty());
    assert!(dropped.iter().all(|u| u.input.duration_ms > 1_000.0 && u.software.recognize_ms == 0.0));
    assert!(answered.iter().all(|u| u.software.end_of_speech_to_final_ms.is_some()));
}

#[test]
fn what_was_deferred_is_recorded_once_it_is_answered_under_the_name_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let spool =
        Spool::open(SpoolOptions { keep_answered: true, ..SpoolOptions::new(folder.path()) }).unwrap();
    let live = PipelineOptions { live: true, max_queued_s: 1.0, speculate_after: None, ..Default::default() };
    let mut recognizer = FakeRecognizer::new(100);
    let engines = Engines { spool: Some(&spool), ..Engines::local(&mut recognizer) };
    let run = record(options(), live, engines, talk(6), |_, _| {});
    let deferred = run.events.iter().filter(|e| matches!(e, Event::Deferred { .. })).count();
    assert!(deferred > 0);
    let utterances = run.sink.utterances();
    let mut ids: Vec<_> = utterances.iter().map(|u| u.utterance_id.clone()).collect();
    ids.sort();
    assert_eq!(ids, (0..6).map(|n| format!("s1-{n}")).collect::<Vec<_>>());
    // The detector's figures and the source's survived the wait.
    assert!(utterances.iter().all(|u| u.input.speech_ms.is_some() && u.input.native_rate_hz.is_some()));
    assert!(utterances.iter().all(|u| u.output.outcome == Outcome::Transcript));
}

#[cfg(feature = "cloud")]
#[test]
fn a_clouds_later_answer_says_that_it_replaces_an_earlier_one() {
    use cloud_support::{FakeCloud, Reply};
    use earwitness::asr::cloud::{CloudRecognizer, CloudSettings, ProviderKind};
    use earwitness::pipeline::{CloudEngine, Policy, RouteRules};

    let folder = tempfile::tempdir().unwrap();
    let spool =
        Spool::open(SpoolOptions { keep_answered: true, ..SpoolOptions::new(folder.path()) }).unwrap();
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = |blocks: Vec<Step>| {
        let settings = CloudSettings::new(ProviderKind::OpenAi, &format!("http://{address}/v1")).unwrap();
        let (mut local, mut cloud) = (FakeRecognizer::new(1), CloudRecognizer::new(settings).unwrap());
        let engines = Engines {
            cloud: Some(CloudEngine { recognizer: &mut cloud, host: "cloud".into() }),
            rules: RouteRules { policy: Policy::CloudThenLocal, consent: true, ..RouteRules::default() },
            spool: Some(&spool),
            ..Engines::local(&mut local)
        };
        record(options(), PipelineOptions::default(), engines, blocks, |_, _| {}).sink.utterances()
    };
    let first = run(talk(1));
    assert!(matches!(&first[..], [u] if u.route == "local" && !u.replaces_earlier), "{first:?}");
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let _server = FakeCloud::on(std::net::TcpListener::bind(address).unwrap(), move |_, _| {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Reply::text("better")
    });
    let later = run(vec![Step::Silence(100), Step::Await(asked, 1), Step::Silence(100)]);
    assert!(matches!(&later[..], [u] if u.route == "cloud" && u.replaces_earlier), "{later:?}");
}

#[test]
fn an_utterance_of_an_earlier_run_is_recorded_under_its_name_in_the_spool() {
    let folder = tempfile::tempdir().unwrap();
    let spool =
        Spool::open(SpoolOptions { keep_answered: true, ..SpoolOptions::new(folder.path()) }).unwrap();
    let kept = spool.keep(&[0.5; 16_000]).unwrap();
    let mut recognizer = FakeRecognizer::new(0);
    let begun: Arc<AtomicUsize> = recognizer.begun.clone();
    let engines = Engines { spool: Some(&spool), ..Engines::local(&mut recognizer) };
    let blocks = vec![Step::Silence(100), Step::Await(begun, 1), Step::Silence(100)];
    let run = record(options(), PipelineOptions::default(), engines, blocks, |_, _| {});
    let utterances = run.sink.utterances();
    assert_eq!(utterances.len(), 1);
    assert_eq!(utterances[0].utterance_id, format!("s1-{kept}"));
    assert!(earwitness::telemetry::limits::valid_id(&utterances[0].utterance_id));
    assert_eq!(utterances[0].input.duration_ms, 1_000.0);
    assert_eq!((utterances[0].input.speech_ms, utterances[0].input.native_rate_hz), (None, None));
}

#[test]
fn the_recording_of_an_utterance_of_an_earlier_run_bears_the_name_of_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let spool =
        Spool::open(SpoolOptions { keep_answered: true, ..SpoolOptions::new(folder.path()) }).unwrap();
    spool.keep(&[0.5; 16_000]).unwrap();
    let mut recognizer = FakeRecognizer::new(0);
    let begun: Arc<AtomicUsize> = recognizer.begun.clone();
    let engines = Engines { spool: Some(&spool), ..Engines::local(&mut recognizer) };
    let blocks = vec![Step::Silence(100), Step::Await(begun, 1), Step::Silence(100)];
    let options = RecorderOptions { consent: all_consents(), ..options() };
    let run = record(options, PipelineOptions::default(), engines, blocks, |_, _| {});
    let clips = run.sink.clips.lock().unwrap();
    let names: Vec<_> = clips.iter().map(|clip| clip.utterance_id.clone()).collect();
    assert_eq!(names, [run.sink.utterances()[0].utterance_id.clone()]);
    assert!(clips[0].flac.starts_with(b"fLaC"));
}

/// Ten utterances with a shadow beside.
fn shadowed(rules: ShadowRules, options: RecorderOptions, fail_on: Vec<u64>) -> Run {
    let mut local = FakeRecognizer::new(0);
    let engine = EngineId::new("fake", "shadow", "none");
    let mut shadow = FakeRecognizer { engine, fail_on, ..FakeRecognizer::new(0) };
    let shadow = ShadowEngine { recognizer: &mut shadow, rules };
    let engines = Engines { shadow: Some(shadow), ..Engines::local(&mut local) };
    record(options, PipelineOptions::default(), engines, talk(10), |_, _| {})
}

#[test]
fn the_shadow_is_recorded_with_counts_outcomes_and_how_it_was_chosen() {
    let rules = ShadowRules { max_lag: Duration::from_secs(600), ..ShadowRules::default() };
    let run = shadowed(rules.clone(), options(), vec![3]);
    let shadows = run.sink.shadows();
    assert_eq!(shadows.len(), 10);
    for shadow in &shadows {
        assert!(shadow.primary_engine.contains("/utterance/") && shadow.shadow_engine.contains("/shadow/"));
        assert_eq!((shadow.primary_outcome, shadow.sample_ratio), (Outcome::Transcript, 1.0));
        assert!(shadow.duration_ms > 1_000.0 && shadow.profile == "kitchen");
        let failed = shadow.utterance_id == "s1-3";
        assert_eq!(shadow.shadow_outcome, if failed { Outcome::Error } else { Outcome::Transcript });
        // "utterance 5" and "shadow 5": one word of two.
        let words = (shadow.edits(), shadow.primary_words, shadow.shadow_words);
        assert_eq!(words, if failed { (0, 0, 0) } else { (1, 2, 2) });
    }
    let half = ShadowRules { sample: 0.5, ..rules };
    assert!(shadowed(half, options(), vec![]).sink.shadows().iter().all(|s| s.sample_ratio == 0.5));
}

fn feedback(line: &str) -> Feedback {
    Feedback::parse(line).unwrap()
}

/// A run in which everything happens that could carry words, under `consent`.
fn everything(consent: RecordConsent) -> Run {
    let mut local = FakeRecognizer { fail_on: vec![4], ..FakeRecognizer::new(0) };
    let engine = EngineId::new("fake", "shadow", "none");
    let mut shadow = FakeRecognizer { engine, ..FakeRecognizer::new(0) };
    let rules = ShadowRules {
        texts: true,
        recorded_texts: consent.text,
        max_lag: Duration::from_secs(600),
        ..Default::default()
    };
    let shadow = ShadowEngine { recognizer: &mut shadow, rules };
    let engines = Engines { shadow: Some(shadow), ..Engines::local(&mut local) };
    // The engines' names are words of the texts too: records name the engines by design.
    let options = RecorderOptions { consent, ..options() };
    record(options, PipelineOptions::default(), engines, talk(6), |event, recorder| {
        if let Event::Final(result) = event {
            for line in ["accepted", "edited banana split", "redo", "abandoned"] {
                recorder.feedback(&feedback(&format!("{} {line}", result.utterance)));
            }
        }
    })
}

/// All strings in `value`, keys left out.
fn strings(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => found.push(text.clone()),
        serde_json::Value::Array(all) => all.iter().for_each(|one| strings(one, found)),
        serde_json::Value::Object(all) => all.values().for_each(|one| strings(one, found)),
        _ => {}
    }
}

#[test]
fn without_consent_no_record_holds_a_word_a_sound_or_a_person() {
    let run = everything(RecordConsent::default());
    assert!(run.events.iter().any(|e| matches!(e, Event::Final(r) if r.text == "utterance 2")));
    let mut found = Vec::new();
    for line in run.sink.lines() {
        assert!(line.consented.is_none());
        let json = serde_json::to_value(&line).unwrap();
        assert!(json.get("consented").is_none());
        strings(&json, &mut found);
    }
    assert!(found.len() > 100, "is the test looking at the records?");
    for said in (0..6).flat_map(|n| [format!("utterance {n}"), format!("shadow {n}")]) {
        assert!(!found.iter().any(|text| text.contains(&said)), "{said}");
    }
    let leaked = ["banana", "split", "person-7", "Scottish"];
    assert!(!found.iter().any(|text| leaked.iter().any(|word| text.contains(word))), "{found:?}");
    assert!(run.sink.clips.lock().unwrap().is_empty());
}

#[test]
fn with_consent_texts_audio_and_speaker_travel_with_it() {
    let run = everything(all_consents());
    let mut texts = 0;
    for line in run.sink.lines() {
        let of_somebody = !matches!(line.record, Record::Health(_) | Record::Session(_));
        assert_eq!(line.consented.is_some(), of_somebody, "{}", line.record.kind());
        let Some(consented) = line.consented else { continue };
        assert_eq!(consented.uncovered(), None);
        assert_eq!(consented.consent.granted_unix_ms, 1_764_000_000_000);
        assert_eq!(consented.consent.scopes, [Scope::Text, Scope::Audio, Scope::Speaker]);
        assert_eq!(consented.speaker.unwrap().subject_id, "person-7");
        match line.record {
            Record::Utterance(u) if u.output.outcome == Outcome::Transcript => {
                assert_eq!(consented.text, Some(u.utterance_id.replace("s1-", "utterance ")));
                texts += 1;
            }
            Record::Shadow(s) => {
                assert_eq!(consented.shadow_text, Some(s.utterance_id.replace("s1-", "shadow ")));
                texts += 1;
            }
            Record::Feedback(f) if f.feedback == FeedbackKind::Edited => {
                assert_eq!(consented.corrected_text.as_deref(), Some("banana split"));
                assert_eq!(consented.text, Some(f.utterance_id.replace("s1-", "utterance ")));
                assert_eq!((f.substitutions, f.words), (Some(2), Some(2)));
                texts += 1;
            }
            Record::Feedback(f) => assert_eq!((f.substitutions, consented.text), (None, None)),
            _ => assert_eq!(consented.text, None),
        }
    }
    assert_eq!(texts, 15);
    let clips = run.sink.clips.lock().unwrap();
    let ids: Vec<_> = clips.iter().map(|clip| clip.utterance_id.as_str()).collect();
    assert_eq!(ids, ["s1-0", "s1-1", "s1-2", "s1-3", "s1-4", "s1-5"]);
    for clip in clips.iter() {
        assert!(clip.flac.starts_with(b"fLaC"));
        assert_eq!((clip.granted_unix_ms, clip.subject_id.as_deref()), (1_764_000_000_000, Some("person-7")));
    }
}

#[test]
fn one_consent_is_not_another() {
    let run = everything(RecordConsent { audio: true, granted_unix_ms: 5, ..RecordConsent::default() });
    assert!(run.sink.lines().iter().all(|line| line.consented.is_none()));
    let clips = run.sink.clips.lock().unwrap();
    assert!(clips.len() == 6 && clips.iter().all(|clip| clip.subject_id.is_none()));
}

#[test]
fn heartbeats_come_at_their_interval_while_nobody_speaks() {
    let sink = Arc::new(FakeSink::default());
    let options = RecorderOptions { heartbeat: Duration::from_millis(10), ..options() };
    let recorder = TelemetryRecorder::new(options, sink.clone()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let beats = || sink.pick(|r| if let Record::Health(h) = r { Some(h.uptime_ms) } else { None });
    while beats().len() < 3 {
        assert!(Instant::now() < deadline, "no heartbeat");
        std::thread::sleep(Duration::from_millis(2));
    }
    drop(recorder);
    assert!(beats().is_sorted());
    let sessions = sink.pick(|r| if let Record::Session(s) = r { Some(s.ended) } else { None });
    assert_eq!(sessions, [false], "dropped without an end, the session was cut off");
}

#[test]
fn a_sink_that_hangs_holds_nobody_up_and_the_loss_is_told() {
    let sink = Arc::new(FakeSink { delay: Duration::from_millis(1), ..FakeSink::default() });
    let recorder = TelemetryRecorder::new(options(), sink.clone()).unwrap();
    let desk = recorder.feedback_desk();
    (0..5_000).for_each(|n| desk.take(&feedback(&format!("{n} accepted"))));
    let totals = recorder.finish(&RunSummary::default());
    assert!(totals.lost > 0, "5000 acts do not fit");
    assert_eq!(totals.records + totals.lost, 5_000 + 3, "each is recorded or counted");
    assert_eq!(sink.lines().len() as u64, totals.records);
    let health = sink.pick(|r| if let Record::Health(h) = r { Some(h.journal_lost) } else { None });
    assert_eq!(health, [totals.lost + 1], "the sink's own loss is added");
}

#[test]
fn events_without_their_audio_are_lost_not_guessed() {
    let mut endpointer = Endpointer::new(EndpointRules::default(), Box::new(LoudIsSpeech)).unwrap();
    let mut recognizer = FakeRecognizer::new(0);
    let sink = Arc::new(FakeSink::default());
    let recorder = TelemetryRecorder::new(options(), sink.clone()).unwrap();
    let summary = Pipeline::new(&mut endpointer, &mut recognizer, PipelineOptions::default())
        .run(Box::new(Script { blocks: talk(2), fails: false }), &StopSignal::default(), &mut |event| {
            recorder.observe(&event);
        })
        .unwrap();
    assert_eq!(recorder.finish(&summary).lost, 2);
    assert!(sink.utterances().is_empty());
}

#[test]
fn what_events_carry_for_records_is_not_in_their_json() {
    let run = everything(RecordConsent { text: true, granted_unix_ms: 5, ..RecordConsent::default() });
    for event in &run.events {
        let json = serde_json::to_value(event).unwrap();
        for hidden in ["input", "attempt", "subject", "texts"] {
            assert!(json.get(hidden).is_none(), "{hidden} in {json}");
        }
    }
}

#[test]
fn session_names_are_random_and_fit_into_ids() {
    let ids: std::collections::BTreeSet<String> =
        (0..1_000).map(|_| earwitness::recorder::new_session_id()).collect();
    assert_eq!(ids.len(), 1_000);
    assert!(ids.iter().all(|id| id.len() == 16 && earwitness::telemetry::limits::valid_id(id)));
}
