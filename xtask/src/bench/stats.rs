//! Samples of one measurement: sorted once, asked for percentiles.

/// Nanosecond samples.
pub(crate) struct Samples(Vec<u64>);

impl Samples {
    pub(crate) fn new(mut samples: Vec<u64>) -> Self {
        samples.sort_unstable();
        Self(samples)
    }

    /// Returns the sample below which `percent` of all lie.
    pub(crate) fn percentile(&self, percent: usize) -> u64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get(last * percent / 100).copied().unwrap_or(0)
    }

    pub(crate) fn p50(&self) -> u64 {
        self.percentile(50)
    }

    pub(crate) fn p99(&self) -> u64 {
        self.percentile(99)
    }
}

/// Writes nanoseconds as microseconds with one digit.
pub(crate) fn us(ns: u64) -> String {
    format!("{:.1} us", ns as f64 / 1000.0)
}

/// One line of a result: what, our figure, the bound or peer, the ratio and the target.
pub(crate) fn line(what: &str, ours: f64, other: f64, unit: &str, target: &str) {
    println!("{what:<58} {ours:>12.2} {unit:<9} beside {other:>12.2}   ratio {:>6.2}   target {target}", ours / other);
}

/// Returns the median of the ratios of two measurements that were taken in turn, pair by pair.
pub(crate) fn median_ratio(ours: &[u64], other: &[u64]) -> f64 {
    let mut ratios: Vec<f64> = ours.iter().zip(other).map(|(ours, other)| *ours as f64 / (*other).max(1) as f64).collect();
    ratios.sort_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
}
