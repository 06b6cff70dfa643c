//! What an erasure did: proof for the person who asked for it.

use askama::Template;

use super::{Shell, show};

/// `/receipts/{receipt_id}`: shown after an erasure, and later.
#[derive(Clone, Debug, Template)]
#[template(path = "receipt.html")]
pub struct ReceiptPage {
    /// The frame.
    pub shell: Shell,
    /// The receipt.
    pub receipt: Receipt,
}

/// An erasure.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Names it.
    pub receipt_id: String,
    /// Of what: `device` or `person`.
    pub scope: String,
    /// Which one.
    pub subject: String,
    /// Who asked: a person's or a device's name.
    pub requested_by: String,
    /// When it was asked for, ms since 1970-01-01 UTC.
    pub requested_unix_ms: u64,
    /// When all was gone; `None` while it is under way.
    pub erased_unix_ms: Option<u64>,
    /// Records erased.
    pub records: u64,
    /// Of these, with a text.
    pub texts: u64,
    /// Recordings erased.
    pub clips: u64,
    /// Keys destroyed: what may still lie in a backup cannot be read any more.
    pub keys: u64,
}

impl Receipt {
    pub(crate) fn state(&self) -> &'static str {
        if self.erased_unix_ms.is_some() { "erased" } else { "under way" }
    }

    /// From request to end.
    pub(crate) fn took(&self) -> Option<String> {
        let ms = self.erased_unix_ms?.saturating_sub(self.requested_unix_ms);
        Some(show::seconds(&(ms as f64)))
    }
}
