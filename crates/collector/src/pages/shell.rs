//! What surrounds every page: navigation, who is logged in, a message about what was just done.

use super::figure::UNKNOWN;
use super::moment::{Moment, TimeElement};

/// The frame of a page.
#[derive(Clone, Debug)]
pub struct Shell {
    /// Which entry of the navigation is marked.
    pub section: Section,
    /// Who looks at it; `None` before login.
    pub who: Option<Who>,
    /// Goes into the field `csrf` of every form that changes something. Random, bound to the session.
    pub csrf: String,
    /// When the page was made: relative times count from here.
    pub now_unix_ms: u64,
    /// What the last form did.
    pub notice: Option<Notice>,
}

impl Shell {
    /// A frame without a message.
    pub fn new(section: Section, who: Option<Who>, csrf: impl Into<String>, now_unix_ms: u64) -> Self {
        Self { section, who, csrf: csrf.into(), now_unix_ms, notice: None }
    }

    /// The same with a message.
    #[must_use]
    pub fn with_notice(mut self, notice: Option<Notice>) -> Self {
        self.notice = notice;
        self
    }

    /// Whether the person may do what `role` may.
    pub fn may(&self, role: Role) -> bool {
        self.who.as_ref().is_some_and(|who| who.role >= role)
    }

    /// Whether the person administers.
    pub fn admin(&self) -> bool {
        self.may(Role::Admin)
    }

    fn moment(&self, unix_ms: u64) -> Moment {
        Moment { unix_ms, now_unix_ms: self.now_unix_ms }
    }

    /// When, in UTC.
    pub(crate) fn at(&self, unix_ms: &u64) -> TimeElement {
        TimeElement::at(self.moment(*unix_ms))
    }

    /// Both; `never` for `None`.
    pub(crate) fn ago_at(&self, unix_ms: &Option<u64>) -> TimeElement {
        unix_ms
            .map_or_else(|| TimeElement::none("never"), |unix_ms| TimeElement::ago_at(self.moment(unix_ms)))
    }

    /// When, or a dash.
    pub(crate) fn at_if(&self, unix_ms: &Option<u64>) -> TimeElement {
        unix_ms.map_or_else(|| TimeElement::none(UNKNOWN), |unix_ms| TimeElement::at(self.moment(unix_ms)))
    }

    /// The crate's version, for addresses of assets.
    pub(crate) fn asset_version(&self) -> &'static str {
        super::assets::VERSION
    }

    /// The entries of the navigation that the person may open: title, address, whether it is this page.
    pub(crate) fn navigation(&self) -> Vec<(&'static str, &'static str, bool)> {
        if self.who.is_none() {
            return Vec::new();
        }
        let entries = [
            (Section::Fleet, "Fleet", "/", Role::Viewer),
            (Section::Live, "Live", "/live", Role::Viewer),
            (Section::Shadow, "Shadow", "/shadow", Role::Viewer),
            (Section::Adjudicate, "Adjudicate", "/adjudicate", Role::Labeller),
            (Section::Search, "Search", "/search", Role::Viewer),
            (Section::Privacy, "Privacy", "/privacy", Role::Viewer),
            (Section::Admin, "Admin", "/admin", Role::Admin),
        ];
        let open = entries.into_iter().filter(|(_, _, _, role)| self.may(*role));
        open.map(|(section, title, href, _)| (title, href, section == self.section)).collect()
    }
}

/// Who is logged in.
#[derive(Clone, Debug)]
pub struct Who {
    /// The name at login.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// What a person may do; each may also do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Viewer,
    /// Judge disagreements.
    Labeller,
    /// Enrol, revoke, erase, manage people.
    Admin,
}

impl Role {
    /// Every role, from the least to the most.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Labeller, Self::Admin];

    /// Its name in forms and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Labeller => "labeller",
            Self::Admin => "admin",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// Entries of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Devices; also the page of one device.
    Fleet,
    /// Figures over time.
    Live,
    /// Engines compared.
    Shadow,
    /// Judging disagreements.
    Adjudicate,
    /// Full text.
    Search,
    /// What is collected, and erasing it.
    Privacy,
    /// People, codes, devices.
    Admin,
    /// None: login, errors.
    Other,
}

/// A message above the page.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Whether it reports a failure.
    pub problem: bool,
    /// One sentence.
    pub text: String,
}
