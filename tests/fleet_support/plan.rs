//! Which devices there are, and what each has to bear.

use std::path::{Path, PathBuf};

use earwitness::uplink::journal::{JournalOptions, SyncPolicy};
use serde::{Deserialize, Serialize};

const DAY_MS: u64 = 86_400_000;
/// Simulated days before the server can be reached for the first time.
pub const OFFLINE_DAYS: u64 = 30;

/// What happens to a device beyond kills and its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Nothing.
    Plain,
    /// Each record is synced.
    Synced,
    /// None is.
    Lazy,
    /// Writes leave a piece and fail; sometimes the piece cannot be cut off.
    Torn,
    /// The disk is full now and then, for records and for the state.
    Full,
    /// The journal's cap is far below what 30 days need.
    SmallCap,
    /// The journal keeps 20 days.
    Aged,
}

impl Kind {
    fn of(index: usize) -> Self {
        match index % 40 {
            0 | 1 | 20 | 21 => Self::Torn,
            2 | 3 | 22 | 23 => Self::Full,
            4 | 24 => Self::SmallCap,
            5 | 25 => Self::Aged,
            6 => Self::Synced,
            7 | 8 | 27 | 28 => Self::Lazy,
            _ => Self::Plain,
        }
    }

    /// Whether its caps, or its full disk, may cost records that were told.
    pub fn may_lose(self) -> bool {
        matches!(self, Self::Full | Self::SmallCap | Self::Aged)
    }

    pub fn journal(self) -> JournalOptions {
        let sync = match self {
            Self::Synced => SyncPolicy::EveryRecord,
            Self::Lazy => SyncPolicy::Never,
            _ => SyncPolicy::default(),
        };
        let (max_bytes, max_age_days) = match self {
            Self::SmallCap => (1 << 20, 90),
            Self::Aged => (64 << 20, 20),
            _ => (64 << 20, 90),
        };
        JournalOptions { sync, max_bytes, max_age_days, ..JournalOptions::default() }
    }
}

/// A device.
#[derive(Clone, Serialize, Deserialize)]
pub struct Device {
    pub device_id: String,
    pub token: String,
    pub kind: Kind,
    /// Records that it makes.
    pub share: u64,
    /// Of these while there is no server.
    pub offline: u64,
}

/// All of them.
#[derive(Clone, Serialize, Deserialize)]
pub struct Plan {
    pub folder: PathBuf,
    pub url: String,
    /// When the 30 days begin.
    pub begin_unix_ms: u64,
    pub interval_ms: u64,
    pub devices: Vec<Device>,
}

impl Plan {
    pub fn new(folder: &Path, url: String, now_unix_ms: u64, tokens: Vec<String>, records: u64) -> Self {
        let count = tokens.len() as u64;
        let device = |(index, token): (usize, String)| {
            // The first ones make what does not divide.
            let share = records / count + u64::from((index as u64) < records % count);
            let kind = Kind::of(index);
            Device { device_id: device_id(index), token, kind, share, offline: share / 2 }
        };
        Self {
            folder: folder.to_owned(),
            url,
            begin_unix_ms: now_unix_ms - (OFFLINE_DAYS + 1) * DAY_MS,
            interval_ms: 100 + 4 * count,
            devices: tokens.into_iter().enumerate().map(device).collect(),
        }
    }

    /// The simulated clock at a device's record number `made`: 30 days without a server, then one with it.
    pub fn clock(&self, device: &Device, made: u64) -> u64 {
        let end = self.begin_unix_ms + OFFLINE_DAYS * DAY_MS;
        match made.checked_sub(device.offline) {
            None => self.begin_unix_ms + OFFLINE_DAYS * DAY_MS * made / device.offline.max(1),
            Some(after) => end + DAY_MS * after / (device.share - device.offline).max(1),
        }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.join("plan.json")
    }

    /// How many records each device may have made by now, in thousandths of its share.
    pub fn allowance(&self) -> PathBuf {
        self.folder.join("allowance")
    }

    pub fn journal(&self, device: &Device) -> PathBuf {
        self.folder.join(&device.device_id).join("journal")
    }

    pub fn oracle(&self, device: &Device) -> PathBuf {
        self.folder.join(&device.device_id).join("told")
    }

    /// What the journal said when all was sent.
    pub fn end(&self, device: &Device) -> PathBuf {
        self.folder.join(&device.device_id).join("end.json")
    }

    pub fn save(&self) {
        for device in &self.devices {
            std::fs::create_dir_all(self.folder.join(&device.device_id)).unwrap();
        }
        std::fs::write(self.path(), serde_json::to_vec(self).unwrap()).unwrap();
    }

    pub fn load(path: &Path) -> Self {
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }
}

pub fn device_id(index: usize) -> String {
    format!("device-{index:03}")
}

/// A journal in figures, at the end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct End {
    pub stream_id: String,
    pub last_sequence: u64,
    pub high_water: u64,
    pub lost: u64,
}
