//! The section of a profile that says when a hot device does less.

use serde::Deserialize;

use crate::device::HeatLimit;

/// When the shadow rests and speculation ends ([`Relief`](crate::pipeline::Relief)).
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ThermalConfig {
    /// Degrees Celsius, or 0 for never. Absent: 75 on boards that name themselves, 5 below where a Raspberry Pi's
    /// firmware begins to slow down, and never elsewhere: a laptop is made to run hotter.
    pub max_celsius: Option<f64>,
    /// How far it must cool below that before all is as before, degrees. 5: less, and a load that comes and goes would switch
    /// it at every utterance.
    pub hysteresis_celsius: f64,
}

impl Default for ThermalConfig {
    fn default() -> Self {
        Self { max_celsius: None, hysteresis_celsius: 5.0 }
    }
}

impl ThermalConfig {
    /// The limit on a device that is a board or is not; `None` where heat changes nothing.
    pub fn limit(&self, board: bool) -> Option<HeatLimit> {
        let max_celsius = self.max_celsius.unwrap_or(if board { 75.0 } else { 0.0 });
        (max_celsius > 0.0).then_some(HeatLimit { max_celsius, hysteresis_celsius: self.hysteresis_celsius })
    }

    pub(super) fn validate(&self) -> Result<(), String> {
        if !self.max_celsius.is_none_or(|max| max == 0.0 || (30.0..=120.0).contains(&max)) {
            return Err("thermal.max_celsius must be from 30 to 120, or 0 for never".to_owned());
        }
        if !(0.0..=30.0).contains(&self.hysteresis_celsius) {
            return Err("thermal.hysteresis_celsius must be from 0 to 30".to_owned());
        }
        Ok(())
    }
}
