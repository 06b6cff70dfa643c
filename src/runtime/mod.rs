//! A profile, set up and running: what the command line runs and what apps embed.
//!
//! | part | what it does |
//! |---|---|
//! | [`Runtime`], [`Session`] | loaded once, then one run after the other, fed and ended from an app's threads |
//! | [`Setup`] | recognizer and detector of a profile |
//! | [`Routing`] | the cloud, the spool, the shadow |
//! | [`Outlet`] | what the device tells a collection server |
//! | [`SetupError`] | why not, and of which class that is |

mod embedded;
mod engines;
mod enrolment;
mod error;
mod input;
mod logs;
mod outlet_status;
#[cfg_attr(not(feature = "telemetry"), path = "reporting_off.rs")]
pub mod reporting;
mod routing;
mod run;
mod session;
mod thermal;

pub use embedded::{Runtime, RuntimeOptions};
pub use engines::{Setup, packed_folder};
pub use enrolment::Enrolled;
#[cfg(feature = "telemetry")]
pub use enrolment::{enroll, erase};
pub use error::{ErrorKind, SetupError, kind_of};
pub use input::Input;
pub use logs::{LogLevel, tell_logs};
pub use outlet_status::OutletStatus;
pub use reporting::{Outlet, RunRecorder};
pub use routing::{Notice, Routing, data_folder, do_not_track, open_spool, spool_folder};
pub use session::{Session, SessionEnd, SessionEvent};
pub use thermal::Thermal;
