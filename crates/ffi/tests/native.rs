//! The C interface from C, C++ and Java, and under valgrind.

#![cfg(target_os = "linux")]

mod programs;

use std::path::{Path, PathBuf};
use std::process::Command;

use programs::{Speech, library, root, run, speech, target};

/// Compiles one C or C++ file against header and library.
fn compile(compiler: &str, flags: &[&str], source: &Path, into: &Path) -> PathBuf {
    let program = into.join(source.file_stem().unwrap());
    library();
    run(Command::new(compiler)
        .args(flags)
        .args(["-Wall", "-Wextra", "-Werror", "-g", "-I"])
        .arg(root().join("crates/ffi/include"))
        .arg(source)
        .arg("-L")
        .arg(target().join("deps"))
        .arg("-learwitness_ffi")
        // Before LD_LIBRARY_PATH, which names a folder with an older copy.
        .arg(format!("-Wl,--disable-new-dtags,-rpath,{}", target().join("deps").display()))
        .arg("-o")
        .arg(&program));
    program
}

#[test]
fn a_c_program_hears_what_the_command_line_hears() {
    let speech = speech();
    let source = root().join("examples/ffi/c/transcribe.c");
    let program = compile("cc", &["-std=c11", "-D_POSIX_C_SOURCE=199309L"], &source, speech.folder.path());
    speech.check(|| Command::new(&program));
}

#[test]
fn a_cpp_program_that_polls_hears_the_same() {
    let speech = speech();
    let source = root().join("examples/ffi/cpp/transcribe.cpp");
    let program = compile("c++", &["-std=c++17", "-pthread"], &source, speech.folder.path());
    speech.check(|| Command::new(&program));
}

#[test]
fn a_java_program_hears_the_same() {
    let speech = speech();
    let jna = "/usr/share/java/jna.jar";
    assert!(Path::new(jna).exists(), "{jna} is missing: run the tests with `make test`");
    let classes = speech.folder.path().join("classes");
    run(Command::new("javac")
        .args(["-cp", jna, "-d"])
        .arg(&classes)
        .arg(root().join("examples/ffi/java/Transcribe.java")));
    speech.check(|| java(&classes, jna));
}

fn java(classes: &Path, jna: &str) -> Command {
    let mut command = Command::new("java");
    command.arg("-cp").arg(format!("{}:{jna}", classes.display()));
    command
        .arg(format!("-Djna.library.path={}", target().join("deps").display()))
        .arg("-Djna.nosys=false")
        .arg("Transcribe");
    command
}

/// Every way of using it wrong that C allows, and many sessions one after the other: valgrind sees no invalid access and
/// nothing that is lost.
#[test]
fn misuse_is_an_error_and_nothing_leaks() {
    let Speech { folder, models, raw, .. } = &speech();
    for name in ["misuse", "cycles"] {
        let source = root().join(format!("crates/ffi/tests/c/{name}.c"));
        let program =
            compile("cc", &["-std=c11", "-D_POSIX_C_SOURCE=199309L", "-pthread"], &source, folder.path());
        run(Command::new(&program).arg(models).arg(raw));
        run(Command::new("valgrind")
            .args([
                "--quiet",
                // Whoever computes shall not keep the others out.
                "--fair-sched=try",
                "--error-exitcode=9",
                "--leak-check=full",
                "--errors-for-leak-kinds=definite,indirect",
            ])
            .arg(format!("--suppressions={}", root().join("crates/ffi/tests/c/valgrind.supp").display()))
            .arg(&program)
            .arg(models)
            .arg(raw));
    }
}
