//! Estimates with their intervals on a common scale, with lines at zero and at the margin.

use super::scale::{Scale, round_ticks};
use super::{Anchor, Drawing, Svg};
use crate::pages::Estimate;
use crate::pages::figure::{Unit, digits};

const WIDTH: f64 = 260.0;
const SIDE: f64 = 14.0;

/// What intervals that are to be compared have in common.
#[derive(Clone, Debug)]
pub struct IntervalScale {
    ticks: Vec<f64>,
    unit: Unit,
    divisor: f64,
    margin: Option<f64>,
    signed: bool,
}

impl IntervalScale {
    /// A scale that holds all `estimates` and 0. With a `margin` it holds that too, and what is drawn is a difference: as
    /// far below 0 as it is above.
    pub fn holding<'a>(
        estimates: impl IntoIterator<Item = &'a Estimate>,
        unit: Unit,
        margin: Option<f64>,
    ) -> Self {
        let margin = margin.filter(|margin| margin.is_finite());
        let ends = estimates.into_iter().flat_map(|estimate| match estimate.finite() {
            true => [estimate.low, estimate.high, estimate.value],
            false => [estimate.value; 3],
        });
        let ends = ends.filter(|end| end.is_finite()).chain(margin.map(|margin| margin * 1.5)).chain([0.0]);
        let (mut low, mut high) =
            ends.fold((0.0_f64, 0.0_f64), |(low, high), end| (low.min(end), high.max(end)));
        if margin.is_some() {
            let reach = high.max(-low);
            (low, high) = (-reach, reach);
        }
        if low == high {
            high = low + 0.01;
        }
        let divisor = unit.axis(high.abs().max(low.abs())).1;
        let ticks =
            round_ticks(low / divisor, high / divisor, 4).into_iter().map(|tick| tick * divisor).collect();
        Self { ticks, unit, divisor, margin, signed: margin.is_some() }
    }

    fn x(&self) -> Scale {
        Scale::new(self.ticks[0], self.ticks[self.ticks.len() - 1], SIDE, WIDTH - SIDE)
    }
}

/// Draws one estimate: a bar over its interval, a mark at its value; an open mark where no interval is known. `title` says
/// what of.
pub fn interval(estimate: Option<&Estimate>, scale: &IntervalScale, title: &str) -> Svg {
    let height = 22.0;
    let bare = estimate.map(|estimate| estimate.value).filter(|value| value.is_finite());
    let estimate = estimate.filter(|estimate| estimate.finite());
    let told = match (estimate, bare) {
        (Some(estimate), _) => format!("{title}: {}", estimate.show(scale.unit)),
        (None, Some(value)) => format!("{title}: {}, without an interval", scale.unit.show(Some(value))),
        (None, None) => format!("{title}: not known"),
    };
    let mut drawing = Drawing::image("interval", WIDTH, height, &told, "");
    let x = scale.x();
    guides(&mut drawing, scale, x, height);
    if let Some(estimate) = estimate {
        let (low, high, middle) = (x.at(estimate.low), x.at(estimate.high), height / 2.0);
        drawing.line("range", (low, middle), (high.max(low + 1.0), middle));
        for (end, value) in [(low, estimate.low), (high, estimate.high)] {
            if x.holds(value) {
                drawing.line("end", (end, middle - 4.0), (end, middle + 4.0));
            }
        }
        drawing.circle("value", (x.at(estimate.value), middle), 4.0);
    } else if let Some(value) = bare.filter(|value| x.holds(*value)) {
        drawing.circle("bare", (x.at(value), height / 2.0), 4.0);
    }
    drawing.finish()
}

/// The axis under such intervals, with the margin named.
pub fn interval_axis(scale: &IntervalScale) -> Svg {
    let height = if scale.margin.is_some() { 34.0 } else { 20.0 };
    let mut drawing = Drawing::image("interval", WIDTH, height, &axis_title(scale), "");
    let x = scale.x();
    drawing.line("axis", (SIDE, 1.0), (WIDTH - SIDE, 1.0));
    for tick in &scale.ticks {
        let at = x.at(*tick);
        drawing.line("tick", (at, 1.0), (at, 5.0));
        let sign = if scale.signed && *tick > 0.0 { "+" } else { "" };
        drawing.text("tick", (at, 16.0), Anchor::Middle, &format!("{sign}{}", digits(tick / scale.divisor)));
    }
    if let Some(margin) = scale.margin {
        drawing.line("margin", (x.at(margin), 1.0), (x.at(margin), 22.0));
        drawing.text("margin", (x.at(margin), 32.0), Anchor::Middle, "margin");
        let quarter = (WIDTH - 2.0 * SIDE) / 4.0;
        drawing.text("side", (SIDE + quarter, 32.0), Anchor::Middle, "shadow better");
    }
    drawing.finish()
}

fn guides(drawing: &mut Drawing, scale: &IntervalScale, x: Scale, height: f64) {
    if let Some(margin) = scale.margin {
        let (zero, at) = (x.at(0.0), x.at(margin));
        drawing.rect("within", (zero, 0.0), (at - zero, height));
        drawing.line("margin", (at, 0.0), (at, height));
    }
    drawing.line("zero", (x.at(0.0), 0.0), (x.at(0.0), height));
}

fn axis_title(scale: &IntervalScale) -> String {
    let unit = scale.unit.axis(1.0).0;
    let ends = (scale.ticks[0], scale.ticks[scale.ticks.len() - 1]);
    let of = |value: f64| digits(value / scale.divisor);
    let margin = scale.margin.map_or(String::new(), |margin| format!(", margin at {}", of(margin)));
    format!("Scale from {} to {} {unit}{margin}", of(ends.0), of(ends.1))
}
