//! The rules that a deployment can configure, with the contract's defaults.
//!
//! **Invariant:** a policy has at least one tier; the lowest starts at zero, and tiers and their
//! thresholds rise strictly.

use crate::currency::Currency;
use crate::money::Money;
use crate::parse::ParseError;
use crate::time::{Date, plus_days};

/// A loyalty tier, determined by the wallet's balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// The lowest tier.
    Bronze,
    /// The second tier.
    Silver,
    /// The third tier.
    Gold,
    /// The highest tier.
    Platinum,
}

impl Tier {
    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bronze => "BRONZE",
            Self::Silver => "SILVER",
            Self::Gold => "GOLD",
            Self::Platinum => "PLATINUM",
        }
    }
}

/// The rule of one tier.
#[derive(Clone, Debug)]
pub struct TierRule {
    /// The tier.
    pub tier: Tier,
    /// The lowest balance of the tier, in major units.
    pub from: Money,
    /// Default lifetime of new credit in days; `None` if it never expires.
    pub expiry_days: Option<u32>,
    /// Benefits shown to the customer.
    pub benefits: Vec<String>,
}

/// The rules of one deployment.
#[derive(Clone, Debug)]
pub struct Policy {
    currency: Currency,
    tiers: Vec<TierRule>,
    refund_grace_days: u32,
}

impl Policy {
    /// Creates a policy; fails unless the tiers start at zero and rise strictly.
    pub fn try_new(
        currency: Currency,
        tiers: Vec<TierRule>,
        refund_grace_days: u32,
    ) -> Result<Self, ParseError> {
        let rising = tiers
            .iter()
            .zip(tiers.iter().skip(1))
            .all(|(low, high)| low.tier < high.tier && low.from < high.from);
        if !rising || tiers.first().is_none_or(|lowest| !lowest.from.is_zero()) {
            return Err(ParseError("tiers must start at zero and rise strictly"));
        }
        Ok(Self { currency, tiers, refund_grace_days })
    }

    /// Returns the contract's defaults (section 2, "Tiers by balance") in a currency. Refunds of
    /// expired credit can be spent for 30 days.
    pub fn standard(currency: Currency) -> Result<Self, ParseError> {
        let rule = |tier, from: i64, expiry_days, benefits: &[&str]| {
            Ok(TierRule {
                tier,
                from: Money::try_new(from.into())?,
                expiry_days,
                benefits: benefits.iter().map(|&b| b.to_owned()).collect(),
            })
        };
        let tiers = vec![
            rule(Tier::Bronze, 0, Some(365), &["Credits live 365 days", "Standard support"])?,
            rule(Tier::Silver, 1_000, Some(730), &["Credits live 730 days", "Priority support"])?,
            rule(
                Tier::Gold,
                5_000,
                Some(1_095),
                &["Credits live 1095 days", "Priority support", "Early access to offers"],
            )?,
            rule(
                Tier::Platinum,
                10_000,
                None,
                &["Credits never expire", "Dedicated support", "Early access to offers"],
            )?,
        ];
        Self::try_new(currency, tiers, 30)
    }

    /// Returns the same policy with another lifetime for refunds of expired credit.
    pub fn with_refund_grace_days(self, days: u32) -> Self {
        Self { refund_grace_days: days, ..self }
    }

    /// Returns the deployment's default currency.
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// Returns the rule of the tier for a balance.
    pub fn tier(&self, balance: Money) -> Option<&TierRule> {
        self.tiers.iter().rev().find(|rule| rule.from <= balance)
    }

    /// Returns the rule of the next tier above a balance; `None` in the highest tier.
    pub fn next_tier(&self, balance: Money) -> Option<&TierRule> {
        self.tiers.iter().find(|rule| rule.from > balance)
    }

    /// Returns the last date of credit granted today to a wallet with this balance; `None` if it
    /// never expires.
    pub fn default_expiry(&self, balance: Money, today: Date) -> Option<Date> {
        plus_days(today, self.tier(balance)?.expiry_days?)
    }

    /// Returns the last date of a refund granted today for credit whose own date has passed.
    pub fn refund_expiry(&self, today: Date) -> Option<Date> {
        plus_days(today, self.refund_grace_days)
    }
}
