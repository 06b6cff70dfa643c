//! On other systems than Linux there is no mailbox.

use super::board::FirmwareFlags;

/// There is none.
#[derive(Debug)]
pub(super) enum Mailbox {}

impl Mailbox {
    /// There is none.
    pub(super) fn open() -> Option<Self> {
        None
    }

    /// Cannot be called.
    pub(super) fn flags(&self) -> Option<FirmwareFlags> {
        match *self {}
    }
}
