//! Recognizer and detector of a profile.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::{ErrorKind, SetupError};
use crate::asr::whisper::{
    DecodingOptions, LanguageChoice, LoadOptions, SpecialTokens, Task, WhisperRecognizer,
};
use crate::config::{DetectorKind, Profile};
use crate::endpoint::Endpointer;
use crate::isa::Isa;
use crate::models::ModelStore;
use crate::vad::{EnergyVad, SileroVad, VoiceActivityDetector};

/// What recognizers and detectors are loaded from.
#[derive(Clone)]
pub struct Setup<'a> {
    /// What is wanted.
    pub profile: &'a Profile,
    /// Where models are.
    pub models: &'a ModelStore,
    /// Instruction set; the best by default.
    pub isa: Option<Isa>,
    /// Where packed weights are kept; [`packed_folder`] by default.
    pub packed: PathBuf,
}

impl<'a> Setup<'a> {
    /// The profile's engines from `models`.
    pub fn new(profile: &'a Profile, models: &'a ModelStore) -> Self {
        Self { profile, models, isa: None, packed: packed_folder(models) }
    }

    /// The recognizer, and how long it took to load.
    ///
    /// # Errors
    /// [`SetupError`]: the model is missing or damaged, or cannot do what the profile asks for.
    pub fn recognizer(&self) -> Result<(WhisperRecognizer, Duration), SetupError> {
        self.recognizer_of(&self.profile.whisper.model, self.profile.pipeline.threads)
    }

    /// The same with another model and so many threads; 0 is as many as fit.
    ///
    /// # Errors
    /// As [`Self::recognizer`].
    pub fn recognizer_of(
        &self,
        model: &str,
        threads: usize,
    ) -> Result<(WhisperRecognizer, Duration), SetupError> {
        let options = self.profile.decoding().map_err(|why| SetupError::new(ErrorKind::Usage, why))?;
        let how = LoadOptions {
            precision: self.profile.whisper.precision,
            threads,
            cache: Some(self.packed.clone()),
            root: Some(self.models.root().to_owned()),
            isa: self.isa,
        };
        let path = self.models.locate(model)?;
        let begin = Instant::now();
        let recognizer = WhisperRecognizer::load_with(&path, &label(model), options.clone(), &how)
            .map_err(|e| SetupError::from(e).context(format!("model `{model}`")))?;
        if !recognizer.dims().is_multilingual() {
            refuse_foreign(&options, model)?;
        }
        refuse_unknown(&options, model, &SpecialTokens::of(recognizer.dims().n_vocab))?;
        Ok((recognizer, begin.elapsed()))
    }

    /// The endpointer with its detector.
    ///
    /// # Errors
    /// [`SetupError`]: the detector's model is missing, or the rules contradict each other.
    pub fn endpointer(&self) -> Result<Endpointer, SetupError> {
        Ok(Endpointer::new(self.profile.endpoint.clone(), self.detector()?)?)
    }

    /// The detector.
    ///
    /// # Errors
    /// [`SetupError`]: its model is missing, or this build has no such detector.
    pub fn detector(&self) -> Result<Box<dyn VoiceActivityDetector>, SetupError> {
        Ok(match self.profile.vad.detector {
            DetectorKind::Silero => {
                Box::new(SileroVad::from_file(self.models.locate(&self.profile.vad.model)?)?)
            }
            #[cfg(feature = "webrtc")]
            DetectorKind::Webrtc => Box::new(crate::vad::WebRtcVad::new(crate::vad::WebRtcMode::default())),
            #[cfg(not(feature = "webrtc"))]
            DetectorKind::Webrtc => {
                return Err(SetupError::new(
                    ErrorKind::Usage,
                    "this build has no WebRTC detector: use `--detector silero`, or build with `--features webrtc`",
                ));
            }
            DetectorKind::Energy => Box::new(EnergyVad::new()),
        })
    }
}

/// Where packed weights are kept.
pub fn packed_folder(store: &ModelStore) -> PathBuf {
    store.root().join(".packed")
}

/// An English-only model must not be asked for German and answer in English without a word.
fn refuse_foreign(options: &DecodingOptions, model: &str) -> Result<(), SetupError> {
    let foreign = match &options.language {
        LanguageChoice::Pinned(code) => code != "en",
        LanguageChoice::Detect(_) => true,
    };
    if foreign || options.task == Task::Translate {
        return Err(SetupError::new(
            ErrorKind::Usage,
            format!(
                "`{model}` knows English only: use a multilingual model, such as `--model base`, for other languages and for translation"
            ),
        ));
    }
    Ok(())
}

/// Languages that came with a later model.
fn refuse_unknown(options: &DecodingOptions, model: &str, special: &SpecialTokens) -> Result<(), SetupError> {
    let asked = match &options.language {
        LanguageChoice::Pinned(code) => std::slice::from_ref(code),
        LanguageChoice::Detect(codes) => codes,
    };
    match asked.iter().find(|code| special.language(code).is_none()) {
        Some(code) => {
            Err(SetupError::new(ErrorKind::Usage, format!("`{model}` does not know the language `{code}`")))
        }
        None => Ok(()),
    }
}

/// A model's short name: of a path, its last part.
fn label(model: &str) -> String {
    Path::new(model).file_name().map_or_else(|| model.to_owned(), |name| name.to_string_lossy().into_owned())
}
