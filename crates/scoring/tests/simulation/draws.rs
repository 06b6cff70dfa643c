//! Random numbers of the distributions that the simulated fleets need.

/// A seeded generator.
pub struct Draws(fastrand::Rng);

impl Draws {
    pub fn seeded(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// In `[0, 1[`.
    pub fn uniform(&mut self) -> f64 {
        self.0.f64()
    }

    pub fn whole(&mut self, least: u64, most: u64) -> u64 {
        self.0.u64(least..=most)
    }

    /// Standard normal (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Gamma of this shape, scale 1 (Marsaglia and Tsang 2000).
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let smaller = (1.0 - self.uniform()).powf(1.0 / shape);
            return self.gamma(shape + 1.0) * smaller;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.uniform()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// A rate in `[0, 1]` of this mean; the variance is `correlation * mean * (1 - mean)`, which makes `correlation` the
    /// correlation of two words of one device.
    pub fn rate(&mut self, mean: f64, correlation: f64) -> f64 {
        if mean <= 0.0 {
            return 0.0;
        }
        let strength = (1.0 - correlation) / correlation;
        let (x, y) = (self.gamma(mean * strength), self.gamma((1.0 - mean) * strength));
        // Both may be too small for a double where the shape is.
        if x + y > 0.0 { x / (x + y) } else { f64::from(u8::from(self.uniform() < mean)) }
    }

    /// How many of `trials` happen, each with this probability.
    pub fn binomial(&mut self, trials: u64, probability: f64) -> u64 {
        (0..trials).filter(|_| self.uniform() < probability).count() as u64
    }
}
