//! What the benchmark queries look for, and how often it occurs.

/// One command in 40,000 records holds this.
pub const SUBSTRING: &str = "rm -rf /var";
/// One record in 800 names this file.
pub const TOKEN: &str = "prod-config";
/// One session in 500 comes from this network.
pub const NETWORK: &str = "203.0.113.";
/// One file in 2,000 is larger than this many bytes.
pub const LARGE_BYTES: u64 = 1_000_000_000;
/// Logins that fail, in percent; half of those are followed by one that succeeds within 300 seconds.
pub const FAILED_LOGINS_PERCENT: u32 = 8;
/// The user whose records are looked for: the tenth busiest of 50.
pub const USER: &str = "user_10";
