//! Bounds for guessing redemption codes: windows of time, and how many codes of others a client may name.
//!
//! **Invariant:** a window begins at a multiple of its length since 1970, so every process counts in the same one.

use crate::time::Timestamp;

/// Over how long wrong codes of an address are counted: ten minutes.
pub const ADDRESS_WINDOW: AttemptWindow = AttemptWindow { seconds: 600 };

/// Over how long redemptions of a campaign are counted: a minute.
pub const CAMPAIGN_WINDOW: AttemptWindow = AttemptWindow { seconds: 60 };

/// More codes of other clients than this, named by a client's files in a day, are more than chance: an alert.
pub const SUSPICIOUS_FOREIGN_CODES_PER_DAY: u64 = 10;

/// After so many, a client registers no more codes from files that day: they could be guesses.
pub const MAX_FOREIGN_CODES_PER_DAY: u64 = 100;

/// A span of time over which something is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptWindow {
    /// Its length.
    pub seconds: u32,
}

impl AttemptWindow {
    /// The number of the window that an instant falls in.
    pub fn number(self, at: Timestamp) -> i64 {
        at.millis() / 1_000 / i64::from(self.seconds)
    }

    /// How many seconds of the window are left at an instant: 1 to its length.
    pub fn seconds_left(self, at: Timestamp) -> u32 {
        let gone = (at.millis() / 1_000).rem_euclid(i64::from(self.seconds));
        u32::try_from(i64::from(self.seconds) - gone).unwrap_or(self.seconds)
    }
}
