//! What referrals give.
//!
//! **Invariant:** a version of the program never changes, and the credit of a referral follows the newest one.

use crate::actor::PerformedBy;
use crate::money::Money;
use crate::parse::ParseError;
use crate::time::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// A version of the referral program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferralProgram {
    /// The version, from 1.
    pub version: u32,
    /// What the referrer gets; above zero, in the deployment's currency.
    pub referrer_bonus: Money,
    /// What the referred customer gets; may be nothing.
    pub referred_bonus: Money,
    /// For how many days the credit can be spent.
    pub expiry_days: u32,
    /// How many customers one customer can refer; `None` for no limit.
    pub max_per_referrer: Option<u64>,
    /// When it was made, and by whom; `None` for the defaults.
    pub made: Option<(Timestamp, PerformedBy)>,
}

/// A change of the program; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ReferralProgramChange {
    /// See [`ReferralProgram`], as all that follow.
    pub referrer_bonus: Option<Money>,
    /// What the referred customer gets.
    pub referred_bonus: Option<Money>,
    /// For how many days the credit can be spent.
    pub expiry_days: Option<u32>,
    /// How many customers one customer can refer; `Some(None)` for no limit.
    pub max_per_referrer: Option<Option<u64>>,
}

impl ReferralProgram {
    /// Returns version 1.
    pub fn standard() -> Result<Self, ParseError> {
        Ok(Self {
            version: 1,
            referrer_bonus: Money::try_new(Decimal::ONE_HUNDRED)?,
            referred_bonus: Money::try_new(Decimal::from(50))?,
            expiry_days: 365,
            max_per_referrer: None,
            made: None,
        })
    }

    /// Returns the next version.
    pub fn changed(&self, change: &ReferralProgramChange, made: (Timestamp, PerformedBy)) -> Self {
        Self {
            version: self.version.saturating_add(1),
            referrer_bonus: change.referrer_bonus.unwrap_or(self.referrer_bonus),
            referred_bonus: change.referred_bonus.unwrap_or(self.referred_bonus),
            expiry_days: change.expiry_days.unwrap_or(self.expiry_days),
            max_per_referrer: change.max_per_referrer.unwrap_or(self.max_per_referrer),
            made: Some(made),
        }
    }
}
