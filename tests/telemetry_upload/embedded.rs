//! An app's sessions report and are compared as a device's are: what the profile says holds for both.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use earwitness::actions::Feedback;
use earwitness::audio::{ChannelSelect, FileSource, read_all};
use earwitness::config::Profile;
use earwitness::models::ModelStore;
use earwitness::runtime::{ErrorKind, Input, Runtime, RuntimeOptions, SessionEvent};
use earwitness::telemetry::{Outcome, Record, RecordLine};

use crate::cloud_support::{FakeCloud, Reply};
use crate::server::*;

fn options(profile: &str, folder: &Path) -> RuntimeOptions {
    RuntimeOptions {
        profile: Profile::parse(profile, "app").unwrap(),
        profile_name: "dictation".to_owned(),
        data_folder: Some(folder.to_owned()),
        ..RuntimeOptions::default()
    }
}

#[test]
fn an_apps_session_reaches_the_server_with_its_shadow_and_without_its_words() {
    let got = Arc::<Mutex<Vec<RecordLine>>>::default();
    let keeps = got.clone();
    let server = FakeCloud::answering(move |_, request| {
        let body = body_of(request);
        let mark = body.head.first_sequence + body.records.len() as u64 - 1;
        keeps.lock().unwrap().extend(body.records);
        Reply::json(200, format!(r#"{{"high_water":{mark},"stored":0,"duplicates":0}}"#))
    });
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, TOKEN).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let profile = format!(
        "[telemetry]\nurl = \"http://{}\"\ntoken_file = \"{}\"\n[shadow]\nengine = \"tiny.en\"\nsample = 1.0\n",
        server.address,
        token.display()
    );
    let runtime = Runtime::open(options(&profile, folder.path())).unwrap();
    assert!(
        runtime.notices().iter().any(|notice| notice.contains("no text and no audio")),
        "{:?}",
        runtime.notices()
    );
    let reading = ModelStore::open_default().unwrap().locate("two-cities").unwrap();
    let mut samples = read_all(&mut FileSource::open(&reading, ChannelSelect::Mix).unwrap()).unwrap();
    samples.truncate(9 * 16_000);
    let notices = Arc::<Mutex<usize>>::default();
    let counted = notices.clone();
    let input = Input::Pushed { rate_hz: 16_000, channels: 1, live: true };
    let session = runtime
        .start(&input, move |event| {
            *counted.lock().unwrap() += usize::from(matches!(event, SessionEvent::Notice(_)));
        })
        .unwrap();
    // All at once: it fits into the room for live audio.
    assert_eq!(session.push(&samples), Ok(0));
    let summary = session.finish().unwrap();
    assert!(summary.shadow.is_some_and(|shadow| shadow.compared > 0));
    // People correct what they see when nobody listens any more.
    let correction = Feedback::named(0, "edited", Some("It was the worst of times.".to_owned())).unwrap();
    session.feedback(&correction).unwrap();
    // A recording is recorded like what is live, and says so.
    let recorded =
        runtime.start(&Input::Pushed { rate_hz: 16_000, channels: 1, live: false }, |_| {}).unwrap();
    assert_eq!(recorded.push(&samples), Ok(0));
    // The session before takes none any more, and says so.
    assert_eq!(session.feedback(&correction).err().map(|e| e.kind()), Some(ErrorKind::Usage));
    drop(session);
    let utterances_of_recording = recorded.finish().unwrap().utterances;
    assert!(runtime.outlet_status().unwrap().last_error.is_none());
    runtime.close(Duration::from_secs(30));
    // All that it held is free, though the sessions and the runtime are still there.
    assert!(Runtime::open(options(&profile, folder.path())).is_ok());
    // Closed in the last callback of a session, it is let go as well.
    let slot = Arc::new(Mutex::new(Some(Runtime::open(options(&profile, folder.path())).unwrap())));
    let inside = slot.clone();
    let last = slot
        .lock()
        .unwrap()
        .as_ref()
        .unwrap()
        .start(&Input::Pushed { rate_hz: 16_000, channels: 1, live: true }, move |event| {
            if let SessionEvent::Ended { .. } = event {
                inside.lock().unwrap().take().unwrap().close(Duration::from_secs(30));
            }
        })
        .unwrap();
    last.finish().unwrap();
    assert!(Runtime::open(options(&profile, folder.path())).is_ok());
    assert!(runtime.outlet_status().is_none());
    drop(recorded);
    let got = got.lock().unwrap();
    let utterances: Vec<_> = got
        .iter()
        .filter_map(|line| match &line.record {
            Record::Utterance(utterance) => Some(utterance),
            _ => None,
        })
        .collect();
    assert_eq!(utterances.len() as u64, summary.utterances + utterances_of_recording);
    assert_eq!(utterances.iter().filter(|u| u.replayed).count() as u64, utterances_of_recording);
    for utterance in &utterances {
        assert_eq!(
            (utterance.profile.as_str(), utterance.output.outcome),
            ("dictation", Outcome::Transcript)
        );
        assert!(utterance.input.native_rate_hz == Some(16_000) && utterance.output.words > 0);
    }
    assert!(got.iter().any(|line| matches!(line.record, Record::Shadow(_))));
    let edits = got.iter().filter_map(|line| match &line.record {
        Record::Feedback(feedback) => feedback.words,
        _ => None,
    });
    assert_eq!(edits.collect::<Vec<_>>(), [6]);
    assert!(got.iter().all(|line| line.consented.is_none()));
    assert!(!serde_json::to_string(&*got).unwrap().contains("best of times"));
    assert!(*notices.lock().unwrap() > 0, "sessions tell it, too");
}
