//! People and what they may do, codes for new devices, devices and their tokens.

use askama::Template;

use super::{Role, Shell, show};

/// `/admin`.
///
/// Forms by POST, each with `csrf`: `/admin/people` (`name`, `role`), `/admin/people/role` (`name`, `role`),
/// `/admin/people/reset` (`name`), `/admin/people/remove` (`name`), `/admin/codes` (`device_id`, may be empty),
/// `/admin/codes/withdraw` (`code_id`), `/devices/{device_id}/revoke`.
#[derive(Clone, Debug, Template)]
#[template(path = "admin.html")]
pub struct AdminPage {
    /// The frame.
    pub shell: Shell,
    /// What was just made and can be seen only now.
    pub fresh: Option<FreshSecret>,
    /// People who can log in.
    pub people: Vec<Person>,
    /// Codes, the newest first.
    pub codes: Vec<EnrolmentCode>,
    /// Devices with their tokens.
    pub devices: Vec<AdminDevice>,
}

/// A code or a password that is shown once.
#[derive(Clone)]
pub struct FreshSecret {
    /// What it is: `Enrolment code for kitchen-pi`.
    pub what: String,
    /// The secret itself.
    pub secret: String,
    /// What to do with it: a sentence.
    pub instruction: String,
    /// A command to copy, where there is one: `earwitness enroll --code …`.
    pub command: Option<String>,
    /// When it ends, ms since 1970-01-01 UTC.
    pub expires_unix_ms: Option<u64>,
}

/// Shows no secret.
impl std::fmt::Debug for FreshSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FreshSecret").field("what", &self.what).finish_non_exhaustive()
    }
}

/// Somebody who can log in.
#[derive(Clone, Debug)]
pub struct Person {
    /// The name at login.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// When they were added, ms since 1970-01-01 UTC.
    pub added_unix_ms: u64,
    /// Their last login.
    pub last_login_unix_ms: Option<u64>,
    /// Whether it is the person who looks: they cannot remove themselves.
    pub is_self: bool,
}

/// A code that lets a device in once. The code itself is not kept.
#[derive(Clone, Debug)]
pub struct EnrolmentCode {
    /// Names it in forms; not the code.
    pub code_id: String,
    /// The only device it is good for; `None` is any.
    pub device_id: Option<String>,
    /// Who made it.
    pub made_by: String,
    /// When, ms since 1970-01-01 UTC.
    pub made_unix_ms: u64,
    /// When it ends.
    pub expires_unix_ms: u64,
    /// The device that used it.
    pub used_by: Option<String>,
    /// When.
    pub used_unix_ms: Option<u64>,
}

/// A device and its token.
#[derive(Clone, Debug)]
pub struct AdminDevice {
    /// Its name.
    pub device_id: String,
    /// When it was enrolled, ms since 1970-01-01 UTC.
    pub enrolled_unix_ms: u64,
    /// When its token was last used.
    pub last_seen_unix_ms: Option<u64>,
    /// When its token was revoked; `None` while it is good.
    pub revoked_unix_ms: Option<u64>,
}
