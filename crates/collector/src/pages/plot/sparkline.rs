//! A line as small as a word: the shape of a day, without axes.

use super::scale::Scale;
use super::{Drawing, Svg};

const WIDTH: f64 = 72.0;
const HEIGHT: f64 = 18.0;

/// Draws columns from 0 up, one a value; `None` and what is no number is a gap with a dot on the ground. `title` says all
/// of it in words.
pub fn sparkline(values: &[Option<f64>], title: &str) -> Svg {
    let mut drawing = Drawing::image("spark", WIDTH, HEIGHT, title, "");
    let number = |value: &Option<f64>| value.filter(|value| value.is_finite() && *value >= 0.0);
    let highest = values.iter().filter_map(number).fold(0.0, f64::max);
    let y = Scale::new(0.0, if highest > 0.0 { highest } else { 1.0 }, HEIGHT - 1.0, 1.0);
    let width = WIDTH / values.len().max(1) as f64;
    for (index, value) in values.iter().enumerate() {
        let left = index as f64 * width;
        match number(value) {
            Some(value) => {
                let top = y.at(value).min(HEIGHT - 2.0);
                drawing.rect("column", (left, top), ((width - 0.6).max(0.4), HEIGHT - 1.0 - top));
            }
            None => drawing.rect("missing", (left, HEIGHT - 2.0), ((width - 0.6).max(0.4), 1.0)),
        }
    }
    drawing.finish()
}
