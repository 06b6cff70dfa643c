//! The generated bindings, used by a program in each language that this machine can run.

#![cfg(target_os = "linux")]

#[path = "../../ffi/tests/programs/mod.rs"]
mod programs;

use std::path::{Path, PathBuf};
use std::process::Command;

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
