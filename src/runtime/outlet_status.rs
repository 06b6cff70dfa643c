//! [`OutletStatus`]: how reporting goes, for those who show it.

/// What waits for the collection server, and how sending goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutletStatus {
    /// Records that wait on disk.
    pub records: u64,
    /// Their size.
    pub bytes: u64,
    /// Records that were given up since the journal began.
    pub lost: u64,
    /// Failures to send in a row; 0 after a success.
    pub failures: u32,
    /// The last failure since the last success.
    pub last_error: Option<String>,
    /// When the server last took something, ms since 1970-01-01 UTC.
    pub last_accepted_unix_ms: Option<u64>,
    /// It waits for a network that is not metered.
    pub waits_for_network: bool,
}
