//! What the library logs, for apps that have a log of their own.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::error::{ErrorKind, SetupError};

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum LogLevel {
    /// Something failed, and somebody should know.
    Error = 1,
    /// Something is lost or not as it should be; it goes on.
    Warn = 2,
    /// What happens, such as each request that leaves the device.
    Info = 3,
    /// For developers.
    Debug = 4,
}

/// Tells `sink` from now on every line of the library of `most` or what matters more, from the thread that logs. Once in a
/// process. There is no text and no audio in it.
///
/// # Errors
/// [`ErrorKind::Usage`] if this process has a log already.
pub fn tell_logs(
    most: LogLevel,
    sink: impl Fn(LogLevel, &str) + Send + Sync + 'static,
) -> Result<(), SetupError> {
    let filter = match most {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let teller = Teller { sink }.with_filter(filter);
    tracing_subscriber::registry()
        .with(teller)
        .try_init()
        .map_err(|_| SetupError::new(ErrorKind::Usage, "this process has a log already"))
}

struct Teller<F> {
    sink: F,
}

impl<S: Subscriber, F: Fn(LogLevel, &str) + 'static> Layer<S> for Teller<F> {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        // Other crates' business is not the app's.
        if !event.metadata().target().starts_with("earwitness") {
            return;
        }
        let mut line = Line::default();
        event.record(&mut line);
        let level = match *event.metadata().level() {
            Level::ERROR => LogLevel::Error,
            Level::WARN => LogLevel::Warn,
            Level::INFO => LogLevel::Info,
            Level::DEBUG | Level::TRACE => LogLevel::Debug,
        };
        (self.sink)(level, &format!("{}{}", line.message, line.fields));
    }
}

/// The message, then ` name=value` for each field.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn lines_have_their_fields_and_only_what_was_asked_for() {
        let told = Arc::<Mutex<Vec<(LogLevel, String)>>>::default();
        let keeps = told.clone();
        let teller =
            Teller { sink: move |level, line: &str| keeps.lock().unwrap().push((level, line.to_owned())) };
        let subscriber = tracing_subscriber::registry().with(teller.with_filter(LevelFilter::INFO));
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(host = "here", "not {}", "sent");
            tracing::debug!("too fine");
            tracing::error!(target: "others", "not ours");
        });
        assert_eq!(*told.lock().unwrap(), [(LogLevel::Warn, "not sent host=\"here\"".to_owned())]);
    }
}
