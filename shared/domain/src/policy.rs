//! The rules that a deployment may set, with the contract's defaults.
//!
//! **Invariant:** a policy always has a lowest tier that starts at zero, and tiers rise strictly.

use crate::currency::Currency;
use crate::money::Money;
use crate::parse::ParseError;
use crate::time::{Date, plus_days};

/// A step of the loyalty ladder; by the wallet's balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// The lowest.
    Bronze,
    /// The second.
    Silver,
    /// The third.
    Gold,
    /// The highest.
    Platinum,
}

impl Tier {
    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bronze => "BRONZE",
            Self::Silver => "SILVER",
            Self::Gold => "GOLD",
            Self::Platinum => "PLATINUM",
        }
    }
}

/// What a tier takes and gives.
#[derive(Clone, Debug)]
pub struct TierRule {
    /// Which tier.
    pub tier: Tier,
    /// The balance it starts at, in major units.
    pub from: Money,
    /// How long new credit lives by default; `None` for ever.
    pub expiry_days: Option<u32>,
    /// What is promised to the customer, as text.
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
    /// Takes the rules; tiers must start at zero and rise strictly.
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

    /// The contract's defaults (section 2, "Tiers by balance"; refunds live 30 days) in a currency.
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

    /// The same rules with another life for refunds whose date has passed.
    pub fn with_refund_grace_days(self, days: u32) -> Self {
        Self { refund_grace_days: days, ..self }
    }

    /// The deployment's default currency.
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// The rule of the tier that a balance is in.
    pub fn tier(&self, balance: Money) -> Option<&TierRule> {
        self.tiers.iter().rev().find(|rule| rule.from <= balance)
    }

    /// The next tier above a balance.
    pub fn next_tier(&self, balance: Money) -> Option<&TierRule> {
        self.tiers.iter().find(|rule| rule.from > balance)
    }

    /// The last date of credit granted today to a wallet with this balance; `None` for ever.
    pub fn default_expiry(&self, balance: Money, today: Date) -> Option<Date> {
        plus_days(today, self.tier(balance)?.expiry_days?)
    }

    /// The last date of a refund granted today whose own date has passed.
    pub fn refund_expiry(&self, today: Date) -> Option<Date> {
        plus_days(today, self.refund_grace_days)
    }
}
