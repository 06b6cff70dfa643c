//! From a profile's sections to engines: the cloud, the shadow, the spool.

use std::path::{Path, PathBuf};

use super::engines::Setup;
use super::error::{ErrorKind, SetupError};
use crate::asr::Recognizer;
#[cfg(feature = "cloud")]
use crate::asr::cloud::{ApiKey, CloudRecognizer, CloudSettings, ProviderKind};
use crate::config::Profile;
use crate::pipeline::{CloudEngine, Engines, RouteRules, ShadowEngine, ShadowRules};
use crate::uplink::spend::SpendMeter;
use crate::uplink::spool::{Spool, SpoolKey, SpoolOptions};

type Result<T> = std::result::Result<T, SetupError>;

/// Tells people what they must know before it happens: what leaves this device.
pub type Notice<'a> = &'a mut dyn FnMut(&str);

/// Everything beside the local engine.
pub struct Routing {
    rules: RouteRules,
    cloud: Option<(Box<dyn Recognizer>, String)>,
    shadow: Option<(Box<dyn Recognizer>, ShadowRules)>,
    spool: Option<Spool>,
    spend_file: Option<PathBuf>,
}

impl Routing {
    /// Sets up all that the profile asks for.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn live(setup: &Setup<'_>, notice: Notice<'_>) -> Result<Self> {
        let profile = setup.profile;
        let spool = match profile.uses_spool() {
            true => Some(open_spool(profile)?),
            false => None,
        };
        let shadow = shadow(setup, notice)?;
        Ok(Self { shadow, ..Self::with(profile, spool, notice)? })
    }

    /// The same for recordings, which are on disk anyway: no spool, no shadow.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn recorded(profile: &Profile, notice: Notice<'_>) -> Result<Self> {
        Self::with(profile, None, notice)
    }

    /// The same for what waits in `spool`.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn spooled(profile: &Profile, spool: Spool, notice: Notice<'_>) -> Result<Self> {
        Self::with(profile, Some(spool), notice)
    }

    fn with(profile: &Profile, spool: Option<Spool>, notice: Notice<'_>) -> Result<Self> {
        let rules = profile.route_rules();
        let cloud = match rules.policy.uses_cloud() {
            true => Some(cloud(profile, &format!("route.policy = {}", name_of(&rules)), notice)?),
            false => None,
        };
        let spend_file = match &cloud {
            Some(_) if rules.cost_per_minute > 0.0 => {
                let folder = spool_folder(profile)?;
                std::fs::create_dir_all(&folder).map_err(|e| {
                    SetupError::from(e).context(format!("cannot create {}", folder.display()))
                })?;
                Some(folder.join("spend.json"))
            }
            _ => None,
        };
        Ok(Self { rules, cloud, shadow: None, spool, spend_file })
    }

    /// A second recognizer: `engine` is a model, or `cloud`.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn beside(setup: &Setup<'_>, engine: &str, notice: Notice<'_>) -> Result<Box<dyn Recognizer>> {
        if engine != "cloud" {
            let threads = setup.profile.pipeline.threads;
            return Ok(Box::new(setup.recognizer_of(engine, threads)?.0));
        }
        if !setup.profile.consent.cloud_audio {
            let message =
                "`--against cloud` sends audio away: the profile must say `consent.cloud_audio = true`";
            return Err(SetupError::new(ErrorKind::Config, message));
        }
        Ok(cloud(setup.profile, "--against cloud", notice)?.0)
    }

    /// The engine that listens along.
    pub fn shadow_engine(&self) -> Option<String> {
        self.shadow.as_ref().map(|(recognizer, _)| recognizer.engine().to_string())
    }

    /// Whether this device answers at all.
    pub fn uses_local(&self) -> bool {
        self.rules.policy.uses_local()
    }

    /// All engines together, for one run.
    pub fn engines<'a>(&'a mut self, local: Option<&'a mut dyn Recognizer>) -> Engines<'a> {
        let mut spend = SpendMeter::new(self.rules.cost_per_minute, self.rules.spend_cap_per_day);
        if let Some(file) = &self.spend_file {
            spend = spend.kept_in(file);
        }
        let cloud = self.cloud.as_mut();
        let shadow = self.shadow.as_mut();
        Engines {
            local,
            cloud: cloud
                .map(|(recognizer, host)| CloudEngine { recognizer: &mut **recognizer, host: host.clone() }),
            rules: self.rules.clone(),
            spend,
            spool: self.spool.as_ref(),
            shadow: shadow.map(|(recognizer, rules)| ShadowEngine {
                recognizer: &mut **recognizer,
                rules: rules.clone(),
            }),
        }
    }
}

fn name_of(rules: &RouteRules) -> String {
    serde_json::to_value(rules.policy).map_or_else(|_| String::new(), |v| v.as_str().unwrap_or("").to_owned())
}

/// The model that hears along, or the cloud.
fn shadow(setup: &Setup<'_>, notice: Notice<'_>) -> Result<Option<(Box<dyn Recognizer>, ShadowRules)>> {
    let profile = setup.profile;
    let rules = profile.shadow_rules();
    Ok(match profile.shadow.engine.as_str() {
        "" => None,
        "cloud" if do_not_track() => {
            notice("DO_NOT_TRACK is set: nothing is sent for the shadow.");
            None
        }
        "cloud" => Some((cloud(profile, "shadow.engine = cloud", notice)?.0, rules)),
        model => {
            let recognizer = setup.recognizer_of(model, profile.shadow.threads)?.0;
            Some((Box::new(recognizer) as Box<dyn Recognizer>, rules))
        }
    })
}

/// Whether the user wants nothing collected: <https://consoledonottrack.com>.
pub fn do_not_track() -> bool {
    std::env::var("DO_NOT_TRACK").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}

#[cfg(not(feature = "cloud"))]
fn cloud(_profile: &Profile, why: &str, _notice: Notice<'_>) -> Result<(Box<dyn Recognizer>, String)> {
    let message = format!("{why}, but this build has no cloud recognizers: build with `--features cloud`");
    Err(SetupError::new(ErrorKind::Config, message))
}

#[cfg(feature = "cloud")]
fn cloud(profile: &Profile, why: &str, notice: Notice<'_>) -> Result<(Box<dyn Recognizer>, String)> {
    let settings = settings(profile)?;
    let host = settings.host();
    let how = match (settings.is_loopback(), settings.is_unencrypted()) {
        (true, _) => "this machine",
        (_, true) => "NOT encrypted",
        _ => "encrypted",
    };
    // Disclosed before anything is sent.
    notice(&format!("Audio is sent to {host} ({how}): {why}, consent.cloud_audio = true."));
    Ok((Box::new(CloudRecognizer::new(settings)?), host))
}

#[cfg(feature = "cloud")]
fn settings(profile: &Profile) -> Result<CloudSettings> {
    let config = &profile.cloud;
    let wrong = |why: String| SetupError::new(ErrorKind::Config, why);
    let provider: ProviderKind = serde_json::from_value(config.provider.as_str().into()).map_err(|_| {
        wrong(format!(
            "cloud.provider `{}` is none of openai, deepgram, deepgram_stream, google, azure",
            config.provider
        ))
    })?;
    let url = match (config.url.as_str(), provider.default_url()) {
        ("", Some(url)) => url,
        ("", None) => {
            return Err(wrong("cloud.url is missing: Azure has one for each region".to_owned()));
        }
        (url, _) => url,
    };
    let mut settings = CloudSettings::new(provider, url).map_err(|why| wrong(format!("cloud.url: {why}")))?;
    settings.key = key(profile, &settings)?;
    settings.model.clone_from(&config.model);
    settings.language = match (config.language.as_str(), profile.whisper.language.as_str()) {
        ("", auto) if auto.starts_with("auto") => String::new(),
        ("", language) => language.to_owned(),
        (language, _) => language.to_owned(),
    };
    settings.prompt.clone_from(&profile.whisper.initial_prompt);
    settings.word_times = profile.whisper.word_timestamps;
    settings.deadline = std::time::Duration::from_millis(config.deadline_ms);
    settings.attempts = config.attempts;
    Ok(settings)
}

/// From the file, else the named variable, else the provider's usual one if it is set.
#[cfg(feature = "cloud")]
fn key(profile: &Profile, settings: &CloudSettings) -> Result<Option<ApiKey>> {
    let config = &profile.cloud;
    if config.key_file != Path::new("") {
        return Ok(Some(ApiKey::from_file(&config.key_file)?));
    }
    if !config.key_env.is_empty() {
        return Ok(Some(ApiKey::from_env(&config.key_env)?));
    }
    let usual = settings.provider.default_key_env();
    // The usual key is for the usual host: another server must be given its own by name.
    let public = config.url.is_empty() || settings.provider.default_url() == Some(config.url.as_str());
    match public || settings.provider != ProviderKind::OpenAi {
        true => Ok(Some(ApiKey::from_env(usual)?)),
        false => Ok(None),
    }
}

/// Where `profile` keeps utterances.
///
/// # Errors
/// [`SetupError`]: there is no home folder.
pub fn spool_folder(profile: &Profile) -> Result<PathBuf> {
    if profile.spool.folder != Path::new("") {
        return Ok(profile.spool.folder.clone());
    }
    data_folder("spool", "spool.folder")
}

/// A folder of ours in the user's data folder; `key` of the profile says another.
///
/// # Errors
/// [`SetupError`]: there is no home folder.
pub fn data_folder(name: &str, key: &str) -> Result<PathBuf> {
    let set = |variable| std::env::var_os(variable).filter(|v| !v.is_empty()).map(PathBuf::from);
    let home = |below: &str| std::env::home_dir().map(|home| home.join(below));
    let data = match std::env::consts::OS {
        "windows" => set("LOCALAPPDATA").or_else(|| home("AppData/Local")),
        "macos" | "ios" => home("Library/Application Support"),
        _ => set("XDG_DATA_HOME").or_else(|| home(".local/share")),
    };
    let data = data.ok_or_else(|| {
        SetupError::new(ErrorKind::Config, format!("no home folder is known: set `{key}` in the profile"))
    })?;
    Ok(data.join("earwitness").join(name))
}

/// The spool of `profile`.
///
/// # Errors
/// [`SetupError`].
pub fn open_spool(profile: &Profile) -> Result<Spool> {
    let config = &profile.spool;
    let key = match config.key_file == Path::new("") {
        true => None,
        false => Some(SpoolKey::from_file(&config.key_file)?),
    };
    Ok(Spool::open(SpoolOptions {
        folder: spool_folder(profile)?,
        max_mib: config.max_mib,
        when_full: config.when_full,
        keep_answered: config.keep && config.keep_answered,
        key,
    })?)
}
