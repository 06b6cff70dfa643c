//! The generated bindings, used by a program in each language that this machine can run.

#![cfg(target_os = "linux")]

#[path = "../../ffi/tests/programs/mod.rs"]
mod programs;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use programs::{library, root, run, speech, target, words};

fn generate(language: &str, into: &Path) -> PathBuf {
    let out = into.join(language);
    run(Command::new(env!("CARGO_BIN_EXE_uniffi-bindgen"))
        // It asks cargo where the crate's settings are.
        .current_dir(root())
        .arg("generate")
        .arg(library())
        .args(["--language", language, "--no-format", "--out-dir"])
        .arg(&out));
    out
}

#[test]
fn a_python_program_hears_what_the_command_line_hears() {
    let speech = speech();
    let bindings = generate("python", speech.folder.path());
    std::fs::copy(library(), bindings.join("libearwitness_ffi.so")).unwrap();
    let program = root().join("examples/ffi/python/transcribe.py");
    speech.check(|| {
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", &bindings).arg(&program);
        command
    });
}

/// Enrolment, shadow, feedback, upload and erasure, from an app's side, with the real server.
#[test]
fn an_app_in_python_reports_to_a_collection_server() {
    let speech = speech();
    let bindings = generate("python", speech.folder.path());
    std::fs::copy(library(), bindings.join("libearwitness_ffi.so")).unwrap();
    let collector = Collector::start(&speech.folder.path().join("collector"));
    let program = root().join("crates/uniffi-bindgen/tests/python/report.py");
    let code = run(collector.command().arg("code")).stdout;
    let told = run(Command::new("python3")
        .env("PYTHONPATH", &bindings)
        .env_remove("DO_NOT_TRACK")
        .arg(&program)
        .arg(&speech.models)
        .arg(speech.folder.path().join("data"))
        .arg(&speech.raw)
        .arg(&collector.url)
        .arg(String::from_utf8(code).unwrap().trim()));
    let receipt: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    // The session's beginning and end, three utterances with their comparisons, what the user corrected, a heartbeat.
    assert!(receipt["records"].as_u64().is_some_and(|records| records >= 10), "{receipt}");
}

/// `earwitness collect` on a port of its own.
struct Collector {
    folder: PathBuf,
    url: String,
    child: Child,
}

impl Collector {
    fn start(folder: &Path) -> Self {
        let mut command = Self::of(folder);
        let mut child = command.args(["--listen", "127.0.0.1:0"]).stderr(Stdio::piped()).spawn().unwrap();
        let told = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut url = told
            .filter_map(|line| Some(line.strip_prefix("Collecting on ")?.trim_end_matches('.').to_owned()));
        let told_url = url.next().expect("the server says where it is");
        // It goes on talking.
        std::thread::spawn(move || url.for_each(drop));
        let url = told_url;
        Self { folder: folder.to_owned(), url, child }
    }

    fn of(folder: &Path) -> Command {
        let mut command = Command::new(target().join("earwitness"));
        command.env_remove("EARWITNESS_STORE").arg("collect").arg("--folder").arg(folder);
        command
    }

    fn command(&self) -> Command {
        Self::of(&self.folder)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where JetBrains' own compiler is, which `scripts/install-clients.sh` fetches.
fn kotlin() -> PathBuf {
    let compiler = target().parent().unwrap().join("kotlin/node_modules/kotlin-compiler/lib");
    assert!(compiler.exists(), "{} is missing: run the tests with `make test`", compiler.display());
    compiler
}

/// What a Kotlin program needs beside `more`.
fn class_path(more: &[&Path]) -> String {
    let jars = ["kotlin-stdlib.jar", "kotlinx-coroutines-core-jvm.jar"].map(|jar| kotlin().join(jar));
    let all = [Path::new("/usr/share/java/jna.jar"), &jars[0], &jars[1]];
    let all = all.iter().chain(more).map(|path| path.display().to_string());
    all.collect::<Vec<_>>().join(":")
}

fn compile_kotlin(sources: &[PathBuf], with: &[&Path], program: &Path) {
    run(Command::new("java")
        .args(["-Xmx1g", "-cp"])
        .arg(kotlin().join("*"))
        .args(["org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-no-stdlib", "-no-reflect", "-nowarn", "-cp"])
        .arg(class_path(with))
        .args(sources)
        .arg("-d")
        .arg(program));
}

fn java(classes: &[&Path], main: &str) -> Command {
    let mut command = Command::new("java");
    command.arg("-cp").arg(class_path(classes));
    command.arg(format!("-Djna.library.path={}", target().join("deps").display()));
    command.arg("-Djna.nosys=false").arg(main);
    command
}

#[test]
fn a_kotlin_program_hears_the_same() {
    let speech = speech();
    let bindings = generate("kotlin", speech.folder.path());
    let program = speech.folder.path().join("transcribe.jar");
    let sources = [
        bindings.join("org/earwitness/earwitness.kt"),
        root().join("examples/ffi/kotlin/Transcribe.kt"),
        root().join("crates/uniffi-bindgen/tests/kotlin/Unconfined.kt"),
    ];
    compile_kotlin(&sources, &[], &program);
    speech.check(|| java(&[&program], "TranscribeKt"));
    let mut unconfined = java(&[&program], "UnconfinedKt");
    let told = run(unconfined.arg(&speech.models).arg(&speech.raw)).stdout;
    let told = String::from_utf8(told).unwrap();
    let finals: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("final ")).collect();
    assert_eq!(words(&finals.join(" ")), speech.words, "{told}");
    assert!(told.ends_with(&format!("ended {}\n", finals.len())), "{told}");
}

/// On stand-ins for Android's classes, whose microphone plays the speech. `scripts/check-android.sh` compiles it against Android's.
#[test]
fn the_android_sample_hears_the_same() {
    let speech = speech();
    let bindings = generate("kotlin", speech.folder.path());
    let stand_ins = root().join("crates/uniffi-bindgen/tests/stand-ins/android");
    let classes = speech.folder.path().join("android");
    let mut javac = Command::new("javac");
    javac.arg("-d").arg(&classes);
    for folder in
        ["device/android/annotation", "device/android/media", "device/android/os", "newer/android/media"]
    {
        let files = std::fs::read_dir(stand_ins.join(folder)).unwrap();
        javac.args(files.map(|file| file.unwrap().path()));
    }
    run(&mut javac);
    let sample = root().join("examples/ffi/android/earwitness/src/main/java/org/earwitness/sample");
    let program = speech.folder.path().join("phone.jar");
    let sources = [
        bindings.join("org/earwitness/earwitness.kt"),
        sample.join("PhoneMicrophone.kt"),
        sample.join("Listening.kt"),
        stand_ins.join("HearWithPhone.kt"),
    ];
    compile_kotlin(&sources, &[&classes], &program);
    let mut command = java(&[&program, &classes], "HearWithPhoneKt");
    let told = String::from_utf8(run(command.arg(&speech.models).arg(&speech.raw)).stdout).unwrap();
    // It hears all of it first, and goes through faults after that.
    let (whole, _) = told.split_once("# start, stop and start").unwrap_or_else(|| panic!("{told}"));
    let finals: Vec<&str> = whole.lines().filter_map(|line| line.strip_prefix("final ")).collect();
    assert_eq!(words(&finals.join(" ")), speech.words, "{told}");
    assert!(whole.contains("partial ") && told.ends_with("checked\n"), "{told}");
}

/// Without a Swift compiler, which `scripts/check-swift.sh` has: what the generator writes holds every name that the samples use.
#[test]
fn swift_bindings_have_what_the_sample_uses() {
    let folder = tempfile::tempdir().unwrap();
    let bindings = generate("swift", folder.path());
    let swift = std::fs::read_to_string(bindings.join("Earwitness.swift")).unwrap();
    for name in [
        "public func openRuntime(config: RuntimeConfig)",
        "protocol SessionListener",
        "func onEvent(event: SessionEvent)",
        "case partial(",
        "case pushed(",
        "func pushBytes(pcm16: Data) throws",
        "func pushFloatBytes(pcm32: Data) throws",
        "func finish() async throws",
        "func cancel()",
    ] {
        assert!(swift.contains(name), "{name}");
    }
    assert!(bindings.join("EarwitnessFFI.h").exists());
}
