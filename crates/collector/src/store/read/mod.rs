//! What pages and reports ask the store. Nothing here writes.

mod exporting;
mod fleet;
mod judging;
mod pairs;
mod privacy;
mod series;
mod texts;

pub use fleet::{DeviceDay, LossRow, StreamRow};
pub use judging::{Candidate, Judgement, JudgementRow};
pub use pairs::{DeviceSums, Pair, PairFilter, PairKey, SliceBy};
pub use privacy::{AuditEntry, ConsentedTotals, EnrolmentRow};
pub use series::{FigureFilter, Offered};
pub use texts::{FoundText, Texts};
