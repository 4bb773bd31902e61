//! Time windows of the limits against guessing redemption codes.
//!
//! **Invariant:** a window begins at a multiple of its length since 1970, so all processes count in
//! the same window.

use crate::time::Timestamp;

/// Window in which wrong codes from an address are counted: ten minutes.
pub const ADDRESS_WINDOW: AttemptWindow = AttemptWindow { seconds: 600 };

/// Window in which redemptions of a campaign are counted: one minute.
pub const CAMPAIGN_WINDOW: AttemptWindow = AttemptWindow { seconds: 60 };

/// Window in which wrong codes of a campaign and of all callers are counted: ten minutes.
pub const GUESSING_WINDOW: AttemptWindow = AttemptWindow { seconds: 600 };

/// Window in which tries of an address that are in progress are counted together: a try whose caller
/// has gone is forgotten when it ends. Half a minute, longer than any try takes.
pub const OPEN_TRIES_WINDOW: AttemptWindow = AttemptWindow { seconds: 30 };

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
