//! A runtime as an app embeds it, with the real model: what is pushed is what the file says; ends of every kind.

use std::path::PathBuf;
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
    assert!(matches!(events.last(), Some(SessionEvent::Ended(Ok(_)))));
    assert_eq!(events.last().map(|e| e.to_json()["event"].clone()), Some("summary".into()));
}

#[test]
fn a_cancelled_session_ends_soon_and_the_next_one_works() {
    let runtime = runtime();
    let (session, told) = start(&runtime, &RECORDED);
    session.push(&speech(9)).unwrap();
    session.cancel();
    loop {
        if let SessionEvent::Ended(end) = told.recv_timeout(PATIENCE).expect("it ends") {
            break assert!(end.is_ok());
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
fn a_callback_that_panics_ends_its_session_and_is_told() {
    let runtime = runtime();
    let session = runtime
        .start(&RECORDED, |event| {
            assert!(!matches!(event, SessionEvent::Pipeline(_)), "as an app's bug would");
        })
        .unwrap();
    // It may end before all is pushed.
    let _ = session.push(&speech(5));
    assert_eq!(session.finish().err().map(|e| e.kind()), Some(ErrorKind::Internal));
    assert!(runtime.start(&RECORDED, |_| {}).is_err(), "half-done engines are not used again");
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
