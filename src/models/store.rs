//! [`ModelStore`]: the folder of installed models.
//!
//! Layout: `STORE/NAME/FILE...` plus a manifest, one folder per model. A model is fetched into `STORE/.partial/NAME` and
//! becomes installed by one rename of that whole folder, so a name that [`locate`](ModelStore::locate) accepts is always a
//! whole model; what a killed run leaves lies in `.partial` and is resumed. A file lock in `STORE/.locks`, which the
//! system releases even on a kill, lets one process at a time change a model.

use std::env;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::catalog::{Catalog, ModelEntry};
use super::error::ModelError;
use super::fetch::{self, Job, PullEvent, PullOptions, PullProgress, WHEEL_FOLDER};
use super::import::{self, ImportOptions};
use super::manifest::{InstalledFile, Manifest};
use super::rules::require_model_name;
use super::space;
use super::verify::{FileCheck, FileState, check_installed, digest_file};

const PARTIAL: &str = ".partial";
const LOCKS: &str = ".locks";
/// Room left free beside a download: the rest of the system goes on working.
const SPARE_BYTES: u64 = 16 << 20;

/// The folder that keeps models.
#[derive(Clone, Debug)]
pub struct ModelStore {
    root: PathBuf,
}

/// A model in the store.
#[derive(Clone, Debug)]
pub struct InstalledModel {
    /// Its folder.
    pub folder: PathBuf,
    /// What it is.
    pub manifest: Manifest,
}

/// What a pull did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullOutcome {
    /// It was here and whole already; the network was not used.
    AlreadyInstalled(PathBuf),
    /// It was fetched from the source named.
    Installed {
        /// The model's path, as [`ModelStore::locate`] gives it.
        path: PathBuf,
        /// The source in words.
        origin: String,
    },
}

impl ModelStore {
    /// The store at `root`, which need not exist yet.
    pub fn open(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The user's store: `EARWITNESS_MODELS`, else `earwitness/models` in the cache folder (`XDG_CACHE_HOME` or `~/.cache`;
    /// `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows).
    ///
    /// # Errors
    /// [`ModelError::PathMissing`] when no home folder is known.
    pub fn open_default() -> Result<Self, ModelError> {
        let set = |variable| env::var_os(variable).filter(|v| !v.is_empty()).map(PathBuf::from);
        let home = |below: &str| env::home_dir().map(|home| home.join(below));
        if let Some(root) = set("EARWITNESS_MODELS") {
            return Ok(Self::open(root));
        }
        let cache = match env::consts::OS {
            "windows" => set("LOCALAPPDATA").or_else(|| home("AppData/Local")),
            "macos" | "ios" => set("XDG_CACHE_HOME").or_else(|| home("Library/Caches")),
            _ => set("XDG_CACHE_HOME").or_else(|| home(".cache")),
        };
        let cache =
            cache.ok_or_else(|| ModelError::PathMissing { path: "~ (set EARWITNESS_MODELS)".into() })?;
        Ok(Self::open(cache.join("earwitness").join("models")))
    }

    /// The store's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The path of an installed model, or of a model folder or file given by path.
    ///
    /// An installed model of several files is its folder; one of a single file is that file. Files are checked for presence
    /// and length, not read.
    ///
    /// # Errors
    /// [`ModelError::NotInstalled`] with the command to run, [`ModelError::PathMissing`], [`ModelError::Damaged`].
    pub fn locate(&self, name_or_path: &str) -> Result<PathBuf, ModelError> {
        if let Some(model) = self.find(name_or_path) {
            return model.usable_path();
        }
        let path = Path::new(name_or_path);
        if name_or_path.ends_with(fetch::PART_SUFFIX) {
            return Err(ModelError::NotAModel {
                path: path.to_owned(),
                why: "an unfinished download".into(),
            });
        }
        if path.exists() {
            return Ok(path.to_owned());
        }
        if path.components().count() > 1 || require_model_name(name_or_path).is_err() {
            return Err(ModelError::PathMissing { path: path.to_owned() });
        }
        Err(not_installed(name_or_path))
    }

    /// All installed models by name; folders without a readable manifest are left out.
    ///
    /// # Errors
    /// [`ModelError::Io`] when the store exists and cannot be read.
    pub fn installed(&self) -> Result<Vec<InstalledModel>, ModelError> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(ModelError::io("read", &self.root, e)),
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut models: Vec<_> = names.filter_map(|name| self.find(&name)).collect();
        models.sort_by(|a, b| a.manifest.name.cmp(&b.manifest.name));
        Ok(models)
    }

    /// The installed model called `name`, if there is one; its files are not looked at.
    pub fn find(&self, name: &str) -> Option<InstalledModel> {
        require_model_name(name).ok()?;
        let folder = self.root.join(name);
        Manifest::read(&folder)
            .filter(|manifest| manifest.name == name)
            .map(|manifest| InstalledModel { folder, manifest })
    }

    /// Installs `name` from the catalogue unless it is here already; a damaged one is replaced.
    ///
    /// # Errors
    /// [`ModelError::Unknown`], any fetching error, or [`ModelError::DiskFull`] before a byte is fetched.
    pub fn pull(
        &self,
        catalog: &Catalog,
        name: &str,
        options: &PullOptions,
        progress: &mut dyn PullProgress,
    ) -> Result<PullOutcome, ModelError> {
        let entry = catalog.get(name)?;
        if let Some(path) = self.already(name)? {
            return Ok(PullOutcome::AlreadyInstalled(path));
        }
        let _lock = self.lock(name, progress)?;
        if let Some(path) = self.already(name)? {
            return Ok(PullOutcome::AlreadyInstalled(path));
        }
        let staging = self.staging(name);
        create_folder(&staging)?;
        space::require(&staging, space_needed(entry, &staging))?;
        let mut job = Job { entry, staging: &staging, settings: &options.settings, progress };
        let origin = fetch::fetch(&mut job, options)?;
        self.install(&import::manifest_of_entry(entry, &origin, &staging)?, &staging)?;
        Ok(PullOutcome::Installed { path: self.locate(name)?, origin })
    }

    /// Installs the user's own model folder or file as `options.name`; see [`ImportOptions`].
    ///
    /// # Errors
    /// [`ModelError::NotAModel`] when its format is unknown; [`ModelError::BadName`] when the name is bad or taken; the
    /// errors of checks when the name is one of `catalog`'s, whose digests then hold.
    pub fn import(
        &self,
        catalog: &Catalog,
        path: &Path,
        options: &ImportOptions,
    ) -> Result<PathBuf, ModelError> {
        require_model_name(&options.name)?;
        let _lock = self.lock(&options.name, &mut fetch::NoProgress)?;
        if self.find(&options.name).is_some() {
            return Err(ModelError::BadName {
                name: options.name.clone(),
                why: "it is installed; choose another or `earwitness models rm` it",
            });
        }
        let staging = self.staging(&options.name);
        remove_folder(&staging)?;
        create_folder(&staging)?;
        let staged = import::stage(path, options, catalog.find(&options.name), &staging)
            .and_then(|manifest| self.install(&manifest, &staging));
        if staged.is_err() {
            remove_folder(&staging)?;
        }
        staged?;
        self.locate(&options.name)
    }

    /// Reads every file of an installed model and compares it with the manifest.
    ///
    /// # Errors
    /// [`ModelError::NotInstalled`]; damage is in the answer, not an error.
    pub fn verify(&self, name: &str) -> Result<Vec<FileCheck>, ModelError> {
        let model = self.find(name).ok_or_else(|| not_installed(name))?;
        model.manifest.files.iter().map(|file| check_installed(&model.folder, file)).collect()
    }

    /// Deletes an installed model and whatever a broken-off pull of it left; linked files stay where they are.
    ///
    /// # Errors
    /// [`ModelError::NotInstalled`] when there is neither.
    pub fn remove(&self, name: &str) -> Result<(), ModelError> {
        require_model_name(name)?;
        if !self.root.join(name).exists() && !self.staging(name).exists() {
            return Err(not_installed(name));
        }
        let _lock = self.lock(name, &mut fetch::NoProgress)?;
        remove_folder(&self.staging(name))?;
        self.discard(name)
    }

    /// The path when every file is there with its length; digests are `verify`'s business.
    fn already(&self, name: &str) -> Result<Option<PathBuf>, ModelError> {
        match self.find(name).map(|model| model.usable_path()) {
            Some(Ok(path)) => Ok(Some(path)),
            Some(Err(ModelError::Damaged { .. })) | None => Ok(None),
            Some(Err(error)) => Err(error),
        }
    }

    fn staging(&self, name: &str) -> PathBuf {
        self.root.join(PARTIAL).join(name)
    }

    /// Held until dropped; waits for another process.
    fn lock(&self, name: &str, progress: &mut dyn PullProgress) -> Result<File, ModelError> {
        let folder = self.root.join(LOCKS);
        create_folder(&folder)?;
        let path = folder.join(format!("{name}.lock"));
        let fail = |e| ModelError::io("lock", &path, e);
        let file = File::options().create(true).append(true).open(&path).map_err(fail)?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => progress.on_event(PullEvent::WaitingForOther),
            Err(TryLockError::Error(e)) => return Err(fail(e)),
        }
        file.lock().map_err(fail)?;
        Ok(file)
    }

    /// Makes the staging folder the installed one: leftovers out, manifest in, one rename.
    fn install(&self, manifest: &Manifest, staging: &Path) -> Result<(), ModelError> {
        for entry in fs::read_dir(staging).map_err(|e| ModelError::io("read", staging, e))?.flatten() {
            let path = entry.path();
            if entry.file_name() == WHEEL_FOLDER {
                remove_folder(&path)?;
            } else if !manifest.files.iter().any(|file| entry.file_name() == file.name.as_str()) {
                fs::remove_file(&path).map_err(|e| ModelError::io("delete", &path, e))?;
            }
        }
        manifest.write(staging)?;
        sync_folder(staging)?;
        self.discard(&manifest.name)?;
        let folder = self.root.join(&manifest.name);
        fs::rename(staging, &folder).map_err(|e| ModelError::io("create", &folder, e))?;
        sync_folder(&self.root)
    }

    /// Takes a model out of sight in one step before deleting it, so that no half of it is ever seen.
    fn discard(&self, name: &str) -> Result<(), ModelError> {
        let folder = self.root.join(name);
        if !folder.exists() {
            return Ok(());
        }
        let old = self.root.join(PARTIAL).join(format!("{name}.old"));
        remove_folder(&old)?;
        create_folder(&self.root.join(PARTIAL))?;
        fs::rename(&folder, &old).map_err(|e| ModelError::io("delete", &folder, e))?;
        remove_folder(&old)
    }
}

impl InstalledModel {
    /// The folder, or the only file.
    fn usable_path(&self) -> Result<PathBuf, ModelError> {
        let problems: Vec<_> =
            self.manifest.files.iter().filter_map(|file| self.quick_problem(file)).collect();
        if !problems.is_empty() {
            return Err(ModelError::Damaged {
                name: self.manifest.name.clone(),
                problems: problems.join(", "),
            });
        }
        Ok(match self.manifest.files.as_slice() {
            [only] => self.folder.join(&only.name),
            _ => self.folder.clone(),
        })
    }

    fn quick_problem(&self, file: &InstalledFile) -> Option<String> {
        let state = match self.folder.join(&file.name).metadata() {
            Err(_) => FileState::Missing,
            Ok(meta) if meta.len() != file.bytes => FileState::WrongSize,
            Ok(_) => return None,
        };
        Some(format!("{}: {}", file.name, state.words()))
    }
}

fn not_installed(name: &str) -> ModelError {
    let builtin = Catalog::builtin().ok();
    let advice = match &builtin {
        Some(catalog) if catalog.find(name).is_some() => format!("run `earwitness models pull {name}`"),
        Some(catalog) => match catalog.nearest(name) {
            Some(near) => format!("did you mean `{near}`? (`earwitness models list` shows all names)"),
            None => format!(
                "`earwitness models list` shows all names, `earwitness models import PATH --name {name}` adds yours"
            ),
        },
        None => format!("run `earwitness models pull {name}`"),
    };
    ModelError::NotInstalled { name: name.to_owned(), advice }
}

/// Twice the files that are still to come, as wheels lie beside what is taken from them.
fn space_needed(entry: &ModelEntry, staging: &Path) -> u64 {
    let there = |name: &str| staging.join(name).metadata().map_or(0, |m| m.len());
    let part = |name: &str| there(&format!("{name}{}", fetch::PART_SUFFIX));
    let rest = entry
        .files
        .iter()
        .map(|f| f.bytes.unwrap_or(0).saturating_sub(there(&f.name) + part(&f.name)))
        .sum::<u64>();
    let copies = if entry.sources.iter().any(|s| s.type_name() == "wheel") { 2 } else { 1 };
    rest.saturating_mul(copies).saturating_add(SPARE_BYTES)
}

fn create_folder(path: &Path) -> Result<(), ModelError> {
    fs::create_dir_all(path).map_err(|e| ModelError::io("create", path, e))
}

fn remove_folder(path: &Path) -> Result<(), ModelError> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(ModelError::io("delete", path, e)),
        _ => Ok(()),
    }
}

/// Makes renames in `folder` last through a power cut; only Unix can.
fn sync_folder(folder: &Path) -> Result<(), ModelError> {
    if cfg!(unix) {
        File::open(folder).and_then(|f| f.sync_all()).map_err(|e| ModelError::io("write", folder, e))?;
    }
    Ok(())
}

/// The manifest's line for a file that lies in `folder`.
pub(super) fn describe_file(folder: &Path, name: &str) -> Result<InstalledFile, ModelError> {
    let path = folder.join(name);
    let (bytes, sha256) = digest_file(&path).map_err(|e| ModelError::io("read", &path, e))?;
    Ok(InstalledFile { name: name.to_owned(), bytes, sha256 })
}
