//! A number while it is being read.
//!
//! Numbers are kept as decimal digits, so any length is exact: all the arithmetic that number
//! words need is filling in trailing zeros, appending zeros, and one addition.

use super::super::characters::digit_value;

/// A number read so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Quantity {
    /// A whole number that words can still add to: digits without leading zeros, or `0`.
    Whole(String),
    /// Digits spoken one by one, decimals, or dotted numbers: words are written behind it.
    Written(String),
}

impl Quantity {
    /// A whole number; leading zeros of `digits` do not count.
    pub(super) fn whole(digits: &str) -> Self {
        let digits = digits.trim_start_matches('0');
        Self::Whole(if digits.is_empty() { "0" } else { digits }.to_owned())
    }

    /// One followed by `zeros` zeros.
    pub(super) fn power_of_ten(zeros: u32) -> Self {
        Self::Whole(format!("1{}", "0".repeat(zeros as usize)))
    }

    /// A number in decimal digits of any script, such as `007` or `2.50`: whole if nothing is
    /// behind its point but zeros. `None` if `text` is anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if !is_number(text) {
            return None;
        }
        let decimal = Decimal::parse(text)?;
        Some(match decimal.shifted(0) {
            Some(digits) => Self::whole(&digits),
            None => Self::Written(text.to_owned()),
        })
    }

    /// The number as it is written.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Whole(digits) => digits,
            Self::Written(text) => text,
        }
    }

    /// Whether it ends in an open decimal point.
    pub(super) fn ends_in_point(&self) -> bool {
        matches!(self, Self::Written(text) if text.ends_with('.'))
    }

    /// The same with `text` written behind it.
    pub(super) fn followed_by(&self, text: &str) -> Self {
        Self::Written(format!("{}{text}", self.as_str()))
    }

    /// The same with the last digit replaced by `digit`: `twenty` and `five`, once written.
    pub(super) fn with_last_digit(&self, digit: u8) -> Self {
        let mut text = self.as_str().to_owned();
        text.pop();
        Self::Written(format!("{text}{digit}"))
    }

    /// The sum with `value` (below 100) if that only fills in trailing zeros, as `twenty` and
    /// `five` do; `None` if the words have to be written side by side, as `twenty twelve`.
    pub(super) fn filled_with(&self, value: u8) -> Option<Self> {
        let Self::Whole(digits) = self else {
            return None;
        };
        let places = if value < 10 { 1 } else { 2 };
        if digits == "0" {
            return Some(Self::whole(&value.to_string()));
        }
        let zeros = &"00"[..places];
        let head = digits.strip_suffix(zeros)?;
        Some(Self::Whole(format!("{head}{value}")))
    }

    /// What a scale word makes of it: everything for a written number or zero, only what is below
    /// a thousand for a whole number (`two thousand three` `hundred`). `None` if the product is
    /// not whole.
    pub(super) fn scaled(&self, zeros: u32) -> Option<Self> {
        match self {
            Self::Written(text) => {
                let digits = Decimal::parse(text)?.shifted(zeros as usize)?;
                Some(Self::whole(&digits))
            }
            Self::Whole(digits) => {
                let (thousands, below) = digits.split_at(digits.len().saturating_sub(3));
                let kept = if thousands.is_empty() { String::new() } else { format!("{thousands}000") };
                let scaled = format!("{below}{}", "0".repeat(zeros as usize));
                Some(Self::whole(&sum(&kept, &scaled)))
            }
        }
    }
}

/// Whether `text` is digits of any script, with digits behind a point if there is one.
pub(super) fn is_number(text: &str) -> bool {
    let all_digits = |part: &str| !part.is_empty() && part.chars().all(|c| digit_value(c).is_some());
    match text.split_once('.') {
        Some((whole, decimals)) => all_digits(whole) && all_digits(decimals),
        None => all_digits(text),
    }
}

/// A decimal fraction in ASCII digits; either part may be empty, but not both.
struct Decimal {
    whole: String,
    decimals: String,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        if whole.is_empty() && decimals.is_empty() {
            return None;
        }
        Some(Self { whole: ascii_digits(whole)?, decimals: ascii_digits(decimals)? })
    }

    /// The digits of this times ten to the power of `zeros`; `None` if that is not whole.
    fn shifted(&self, zeros: usize) -> Option<String> {
        let decimals = self.decimals.trim_end_matches('0');
        (decimals.len() <= zeros).then(|| format!("{}{decimals:0<zeros$}", self.whole))
    }
}

fn ascii_digits(text: &str) -> Option<String> {
    text.chars().map(|c| digit_value(c).map(|value| char::from(b'0' + value))).collect()
}

/// The sum of two numbers in ASCII digits.
fn sum(left: &str, right: &str) -> String {
    let mut digits: Vec<u8> = Vec::with_capacity(left.len().max(right.len()) + 1);
    let mut left = left.bytes().rev();
    let mut right = right.bytes().rev();
    let mut carry = 0;
    loop {
        let (a, b) = (left.next(), right.next());
        if a.is_none() && b.is_none() && carry == 0 {
            break;
        }
        let total = a.map_or(0, |d| d - b'0') + b.map_or(0, |d| d - b'0') + carry;
        digits.push(b'0' + total % 10);
        carry = total / 10;
    }
    digits.iter().rev().map(|&digit| char::from(digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_fill_trailing_zeros_only() {
        let filled = |digits: &str, value| {
            let quantity = Quantity::whole(digits).filled_with(value);
            quantity.map(|q| q.as_str().to_owned())
        };
        assert_eq!(filled("20", 5).as_deref(), Some("25"));
        assert_eq!(filled("0", 12).as_deref(), Some("12"));
        assert_eq!(filled("1000", 19).as_deref(), Some("1019"));
        assert_eq!(filled("20", 12), None);
        assert_eq!(filled("21", 5), None);
    }

    #[test]
    fn scales_multiply_what_is_below_a_thousand() {
        let scaled = |text: &str, zeros| {
            let quantity = Quantity::parse(text)?.scaled(zeros)?;
            Some(quantity.as_str().to_owned())
        };
        assert_eq!(scaled("2003", 2).as_deref(), Some("2300"));
        assert_eq!(scaled("999999", 3).as_deref(), Some("1998000"));
        assert_eq!(scaled("2.50", 6).as_deref(), Some("2500000"));
        assert_eq!(scaled("0.0005", 3), None);
        assert_eq!(scaled("0", 33).as_deref(), Some("0"));
    }

    #[test]
    fn numbers_of_any_length_and_script_are_exact() {
        let long = "9".repeat(500);
        assert_eq!(Quantity::parse(&long), Some(Quantity::Whole(long)));
        assert_eq!(Quantity::parse("٠٤٢"), Some(Quantity::whole("42")));
        assert_eq!(Quantity::parse("3.0"), Some(Quantity::whole("3")));
        assert_eq!(Quantity::parse("3.10"), Some(Quantity::Written("3.10".to_owned())));
        assert_eq!(Quantity::parse("3."), None);
        assert_eq!(Quantity::parse("1.2.3"), None);
    }
}
