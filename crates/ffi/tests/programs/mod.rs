//! What the programs in other languages are built with and hear, and what they must say.

#![allow(dead_code, reason = "each test program uses what it needs")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use earwitness::audio::{ChannelSelect, FileSource, encode_s16le, encode_wav, read_all};
use earwitness::models::ModelStore;

/// Where cargo puts programs and libraries of this build.
pub fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().to_owned()
}

/// The library that this test was built with: the copy above `deps` may be an older one.
pub fn library() -> PathBuf {
    let path = target().join("deps/libearwitness_ffi.so");
    assert!(path.exists(), "{} is missing: run the tests with `make test`", path.display());
    path
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Real speech, and what the command line makes of it.
pub struct Speech {
    pub folder: tempfile::TempDir,
    pub models: PathBuf,
    pub wav: PathBuf,
    pub raw: PathBuf,
    /// Words in lower case.
    pub words: Vec<String>,
}

/// Two utterances of the reading that the demonstration uses.
pub fn speech() -> Speech {
    let store = ModelStore::open_default().unwrap();
    let reading =
        store.locate("two-cities").expect("run the tests with `make test`: it installs what they hear");
    let mut source = FileSource::open(&reading, ChannelSelect::Mix).unwrap();
    let mut samples = read_all(&mut source).unwrap();
    samples.truncate(14 * 16_000);
    let folder = tempfile::tempdir().unwrap();
    let (wav, raw) = (folder.path().join("speech.wav"), folder.path().join("speech.s16"));
    std::fs::write(&wav, encode_wav(&samples)).unwrap();
    std::fs::write(&raw, encode_s16le(&samples)).unwrap();
    let program = target().join("earwitness");
    assert!(program.exists(), "{} is missing: run the tests with `make test`", program.display());
    let told = run(Command::new(program).arg("transcribe").arg(&wav));
    let words = words(&String::from_utf8(told.stdout).unwrap());
    assert!(words.len() > 20, "{words:?}");
    Speech { folder, models: store.root().to_owned(), wav, raw, words }
}

/// Runs a command that must work.
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}\n{err}");
    output
}

/// Without what is written around them, in lower case.
pub fn words(text: &str) -> Vec<String> {
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    text.split_whitespace().map(bare).filter(|word| !word.is_empty()).collect()
}

impl Speech {
    /// Runs a program of `examples/ffi` three times: to its end, cancelled, and with a model folder that is none.
    pub fn check(&self, program: impl Fn() -> Command) {
        let arguments = |command: &mut Command| {
            command.arg(&self.models).arg(&self.wav).arg(&self.raw);
        };
        let mut command = program();
        arguments(&mut command);
        let told = String::from_utf8(run(&mut command).stdout).unwrap();
        let of =
            |what: &str| -> Vec<&str> { told.lines().filter_map(|line| line.strip_prefix(what)).collect() };
        assert_eq!(words(&of("file final ").join(" ")), self.words, "{told}");
        assert_eq!(words(&of("live final ").join(" ")), self.words, "{told}");
        assert!(!of("live partial ").is_empty(), "{told}");
        assert_eq!((of("file ended "), of("live ended ")), (vec!["well"], vec!["well"]), "{told}");

        let mut cancelled = program();
        arguments(&mut cancelled);
        let told = String::from_utf8(run(cancelled.arg("2")).stdout).unwrap();
        assert!(
            told.contains("live ended") && told.contains("cancelled") && !told.contains("live final"),
            "{told}"
        );

        let mut lost = program();
        let output = lost.arg(self.folder.path()).arg(&self.wav).arg(&self.raw).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("earwitness models"), "{said}");
    }
}
