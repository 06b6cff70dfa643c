//! Shares of a whole over time, one column a bucket. A bucket without anything is a gap.

use super::scale::{Scale, time_ticks};
use super::{Anchor, Drawing, Span, Svg};
use crate::pages::OutcomePoint;
use crate::pages::figure::Unit;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 170.0;
const LEFT: f64 = 44.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 22.0;

/// Draws outcomes, the first of [`OutcomePoint::NAMES`] at the bottom, in the classes `share-0` to `share-5`.
pub fn shares(points: &[OutcomePoint], span: &Span) -> Svg {
    let totals = |outcome: usize| points.iter().map(|point| point.counts[outcome]).sum::<u64>();
    let all: u64 = (0..OutcomePoint::NAMES.len()).map(totals).sum();
    let told: Vec<String> = OutcomePoint::NAMES
        .iter()
        .enumerate()
        .map(|(outcome, name)| {
            let share = (all > 0).then(|| totals(outcome) as f64 / all as f64);
            format!("{name} {}", Unit::Ratio.show(share))
        })
        .collect();
    let description = format!("Over the whole range: {}.", told.join(", "));
    let mut drawing = Drawing::image("shares", WIDTH, HEIGHT, "Outcomes, share of utterances", &description);
    let x = Scale::new(span.from_unix_ms as f64, span.to_unix_ms as f64, LEFT, WIDTH - RIGHT);
    let y = Scale::new(0.0, 1.0, HEIGHT - BOTTOM, TOP);
    for (share, label) in [(0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")] {
        drawing.line("grid", (LEFT, y.at(share)), (WIDTH - RIGHT, y.at(share)));
        drawing.text("tick", (LEFT - 5.0, y.at(share) + 4.0), Anchor::End, label);
    }
    for point in points {
        column(&mut drawing, point, x, y, span.step_ms);
    }
    for (time, label) in time_ticks(span.from_unix_ms, span.to_unix_ms, 6) {
        let at = x.at(time as f64);
        drawing.line("tick", (at, HEIGHT - BOTTOM), (at, HEIGHT - BOTTOM + 4.0));
        if (LEFT + 8.0..WIDTH - 14.0).contains(&at) {
            drawing.text("tick", (at, HEIGHT - 5.0), Anchor::Middle, &label);
        }
    }
    drawing.line("axis", (LEFT, HEIGHT - BOTTOM), (WIDTH - RIGHT, HEIGHT - BOTTOM));
    if all == 0 {
        drawing.text("none", (WIDTH / 2.0, HEIGHT / 2.0), Anchor::Middle, "no utterances");
    }
    drawing.finish()
}

fn column(drawing: &mut Drawing, point: &OutcomePoint, x: Scale, y: Scale, step_ms: u64) {
    let total: u64 = point.counts.iter().sum();
    let begin = point.at_unix_ms as f64;
    let (left, right) = (x.at(begin), x.at(begin + step_ms as f64));
    let width = (right - left - 1.0).max(0.8);
    if total == 0 || right <= left {
        return;
    }
    let mut below = 0;
    for (outcome, count) in point.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let (bottom, top) = (y.at(below as f64 / total as f64), y.at((below + count) as f64 / total as f64));
        drawing.rect(&format!("share-{outcome}"), (left, top), (width, bottom - top));
        below += count;
    }
}
