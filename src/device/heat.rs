//! [`HeatWatch`]: when a device is too hot, with hysteresis.

use super::DeviceReading;

/// From where on a device does less.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeatLimit {
    /// Too hot from here on, degrees Celsius.
    pub max_celsius: f64,
    /// How far it must cool below that to count as cool, degrees.
    pub hysteresis_celsius: f64,
}

/// Judges one reading after the other.
#[derive(Clone, Copy, Debug)]
pub struct HeatWatch {
    limit: HeatLimit,
    hot: bool,
}

impl HeatWatch {
    /// Cool until a reading says otherwise.
    pub fn new(limit: HeatLimit) -> Self {
        Self { limit, hot: false }
    }

    /// Whether the device is to do less. It is too hot at the limit, or if its processor is held back; it is cool again when
    /// neither holds and the temperature is below the limit by the hysteresis. What is not told changes nothing.
    pub fn judge(&mut self, reading: &DeviceReading) -> bool {
        let HeatLimit { max_celsius, hysteresis_celsius } = self.limit;
        let celsius = reading.temperature_celsius;
        let held_back = reading.throttled == Some(true);
        if held_back || celsius.is_some_and(|celsius| celsius >= max_celsius) {
            self.hot = true;
        } else if celsius.map_or(reading.throttled.is_some(), |c| c <= max_celsius - hysteresis_celsius) {
            self.hot = false;
        }
        self.hot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(celsius: Option<f64>, throttled: Option<bool>) -> DeviceReading {
        DeviceReading { temperature_celsius: celsius, throttled, ..DeviceReading::default() }
    }

    #[test]
    fn a_hot_device_counts_as_cool_only_well_below_the_limit() {
        let mut watch = HeatWatch::new(HeatLimit { max_celsius: 80.0, hysteresis_celsius: 5.0 });
        for (celsius, hot) in [(79.9, false), (80.0, true), (76.0, true), (75.0, false), (79.0, false)] {
            assert_eq!(watch.judge(&reading(Some(celsius), None)), hot, "{celsius}");
        }
    }

    #[test]
    fn a_processor_that_is_held_back_is_relieved_at_any_temperature() {
        let mut watch = HeatWatch::new(HeatLimit { max_celsius: 80.0, hysteresis_celsius: 5.0 });
        assert!(watch.judge(&reading(Some(50.0), Some(true))));
        assert!(!watch.judge(&reading(Some(50.0), Some(false))));
        assert!(watch.judge(&reading(None, Some(true))));
        assert!(!watch.judge(&reading(None, Some(false))));
    }

    #[test]
    fn what_is_not_told_changes_nothing() {
        let mut watch = HeatWatch::new(HeatLimit { max_celsius: 80.0, hysteresis_celsius: 5.0 });
        assert!(!watch.judge(&reading(None, None)));
        assert!(watch.judge(&reading(Some(90.0), None)));
        assert!(watch.judge(&reading(None, None)));
    }
}
