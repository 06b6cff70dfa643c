//! Simulated fleets with a known truth: `tests/coverage.rs` holds the intervals to them, `examples/coverage.rs` prints
//! the table.

#![allow(dead_code, reason = "two programs use it, each a part")]

mod adjudicated;
mod draws;
mod latency;

pub use adjudicated::{Population, heard};
pub use draws::Draws;
use earwitness_scoring::fleet::{ClusterSums, IntervalOptions, Margin, NoInterval, RatioInterval, Verdict};
use earwitness_scoring::fleet::{ClusterTable, assess, ratio_interval};
pub use latency::LatencyScenario;

/// What is asked of the fleet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Question {
    /// Edits over words, as in disagreement: never negative, skewed.
    Rate,
    /// Difference of word error rates, B minus A, truly this much.
    Difference(f64),
}

/// A fleet. Utterances have 1 to 14 words, half of them are harder than the other half.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    pub question: Question,
    pub devices: usize,
    /// 40 utterances each, or log-normal around 40 with a standard deviation of 0.8 of the logarithm: the largest of 20
    /// devices then has some 4 times the mean, and 20 are worth about 11.
    pub unequal: bool,
    pub wer: f64,
    /// Of words within a device; see [`Draws::rate`].
    pub correlation: f64,
    /// Share of devices without any error of their own.
    pub silent: f64,
}

impl Scenario {
    /// The documented ones.
    pub fn grid() -> Vec<Self> {
        let mut all = Vec::new();
        for question in [Question::Rate, Question::Difference(0.0)] {
            for devices in [10, 20, 50, 200] {
                for unequal in [false, true] {
                    for (wer, correlation, silent) in
                        [(0.05, 0.02, 0.0), (0.05, 0.05, 0.3), (0.3, 0.02, 0.0), (0.3, 0.1, 0.0)]
                    {
                        all.push(Self { question, devices, unequal, wer, correlation, silent });
                    }
                }
            }
        }
        all
    }

    pub fn truth(&self) -> f64 {
        match self.question {
            Question::Rate => self.wer,
            Question::Difference(difference) => difference,
        }
    }

    pub fn name(&self) -> String {
        let question = if self.question == Question::Rate { "rate" } else { "difference" };
        let sizes = if self.unequal { "unequal" } else { "equal" };
        format!(
            "{question:<10} {:>3} devices {sizes:<7} WER {:>2.0} % correlation {:.2} silent {:>2.0} %",
            self.devices,
            self.wer * 100.0,
            self.correlation,
            self.silent * 100.0
        )
    }

    /// One fleet.
    pub fn draw(&self, draws: &mut Draws) -> Vec<ClusterSums> {
        (0..self.devices).map(|_| self.device(draws)).collect()
    }

    fn device(&self, draws: &mut Draws) -> ClusterSums {
        let spread = 0.8;
        let utterances = if self.unequal {
            (40.0 * (spread * draws.normal() - spread * spread / 2.0).exp()).round().max(1.0) as usize
        } else {
            40
        };
        let silent = draws.uniform() < self.silent;
        let mut rate = |mean: f64| {
            let rate = draws.rate(mean / (1.0 - self.silent), self.correlation);
            if silent { 0.0 } else { rate }
        };
        let (only_a, only_b) = match self.question {
            Question::Rate => (0.0, rate(self.wer)),
            // Of the errors, 60 % are of both and cancel.
            Question::Difference(difference) => (rate(0.4 * self.wer), rate(0.4 * self.wer + difference)),
        };
        let mut sums = ClusterSums::default();
        for _ in 0..utterances {
            let words = draws.whole(1, 14);
            let hard = if draws.uniform() < 0.5 { 0.8 } else { -0.8 };
            let errors = |draws: &mut Draws, rate: f64| {
                draws.binomial(words, rate + hard * rate * (1.0 - rate)) as f64
            };
            sums.numerator += errors(draws, only_b) - errors(draws, only_a);
            sums.denominator += words as f64;
        }
        sums
    }
}

/// How often intervals held the truth.
#[derive(Debug, Clone, Copy, Default)]
pub struct Coverage {
    pub fleets: u64,
    pub refused: u64,
    /// The truth was below the interval.
    pub below: u64,
    /// The truth was above.
    pub above: u64,
}

impl Coverage {
    pub fn given(&self) -> u64 {
        self.fleets - self.refused
    }

    pub fn share(&self) -> f64 {
        1.0 - (self.below + self.above) as f64 / self.given() as f64
    }

    pub fn count(&mut self, interval: Result<RatioInterval, NoInterval>, truth: f64) {
        self.fleets += 1;
        match interval {
            Err(_) => self.refused += 1,
            Ok(interval) if interval.low > truth => self.below += 1,
            Ok(interval) if interval.high < truth => self.above += 1,
            Ok(_) => {}
        }
    }

    /// Whether the share is one that intervals covering 93 to 97 % would give, but for five in a thousand.
    pub fn as_promised(&self) -> bool {
        let slack = |share: f64| 2.58 * (share * (1.0 - share) / self.given() as f64).sqrt();
        self.share() >= 0.93 - slack(0.93) && self.share() <= 0.97 + slack(0.97)
    }
}

pub fn options(seed: u64) -> IntervalOptions {
    IntervalOptions { resamples: 500, seed, ..IntervalOptions::default() }
}

/// Draws `fleets` fleets and makes `interval` of each.
pub fn coverage_of(
    scenario: &Scenario,
    fleets: u64,
    interval: impl Fn(&[ClusterSums], u64) -> Result<RatioInterval, NoInterval>,
) -> Coverage {
    let mut draws = Draws::seeded(1 + scenario.devices as u64);
    let mut coverage = Coverage::default();
    for fleet in 0..fleets {
        coverage.count(interval(&scenario.draw(&mut draws), fleet), scenario.truth());
    }
    coverage
}

/// [`coverage_of`] what the library gives.
pub fn coverage(scenario: &Scenario, fleets: u64) -> Coverage {
    coverage_of(scenario, fleets, |devices, seed| ratio_interval(devices, &options(seed)))
}

/// How many of `fleets` got each verdict: better, not worse, worse, inconclusive.
pub fn verdicts(scenario: &Scenario, margin_points: f64, fleets: u64) -> [u64; 4] {
    let mut draws = Draws::seeded(100 + scenario.devices as u64);
    let margin = Margin::percentage_points(margin_points).expect("a margin in range");
    let mut counts = [0; 4];
    for fleet in 0..fleets {
        let mut table = ClusterTable::default();
        for (number, sums) in scenario.draw(&mut draws).into_iter().enumerate() {
            table.add(&format!("{number:04}"), sums);
        }
        let place = match assess(&table, 0, margin, &options(fleet)).verdict {
            Verdict::Better => 0,
            Verdict::NotWorse { .. } => 1,
            Verdict::Worse => 2,
            Verdict::Inconclusive { .. } => 3,
        };
        counts[place] += 1;
    }
    counts
}

/// `work` on each of `items`, on as many threads as there are cores, in order.
pub fn in_parallel<I: Sync, O: Send>(items: &[I], work: impl Fn(&I) -> O + Sync) -> Vec<O> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = std::sync::atomic::AtomicUsize::new(0);
    let mut done: Vec<(usize, O)> = std::thread::scope(|scope| {
        let worker = || {
            let mut mine = Vec::new();
            loop {
                let place = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let Some(item) = items.get(place) else { return mine };
                mine.push((place, work(item)));
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker that ends")).collect()
    });
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, output)| output).collect()
}
