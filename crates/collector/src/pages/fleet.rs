//! All devices: who reports, who does not, and what troubles them.

use askama::Template;

use super::figure::{Unit, count};
use super::{FilterBar, Pager, Shell, plot, show};

/// `/`: devices.
#[derive(Clone, Debug, Template)]
#[template(path = "fleet.html")]
pub struct FleetPage {
    /// The frame.
    pub shell: Shell,
    /// Filters on status, profile, version, engine; action `/`.
    pub filters: FilterBar,
    /// The order of the table.
    pub sort: Sort,
    /// Over all devices, not only those on this page.
    pub totals: FleetTotals,
    /// Devices by app version, the newest version first.
    pub versions: Vec<VersionShare>,
    /// The devices of this page.
    pub devices: Vec<DeviceRow>,
    /// Where in the list.
    pub pager: Pager,
    /// A device counts as silent after this long without a word, ms.
    pub silent_after_ms: u64,
}

/// A head of the table of devices.
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) numeric: bool,
    /// Where it is sorted by this column.
    pub(crate) href: Option<String>,
    /// `ascending` or `descending`, if it is now.
    pub(crate) order: Option<&'static str>,
}

impl FleetPage {
    /// The largest count of [`versions`](Self::versions).
    pub(crate) fn most_devices(&self) -> u64 {
        self.versions.iter().map(|version| version.devices).max().unwrap_or(0).max(1)
    }

    /// In words.
    pub(crate) fn silent_after(&self) -> String {
        match self.silent_after_ms / 1000 {
            seconds if seconds >= 7200 => format!("{} hours", count(seconds / 3600)),
            seconds if seconds >= 120 => format!("{} minutes", count(seconds / 60)),
            seconds => format!("{} seconds", count(seconds)),
        }
    }

    pub(crate) fn columns(&self) -> Vec<Column> {
        let columns = [
            ("Device", Some(SortKey::Device), false),
            ("Status", None, false),
            ("Last seen", Some(SortKey::LastSeen), false),
            ("Version", Some(SortKey::Version), false),
            ("Engine", None, false),
            ("Utterances, 24 h", Some(SortKey::Utterances), true),
            ("Failed", Some(SortKey::Errors), true),
            ("Journal", Some(SortKey::Journal), true),
            ("Lost", Some(SortKey::Lost), true),
            ("Temp.", Some(SortKey::Temperature), true),
        ];
        columns.map(|(title, key, numeric)| self.column(title, key, numeric)).into()
    }

    fn column(&self, title: &'static str, key: Option<SortKey>, numeric: bool) -> Column {
        let current = key.is_some_and(|key| key == self.sort.key);
        let order = current.then_some(if self.sort.descending { "descending" } else { "ascending" });
        // A second click turns the order; the first shows what is worth a look: the largest figure, else A to Z.
        let descending = if current { !self.sort.descending } else { numeric };
        let direction = if descending { "desc" } else { "asc" };
        let href =
            key.map(|key| self.filters.href_with(&[("sort", key.key()), ("order", direction), ("page", "")]));
        Column { title, numeric, href, order }
    }
}

/// Sums over the fleet.
#[derive(Clone, Debug, Default)]
pub struct FleetTotals {
    /// Enrolled and not revoked.
    pub devices: u64,
    /// Of these, heard from lately.
    pub ok: u64,
    /// Heard from, but not lately.
    pub silent: u64,
    /// Enrolled and never heard from.
    pub never_seen: u64,
    /// Utterances of the last 24 h.
    pub utterances_24h: u64,
    /// Of these failed, timed out or dropped, in `[0, 1]`; `None` without utterances.
    pub errors_ratio: Option<f64>,
    /// Records that wait on devices, from the last heartbeats.
    pub journal_records: u64,
    /// Records lost for good, as devices reported.
    pub lost_records: u64,
    /// Devices that said they were throttled in their last heartbeat.
    pub throttled: u64,
}

/// How many devices run a version.
#[derive(Clone, Debug)]
pub struct VersionShare {
    /// The app version; empty where unknown.
    pub version: String,
    /// Devices.
    pub devices: u64,
}

/// Whether a device reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceStatus {
    /// Heard from within the time that counts as silent.
    Ok,
    /// Not for longer than that.
    Silent,
    /// Enrolled, and nothing came yet.
    NeverSeen,
    /// Its token was revoked.
    Revoked,
}

impl DeviceStatus {
    /// In words.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Silent => "Silent",
            Self::NeverSeen => "Never seen",
            Self::Revoked => "Revoked",
        }
    }

    /// Its value in the address.
    pub fn key(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Silent => "silent",
            Self::NeverSeen => "never-seen",
            Self::Revoked => "revoked",
        }
    }

    /// The status of that key.
    pub fn from_key(key: &str) -> Option<Self> {
        [Self::Ok, Self::Silent, Self::NeverSeen, Self::Revoked]
            .into_iter()
            .find(|status| status.key() == key)
    }

    /// A sign that differs in shape.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Ok => "●",
            Self::Silent => "◐",
            Self::NeverSeen => "○",
            Self::Revoked => "✕",
        }
    }
}

/// One device, as its last heartbeat, session and day say.
#[derive(Clone, Debug)]
pub struct DeviceRow {
    /// Its name.
    pub device_id: String,
    /// Whether it reports.
    pub status: DeviceStatus,
    /// When its last batch came, by the server's clock, ms since 1970-01-01 UTC.
    pub last_seen_unix_ms: Option<u64>,
    /// Of the program.
    pub app_version: Option<String>,
    /// Its profile.
    pub profile: Option<String>,
    /// Operating system and processor.
    pub platform: Option<String>,
    /// The engine that answers.
    pub engine: Option<String>,
    /// The engine that listens along.
    pub shadow_engine: Option<String>,
    /// Utterances of the last 24 h.
    pub utterances_24h: u64,
    /// Utterances of each of the last 24 hours, the oldest first; `None` where the device said nothing. May be empty.
    pub hourly_utterances: Vec<Option<f64>>,
    /// Failed, timed out or dropped in the last 24 h, in `[0, 1]`.
    pub errors_ratio: Option<f64>,
    /// Records that wait on the device.
    pub journal_records: Option<u64>,
    /// Records that it lost, ever.
    pub lost_records: u64,
    /// Of its processor, degrees Celsius.
    pub temperature_celsius: Option<f64>,
    /// Whether it is slowed down.
    pub throttled: Option<bool>,
}

impl DeviceRow {
    /// Failures in a number that wants a look: above 5 %.
    pub(crate) fn fails(&self) -> bool {
        self.errors_ratio.is_some_and(|ratio| ratio > 0.05)
    }

    /// The sparkline in words.
    pub(crate) fn day(&self) -> String {
        let known: Vec<f64> = self.hourly_utterances.iter().flatten().copied().collect();
        let most = known.iter().copied().fold(f64::NAN, f64::max);
        let most = Unit::Count.show(Some(most));
        let gaps = self.hourly_utterances.len() - known.len();
        format!("Utterances by hour: at most {most}, {gaps} hours without a word from the device")
    }
}

/// The order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// By which column.
    pub key: SortKey,
    /// The largest first.
    pub descending: bool,
}

impl Default for Sort {
    /// By name.
    fn default() -> Self {
        Self { key: SortKey::Device, descending: false }
    }
}

impl Sort {
    /// From `?sort=errors&order=desc`; anything else is the default.
    pub fn from_query(sort: Option<&str>, order: Option<&str>) -> Self {
        let key = SortKey::ALL.into_iter().find(|key| Some(key.key()) == sort);
        key.map_or_else(Self::default, |key| Self { key, descending: order == Some("desc") })
    }
}

/// Columns by which devices can be sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    /// [`DeviceRow::device_id`].
    Device,
    /// [`DeviceRow::last_seen_unix_ms`].
    LastSeen,
    /// [`DeviceRow::app_version`].
    Version,
    /// [`DeviceRow::utterances_24h`].
    Utterances,
    /// [`DeviceRow::errors_ratio`].
    Errors,
    /// [`DeviceRow::journal_records`].
    Journal,
    /// [`DeviceRow::lost_records`].
    Lost,
    /// [`DeviceRow::temperature_celsius`].
    Temperature,
}

impl SortKey {
    /// Every column that sorts.
    pub const ALL: [Self; 8] = [
        Self::Device,
        Self::LastSeen,
        Self::Version,
        Self::Utterances,
        Self::Errors,
        Self::Journal,
        Self::Lost,
        Self::Temperature,
    ];

    /// Its value in the address.
    pub fn key(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::LastSeen => "seen",
            Self::Version => "version",
            Self::Utterances => "utterances",
            Self::Errors => "errors",
            Self::Journal => "journal",
            Self::Lost => "lost",
            Self::Temperature => "temperature",
        }
    }
}
