//! The generated bindings, used by a program in each language that this machine can run.

#![cfg(target_os = "linux")]

#[path = "../../ffi/tests/programs/mod.rs"]
mod programs;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use programs::{library, root, run, speech, target};

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

/// With JetBrains' own compiler, which `scripts/install-clients.sh` fetches.
#[test]
fn a_kotlin_program_hears_the_same() {
    let speech = speech();
    let bindings = generate("kotlin", speech.folder.path());
    let compiler = target().parent().unwrap().join("kotlin/node_modules/kotlin-compiler/lib");
    let jars = ["kotlin-stdlib.jar", "kotlinx-coroutines-core-jvm.jar"].map(|jar| compiler.join(jar));
    assert!(jars[0].exists(), "{} is missing: run the tests with `make test`", jars[0].display());
    let path = |more: &[&Path]| {
        let all = [Path::new("/usr/share/java/jna.jar"), &jars[0], &jars[1]];
        let all = all.iter().chain(more).map(|path| path.display().to_string());
        all.collect::<Vec<_>>().join(":")
    };
    let program = speech.folder.path().join("transcribe.jar");
    run(Command::new("java")
        .args(["-Xmx1g", "-cp"])
        .arg(compiler.join("*"))
        .args(["org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-no-stdlib", "-no-reflect", "-nowarn", "-cp"])
        .arg(path(&[]))
        .arg(bindings.join("org/earwitness/earwitness.kt"))
        .arg(root().join("examples/ffi/kotlin/Transcribe.kt"))
        .arg("-d")
        .arg(&program));
    speech.check(|| {
        let mut command = Command::new("java");
        command.arg("-cp").arg(path(&[&program]));
        command.arg(format!("-Djna.library.path={}", target().join("deps").display()));
        command.arg("-Djna.nosys=false").arg("TranscribeKt");
        command
    });
}

/// Swift cannot be compiled here: what the generator writes holds every name that the sample uses.
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
        "func finish() async throws",
        "func cancel()",
    ] {
        assert!(swift.contains(name), "{name}");
    }
    assert!(bindings.join("EarwitnessFFI.h").exists());
}
