//! What is collected, what needs consent, how long it stays, and how it is erased.

mod collected;

use askama::Template;

use super::{Pager, Receipt, Shell, show};

pub use collected::{COLLECTED, CollectedField, CollectedGroup};

/// `/privacy`.
///
/// Administrators get a form by POST to `/privacy/erase` with `csrf`, `scope` (`device` or `person`) and `id`; answer it
/// with a [`ConfirmPage`](super::ConfirmPage).
#[derive(Clone, Debug, Template)]
#[template(path = "privacy.html")]
pub struct PrivacyPage {
    /// The frame.
    pub shell: Shell,
    /// How long what is kept.
    pub retention: Vec<RetentionRow>,
    /// What there is at present with somebody's consent.
    pub counts: ConsentedCounts,
    /// Past erasures, the newest first.
    pub receipts: Vec<Receipt>,
    /// The latest of the audit log, the newest first. Empty for those who may not see it.
    pub audit: Vec<AuditRow>,
    /// Where in the audit log.
    pub audit_pager: Pager,
}

/// How long a kind of data is kept.
#[derive(Clone, Debug)]
pub struct RetentionRow {
    /// What.
    pub what: String,
    /// For how long, days; `None` until it is erased.
    pub days: Option<u32>,
    /// The setting that says so: `retention.records_days`.
    pub setting: String,
}

/// What there is with consent.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConsentedCounts {
    /// Records with a text.
    pub texts: u64,
    /// Recordings.
    pub clips: u64,
    /// Bytes that they take.
    pub clip_bytes: u64,
    /// People, by pseudonym.
    pub people: u64,
    /// Devices with any consent.
    pub devices: u64,
}

/// An entry of the audit log.
#[derive(Clone, Debug)]
pub struct AuditRow {
    /// When, ms since 1970-01-01 UTC.
    pub at_unix_ms: u64,
    /// Who: a person, a device, or `server`.
    pub actor: String,
    /// What: `erase`, `login`, `read clip`.
    pub action: String,
    /// To what.
    pub object: String,
}
