//! A model hub: addresses of a repository's files, and the cache that the hub's own tools keep on disk.
//!
//! The cache is laid out `models--ORG--NAME/refs/REVISION` (a text file holding a commit) and
//! `models--ORG--NAME/snapshots/COMMIT/PATH` (often links). It is read, never written.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::{Addresses, Job};
use crate::models::catalog::{FileSpec, HubSource};
use crate::models::error::ModelError;

/// File name to address, `ENDPOINT/ORG/NAME/resolve/REVISION/PATH`.
pub(super) fn addresses(hub: &HubSource, endpoint: &str) -> Addresses {
    let base = format!(
        "{}/{}/resolve/{}",
        endpoint.trim_end_matches('/'),
        hub.repo,
        hub.revision.replace('/', "%2F")
    );
    hub.files.iter().map(|(file, path)| (file.clone(), format!("{base}/{path}"))).collect()
}

/// Stages every missing file from one snapshot of the user's cache; `None` if no snapshot has them all.
///
/// A file without a pinned digest is believed only from the very revision the catalogue names.
pub(super) fn from_cache(job: &mut Job<'_>, hub: &HubSource) -> Result<Option<String>, ModelError> {
    let Some(cache) = job.settings.hub_cache.clone() else { return Ok(None) };
    let repo = cache.join(format!("models--{}", hub.repo.replace('/', "--")));
    let missing = job.missing();
    let all_pinned = missing.iter().all(|spec| spec.sha256.is_some());
    let Some((snapshot, paths)) = snapshots(&repo, &hub.revision, all_pinned)
        .into_iter()
        .find_map(|snapshot| paths_in(&snapshot, hub, &missing).map(|paths| (snapshot, paths)))
    else {
        return Ok(None);
    };
    let origin = format!("hub cache {}", hub.repo);
    tracing::info!(snapshot = %snapshot.display(), model = job.entry.name, "found in the hub cache");
    for (spec, path) in paths {
        let file = File::open(&path).map_err(|e| ModelError::io("read", &path, e))?;
        job.stage(spec, file, &origin, |e| ModelError::io("read", &path, e))?;
    }
    Ok(Some(origin))
}

/// The revision's own snapshot first, then the others if any will do.
fn snapshots(repo: &Path, revision: &str, any: bool) -> Vec<PathBuf> {
    let folder = repo.join("snapshots");
    let commit = fs::read_to_string(repo.join("refs").join(revision)).unwrap_or_else(|_| revision.to_owned());
    let mut found = vec![folder.join(commit.trim())];
    if any && let Ok(entries) = fs::read_dir(&folder) {
        found.extend(entries.flatten().map(|entry| entry.path()));
    }
    found
}

/// Where `snapshot` has each missing file, unless one is absent or has another length than pinned.
fn paths_in<'a>(
    snapshot: &Path,
    hub: &HubSource,
    missing: &[&'a FileSpec],
) -> Option<Vec<(&'a FileSpec, PathBuf)>> {
    let place = |spec: &&'a FileSpec| {
        let path = snapshot.join(hub.files.get(&spec.name)?);
        let length = path.metadata().ok().filter(|m| m.is_file())?.len();
        spec.bytes.is_none_or(|bytes| bytes == length).then_some((*spec, path))
    };
    missing.iter().map(place).collect()
}
