//! What people see: one file a page, with its view and its template. No queries, no state.
//!
//! ```text
//! queries ─► view (plain data) ─► render() ─► HTML
//!                     └─► plot::* ─► SVG inside
//! ```
//! A page is a struct that derives [`Template`]: fill its fields, call `render()`. All times are ms since 1970-01-01 UTC
//! and shown in UTC, all shares are ratios in `[0, 1]` and shown in percent, and what nobody measured is `None` and shown
//! as `–`. Every text is escaped by the template engine, whoever wrote it.
//!
//! Pages work without scripts, load nothing from elsewhere and have no inline style or script, so that [`CSP`] holds.

mod adjudicate;
mod admin;
pub mod assets;
mod confirm;
mod device;
mod diff;
mod error;
mod estimate;
pub mod figure;
mod filter;
mod fleet;
mod live;
mod login;
mod metric;
mod moment;
pub mod plot;
mod privacy;
mod receipt;
mod search;
mod shadow;
mod shell;
mod show;

pub use adjudicate::{AdjudicatePage, AdjudicationItem, Choice, Progress};
pub use admin::{AdminDevice, AdminPage, EnrolmentCode, FreshSecret, Person};
pub use askama::Template;
pub use confirm::ConfirmPage;
pub use device::{DevicePage, LostRow, SessionRow, StreamRow, UtteranceRow};
pub use error::ErrorPage;
pub use estimate::{Estimate, Verdict};
pub use filter::{Filter, FilterBar, Pager, TimeRange, href, segment};
pub use fleet::{DeviceRow, DeviceStatus, FleetPage, FleetTotals, Sort, SortKey, VersionShare};
pub use live::{LivePage, OutcomePoint};
pub use login::LoginPage;
pub use metric::{Metric, MetricGroup, MetricSeries, Point, Spread};
pub use moment::{Moment, TimeElement, utc_date, utc_minute};
pub use privacy::{
    AuditRow, COLLECTED, CollectedField, CollectedGroup, ConsentedCounts, PrivacyPage, RetentionRow,
};
pub use receipt::{Receipt, ReceiptPage};
pub use search::{Fragment, Hit, SearchPage, highlight};
pub use shadow::{DisagreementRow, PairDetail, PairSummary, ShadowPage, SliceGroup, SliceRow, WerComparison};
pub use shell::{Notice, Role, Section, Shell, Who};

/// The `Content-Security-Policy` under which every page works.
pub const CSP: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; media-src 'self'; \
                       form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

#[cfg(test)]
mod tests;
