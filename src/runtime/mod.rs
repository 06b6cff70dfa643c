//! A profile, set up: engines, routes, records. What the command line runs and what apps embed.
//!
//! | part | what it does |
//! |---|---|
//! | [`Setup`] | recognizer and detector of a profile |
//! | [`Routing`] | the cloud, the spool, the shadow |
//! | [`Reporting`] | what the device tells a collection server |
//! | [`SetupError`] | why not, and of which class that is |

mod engines;
mod error;
#[cfg_attr(not(feature = "telemetry"), path = "reporting_off.rs")]
pub mod reporting;
mod routing;

pub use engines::{Setup, packed_folder};
pub use error::{ErrorKind, SetupError, kind_of};
pub use reporting::Reporting;
pub use routing::{Notice, Routing, data_folder, do_not_track, open_spool, spool_folder};
