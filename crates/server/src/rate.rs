//! How often: a bucket for each token. Time is an argument.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// 4,096 buckets: four times as many as there may be tokens; full ones are forgotten.
const BUCKETS_MAX: usize = 4_096;

/// Buckets that fill again with time.
#[derive(Debug)]
pub(crate) struct Rate {
    per_second: u32,
    burst: u32,
    left: HashMap<String, (f64, Instant)>,
}

impl Rate {
    /// Makes full buckets of `burst` that get `per_second` back.
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        Self { per_second, burst, left: HashMap::new() }
    }

    /// Takes one from the bucket of `name`; when it is empty, returns how long until there is one.
    pub(crate) fn take(&mut self, name: &str, now: Instant) -> Result<(), Duration> {
        if self.left.len() > BUCKETS_MAX {
            self.left.clear();
        }
        let (per_second, burst) = (f64::from(self.per_second), f64::from(self.burst));
        let (left, at) = self.left.entry(name.to_owned()).or_insert((burst, now));
        *left = (*left + now.duration_since(*at).as_secs_f64() * per_second).min(burst);
        *at = now;
        if *left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - *left) / per_second.max(0.001)));
        }
        *left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the server from one busy token: a burst is let through, then only as many as come back with time; others do not notice.
    #[test]
    fn a_bucket_empties_and_fills() {
        let mut rate = Rate::new(10, 3);
        let start = Instant::now();
        assert_eq!((0..3).filter(|_| rate.take("a", start).is_ok()).count(), 3);
        let wait = rate.take("a", start).expect_err("empty");
        assert!(wait <= Duration::from_millis(100));
        assert!(rate.take("b", start).is_ok());
        let later = start + wait + Duration::from_millis(1);
        assert!(rate.take("a", later).is_ok() && rate.take("a", later).is_err());
    }
}
