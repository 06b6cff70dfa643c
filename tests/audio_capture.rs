//! The microphone against a real sound server, without sound hardware: each test starts its own
//! PulseAudio with a virtual microphone in a scratch folder, plays a sweep into it and records it.
//!
//! cpal finds its server through the environment, which a process must not change while it runs, so
//! the recording itself happens in child processes: the same test binary, running [`recorder`].
#![cfg(all(feature = "capture", target_os = "linux"))]
// The child processes report to their parents through stdout.
#![allow(clippy::print_stdout)]

use std::env;
use std::f64::consts::PI;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use earwitness::audio::capture::{CaptureStats, Microphone, MicrophoneSource, list_devices};
use earwitness::audio::{AudioError, AudioSource, LevelMeter, Read};

/// What [`recorder`] is to do in its process; it does nothing without.
const ROLE: &str = "EARWITNESS_TEST_ROLE";
/// Set to 1 where no sound server can be installed.
const NO_SOUND_SERVER: &str = "EARWITNESS_NO_SOUND_SERVER";
const INSTALL: &str = "apt-get install pulseaudio pulseaudio-utils libasound2-plugins";
const SWEEP_SECONDS: f64 = 3.0;
/// No step takes longer than this on a loaded machine; a hang does.
const PATIENCE: Duration = Duration::from_secs(20);

/// 200 Hz to 2 kHz in 3 s, amplitude 0.5.
fn sweep(t: f64) -> f64 {
    let rate = (2_000.0 - 200.0) / SWEEP_SECONDS;
    if (0.0..SWEEP_SECONDS).contains(&t) {
        0.5 * (2.0 * PI * (200.0 * t + rate * t * t / 2.0)).sin()
    } else {
        0.0
    }
}

/// Whether to run: `false` only if it was said that there is no sound server.
fn sound_server_expected() -> bool {
    let installed = ["pulseaudio", "paplay"].iter().all(|program| {
        Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    });
    let excused = env::var(NO_SOUND_SERVER).is_ok_and(|value| value == "1");
    assert!(
        installed || excused,
        "capture is tested against PulseAudio: {INSTALL} (or set {NO_SOUND_SERVER}=1 to go without)"
    );
    installed
}

/// A PulseAudio of our own with a speaker `vspk` that is heard by a microphone `vmic`.
struct SoundServer {
    folder: PathBuf,
    server: Child,
}

impl SoundServer {
    fn start(folder: &Path) -> Self {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
        let socket = folder.join("pulse.sock");
        let _ = fs::remove_file(&socket);
        let script = format!(
            "load-module module-native-protocol-unix socket={} auth-anonymous=1\n\
             load-module module-null-sink sink_name=vspk rate=48000 channels=2\n\
             load-module module-remap-source source_name=vmic master=vspk.monitor\n\
             set-default-sink vspk\nset-default-source vmic\n",
            socket.display()
        );
        fs::write(folder.join("start.pa"), script).unwrap();
        let alsa = "</usr/share/alsa/alsa.conf>\npcm.vmic { type pulse device \"vmic\" hint { show on description \"Virtual microphone\" } }\n";
        fs::write(folder.join("asound.conf"), alsa).unwrap();
        let mut command = Command::new("pulseaudio");
        command.args([
            "-n",
            "--daemonize=no",
            "--exit-idle-time=-1",
            "--use-pid-file=no",
            "--disallow-exit=1",
            "-F",
        ]);
        command.arg(folder.join("start.pa")).stdout(Stdio::null()).stderr(Stdio::null());
        let server = with_server(&mut command, folder).spawn().unwrap();
        let started = Instant::now();
        while !socket.exists() {
            assert!(started.elapsed() < PATIENCE, "pulseaudio did not come up");
            sleep(Duration::from_millis(50));
        }
        sleep(Duration::from_millis(500));
        Self { folder: folder.to_owned(), server }
    }

    /// Plays the sweep once, in the background.
    fn play(&self) -> Child {
        let path = self.folder.join("sweep.wav");
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 48_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut wav = hound::WavWriter::create(&path, spec).unwrap();
        for i in 0..(SWEEP_SECONDS * 48_000.0) as usize {
            wav.write_sample((sweep(i as f64 / 48_000.0) * 32_767.0) as i16).unwrap();
        }
        wav.finalize().unwrap();
        let mut command = Command::new("paplay");
        command.args(["--device=vspk", "--latency-msec=100"]).arg(path).stderr(Stdio::null());
        with_server(&mut command, &self.folder).spawn().unwrap()
    }

    /// kill -9, of this server only.
    fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

impl Drop for SoundServer {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn with_server<'a>(command: &'a mut Command, folder: &Path) -> &'a mut Command {
    command
        .env("XDG_RUNTIME_DIR", folder)
        .env("HOME", folder)
        .env("PULSE_SERVER", format!("unix:{}", folder.join("pulse.sock").display()))
        .env("ALSA_CONFIG_PATH", folder.join("asound.conf"))
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .env_remove("PIPEWIRE_RUNTIME_DIR")
}

/// A child process that runs [`recorder`] in `role`, and what it says.
struct Recorder {
    process: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Recorder {
    fn start(folder: &Path, role: &str, host: &str) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "recorder", "--ignored", "--nocapture"]);
        command
            .env(ROLE, role)
            .env("EARWITNESS_TEST_HOST", host)
            .env("EARWITNESS_TEST_OUT", folder.join("out.f32"));
        let mut process = with_server(&mut command, folder).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// Waits for the line that begins with `word` and returns the rest of it.
    fn wait_for(&mut self, word: &str) -> String {
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            if let Some((_, rest)) = line.split_once(word) {
                return rest.trim().to_owned();
            }
        }
        panic!("the recorder ended without saying {word}: {:?}", self.process.wait());
    }

    fn finish(mut self) {
        for line in self.lines.by_ref() {
            println!("{}", line.unwrap());
        }
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn say(word: &str, rest: &str) {
    println!("{word} {rest}");
    std::io::stdout().flush().unwrap();
}

#[test]
#[ignore = "a part of the tests below, which run it in processes of its own"]
fn recorder() {
    match env::var(ROLE).as_deref() {
        Ok("fidelity") => record_until(|_, seconds, _| seconds > 5.5),
        Ok("outage") => {
            // A second of sound after the outage proves that the new stream is alive.
            let mut back_at = None;
            record_until(move |stats, seconds, rms_dbfs| {
                if stats.reconnects > 0 && rms_dbfs > -40.0 {
                    back_at.get_or_insert(seconds);
                }
                back_at.is_some_and(|at| seconds > at + 1.0)
            });
        }
        Ok("names") => check_names(),
        Ok("nothing") => check_that_nothing_is_told(),
        _ => panic!("{ROLE} is not set; run the other tests of this file"),
    }
}

/// Records until `done(stats, seconds, level of the last block)`, with gaps as zeros, into a file.
fn record_until(mut done: impl FnMut(CaptureStats, f64, f32) -> bool) {
    let host = env::var("EARWITNESS_TEST_HOST").unwrap();
    let microphone = Microphone::new().try_host(&host).unwrap().try_device("vmic").unwrap();
    let mut source: MicrophoneSource = microphone.open().unwrap();
    let (mut block, mut all, mut longest_read) = (Vec::new(), Vec::<f32>::new(), Duration::ZERO);
    let (started, mut said) = (Instant::now(), false);
    loop {
        let asked = Instant::now();
        let read = source.read(&mut block).unwrap();
        longest_read = longest_read.max(asked.elapsed());
        match read {
            Read::Samples => all.extend_from_slice(&block),
            Read::Gap(lost) => all.resize(all.len() + lost as usize, 0.0),
            Read::End => panic!("a microphone does not end"),
        }
        let seconds = all.len() as f64 / 16_000.0;
        if seconds > 0.3 && !said {
            said = true;
            say("RECORDING", "");
        }
        if done(source.stats(), seconds, LevelMeter::of(&block).reading().rms_dbfs) {
            break;
        }
        assert!(started.elapsed() < PATIENCE + Duration::from_secs(10), "no end: {:?}", source.stats());
    }
    let bytes: Vec<u8> = all.iter().flat_map(|x| x.to_le_bytes()).collect();
    fs::write(env::var("EARWITNESS_TEST_OUT").unwrap(), bytes).unwrap();
    let wall = started.elapsed().as_secs_f64();
    let position = all.len() as f64 / 16_000.0;
    let figures = format!(
        "wall {wall:.2} s, position {position:.2} s, longest read {longest_read:?}, {:?}",
        source.stats()
    );
    say("FIGURES", &figures);
    let stats = source.stats();
    say("STATS", &serde_json::to_string(&stats).unwrap());
    drop(source);
    say("DROPPED", "");
}

fn check_names() {
    let devices = list_devices().unwrap();
    println!("{devices:#?}");
    let of = |id: &str| devices.iter().find(|d| d.id == id).unwrap_or_else(|| panic!("{id} is not listed"));
    let native = of("pulseaudio:vmic").native.clone().unwrap();
    assert_eq!((native.rate, native.channels), (48_000, 2));
    assert!(of("pulseaudio:vmic").is_default && !of("pulseaudio:vmic").is_monitor);
    assert!(of("pulseaudio:vspk.monitor").is_monitor);
    assert!(of("alsa:vmic").native.is_some());
    assert!(devices.iter().all(|d| d.id != "alsa:null" && !d.id.contains("surround")));

    let error = Microphone::new().try_device("no such thing").unwrap_err();
    assert!(
        matches!(&error, AudioError::UnknownMicrophone { known, .. } if known.contains(&"pulseaudio:vmic".to_owned())),
        "{error}"
    );
    let error = Microphone::new().try_host("no such host").unwrap_err();
    assert!(
        matches!(&error, AudioError::UnknownHost { known, .. } if known.contains(&"alsa".to_owned())),
        "{error}"
    );
    let preferred =
        Microphone::new().prefer_host("no such host").prefer_device("no such thing").open().unwrap();
    assert_eq!(preferred.device_id(), "pulseaudio:vmic");
    let monitor = Microphone::new().try_device("VSPK.MONITOR").unwrap().open().unwrap();
    assert_eq!(monitor.device_id(), "pulseaudio:vspk.monitor");
}

fn check_that_nothing_is_told() {
    let error = Microphone::new().open().err().unwrap();
    assert!(matches!(error, AudioError::NoMicrophone { .. }), "{error:?}");
    println!("{error}");
    assert_eq!(list_devices().unwrap(), []);
}

/// Where the sweep begins in `recorded`, in samples with a fraction, and how well it fits there:
/// the normalized correlation over its whole length.
fn find_sweep(recorded: &[f32]) -> (f64, f64) {
    let length = (SWEEP_SECONDS * 16_000.0) as usize;
    let fit = |start: usize, fraction: f64, n: usize| {
        let (mut cross, mut ours, mut theirs) = (0.0, 0.0, 0.0);
        for (i, x) in recorded[start..start + n].iter().enumerate() {
            let (x, y) = (f64::from(*x), sweep((i as f64 - fraction) / 16_000.0));
            (cross, ours, theirs) = (cross + x * y, ours + x * x, theirs + y * y);
        }
        cross / (ours * theirs).sqrt().max(1e-9)
    };
    let last = recorded.len().checked_sub(length + 1).expect("the recording is shorter than the sweep");
    // Coarsely by the first quarter second, then the whole sweep at fractions of a sample.
    let coarse = (0..last).max_by(|a, b| fit(*a, 0.0, 4_000).total_cmp(&fit(*b, 0.0, 4_000))).unwrap();
    (coarse.saturating_sub(2)..coarse + 2)
        .flat_map(|start| (0..10).map(move |tenth| (start, f64::from(tenth) / 10.0)))
        .map(|(start, fraction)| (start as f64 + fraction, fit(start, fraction, length)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap()
}

fn recorded(folder: &Path) -> Vec<f32> {
    let bytes = fs::read(folder.join("out.f32")).unwrap();
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

fn records_what_is_played(host: &str) {
    if !sound_server_expected() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = SoundServer::start(folder.path());
    let mut recorder = Recorder::start(folder.path(), "fidelity", host);
    recorder.wait_for("RECORDING");
    let mut player = server.play();
    println!("{host}: {}", recorder.wait_for("FIGURES"));
    let stats: serde_json::Value = serde_json::from_str(&recorder.wait_for("STATS")).unwrap();
    recorder.finish();
    player.wait().unwrap();
    let (at, correlation) = find_sweep(&recorded(folder.path()));
    println!("{host}: the sweep begins at {:.4} s, correlation {correlation:.5}", at / 16_000.0);
    assert!(correlation > 0.98, "{host}: correlation {correlation:.4}");
    assert_eq!(
        (stats["overruns"].as_u64(), stats["lost_samples"].as_u64(), stats["reconnects"].as_u64()),
        (Some(0), Some(0), Some(0)),
        "{stats}"
    );
}

fn survives_the_death_of_its_server(host: &str) {
    if !sound_server_expected() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut server = SoundServer::start(folder.path());
    let mut recorder = Recorder::start(folder.path(), "outage", host);
    recorder.wait_for("RECORDING");
    sleep(Duration::from_secs(1));
    server.kill();
    sleep(Duration::from_secs(3));
    let server = SoundServer::start(folder.path());
    let mut players = vec![server.play()];
    let figures = loop {
        // Something must be heard until the recorder is content.
        if players.last_mut().unwrap().try_wait().unwrap().is_some() {
            players.push(server.play());
        }
        if recorder.process.try_wait().unwrap().is_some() || folder.path().join("out.f32").exists() {
            break recorder.wait_for("FIGURES");
        }
        sleep(Duration::from_millis(100));
    };
    println!("{host}: {figures}");
    let stats: serde_json::Value = serde_json::from_str(&recorder.wait_for("STATS")).unwrap();
    recorder.wait_for("DROPPED");
    recorder.finish();
    players.iter_mut().for_each(|p| {
        let _ = p.kill();
        let _ = p.wait();
    });
    assert_eq!(stats["reconnects"].as_u64(), Some(1), "{stats}");
    // The server was away for 3 s, and the position moved on meanwhile.
    assert!(stats["lost_samples"].as_u64() > Some(2 * 16_000), "{stats}");
}

fn in_a_process(role: &str, with: bool) {
    if !sound_server_expected() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let _server = with.then(|| SoundServer::start(folder.path()));
    if !with {
        fs::write(folder.path().join("asound.conf"), "").unwrap();
    }
    Recorder::start(folder.path(), role, "").finish();
}

#[test]
fn pulseaudio_records_what_is_played() {
    records_what_is_played("pulseaudio");
}

#[test]
fn alsa_records_what_is_played_through_its_pulse_plugin() {
    records_what_is_played("alsa");
}

#[test]
fn pulseaudio_comes_back_after_its_server_was_killed() {
    survives_the_death_of_its_server("pulseaudio");
}

#[test]
fn alsa_comes_back_after_its_server_was_killed() {
    survives_the_death_of_its_server("alsa");
}

#[test]
fn devices_are_listed_and_found_by_name() {
    in_a_process("names", true);
}

#[test]
fn without_a_sound_system_it_is_said_that_there_is_no_microphone() {
    in_a_process("nothing", false);
}
