use super::scale::{round_ticks, time_ticks};
use super::*;
use crate::pages::figure::Unit;
use crate::pages::{Estimate, Metric, MetricSeries, OutcomePoint, Point};

const SPAN: &Span = &Span { from_unix_ms: 0, to_unix_ms: 600_000, step_ms: 60_000 };

fn point(minute: u64, value: f64) -> Point {
    Point {
        at_unix_ms: minute * 60_000,
        low: Some(value),
        middle: Some(value * 2.0),
        high: Some(value * 3.0),
        count: 4,
    }
}

fn series(points: Vec<Point>) -> MetricSeries {
    MetricSeries { metric: Metric::Recognize, overall: point(0, 100.0), points }
}

fn occurrences(svg: &Svg, part: &str) -> usize {
    svg.to_string().matches(part).count()
}

#[test]
fn ticks_are_round_and_enclose_the_values() {
    let near = |ticks: Vec<f64>, expected: &[f64]| {
        assert_eq!(ticks.len(), expected.len(), "{ticks:?}");
        assert!(ticks.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{ticks:?}");
    };
    near(round_ticks(0.0, 1870.0, 4), &[0.0, 500.0, 1000.0, 1500.0, 2000.0]);
    near(round_ticks(-0.013, 0.013, 4), &[-0.02, -0.01, 0.0, 0.01, 0.02]);
    near(round_ticks(3.0, 3.0, 4), &[2.5, 3.0, 3.5]);
    assert!(round_ticks(-1e300, -1e300, 4).iter().all(|tick| tick.is_finite()));
    assert!(round_ticks(1e300, 1e300 * 1.1, 4).iter().all(|tick| tick.is_finite()));
}

#[test]
fn times_on_the_axis_are_round_and_midnight_is_a_date() {
    let day = time_ticks(1_772_323_200_000, 1_772_323_200_000 + 86_400_000, 5);
    let labels: Vec<_> = day.iter().map(|(_, label)| label.as_str()).collect();
    assert_eq!(labels, ["03-01", "06:00", "12:00", "18:00", "03-02"]);
    let month = time_ticks(1_772_323_200_000, 1_772_323_200_000 + 30 * 86_400_000, 5);
    assert!(month.len() <= 6 && month.iter().all(|(_, label)| label.contains('-')));
}

#[test]
fn a_missing_bucket_and_a_missing_value_are_gaps() {
    let whole = band(&series((0..9).map(|n| point(n, 100.0)).collect()), SPAN);
    assert_eq!(occurrences(&whole, "class=\"middle\""), 1);
    let left_out = band(&series([0, 1, 2, 5, 6].map(|n| point(n, 100.0)).into()), SPAN);
    assert_eq!(occurrences(&left_out, "class=\"middle\""), 2);
    let mut points: Vec<_> = (0..9).map(|n| point(n, 100.0)).collect();
    points[3].middle = None;
    points[6].middle = Some(f64::NAN);
    let unknown = band(&series(points), SPAN);
    assert_eq!(occurrences(&unknown, "class=\"middle\""), 3);
}

#[test]
fn a_bucket_by_itself_is_as_wide_as_it_lasts() {
    let svg = band(&series(vec![point(5, 100.0)]), SPAN).to_string();
    let line = svg.split("class=\"middle\" d=\"").nth(1).unwrap().split('"').next().unwrap();
    // 308 px for ten minutes.
    assert_eq!(
        line.split(['M', 'L', ' ']).filter_map(|n| n.parse::<f64>().ok()).step_by(2).collect::<Vec<_>>(),
        [198.0, 228.8]
    );
}

#[test]
fn no_plot_has_a_coordinate_that_is_no_number() {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e308, -1e308, 0.0];
    let estimates: Vec<_> = odd.map(|value| Estimate { value, low: value, high: odd[5] }).into();
    let scale = IntervalScale::holding(&estimates, Unit::RatioDifference, Some(f64::NAN));
    let mut drawn: Vec<Svg> =
        estimates.iter().map(|estimate| interval(Some(estimate), &scale, "x")).collect();
    drawn.push(interval(None, &scale, "x"));
    drawn.push(interval_axis(&scale));
    drawn.push(sparkline(&odd.map(Some), "x"));
    drawn.push(sparkline(&[], "x"));
    drawn.push(band(&series(odd.iter().enumerate().map(|(n, v)| point(n as u64, *v)).collect()), SPAN));
    drawn.push(band(&series(vec![]), SPAN));
    drawn.push(shares(&[OutcomePoint::default()], SPAN));
    drawn.push(shares(&[], SPAN));
    for svg in drawn {
        let text = svg.to_string();
        let drawing = text.split("<title>").nth(1).unwrap().split("</title>").nth(1).unwrap();
        assert!(
            !drawing.contains("\"NaN") && !drawing.contains("inf\"") && !drawing.contains(" NaN"),
            "{text}"
        );
    }
}

#[test]
fn intervals_beyond_the_scale_are_cut_and_the_margin_is_drawn() {
    let known = Estimate { value: 0.004, low: -0.002, high: 0.011 };
    let scale = IntervalScale::holding([&known], Unit::RatioDifference, Some(0.01));
    let svg = interval(Some(&known), &scale, "WER difference");
    assert_eq!((occurrences(&svg, "class=\"margin\""), occurrences(&svg, "class=\"end\"")), (1, 2));
    let far = interval(Some(&Estimate { value: 0.0, low: -9.0, high: 9.0 }), &scale, "x");
    assert_eq!(occurrences(&far, "class=\"end\""), 0);
    assert!(svg.to_string().contains("WER difference: +0.4 (−0.2 to +1.1)"));
}

#[test]
fn an_estimate_without_an_interval_is_a_mark_that_looks_different() {
    let bare = Estimate { value: 0.1, low: f64::NAN, high: f64::NAN };
    let scale = IntervalScale::holding([&bare], Unit::Ratio, None);
    let svg = interval(Some(&bare), &scale, "Disagreement");
    let marks = ["bare", "value", "range"].map(|class| occurrences(&svg, &format!("class=\"{class}\"")));
    assert_eq!(marks, [1, 0, 0]);
    assert!(svg.to_string().contains("Disagreement: 10 %, without an interval"));
}

#[test]
fn shares_that_are_all_zero_are_drawn_from_zero_up() {
    let none = (0..3).map(|n| Point { high: None, low: None, ..point(n, 0.0) }).collect();
    let shares = MetricSeries { metric: Metric::ErrorShare, ..series(none) };
    assert!(!band(&shares, SPAN).to_string().contains("−"));
}

#[test]
fn shares_of_a_column_fill_it() {
    let svg = shares(&[OutcomePoint { at_unix_ms: 0, counts: [6, 2, 0, 0, 2, 0] }], SPAN).to_string();
    let heights: f64 = svg
        .split("<rect ")
        .skip(1)
        .filter_map(|rect| rect.split("height=\"").nth(1)?.split('"').next()?.parse::<f64>().ok())
        .sum();
    assert!((heights - 138.0).abs() < 0.5, "{heights}");
}

#[test]
fn titles_are_escaped() {
    let svg = sparkline(&[], "<script>\"&").to_string();
    assert!(svg.contains("&lt;script&gt;&quot;&amp;") && !svg.contains("<script>"));
}
