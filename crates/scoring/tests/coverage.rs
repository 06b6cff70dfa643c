//! Intervals and verdicts held to simulated fleets with a known truth. Seeds are fixed, so a run is the same every time;
//! what is allowed beyond the promise is what chance does in five of a thousand runs. `EARWITNESS_SIMULATED_FLEETS=10000`
//! makes the same checks on more fleets; `cargo run -p earwitness-scoring --example coverage` prints the table.

mod simulation;

use earwitness_scoring::fleet::{ClusterSums, RatioInterval, effective_clusters, ratio_interval};
use simulation::*;

/// Fleets for each scenario.
fn fleets() -> u64 {
    let wanted = std::env::var("EARWITNESS_SIMULATED_FLEETS");
    wanted.map_or(700, |fleets| fleets.parse().expect("EARWITNESS_SIMULATED_FLEETS is a number"))
}

#[test]
fn intervals_of_95_percent_hold_the_truth_in_93_to_97_percent_of_fleets() {
    let scenarios = Scenario::grid();
    let results = in_parallel(&scenarios, |scenario| coverage(scenario, fleets()));
    let mut off = Vec::new();
    for (scenario, result) in scenarios.iter().zip(results) {
        if !result.as_promised() {
            off.push(format!("{}: {:.3} of {}", scenario.name(), result.share(), result.given()));
        }
        // With 10 unequal devices one may have so much that no interval is given; otherwise there must be one.
        let least = if scenario.devices == 10 { fleets() * 3 / 4 } else { fleets() * 95 / 100 };
        assert!(result.given() >= least, "{}: {} given", scenario.name(), result.given());
    }
    assert!(off.is_empty(), "{}", off.join("\n"));
}

/// The check has teeth: the usual interval, percentiles over resampled devices, does not pass it.
#[test]
fn the_plain_percentile_interval_would_not_pass() {
    let scenario = Scenario {
        question: Question::Rate,
        devices: 10,
        unequal: true,
        wer: 0.05,
        correlation: 0.02,
        silent: 0.0,
    };
    let percentile = |devices: &[ClusterSums], seed: u64| {
        let interval = ratio_interval(devices, &options(seed))?;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut rates: Vec<f64> = (0..500)
            .map(|_| {
                let draw = (0..devices.len()).map(|_| devices[random.usize(..devices.len())]);
                let sums: ClusterSums = draw.sum();
                sums.numerator / sums.denominator
            })
            .collect();
        rates.sort_unstable_by(f64::total_cmp);
        Ok(RatioInterval { low: rates[12], high: rates[487], ..interval })
    };
    let result = coverage_of(&scenario, fleets(), percentile);
    assert!(!result.as_promised() && result.share() < 0.9, "{result:?}");
    assert!(coverage(&scenario, fleets()).as_promised());
}

#[test]
fn ratios_of_latency_percentiles_hold_the_truth_too() {
    let scenarios: Vec<_> = [10, 20, 50]
        .into_iter()
        .flat_map(|devices| [false, true].map(|unequal| (devices, unequal)))
        .flat_map(|(devices, unequal)| [0.5, 0.95].map(|share| LatencyScenario { devices, unequal, share }))
        .collect();
    let results = in_parallel(&scenarios, |scenario| scenario.coverage(fleets() / 2));
    for (scenario, result) in scenarios.iter().zip(results) {
        assert!(result.as_promised(), "{}: {:.3}", scenario.name(), result.share());
    }
}

/// Worse by exactly the margin, "better" and "not worse" are both wrong.
#[test]
fn a_recognizer_that_is_worse_by_the_margin_passes_in_at_most_5_percent_of_fleets() {
    let margin_points = 1.0;
    let scenarios: Vec<_> = Scenario::grid()
        .into_iter()
        .filter(|scenario| scenario.question != Question::Rate)
        .map(|scenario| Scenario { question: Question::Difference(margin_points / 100.0), ..scenario })
        .collect();
    let results = in_parallel(&scenarios, |scenario| verdicts(scenario, margin_points, fleets()));
    for (scenario, [better, not_worse, _, _]) in scenarios.iter().zip(results) {
        let wrong = (better + not_worse) as f64 / fleets() as f64;
        // One-sided, five in a thousand.
        let slack = 2.58 * (0.05 * 0.95 / fleets() as f64).sqrt();
        assert!(wrong <= 0.05 + slack, "{}: {wrong}", scenario.name());
    }
}

#[test]
fn with_enough_devices_each_truth_gets_its_verdict() {
    let fleet = |difference: f64| Scenario {
        question: Question::Difference(difference),
        devices: 200,
        unequal: true,
        wer: 0.05,
        correlation: 0.02,
        silent: 0.0,
    };
    let share = |difference: f64, place: usize| verdicts(&fleet(difference), 1.0, 200)[place] as f64 / 200.0;
    assert!(share(-0.02, 0) > 0.8);
    assert!(share(0.0, 1) > 0.8);
    assert!(share(0.03, 2) > 0.8);
}

/// Over many samples of one fleet the weighted difference is the true one, and the plain one is not.
#[test]
fn weighted_references_are_unbiased_and_plain_ones_are_not() {
    let population = Population::draw(30, 200, 1);
    let design = population.design(300.0);
    let keys: Vec<u64> = (0..fleets().min(2_000)).collect();
    let samples = in_parallel(&keys, |key| {
        let (adjudication, plain) = heard(&population, &design, *key);
        let sums: ClusterSums = adjudication.difference().sums().into_iter().sum();
        (sums.numerator / sums.denominator, plain, adjudication.references() as f64)
    });
    let moments = |values: &dyn Fn(&(f64, f64, f64)) -> f64| {
        let count = samples.len() as f64;
        let mean = samples.iter().map(values).sum::<f64>() / count;
        let variance = samples.iter().map(|sample| (values(sample) - mean).powi(2)).sum::<f64>() / count;
        (mean, (variance / count).sqrt())
    };
    let (weighted, error) = moments(&|sample| sample.0);
    let truth = population.truth();
    assert!((weighted - truth).abs() < 3.5 * error, "{weighted} for {truth}, give or take {error}");
    assert!(error < 0.01 * truth.abs(), "{error}");
    let (plain, error) = moments(&|sample| sample.1);
    assert!((plain - truth).abs() > 50.0 * error, "{plain} for {truth}");
    let (references, _) = moments(&|sample| sample.2);
    assert!((references - 300.0).abs() < 10.0, "{references}");
}

/// Chance picks the devices and the utterances, and the interval knows of both.
#[test]
fn intervals_from_sampled_references_hold_the_truth() {
    // Means of the rates that `Population::draw` uses; sizes and rates are independent.
    let truth = 0.02 - 0.03;
    let seeds: Vec<u64> = (0..fleets().min(2_000)).collect();
    let intervals = in_parallel(&seeds, |seed| {
        let population = Population::draw(30, 100, 50 + seed);
        let (adjudication, _) = heard(&population, &population.design(300.0), *seed);
        ratio_interval(&adjudication.difference().sums(), &options(*seed))
    });
    let mut result = Coverage::default();
    intervals.into_iter().for_each(|interval| result.count(interval, truth));
    assert!(result.as_promised(), "{result:?} {:.3}", result.share());
}

#[test]
fn unequal_fleets_are_worth_fewer_devices() {
    let scenario = Scenario { unequal: true, devices: 200, ..Scenario::grid()[0] };
    let fleet = scenario.draw(&mut Draws::seeded(1));
    let effective = effective_clusters(&fleet);
    assert!((70.0..150.0).contains(&effective), "{effective}");
}
