//! Percentiles over time: lines, and the band between the outer two. Where nothing was measured there is a gap.

use super::scale::{Scale, round_ticks, time_ticks};
use super::{Anchor, Drawing, Span, Svg};
use crate::pages::figure::{Unit, digits};
use crate::pages::metric::{Metric, MetricSeries, Point, Spread};

const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 168.0;
const LEFT: f64 = 44.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 22.0;

/// Draws a metric. Points outside `span`, and values that are no number, are left out.
pub fn band(series: &MetricSeries, span: &Span) -> Svg {
    let span = *span;
    let metric = series.metric;
    let runs = runs(&series.points, span);
    let values = || runs.iter().flatten().flat_map(|point| [point.low, point.middle, point.high]).flatten();
    let description = describe(series, values());
    let mut drawing = Drawing::image("band", WIDTH, HEIGHT, metric.title(), &description);

    let x = Scale::new(span.from_unix_ms as f64, span.to_unix_ms as f64, LEFT, WIDTH - RIGHT);
    let (low, high) = extent(values(), metric);
    let (symbol, divisor) = metric.unit().axis(high.abs().max(low.abs()));
    let ticks = round_ticks(low / divisor, high / divisor, 4);
    let ends = (ticks[0] * divisor, ticks[ticks.len() - 1] * divisor);
    let y = Scale::new(ends.0, ends.1, HEIGHT - BOTTOM, TOP);

    axes(&mut drawing, x, y, &ticks, (divisor, symbol), span);
    for run in &runs {
        draw_run(&mut drawing, run, x, y, span.step_ms);
    }
    if runs.is_empty() {
        drawing.text(
            "none",
            ((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT / 2.0),
            Anchor::Middle,
            "nothing measured",
        );
    }
    drawing.finish()
}

/// Grid, labels of both axes, the unit above the y axis.
fn axes(
    drawing: &mut Drawing,
    x: Scale,
    y: Scale,
    ticks: &[f64],
    (divisor, symbol): (f64, &str),
    span: Span,
) {
    for tick in ticks {
        let at = y.at(tick * divisor);
        drawing.line("grid", (LEFT, at), (WIDTH - RIGHT, at));
        drawing.text("tick", (LEFT - 5.0, at + 4.0), Anchor::End, &digits(*tick));
    }
    let unit = if symbol.is_empty() { "count" } else { symbol };
    drawing.text("unit", (LEFT - 5.0, 10.0), Anchor::End, unit);
    for (time, label) in time_ticks(span.from_unix_ms, span.to_unix_ms, 5) {
        let at = x.at(time as f64);
        drawing.line("tick", (at, HEIGHT - BOTTOM), (at, HEIGHT - BOTTOM + 4.0));
        if (LEFT + 8.0..WIDTH - 14.0).contains(&at) {
            drawing.text("tick", (at, HEIGHT - 5.0), Anchor::Middle, &label);
        }
    }
    drawing.line("axis", (LEFT, HEIGHT - BOTTOM), (WIDTH - RIGHT, HEIGHT - BOTTOM));
}

fn draw_run(drawing: &mut Drawing, run: &[Point], x: Scale, y: Scale, step_ms: u64) {
    // A bucket stands at its middle; one by itself is as wide as it lasts.
    let place =
        |point: &Point, value: f64| (x.at(point.at_unix_ms as f64 + step_ms as f64 / 2.0), y.at(value));
    let line = |pick: fn(&Point) -> Option<f64>| -> Vec<(f64, f64)> {
        let mut points: Vec<_> =
            run.iter().filter_map(|point| pick(point).map(|value| place(point, value))).collect();
        if let ([(_, height)], [point]) = (points.as_slice(), run) {
            let (begin, height) = (point.at_unix_ms as f64, *height);
            points = vec![(x.at(begin), height), (x.at(begin + step_ms as f64), height)];
        }
        points
    };
    let (low, middle, high) = (line(|p| p.low), line(|p| p.middle), line(|p| p.high));
    if !low.is_empty() && !high.is_empty() {
        let outline: Vec<_> = high.iter().chain(low.iter().rev()).copied().collect();
        drawing.path("area", &outline, true);
    }
    for (class, points) in [("high", high), ("low", low), ("middle", middle)] {
        if !points.is_empty() {
            drawing.path(class, &points, false);
        }
    }
}

/// Points without a gap between them. A gap is a bucket without a value, or a bucket that is not there.
fn runs(points: &[Point], span: Span) -> Vec<Vec<Point>> {
    let number = |value: Option<f64>| value.filter(|value| value.is_finite());
    let mut runs: Vec<Vec<Point>> = Vec::new();
    let mut last_unix_ms = None;
    for point in points {
        let inside =
            (span.from_unix_ms.saturating_sub(span.step_ms)..=span.to_unix_ms).contains(&point.at_unix_ms);
        let [low, middle, high] = [point.low, point.middle, point.high].map(number);
        if !inside || middle.is_none() {
            last_unix_ms = None;
            continue;
        }
        let point = Point { low, middle, high, ..*point };
        let follows = last_unix_ms
            .is_some_and(|last| point.at_unix_ms.saturating_sub(last) <= span.step_ms + span.step_ms / 2);
        last_unix_ms = Some(point.at_unix_ms);
        match runs.last_mut() {
            Some(run) if follows => run.push(point),
            _ => runs.push(vec![point]),
        }
    }
    runs
}

/// Lowest and highest value to draw. What piles up at 0 is drawn from 0, and from 0 to 1 % or to 1 if it is nothing else.
fn extent(values: impl Iterator<Item = f64>, metric: Metric) -> (f64, f64) {
    let (low, high) = bounds(values);
    let least = if metric.unit() == Unit::Ratio { 0.01 } else { 1.0 };
    match (low <= high, metric.spread()) {
        (false, _) => (0.0, 1.0),
        (true, Spread::Centre) => (low, high),
        (true, _) if low == 0.0 && high == 0.0 => (0.0, least),
        (true, _) => (low.min(0.0), high.max(0.0)),
    }
}

/// Infinite and the wrong way round if there is no value.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

/// What a look at the plot would tell.
fn describe(series: &MetricSeries, values: impl Iterator<Item = f64>) -> String {
    let unit: Unit = series.metric.unit();
    let (low, high) = bounds(values);
    let names = series.metric.spread().labels();
    let overall = [series.overall.low, series.overall.middle, series.overall.high];
    let figures: Vec<String> = names
        .iter()
        .zip(overall)
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| format!("{name} {}", unit.show(value)))
        .collect();
    format!(
        "Over the whole range: {}. Drawn values lie between {} and {}. All values are in the table below.",
        figures.join(", "),
        unit.show(Some(low)),
        unit.show(Some(high))
    )
}
