//! Temporary.
use sketches_ddsketch::{Config, DDSketch};
/// x
#[derive(Clone)]
pub struct LatencySketch(DDSketch);
impl Default for LatencySketch { fn default() -> Self { Self(DDSketch::new(Config::new(0.01, 2048, 1e-9))) } }
impl std::fmt::Debug for LatencySketch { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("sketch") } }
impl LatencySketch {
    /// x
    pub fn add(&mut self, v: f64) { self.0.add(v); }
    /// x
    pub fn merge(&mut self, o: &Self) { let _ = self.0.merge(&o.0); }
    /// x
    pub fn quantile(&self, q: f64) -> Option<f64> { self.0.quantile(q).ok().flatten() }
    /// x
    pub fn count(&self) -> u64 { self.0.count() as u64 }
    /// x
    pub fn to_bytes(&self) -> Vec<u8> { self.0.to_java_bytes() }
    /// x
    pub fn from_bytes(b: &[u8]) -> Result<Self, String> { let _ = b; Err("temporary".into()) }
}
