//! What `listen` hears: a microphone, or a recording replayed as if spoken now.

use std::path::Path;

use anyhow::Result;
#[cfg(feature = "capture")]
use earwitness::audio::capture::Microphone;
use earwitness::audio::{AudioSource, FileSource, Replay};
use earwitness::config::Profile;

#[cfg(not(feature = "capture"))]
use super::exit::{CliError, Exit};

/// What is listened to, before it is opened.
pub enum Source {
    Recording {
        source: Box<FileSource>,
        name: String,
        pace: f64,
    },
    #[cfg(feature = "capture")]
    Microphone(Microphone),
}

impl Source {
    /// A recording at `pace` times the speed of speech.
    pub fn recording(file: &Path, pace: f64, profile: &Profile) -> Result<Self> {
        let source = Box::new(FileSource::open(file, profile.channels())?);
        Ok(Self::Recording { source, name: file.display().to_string(), pace })
    }

    /// The microphone called `name`, else the profile's.
    #[cfg(feature = "capture")]
    pub fn microphone(name: Option<&str>, profile: &Profile) -> Result<Self> {
        let name = name.unwrap_or(&profile.capture.device);
        let microphone = Microphone::new().channel(profile.channels());
        Ok(Self::Microphone(if name.is_empty() {
            microphone.check()?
        } else {
            microphone.try_device(name)?
        }))
    }

    #[cfg(not(feature = "capture"))]
    pub fn microphone(_name: Option<&str>, _profile: &Profile) -> Result<Self> {
        let message =
            "this build has no microphone capture: use --input FILE, or build with `--features capture`";
        Err(CliError::new(Exit::Usage, message).into())
    }

    /// The running source and what to call it.
    pub fn open(self) -> Result<(Box<dyn AudioSource>, String)> {
        match self {
            Self::Recording { source, name, pace } => Ok((Box::new(Replay::new(*source, pace)), name)),
            #[cfg(feature = "capture")]
            Self::Microphone(microphone) => {
                let source = microphone.open()?;
                let name = source.device_id().to_owned();
                Ok((Box::new(source), name))
            }
        }
    }
}
