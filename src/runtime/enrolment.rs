//! How a device gets known to its collection server, and how everything that it sent is deleted.

use std::path::PathBuf;

use super::embedded::RuntimeOptions;
use super::error::{ErrorKind, SetupError};
#[cfg(feature = "telemetry")]
use super::reporting;
use crate::config::Profile;

/// A device that a server knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// Its name there.
    pub device_id: String,
    /// Where the token lies that proves it; readable by its owner only.
    pub token_file: PathBuf,
}

impl RuntimeOptions {
    /// Makes this device known to the server of the profile's `telemetry.url`, which gave out `code`; before the first
    /// [`Runtime::open`](super::Runtime::open) with telemetry. The token goes into the data folder. Waits for the server, at
    /// most half a minute.
    ///
    /// # Errors
    /// [`SetupError`]: there is no address, the code is wrong or used up, the server cannot be reached.
    pub fn enroll(&self, code: &str, device_id: &str) -> Result<Enrolled, SetupError> {
        let profile = self.placed_profile();
        enroll(&profile, &profile.telemetry.url, code, Some(device_id).filter(|name| !name.is_empty()))
    }

    /// Whether this device has its token.
    pub fn is_enrolled(&self) -> bool {
        is_enrolled(&self.placed_profile())
    }

    /// Deletes what waits here for the server, and everything that it has from this device. Returns the server's receipt.
    /// Close the runtime first.
    ///
    /// # Errors
    /// [`SetupError`]: the server cannot be reached, and nothing is deleted; the journal is in use.
    pub fn erase(&self) -> Result<serde_json::Value, SetupError> {
        erase(&self.placed_profile())
    }
}

/// [`RuntimeOptions::enroll`] for a profile, with the server at `url`.
///
/// # Errors
/// As there; [`ErrorKind::Usage`] if nothing says which server or how the device is called.
#[cfg(feature = "telemetry")]
pub fn enroll(
    profile: &Profile,
    url: &str,
    code: &str,
    device_id: Option<&str>,
) -> Result<Enrolled, SetupError> {
    if url.is_empty() {
        return Err(SetupError::new(ErrorKind::Usage, "which server? the profile has no `[telemetry] url`"));
    }
    let name = match device_id {
        Some(name) => name.to_owned(),
        None => reporting::device_id(profile)?,
    };
    let enrolled = crate::uplink::collector::enroll(url, code, &name, false)?;
    let token_file = reporting::token_file(profile)?;
    if let Some(folder) = token_file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    enrolled.save_token(&token_file)?;
    Ok(Enrolled { device_id: enrolled.device_id, token_file })
}

/// [`RuntimeOptions::erase`] for a profile.
///
/// # Errors
/// As there.
#[cfg(feature = "telemetry")]
pub fn erase(profile: &Profile) -> Result<serde_json::Value, SetupError> {
    use crate::uplink::collector::ClipStore;
    use crate::uplink::journal::FolderDisk;

    let settings = reporting::settings(profile)?;
    let folder = reporting::folder(profile)?;
    // Held until the end: what is recorded while the server erases would come back.
    let journal = FolderDisk::open(&folder)?;
    // The server first: if it does not answer, nothing here has changed and the user can try again.
    let receipt = crate::uplink::collector::erase(&settings)?;
    // Only what was made for the server: others may have files in this folder. The next journal is another stream.
    journal.erase()?;
    ClipStore::open(&reporting::clips_in(&folder), 0, None)?.erase()?;
    Ok(receipt)
}

#[cfg(feature = "telemetry")]
fn is_enrolled(profile: &Profile) -> bool {
    reporting::settings(profile).is_ok()
}

#[cfg(not(feature = "telemetry"))]
fn enroll(_: &Profile, _: &str, _: &str, _: Option<&str>) -> Result<Enrolled, SetupError> {
    Err(reports_nothing())
}

#[cfg(not(feature = "telemetry"))]
fn erase(_: &Profile) -> Result<serde_json::Value, SetupError> {
    Err(reports_nothing())
}

#[cfg(not(feature = "telemetry"))]
fn is_enrolled(_: &Profile) -> bool {
    false
}

#[cfg(not(feature = "telemetry"))]
fn reports_nothing() -> SetupError {
    SetupError::new(ErrorKind::Config, "this build reports nothing: build with `--features telemetry`")
}
