//! Flags that choose and set up recognizer and detector; shared by every command that hears audio.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use earwitness::asr::whisper::{Context, Precision, WhisperRecognizer};
use earwitness::config::{DetectorKind, Profile};
use earwitness::endpoint::Endpointer;
use earwitness::isa::Isa;
use earwitness::models::ModelStore;
use earwitness::runtime::Setup;

/// Flags of every command that recognizes. A flag wins over the profile.
#[derive(Args, Clone, Debug, Default)]
pub struct EngineArgs {
    /// Model: a name (`earwitness models list`), a folder or a weight file [default: tiny.en].
    #[arg(short, long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Device profile, a TOML file such as firmware-configs/laptop.toml.
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Spoken language: a code, a name, `auto`, or `auto:en,de` [default: en].
    #[arg(short, long, value_name = "LANGUAGE")]
    pub language: Option<String>,
    /// Translate to English.
    #[arg(long, visible_alias = "tr")]
    pub translate: bool,
    /// `transcribe` or `translate`, as openai-whisper spells it.
    #[arg(long, value_parser = ["transcribe", "translate"], hide = true)]
    pub task: Option<String>,
    /// Text that came before, or names to expect.
    #[arg(long, visible_alias = "prompt", alias = "initial_prompt", value_name = "TEXT")]
    pub initial_prompt: Option<String>,
    /// Give the times of single words.
    #[arg(long, alias = "word_timestamps")]
    pub word_timestamps: bool,
    /// Do not let the model place segment boundaries: one segment an utterance.
    #[arg(long, visible_alias = "nt", alias = "without_timestamps")]
    pub no_timestamps: bool,
    /// Sampling temperatures to fall back over; `0` alone is greedy [default: 0,0.2,0.4,0.6,0.8,1].
    #[arg(long, value_delimiter = ',', value_name = "T,...")]
    pub temperature: Option<Vec<f32>>,
    /// How the network computes [default: int8].
    #[arg(long, value_enum, visible_alias = "compute-type", value_name = "PRECISION")]
    pub precision: Option<PrecisionFlag>,
    /// How much of the 30 s window is computed [default: tail].
    #[arg(long, value_enum, value_name = "CONTEXT")]
    pub context: Option<ContextFlag>,
    /// Instruction set, such as `baseline` or `avx2`, to look for a fault of the processor or of ours [default: the best].
    #[arg(long, env = "EARWITNESS_ISA", hide_short_help = true, value_parser = Isa::named, value_name = "SET")]
    pub isa: Option<Isa>,
    /// Detector of speech [default: silero].
    #[arg(long, value_enum, value_name = "DETECTOR")]
    pub detector: Option<DetectorFlag>,
    /// Listen to one channel, counted from 0; the mean of all by default.
    #[arg(long, value_name = "N")]
    pub channel: Option<usize>,
    /// Threads of the recognizer [default: one per fast core, less one where there are 4 or more].
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
}

/// Precisions by name.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum PrecisionFlag {
    /// 8-bit integers: a quarter of the memory, several times the speed.
    Int8,
    /// Single precision.
    F32,
}

/// Contexts by name.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum ContextFlag {
    /// The speech, and a few weighted positions for the silence after it.
    Tail,
    /// Every position of the window, whatever was said.
    Full,
}

/// The detectors by name.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum DetectorFlag {
    /// Silero v6.2.
    Silero,
    /// WebRTC.
    Webrtc,
    /// Energy over the noise floor.
    Energy,
}

impl EngineArgs {
    /// The profile with these flags applied.
    pub fn profile(&self) -> Result<Profile> {
        let mut profile = match &self.profile {
            Some(path) => Profile::read(path)?,
            None => Profile::default(),
        };
        if let Some(model) = &self.model {
            profile.whisper.model.clone_from(model);
        }
        if let Some(language) = &self.language {
            profile.whisper.language.clone_from(language);
        }
        if let Some(detector) = self.detector {
            profile.vad.detector = match detector {
                DetectorFlag::Silero => DetectorKind::Silero,
                DetectorFlag::Webrtc => DetectorKind::Webrtc,
                DetectorFlag::Energy => DetectorKind::Energy,
            };
        }
        if let Some(precision) = self.precision {
            profile.whisper.precision = match precision {
                PrecisionFlag::Int8 => Precision::Int8,
                PrecisionFlag::F32 => Precision::F32,
            };
        }
        if let Some(context) = self.context {
            profile.whisper.context = match context {
                ContextFlag::Tail => Context::Tail,
                ContextFlag::Full => Context::Full,
            };
        }
        if let Some(temperatures) = &self.temperature {
            profile.whisper.temperatures.clone_from(temperatures);
        }
        if self.initial_prompt.is_some() {
            profile.whisper.initial_prompt.clone_from(&self.initial_prompt);
        }
        match self.task.as_deref() {
            Some(task) => profile.whisper.translate = task == "translate",
            None => profile.whisper.translate |= self.translate,
        }
        profile.whisper.word_timestamps |= self.word_timestamps;
        profile.whisper.timestamps &= !self.no_timestamps;
        profile.capture.channel = self.channel.or(profile.capture.channel);
        if let Some(threads) = self.threads {
            profile.pipeline.threads = usize::from(threads);
        }
        Ok(profile)
    }

    /// Everything that is needed to hear on this device: profile, options, detector, recognizer, in the order in
    /// which mistakes are cheap to find.
    pub fn load(&self) -> Result<Engine> {
        let profile = self.profile()?;
        let models = ModelStore::open_default()?;
        let setup = self.setup(&profile, &models);
        let endpointer = setup.endpointer()?;
        let (recognizer, load) = setup.recognizer()?;
        Ok(Engine { profile, endpointer, recognizer, load })
    }

    /// What `profile` is set up from.
    pub fn setup<'a>(&self, profile: &'a Profile, models: &'a ModelStore) -> Setup<'a> {
        Setup { isa: self.isa, ..Setup::new(profile, models) }
    }
}

/// A loaded recognizer and its endpointer.
pub struct Engine {
    pub profile: Profile,
    pub endpointer: Endpointer,
    pub recognizer: WhisperRecognizer,
    /// How long loading the recognizer took.
    pub load: Duration,
}
