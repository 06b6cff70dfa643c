//! The cloud recognizers against a server on loopback: what they send, what they make of documented
//! answers (tests/fixtures/cloud/README.md names the page of each), and each way in which it goes wrong.

#![cfg(feature = "cloud")]

mod cloud_support;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use cloud_support::{FakeCloud, Reply, fixture};
use earwitness::asr::cloud::{ApiKey, CloudError, CloudRecognizer, CloudSettings, ProviderKind};
use earwitness::asr::{Outcome, RecognitionObserver, Recognizer, RecognizerError, Transcript};
use earwitness::audio::{ChannelSelect, PcmFormat, PcmLayout, SAMPLE_RATE, open_stream, read_all};
use earwitness::utterance::Utterance;

const SENTENCE: &str = "The quick brown fox jumps over the lazy dog.";
const KEY: &str = "sk-a-key-that-must-not-show";

fn utterance() -> Utterance {
    let samples = (0..48_000).map(|i| (i as f32 * 0.03).sin() * 0.3).collect();
    Utterance::whole(0, samples)
}

fn settings(provider: ProviderKind, url: &str) -> CloudSettings {
    let mut settings = CloudSettings::new(provider, url).unwrap();
    settings.key = ApiKey::new(KEY);
    settings.language = "en".to_owned();
    settings.deadline = Duration::from_secs(5);
    settings.backoff = Duration::from_millis(5);
    settings
}

fn base(cloud: &FakeCloud, provider: ProviderKind) -> String {
    match provider {
        ProviderKind::OpenAi => cloud.url(),
        _ => format!("http://{}", cloud.address),
    }
}

fn ask(settings: CloudSettings) -> Result<Transcript, CloudError> {
    let mut recognizer = CloudRecognizer::new(settings)?;
    match recognizer.transcribe(&utterance(), &mut ()) {
        Ok(transcript) => Ok(transcript),
        Err(RecognizerError::Cloud(error)) => Err(error),
        Err(other) => panic!("{other}"),
    }
}

/// The answer of `provider` to a server that gives `replies`, and the server.
fn talk(provider: ProviderKind, replies: Vec<Reply>) -> (Result<Transcript, CloudError>, FakeCloud) {
    let cloud = FakeCloud::replies(replies);
    let mut settings = settings(provider, &base(&cloud, provider));
    settings.word_times = true;
    (ask(settings), cloud)
}

fn decoded(file: Vec<u8>) -> Vec<f32> {
    let raw = PcmFormat { layout: PcmLayout::S16Le, rate: SAMPLE_RATE, channels: 1 };
    let mut source = open_stream(std::io::Cursor::new(file), "upload", raw, ChannelSelect::Mix).unwrap();
    read_all(source.as_mut()).unwrap()
}

fn assert_same_audio(sent: Vec<u8>) {
    let (sent, original) = (decoded(sent), utterance().samples);
    assert_eq!(sent.len(), original.len());
    let worst = sent.iter().zip(&original).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= 1.0 / 65536.0 + 1e-9, "{worst}");
}

#[test]
fn openai_is_asked_and_understood() {
    let (transcript, cloud) =
        talk(ProviderKind::OpenAi, vec![Reply::json(200, fixture("openai_verbose.json"))]);
    let transcript = transcript.unwrap();
    assert_eq!(transcript.text, format!("{SENTENCE} Then it sleeps."));
    assert_eq!(transcript.language.as_deref(), Some("en"));
    assert_eq!(transcript.segments.len(), 2);
    assert_eq!(transcript.segments[0].words.len(), 9);
    assert_eq!(transcript.segments[1].words.len(), 3);
    assert_eq!((transcript.segments[1].words[2].start, transcript.segments[1].words[2].end), (4.5, 5.0));
    let confidence = transcript.confidence().unwrap();
    let expected = ((-0.21 * 10.0 - 0.34 * 4.0) / 14.0_f32).exp();
    assert!((confidence - expected).abs() < 1e-5, "{confidence}");

    let request = cloud.request(0);
    assert_eq!(request.line, "POST /v1/audio/transcriptions HTTP/1.1");
    assert_eq!(request.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    assert_eq!(request.field("language").as_deref(), Some("en"));
    assert_eq!(request.field("response_format").as_deref(), Some("verbose_json"));
    let file = request.file().unwrap();
    assert!(file.starts_with(b"fLaC") && file.len() < 2 * 48_000);
    assert_same_audio(file);
}

#[test]
fn the_later_openai_models_give_text_and_certainty() {
    let cloud = FakeCloud::replies(vec![Reply::json(
        200,
        r#"{"text":" Hello.","logprobs":[{"token":"Hello","logprob":-0.1},{"token":".","logprob":-0.3}]}"#,
    )]);
    let mut settings = settings(ProviderKind::OpenAi, &cloud.url());
    settings.model = "gpt-4o-transcribe".to_owned();
    let transcript = ask(settings).unwrap();
    assert_eq!(transcript.text, "Hello.");
    assert!((transcript.confidence().unwrap() - (-0.2_f32).exp()).abs() < 1e-6);
    assert_eq!(cloud.request(0).field("response_format").as_deref(), Some("json"));
    assert_eq!(transcript.segments.len(), 1);
    assert!((transcript.segments[0].end - 3.0).abs() < 1e-9);
}

#[test]
fn deepgram_is_asked_and_understood() {
    let (transcript, cloud) =
        talk(ProviderKind::Deepgram, vec![Reply::json(200, fixture("deepgram_prerecorded.json"))]);
    let transcript = transcript.unwrap();
    assert_eq!(transcript.text, SENTENCE);
    assert_eq!(transcript.provider_confidence, Some(0.9842));
    let words = &transcript.segments[0].words;
    assert_eq!((words.len(), words[0].word.as_str(), words[0].probability), (9, " The", Some(0.98)));
    assert_eq!((words[0].start, words[8].end), (0.32, 2.8));
    let request = cloud.request(0);
    assert!(request.line.starts_with("POST /v1/listen?punctuate=true"), "{}", request.line);
    assert!(request.line.contains("language=en"));
    assert_eq!(request.header("authorization"), Some(format!("Token {KEY}").as_str()));
    assert_eq!(request.header("content-type"), Some("audio/flac"));
    assert_same_audio(request.body);
}

#[test]
fn google_is_asked_and_understood() {
    let (transcript, cloud) =
        talk(ProviderKind::Google, vec![Reply::json(200, fixture("google_recognize.json"))]);
    let transcript = transcript.unwrap();
    assert_eq!(transcript.text.to_lowercase(), format!("{SENTENCE} Then it sleeps.").to_lowercase());
    assert_eq!(transcript.language.as_deref(), Some("en"));
    assert_eq!(transcript.segments.len(), 2);
    assert!(transcript.segments.iter().all(|s| !s.words.is_empty() && s.start < s.end));
    assert!(transcript.provider_confidence.is_some_and(|c| c > 0.5 && c <= 1.0));
    let request = cloud.request(0);
    assert_eq!(request.line, "POST /v1/speech:recognize HTTP/1.1");
    assert_eq!(request.header("x-goog-api-key"), Some(KEY));
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["config"]["encoding"], "FLAC");
    assert_eq!(body["config"]["sampleRateHertz"], 16_000);
    use base64::Engine as _;
    let audio = base64::engine::general_purpose::STANDARD.decode(body["audio"]["content"].as_str().unwrap());
    assert_same_audio(audio.unwrap());
}

#[test]
fn azure_is_asked_and_understood() {
    let (transcript, cloud) =
        talk(ProviderKind::Azure, vec![Reply::json(200, fixture("azure_detailed.json"))]);
    let transcript = transcript.unwrap();
    assert_eq!(transcript.text, SENTENCE);
    assert!(transcript.provider_confidence.is_some());
    let words = &transcript.segments[0].words;
    assert_eq!(words.len(), 9);
    assert!(words[8].end > 2.0 && words[8].end < 3.5, "{}", words[8].end);
    let request = cloud.request(0);
    assert!(
        request.line.starts_with("POST /speech/recognition/conversation/cognitiveservices/v1?language=en")
    );
    assert_eq!(request.header("ocp-apim-subscription-key"), Some(KEY));
    assert!(request.body.starts_with(b"RIFF"), "the service reads no FLAC");
    assert_same_audio(request.body);
}

#[test]
fn nothing_said_is_an_empty_transcript_and_no_error() {
    for (provider, body) in [
        (ProviderKind::OpenAi, br#"{"text":""}"#.to_vec()),
        (ProviderKind::Google, fixture("google_empty.json")),
        (ProviderKind::Azure, fixture("azure_nomatch.json")),
        (
            ProviderKind::Deepgram,
            br#"{"results":{"channels":[{"alternatives":[{"transcript":"","confidence":0.0,"words":[]}]}]}}"#
                .to_vec(),
        ),
    ] {
        let transcript = talk(provider, vec![Reply::json(200, body)]).0.unwrap();
        assert_eq!((transcript.text.as_str(), transcript.outcome), ("", Outcome::Empty), "{provider:?}");
        assert_eq!(transcript.confidence(), None, "{provider:?}");
    }
}

#[test]
fn refusals_are_reported_in_the_servers_words_and_not_repeated() {
    for (provider, status, body, words) in [
        (ProviderKind::OpenAi, 401, fixture("openai_error_401.json"), "401"),
        (ProviderKind::Deepgram, 401, fixture("deepgram_error_401.json"), "not one of ours"),
        (ProviderKind::Google, 403, fixture("google_error_403.json"), "403"),
        (ProviderKind::Azure, 401, fixture("azure_error_401.txt"), "401"),
        (ProviderKind::OpenAi, 422, fixture("fastapi_error_422.json"), "Field required"),
    ] {
        let (answer, cloud) = talk(provider, vec![Reply::json(status, body)]);
        let error = answer.unwrap_err();
        assert!(matches!(error, CloudError::Status { status: s, .. } if s == status), "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(cloud.asked(), 1, "{provider:?}");
        assert_eq!(error.retry_later(), status != 422);
    }
}

#[test]
fn overload_is_asked_again_and_succeeds() {
    for (provider, status, body, good) in [
        (ProviderKind::OpenAi, 429, fixture("openai_error_429.json"), fixture("openai_json.json")),
        (
            ProviderKind::Deepgram,
            429,
            fixture("deepgram_error_429.json"),
            fixture("deepgram_prerecorded.json"),
        ),
        (ProviderKind::Azure, 503, Vec::new(), fixture("azure_detailed.json")),
        (ProviderKind::OpenAi, 500, b"<html>".to_vec(), fixture("openai_json.json")),
        (ProviderKind::OpenAi, 408, Vec::new(), fixture("openai_json.json")),
    ] {
        let replies =
            vec![Reply::json(status, body.clone()), Reply::json(status, body), Reply::json(200, good)];
        let (answer, cloud) = talk(provider, replies);
        assert!(answer.unwrap().text.starts_with("The quick"), "{provider:?}");
        assert_eq!(cloud.asked(), 3);
        assert_eq!(cloud.connections.load(std::sync::atomic::Ordering::Relaxed), 1, "connections are reused");
    }
}

#[test]
fn a_provider_in_trouble_with_status_200_is_asked_again() {
    let trouble = Reply::json(200, r#"{"RecognitionStatus":"Error"}"#);
    let good = Reply::json(200, fixture("azure_detailed.json"));
    let (answer, cloud) = talk(ProviderKind::Azure, vec![trouble, good]);
    assert_eq!((answer.unwrap().text.as_str(), cloud.asked()), (SENTENCE, 2));
}

#[test]
fn no_credit_is_not_asked_again() {
    let reply = Reply::json(429, fixture("openai_error_429_quota.json"));
    let (answer, cloud) = talk(ProviderKind::OpenAi, vec![reply]);
    let error = answer.unwrap_err();
    assert!(error.retry_later() && !error.retry_now(), "{error}");
    assert_eq!(cloud.asked(), 1);
}

#[test]
fn retry_after_is_honoured_if_it_fits_the_deadline() {
    let replies = vec![Reply::json(429, "{}").with_header("retry-after", "0.4"), Reply::text("hello")];
    let begin = Instant::now();
    let (answer, cloud) = talk(ProviderKind::OpenAi, replies);
    assert_eq!(answer.unwrap().text, "hello");
    assert!(begin.elapsed() >= Duration::from_millis(400) && cloud.asked() == 2);

    let begin = Instant::now();
    let (answer, cloud) =
        talk(ProviderKind::OpenAi, vec![Reply::json(503, "{}").with_header("retry-after", "3600")]);
    let error = answer.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    assert!(begin.elapsed() < Duration::from_secs(4) && cloud.asked() == 1, "there is no use in waiting");

    // Google says it in the body: 10 s or more are beyond these settings' deadline.
    let (answer, cloud) =
        talk(ProviderKind::Google, vec![Reply::json(429, fixture("google_error_429.json"))]);
    assert!(answer.unwrap_err().retry_after().is_some() && cloud.asked() == 1);
}

#[test]
fn broken_connections_are_tried_again() {
    for fault in [
        Reply::CloseAtOnce,
        Reply::CloseDuringUpload,
        Reply::CloseAfterUpload,
        Reply::CutBody { body: br#"{"text":"hel"#.to_vec() },
        Reply::Garbage,
    ] {
        let (answer, cloud) = talk(ProviderKind::OpenAi, vec![fault.clone(), Reply::text("hello")]);
        assert_eq!(answer.unwrap().text, "hello", "{fault:?}");
        assert!(cloud.asked() >= 2, "{fault:?}");
        let (answer, _cloud) = talk(ProviderKind::OpenAi, vec![fault.clone()]);
        let error = answer.unwrap_err();
        assert!(matches!(error, CloudError::Broken { .. }) && error.retry_later(), "{fault:?}: {error}");
    }
}

#[test]
fn answers_that_make_no_sense_are_errors_and_not_quoted() {
    let html =
        Reply::Answer { status: 200, headers: vec![], kind: "text/html", body: b"<p>secret</p>".to_vec() };
    for bad in [
        html,
        Reply::json(200, "secret{"),
        Reply::json(200, "[]"),
        Reply::json(200, r#"{"text":{"secret":1}}"#),
        Reply::json(200, ""),
        Reply::json(200, vec![0xff, 0xfe, 0x00]),
    ] {
        for provider in
            [ProviderKind::OpenAi, ProviderKind::Deepgram, ProviderKind::Azure, ProviderKind::Google]
        {
            if provider == ProviderKind::Google && format!("{bad:?}").contains("116, 101, 120, 116") {
                continue; // An object without `results` says that nothing was heard.
            }
            let (answer, cloud) = talk(provider, vec![bad.clone()]);
            let error = answer.unwrap_err();
            assert!(matches!(error, CloudError::BadAnswer { .. }), "{provider:?} {bad:?}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
            assert_eq!(cloud.asked(), 1);
        }
    }
}

#[test]
fn an_endless_answer_is_cut_off() {
    let (answer, _cloud) = talk(ProviderKind::OpenAi, vec![Reply::json(200, vec![b' '; 17 << 20])]);
    assert!(answer.unwrap_err().to_string().contains("16 MB"));
}

#[test]
fn one_deadline_holds_over_stalls_slow_bodies_and_attempts() {
    let slow = Reply::SlowBody { body: vec![b' '; 5000], pause: Duration::from_millis(10) };
    for replies in [vec![Reply::Stall], vec![slow], vec![Reply::json(500, ""), Reply::Stall]] {
        let cloud = FakeCloud::replies(replies.clone());
        let mut settings = settings(ProviderKind::OpenAi, &cloud.url());
        settings.deadline = Duration::from_millis(400);
        let begin = Instant::now();
        let error = ask(settings).unwrap_err();
        let took = begin.elapsed();
        assert!(matches!(error, CloudError::Deadline { .. }), "{error}");
        assert!(took >= Duration::from_millis(400) && took < Duration::from_secs(4), "{took:?}");
        assert_eq!(error.to_string().contains("500"), replies.len() == 2, "{error}");
    }
}

#[test]
fn nobody_listening_and_no_such_name_are_told_apart_from_a_server_that_speaks_no_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = ask(settings(ProviderKind::OpenAi, &format!("http://{address}/v1"))).unwrap_err();
    assert!(matches!(error, CloudError::Offline { .. }) && error.is_offline(), "{error}");

    let mut nameless = settings(ProviderKind::OpenAi, "https://no-such-host.invalid/v1");
    nameless.attempts = 1;
    let error = ask(nameless).unwrap_err();
    assert!(error.is_offline(), "{error}");

    let cloud = FakeCloud::replies(vec![Reply::Garbage]);
    let error = ask(settings(ProviderKind::OpenAi, &format!("https://{}/v1", cloud.address))).unwrap_err();
    assert!(
        matches!(error, CloudError::Tls { .. } | CloudError::Offline { .. } | CloudError::Deadline { .. }),
        "{error}"
    );
    assert_eq!(cloud.asked(), 0, "no request crosses a connection that is not secure");
}

#[test]
fn a_redirect_is_not_followed() {
    let other = FakeCloud::replies(vec![Reply::text("stolen")]);
    let reply =
        Reply::json(307, "").with_header("location", &format!("{}/audio/transcriptions", other.url()));
    let (answer, _cloud) = talk(ProviderKind::OpenAi, vec![reply]);
    assert!(answer.unwrap_err().to_string().contains("redirect"));
    assert_eq!(other.connections.load(std::sync::atomic::Ordering::Relaxed), 0);
}

struct CancelAfter(Instant, Duration);

impl RecognitionObserver for CancelAfter {
    fn cancelled(&self) -> bool {
        self.0.elapsed() > self.1
    }
}

#[test]
fn a_waiting_request_can_be_cancelled() {
    let cloud = FakeCloud::replies(vec![Reply::Stall]);
    let mut recognizer = CloudRecognizer::new(settings(ProviderKind::OpenAi, &cloud.url())).unwrap();
    let begin = Instant::now();
    let mut observer = CancelAfter(begin, Duration::from_millis(100));
    let answer = recognizer.transcribe(&utterance(), &mut observer);
    assert!(matches!(answer, Err(RecognizerError::Cancelled)));
    assert!(begin.elapsed() < Duration::from_secs(3));
}

#[test]
fn no_error_shows_the_key_or_the_prompt() {
    let echo = format!(r#"{{"error":{{"message":"bad key {KEY} for prompt the-secret-prompt"}}}}"#);
    for status in [400, 401, 500] {
        let cloud = FakeCloud::replies(vec![Reply::json(status, echo.clone())]);
        let mut settings = settings(ProviderKind::OpenAi, &cloud.url());
        settings.prompt = Some("the-secret-prompt".to_owned());
        let shown = format!("{settings:?}");
        assert!(!shown.contains(KEY), "{shown}");
        let error = ask(settings).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(KEY) && !shown.contains("the-secret-prompt"), "{shown}");
    }
}

/// A host that cannot prove who it is gets no audio.
#[test]
fn a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent() {
    use std::io::Read;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let received = Arc::new(AtomicUsize::new(0));
    let (count, config) = (received.clone(), Arc::new(config));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut secure = rustls::StreamOwned::new(connection, stream.unwrap());
            let mut byte = [0];
            while let Ok(1) = secure.read(&mut byte) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let error = ask(settings(ProviderKind::OpenAi, &format!("https://localhost:{port}/v1"))).unwrap_err();
    assert!(matches!(error, CloudError::Tls { .. }), "{error}");
    assert!(error.retry_later() && error.to_string().contains("nothing was sent"), "{error}");
    assert_eq!(received.load(Ordering::Relaxed), 0);
}
