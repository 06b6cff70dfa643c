//! Prints how often intervals hold the truth and verdicts are wrong, by simulation:
//!
//! ```text
//! cargo run -p earwitness-scoring --example coverage -- 10000
//! ```

#![allow(clippy::print_stdout)]

#[path = "../tests/simulation/mod.rs"]
mod simulation;

use earwitness_scoring::fleet::{ClusterSums, ratio_interval};
use simulation::*;

fn main() {
    let fleets: u64 =
        std::env::args().nth(1).map_or(2_000, |count| count.parse().expect("a number of fleets"));
    println!("{fleets} fleets for each line; intervals of 95 %, 500 resamples\n");
    println!("{:<82} covered  below  above  refused", "interval");
    let line = |name: &str, result: &Coverage| {
        let share = |count: u64, of: u64| 100.0 * count as f64 / of.max(1) as f64;
        println!(
            "{name:<82} {:>6.1} % {:>6.1} {:>6.1} {:>6.1} %{}",
            100.0 * result.share(),
            share(result.below, result.given()),
            share(result.above, result.given()),
            share(result.refused, result.fleets),
            if result.as_promised() { "" } else { "  outside 93 to 97" }
        );
    };
    let mut scenarios = Scenario::grid();
    // Fewer than is documented, for what becomes of it.
    let few = scenarios.iter().filter(|scenario| scenario.devices == 10 && !scenario.unequal);
    let few: Vec<_> =
        few.flat_map(|scenario| [5, 7].map(|devices| Scenario { devices, ..*scenario })).collect();
    scenarios.extend(few);
    for (scenario, result) in scenarios.iter().zip(in_parallel(&scenarios, |s| coverage(s, fleets))) {
        line(&scenario.name(), &result);
    }
    let latency: Vec<_> = [(10, false), (10, true), (20, false), (20, true), (50, false), (50, true)]
        .into_iter()
        .flat_map(|(devices, unequal)| [0.5, 0.95].map(|share| LatencyScenario { devices, unequal, share }))
        .collect();
    for (scenario, result) in latency.iter().zip(in_parallel(&latency, |s| s.coverage(fleets / 2))) {
        line(&scenario.name(), &result);
    }

    println!("\n{:<82} better  not worse  worse  inconclusive", "truly worse by the margin of 1 point");
    let at_margin: Vec<_> = Scenario::grid()
        .into_iter()
        .filter(|scenario| scenario.question != Question::Rate)
        .map(|scenario| Scenario { question: Question::Difference(0.01), ..scenario })
        .collect();
    for (scenario, counts) in at_margin.iter().zip(in_parallel(&at_margin, |s| verdicts(s, 1.0, fleets))) {
        let [better, not_worse, worse, inconclusive] =
            counts.map(|count| 100.0 * count as f64 / fleets as f64);
        println!(
            "{:<82} {better:>4.1} % {not_worse:>8.1} % {worse:>4.1} % {inconclusive:>8.1} %",
            scenario.name()
        );
    }

    let population = Population::draw(30, 200, 1);
    let design = population.design(300.0);
    let keys: Vec<u64> = (0..fleets).collect();
    let samples = in_parallel(&keys, |key| {
        let (adjudication, plain) = heard(&population, &design, *key);
        let sums: ClusterSums = adjudication.difference().sums().into_iter().sum();
        (sums.numerator / sums.denominator, plain)
    });
    let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / fleets as f64;
    let weighted = mean(&mut samples.iter().map(|sample| sample.0));
    let spread = mean(&mut samples.iter().map(|sample| (sample.0 - weighted).powi(2))).sqrt();
    println!(
        "\ndifference from about 300 sampled references, points: true {:.3}",
        100.0 * population.truth()
    );
    println!(
        "  weighted {:.3} (standard error of this mean {:.4})",
        100.0 * weighted,
        100.0 * spread / (fleets as f64).sqrt()
    );
    println!("  plain    {:.3}", 100.0 * mean(&mut samples.iter().map(|sample| sample.1)));

    let mut result = Coverage::default();
    let intervals = in_parallel(&keys, |seed| {
        let population = Population::draw(30, 100, 50 + seed);
        let (adjudication, _) = heard(&population, &population.design(300.0), *seed);
        ratio_interval(&adjudication.difference().sums(), &options(*seed))
    });
    intervals.into_iter().for_each(|interval| result.count(interval, -0.01));
    line("  interval, 30 unequal devices", &result);
}
