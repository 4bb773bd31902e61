//! Limits against guessing redemption codes: time windows, and how many foreign codes are allowed.
//!
//! **Invariant:** a window begins at a multiple of its length since 1970, so all processes count in
//! the same window.

use crate::time::Timestamp;

/// Window in which wrong codes from an address are counted: ten minutes.
pub const ADDRESS_WINDOW: AttemptWindow = AttemptWindow { seconds: 600 };

/// Window in which redemptions of a campaign are counted: one minute.
pub const CAMPAIGN_WINDOW: AttemptWindow = AttemptWindow { seconds: 60 };

/// Codes of other clients, named by a client's files in a day, above which an alert is raised: more
/// than chance explains.
pub const SUSPICIOUS_FOREIGN_CODES_PER_DAY: u64 = 10;

/// Codes of other clients after which a client registers no more codes from files that day: they
/// could be guesses.
pub const MAX_FOREIGN_CODES_PER_DAY: u64 = 100;

/// A time window in which events are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptWindow {
    /// Length in seconds.
    pub seconds: u32,
}

impl AttemptWindow {
    /// Returns the number of the window that contains an instant.
    pub fn number(self, at: Timestamp) -> i64 {
        at.millis() / 1_000 / i64::from(self.seconds)
    }

    /// Returns the seconds that are left of the window at an instant: 1 to its length.
    pub fn seconds_left(self, at: Timestamp) -> u32 {
        let gone = (at.millis() / 1_000).rem_euclid(i64::from(self.seconds));
        u32::try_from(i64::from(self.seconds) - gone).unwrap_or(self.seconds)
    }
}
