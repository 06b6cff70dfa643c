//! What is done on a hot device: the pipeline is asked for less until the processor has cooled down.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::config::ThermalConfig;
use crate::device::{Board, DeviceMeter, HeatWatch};
use crate::pipeline::Relief;

/// How often the temperature is looked at. It changes over tens of seconds; one look reads a few small files.
const EVERY: Duration = Duration::from_secs(5);

/// Watches the temperature until it is dropped.
pub struct Thermal {
    _until_dropped: Sender<()>,
}

impl Thermal {
    /// `None` where the profile sets no limit.
    pub fn watch(config: &ThermalConfig, relief: &Relief) -> Option<Self> {
        let limit = config.limit(Board::read().model.is_some())?;
        let mut watch = HeatWatch::new(limit);
        let mut meter = DeviceMeter::new();
        let relief = relief.clone();
        let (sender, ended) = channel();
        let look = move || {
            loop {
                let reading = meter.read();
                let hot = watch.judge(&reading);
                if hot != relief.is_wanted() {
                    relief.want(hot);
                    let celsius = reading.temperature_celsius.unwrap_or(f64::NAN);
                    match hot {
                        true => tracing::warn!(
                            "hot or held back ({celsius:.0} °C): the shadow rests and texts come after the pause; \
                             cool the device, or look at its power supply (`earwitness doctor`)"
                        ),
                        false => tracing::info!("cool again ({celsius:.0} °C)"),
                    }
                }
                if ended.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
        };
        // Without a thread nobody looks: as on a device that tells no temperature.
        thread::Builder::new().name("thermal".to_owned()).spawn(look).ok()?;
        Some(Self { _until_dropped: sender })
    }
}
