//! Figures as they are shown: three digits are enough, the unit stands beside, what is unknown is a dash.

/// What stands for a figure that nobody measured.
pub const UNKNOWN: &str = "–";

/// In what a figure is measured, and so how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds; from 10 000 on shown in seconds.
    Milliseconds,
    /// A share in `[0, 1]`, shown in percent.
    Ratio,
    /// A difference of two shares, shown in percentage points with its sign.
    RatioDifference,
    /// A multiple of real time, or of something else.
    Times,
    /// Bytes, shown in the power of 1024 that fits.
    Bytes,
    /// dB relative to full scale.
    Dbfs,
    /// dB.
    Db,
    /// Loudness units relative to full scale.
    Lufs,
    /// Hertz; from 1000 on in kHz.
    Hertz,
    /// Degrees Celsius.
    Celsius,
    /// A natural logarithm: no unit.
    Logarithm,
    /// A number of things.
    Count,
}

impl Unit {
    /// The unit by itself; empty where there is none.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Ratio => "%",
            Self::RatioDifference => "percentage points",
            Self::Times => "×",
            Self::Bytes => "bytes",
            Self::Dbfs => "dBFS",
            Self::Db => "dB",
            Self::Lufs => "LUFS",
            Self::Hertz => "Hz",
            Self::Celsius => "°C",
            Self::Logarithm => "ln p",
            Self::Count => "",
        }
    }

    /// How an axis that reaches to `largest` is labelled: its unit, and what values are divided by.
    pub fn axis(self, largest: f64) -> (&'static str, f64) {
        let (mebi, gibi) = (1_048_576.0, 1_073_741_824.0);
        match self {
            Self::Milliseconds if largest >= 5000.0 => ("s", 1000.0),
            Self::Hertz if largest >= 1000.0 => ("kHz", 1000.0),
            Self::Ratio | Self::RatioDifference => (self.symbol(), 0.01),
            Self::Bytes if largest >= 2.0 * gibi => ("GiB", gibi),
            Self::Bytes => ("MiB", mebi),
            _ => (self.symbol(), 1.0),
        }
    }

    /// A figure with its unit; [`UNKNOWN`] for `None` and for what is no number.
    pub fn show(self, value: Option<f64>) -> String {
        let Some(value) = value.filter(|value| value.is_finite()) else { return UNKNOWN.to_owned() };
        match self {
            Self::Milliseconds if value.abs() >= 10_000.0 => format!("{} s", digits(value / 1000.0)),
            Self::Hertz if value.abs() >= 1000.0 => format!("{} kHz", digits(value / 1000.0)),
            Self::Ratio => format!("{} %", digits(value * 100.0)),
            Self::RatioDifference => {
                let sign = if value > 0.0 { "+" } else { "" };
                format!("{sign}{}", digits(value * 100.0))
            }
            Self::Bytes => bytes(value),
            Self::Times | Self::Logarithm => digits(value),
            // Percentiles are known to 1 %: half a word is no word.
            Self::Count => digits(value.round()),
            _ => format!("{} {}", digits(value), self.symbol()),
        }
    }
}

/// Three significant digits, or all those before the point; thin spaces between thousands; a true minus. What no device
/// could have measured is written with an exponent, so that it does not break a table.
pub fn digits(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude >= 1e15 {
        return format!("{value:.1e}").replace('-', "−");
    }
    let places = match magnitude {
        m if m >= 99.95 || m == 0.0 => 0,
        m if m >= 9.995 => 1,
        m if m >= 0.9995 => 2,
        _ => 3,
    };
    let text = format!("{magnitude:.places$}");
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), ""), |(whole, part)| (whole, part));
    let fraction = fraction.trim_end_matches('0');
    let zero = fraction.is_empty() && whole == "0";
    let minus = if value < 0.0 && !zero { "−" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{minus}{}{point}{fraction}", grouped(whole))
}

/// A count, with thin spaces between thousands.
pub fn count(value: u64) -> String {
    grouped(&value.to_string())
}

fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 * 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) && digits.len() > 4 {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

fn bytes(value: f64) -> String {
    const NAMES: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut power = 0;
    let mut scaled = value;
    while scaled.abs() >= 1000.0 && power + 1 < NAMES.len() {
        scaled /= 1024.0;
        power += 1;
    }
    format!("{} {}", digits(scaled), NAMES[power])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_no_trailing_zero() {
        let shown = [0.0, 0.0312, 0.5, 5.43219, 42.0, 99.96, 412.4, 12_345.0, -0.5, -0.0001].map(digits);
        assert_eq!(shown, ["0", "0.031", "0.5", "5.43", "42", "100", "412", "12\u{202f}345", "−0.5", "0"]);
    }

    #[test]
    fn what_no_device_could_measure_is_short_too() {
        assert_eq!((digits(-1e300), digits(1e15)), ("−1.0e300".to_owned(), "1.0e15".to_owned()));
    }

    #[test]
    fn what_is_no_number_is_shown_as_unknown() {
        for value in [None, Some(f64::NAN), Some(f64::INFINITY)] {
            assert_eq!(Unit::Milliseconds.show(value), UNKNOWN);
        }
    }

    #[test]
    fn units_stand_beside_the_figure() {
        assert_eq!(Unit::Milliseconds.show(Some(412.0)), "412 ms");
        assert_eq!(Unit::Milliseconds.show(Some(12_340.0)), "12.3 s");
        assert_eq!(Unit::Ratio.show(Some(0.0123)), "1.23 %");
        assert_eq!(Unit::RatioDifference.show(Some(0.004)), "+0.4");
        assert_eq!(Unit::RatioDifference.show(Some(-0.004)), "−0.4");
        assert_eq!(Unit::Bytes.show(Some(350.0 * 1048576.0)), "350 MiB");
        assert_eq!(Unit::Hertz.show(Some(7400.0)), "7.4 kHz");
        assert_eq!(
            (Unit::Count.show(Some(1.99)), Unit::Count.show(Some(0.3))),
            ("2".to_owned(), "0".to_owned())
        );
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
    }
}
