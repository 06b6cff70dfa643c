//! Quantiles of Student's t distribution, for degrees of freedom that need not be whole.

use std::f64::consts::FRAC_PI_2;

/// Above this the t distribution is the normal one to six digits of its quantiles.
const NORMAL_FROM: f64 = 1e6;

/// Steps of the integration. With Simpson's rule the error is below 1e-9 from one degree of freedom up.
const STEPS: usize = 4_000;

/// The value that a variable of Student's t distribution with `degrees` degrees of freedom (1 or more) exceeds
/// with probability `tail` in `]0, 0.5]`.
///
/// Under `t = sqrt(degrees) tan(a)` the density is in proportion to `cos(a)^(degrees - 1)`, so the area is a plain
/// integral over a bounded angle and its norm another one: no gamma function.
pub(super) fn student_quantile(degrees: f64, tail: f64) -> f64 {
    let degrees = degrees.clamp(1.0, NORMAL_FROM);
    // Beyond 12 standard deviations there is nothing left to add.
    let end = if degrees > 60.0 { (12.0 / degrees.sqrt()).min(FRAC_PI_2) } else { FRAC_PI_2 };
    let step = end / STEPS as f64;
    let density = |angle: f64| angle.cos().max(0.0).powf(degrees - 1.0);
    // Area from 0 to the end of each step, by Simpson's rule within the step.
    let mut areas = Vec::with_capacity(STEPS + 1);
    let mut area = 0.0;
    areas.push(area);
    for number in 0..STEPS {
        let start = number as f64 * step;
        area += step / 6.0 * (density(start) + 4.0 * density(start + step / 2.0) + density(start + step));
        areas.push(area);
    }
    let wanted = area * (1.0 - 2.0 * tail).max(0.0);
    let number = areas.partition_point(|area| *area < wanted).clamp(1, STEPS) - 1;
    let start = number as f64 * step;
    // Within a step the density is all but constant; two more rounds of Newton's method make up for the rest.
    let mut angle = start;
    for _ in 0..3 {
        let reached = areas[number]
            + (angle - start) / 6.0
                * (density(start) + 4.0 * density((start + angle) / 2.0) + density(angle));
        angle = (angle + (wanted - reached) / density(angle).max(f64::MIN_POSITIVE)).clamp(0.0, end);
    }
    degrees.sqrt() * angle.tan()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each value is `scipy.stats.t.isf(tail, degrees)`.
    #[test]
    fn quantiles_equal_the_reference() {
        let expected = [
            (1.0, 0.025, 12.706204736174705),
            (2.0, 0.05, 2.9199855803537256),
            (4.0, 0.025, 2.7764451051977943),
            (4.7, 0.025, 2.6207260753531707),
            (9.0, 0.005, 3.2498355415921263),
            (19.0, 0.025, 2.09302405440831),
            (63.5, 0.025, 1.998032648052293),
            (199.0, 0.025, 1.9719565442517537),
            (5_000.0, 0.1, 1.2817209053357181),
        ];
        for (degrees, tail, value) in expected {
            let ours = student_quantile(degrees, tail);
            assert!((ours - value).abs() < 1e-6 * value, "{degrees} {tail}: {ours}, not {value}");
        }
    }

    #[test]
    fn half_the_mass_is_below_zero_and_many_degrees_are_normal() {
        assert!(student_quantile(7.0, 0.5).abs() < 1e-9);
        assert!((student_quantile(1e9, 0.025) - 1.959_964).abs() < 1e-5);
    }
}
