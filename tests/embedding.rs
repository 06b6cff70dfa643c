//! A runtime as an app embeds it, with the real model: what is pushed is what the file says; ends of every kind.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use earwitness::audio::{ChannelSelect, FileSource, encode_wav, read_all};
use earwitness::config::Profile;
use earwitness::models::ModelStore;
use earwitness::pipeline::Event;
use earwitness::runtime::{ErrorKind, Input, Runtime, RuntimeOptions, Session, SessionEvent};

const LIVE: Input = Input::Pushed { rate_hz: 16_000, channels: 1, live: true };
const RECORDED: Input = Input::Pushed { rate_hz: 16_000, channels: 1, live: false };
/// For what comes at once.
const PATIENCE: Duration = Duration::from_secs(60);

fn runtime() -> Runtime {
    Runtime::open(RuntimeOptions { partials: true, ..RuntimeOptions::default() }).unwrap()
}

/// Some seconds of the demonstration's reading.
fn speech(seconds: usize) -> Vec<f32> {
    let reading = ModelStore::open_default().unwrap().locate("two-cities").unwrap();
    let mut source = FileSource::open(&reading, ChannelSelect::Mix).unwrap();
    let mut samples = read_all(&mut source).unwrap();
    samples.truncate(seconds * 16_000);
    samples
}

fn start(runtime: &Runtime, input: &Input) -> (Session, Receiver<SessionEvent>) {
    let (tell, told) = channel();
    (runtime.start(input, move |event| drop(tell.send(event))).unwrap(), told)
}

fn texts(told: &Receiver<SessionEvent>) -> Vec<String> {
    let text = |event| match event {
        SessionEvent::Pipeline(event) => match *event {
            Event::Final(result) => Some(result.text),
            _ => None,
        },
        _ => None,
    };
    told.try_iter().filter_map(text).collect()
}

#[test]
fn what_is_pushed_is_heard_as_the_file_is() {
    let runtime = runtime();
    assert!(runtime.notices().is_empty(), "nothing leaves this device");
    let samples = speech(14);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("speech.wav");
    std::fs::write(&file, encode_wav(&samples)).unwrap();
    let (session, told) = start(&runtime, &Input::File(file));
    let summary = session.finish().unwrap();
    let of_file = texts(&told);
    assert!(of_file.len() >= 2 && summary.utterances == of_file.len() as u64, "{of_file:?}");
    // One session after the other, on the same engines.
    let (session, told) = start(&runtime, &RECORDED);
    for piece in samples.chunks(777) {
        assert_eq!(session.push(piece), Ok(0));
    }
    session.finish().unwrap();
    assert_eq!(texts(&told), of_file);
    // Two channels of 16 bits at 48 kHz.
    let stereo: Vec<i16> = samples.iter().flat_map(|x| [(*x * 32_767.0) as i16; 6]).collect();
    let (session, told) = start(&runtime, &Input::Pushed { rate_hz: 48_000, channels: 2, live: false });
    stereo.chunks(9_600).for_each(|piece| assert_eq!(session.push(piece), Ok(0)));
    session.finish().unwrap();
    assert_eq!(texts(&told).len(), of_file.len());
}

#[test]
fn a_live_session_tells_parts_and_loses_nothing_that_it_can_keep() {
    let runtime = runtime();
    let (session, told) = start(&runtime, &LIVE);
    let begin = Instant::now();
    for (n, piece) in speech(9).chunks(320).enumerate() {
        assert_eq!(session.push(piece), Ok(0));
        let due = begin + Duration::from_millis(20) * n as u32;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    let summary = session.finish().unwrap();
    assert_eq!((summary.dropped, summary.faults.lost_samples), (0, 0));
    let events: Vec<_> = told.try_iter().collect();
    let partials = events
        .iter()
        .filter(|e| matches!(e, SessionEvent::Pipeline(e) if matches!(**e, Event::Partial { .. })))
        .count();
    assert!(partials > 0);
    assert!(matches!(events.last(), Some(SessionEvent::Ended { end: Ok(_), cancelled: false })));
    assert_eq!(events.last().map(|e| e.to_json()["event"].clone()), Some("summary".into()));
}

#[test]
fn a_cancelled_session_ends_soon_and_the_next_one_works() {
    let runtime = runtime();
    let (session, told) = start(&runtime, &RECORDED);
    session.push(&speech(9)).unwrap();
    session.cancel();
    loop {
        if let SessionEvent::Ended { end, cancelled } = told.recv_timeout(PATIENCE).expect("it ends") {
            break assert!(end.is_ok() && cancelled);
        }
    }
    assert!(session.push(&[0.0_f32; 16]).is_err());
    let (session, told) = start(&runtime, &RECORDED);
    session.push(&speech(9)).unwrap();
    session.finish().unwrap();
    assert!(!texts(&told).is_empty());
}

#[test]
fn one_session_at_a_time_and_none_waits_for_itself() {
    let runtime = Arc::new(runtime());
    let slot = Arc::<Mutex<Option<Session>>>::default();
    let (tell, told) = channel();
    let inside = slot.clone();
    let mut asked = false;
    let session = runtime
        .start(&RECORDED, move |_| {
            if std::mem::replace(&mut asked, true) {
                return;
            }
            let kind = loop {
                // Until the test has put it there.
                if let Some(session) = &*inside.lock().unwrap() {
                    break session.finish().err().map(|e| e.kind());
                }
                std::thread::sleep(Duration::from_millis(1));
            };
            let _ = tell.send(kind);
        })
        .unwrap();
    let refused = runtime.start(&RECORDED, |_| {}).err().map(|e| e.kind());
    assert_eq!(refused, Some(ErrorKind::Usage));
    session.push(&speech(5)).unwrap();
    *slot.lock().unwrap() = Some(session);
    assert_eq!(told.recv_timeout(PATIENCE), Ok(Some(ErrorKind::Usage)));
    let session = slot.lock().unwrap().take();
    assert!(session.unwrap().finish().is_ok());
}

#[test]
fn a_fault_in_the_callback_costs_an_event_and_not_the_session() {
    let runtime = runtime();
    let (tell, told) = channel();
    let session = runtime
        .start(&RECORDED, move |event| {
            assert!(
                !matches!(&event, SessionEvent::Pipeline(e) if matches!(**e, Event::SpeechStarted { .. }))
            );
            let _ = tell.send(event);
        })
        .unwrap();
    session.push(&speech(9)).unwrap();
    assert!(session.finish().is_ok());
    assert!(!texts(&told).is_empty());
    assert!(runtime.start(&RECORDED, |_| {}).is_ok());
}

/// All of it waits to be heard when the end is asked for, by several at once.
#[test]
fn the_end_of_live_audio_cuts_nothing_off_whoever_asks_for_it() {
    let runtime = runtime();
    let heard = |askers: usize| {
        let (session, told) = start(&runtime, &LIVE);
        assert_eq!(session.push(&speech(9)), Ok(0));
        std::thread::scope(|scope| {
            (0..askers).for_each(|_| drop(scope.spawn(|| session.finish().unwrap())));
        });
        (texts(&told), session.finish().unwrap().audio_s)
    };
    let (once, audio_s) = heard(1);
    assert!(!once.is_empty() && (audio_s - 9.0).abs() < 0.1, "{once:?}, {audio_s}");
    assert_eq!(heard(4), (once, audio_s));
}

#[test]
fn whoever_asks_for_the_end_is_told_the_same() {
    let runtime = runtime();
    let (session, _told) = start(&runtime, &RECORDED);
    session.push(&speech(9)).unwrap();
    let ends: Vec<_> = std::thread::scope(|scope| {
        let askers: Vec<_> = (0..3).map(|_| scope.spawn(|| session.finish().unwrap().utterances)).collect();
        askers.into_iter().map(|asker| asker.join().unwrap()).collect()
    });
    assert!(ends[0] > 0 && ends.iter().all(|n| *n == ends[0]), "{ends:?}");
    assert_eq!(session.finish().unwrap().utterances, ends[0]);
}

/// The callback says when it was called last: after `close` never, whoever else still waits.
#[test]
fn nothing_is_told_after_a_session_was_closed() {
    let runtime = runtime();
    for asks_for_the_end in [false, true] {
        let closed = Arc::new(AtomicBool::new(false));
        let late = Arc::new(AtomicBool::new(false));
        let (is_closed, was_late) = (closed.clone(), late.clone());
        let session = runtime
            .start(&RECORDED, move |_| {
                std::thread::sleep(Duration::from_millis(20));
                was_late.fetch_or(is_closed.load(Ordering::SeqCst), Ordering::SeqCst);
            })
            .unwrap();
        session.push(&speech(9)).unwrap();
        std::thread::scope(|scope| {
            let asker = asks_for_the_end.then(|| scope.spawn(|| session.finish()));
            std::thread::sleep(Duration::from_millis(30));
            session.close();
            closed.store(true, Ordering::SeqCst);
            if let Some(asker) = asker {
                assert!(asker.join().unwrap().is_ok(), "it comes back");
            }
        });
        assert!(session.push(&[0.0_f32; 16]).is_err());
        assert!(!late.load(Ordering::SeqCst));
    }
}

#[test]
fn a_session_that_its_own_callback_closes_tells_nothing_more() {
    let runtime = runtime();
    let slot = Arc::<Mutex<Option<Arc<Session>>>>::default();
    let (inside, (tell, told)) = (slot.clone(), channel());
    let session = runtime
        .start(&RECORDED, move |event| {
            let SessionEvent::Pipeline(_) = event else {
                let _ = tell.send(false);
                return;
            };
            let session = loop {
                if let Some(session) = inside.lock().unwrap().clone() {
                    break session;
                }
                std::thread::sleep(Duration::from_millis(1));
            };
            session.close();
            let _ = tell.send(true);
        })
        .unwrap();
    let session = Arc::new(session);
    *slot.lock().unwrap() = Some(session.clone());
    session.push(&speech(9)).unwrap();
    assert!(session.finish().is_ok() && session.is_cancelled());
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [true], "one event, and not the end");
}

/// A push that waits for room holds nobody up who gives the session up.
#[test]
fn a_session_is_cancelled_while_a_push_waits() {
    let runtime = runtime();
    let (session, told) = start(&runtime, &RECORDED);
    let samples = speech(40);
    std::thread::scope(|scope| {
        let pushing = scope.spawn(|| (0..20).find_map(|_| session.push(&samples).err()));
        std::thread::sleep(Duration::from_millis(300));
        let begin = Instant::now();
        session.cancel();
        assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
        assert!(pushing.join().unwrap().is_some(), "it comes back with an error");
    });
    session.finish().unwrap();
    assert!(told.try_iter().any(|event| matches!(event, SessionEvent::Ended { cancelled: true, .. })));
}

#[test]
fn a_runtime_that_is_closed_ends_its_session_and_lets_its_folders_go() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        Runtime::open(RuntimeOptions {
            profile: Profile::parse("[spool]\nkeep = true", "app").unwrap(),
            data_folder: Some(folder.path().to_owned()),
            cache_folder: Some(folder.path().join("packed")),
            ..RuntimeOptions::default()
        })
    };
    let runtime = open().unwrap();
    assert_eq!(std::fs::read_dir(folder.path().join("packed")).unwrap().count(), 1, "packed there");
    let (session, told) = start(&runtime, &RECORDED);
    session.push(&speech(9)).unwrap();
    runtime.close(Duration::ZERO);
    let last = told.try_iter().last();
    assert!(matches!(last, Some(SessionEvent::Ended { end: Ok(_), cancelled: true })));
    let refused = runtime.start(&RECORDED, |_| {}).err().unwrap();
    assert!(refused.kind() == ErrorKind::Usage && refused.to_string().contains("closed"), "{refused}");
    // While the session and the runtime are still held.
    let again = open().unwrap();
    let (next, told) = start(&again, &RECORDED);
    next.finish().unwrap();
    drop((session, told));
}

#[test]
fn what_cannot_be_opened_says_of_which_class_that_is() {
    let opened = |profile: &str, model_folder: Option<&str>| {
        Runtime::open(RuntimeOptions {
            profile: Profile::parse(profile, "test").unwrap(),
            model_folder: model_folder.map(PathBuf::from),
            ..RuntimeOptions::default()
        })
        .err()
        .map(|e| e.kind())
    };
    assert_eq!(opened("", Some("/nowhere")), Some(ErrorKind::Model));
    assert_eq!(opened("[whisper]\nlanguage = \"de\"", None), Some(ErrorKind::Usage));
    let runtime = runtime();
    for (input, kind) in [
        (Input::File("/no/such.wav".into()), ErrorKind::Audio),
        (Input::Pushed { rate_hz: 5, channels: 1, live: true }, ErrorKind::Audio),
        (Input::Pushed { rate_hz: 16_000, channels: 0, live: true }, ErrorKind::Audio),
    ] {
        assert_eq!(runtime.start(&input, |_| {}).err().map(|e| e.kind()), Some(kind), "{input:?}");
    }
    assert!(runtime.start(&RECORDED, |_| {}).is_ok(), "the engines are still there");
}
