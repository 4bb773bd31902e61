//! Lots: the credit of an account, grouped by the date until which it can be spent, and by class.
//!
//! **Invariant:** lots are in burn order (earliest date first, never-expiring last; within a date
//! promotional before refund before paid), no two have the same date and class, none is empty, and
//! there are at most 100.

use crate::fingerprint::fingerprint_by_word;
use crate::money::Money;
use crate::parse::ParseError;
use crate::primitives::serde_text::serde_by_text;
use crate::time::{Date, days_until};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// The maximum number of lots of an account; beyond it, neighbouring dates are merged in the
/// customer's favor.
pub const MAX_LOTS: usize = 100;

/// The source of credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CreditSource {
    /// Bought by the customer.
    Purchase,
    /// Granted for referring another customer.
    Referral,
    /// Granted by a promotional campaign.
    Promotion,
    /// Granted as a loyalty reward.
    Loyalty,
    /// Returned by a refund.
    Refund,
    /// Added manually.
    Manual,
    /// Paid through a gateway; reserved for captured payments.
    Topup,
}

impl CreditSource {
    /// Every source, in the contract's order.
    pub const ALL: [Self; 7] = [
        Self::Purchase,
        Self::Referral,
        Self::Promotion,
        Self::Loyalty,
        Self::Refund,
        Self::Manual,
        Self::Topup,
    ];

    /// Parses the contract's word.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::ALL
            .into_iter()
            .find(|source| source.as_str() == text)
            .ok_or(ParseError("must be one of purchase, referral, promotion, loyalty, refund, manual, topup"))
    }

    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::Referral => "referral",
            Self::Promotion => "promotion",
            Self::Loyalty => "loyalty",
            Self::Refund => "refund",
            Self::Manual => "manual",
            Self::Topup => "topup",
        }
    }

    /// Returns the class of lot to which credit from this source belongs.
    pub fn class(self) -> LotClass {
        match self {
            Self::Purchase | Self::Manual | Self::Topup => LotClass::Paid,
            Self::Referral | Self::Promotion | Self::Loyalty => LotClass::Promotional,
            Self::Refund => LotClass::Refund,
        }
    }
}

/// The class of credit in a lot; the order of the variants is the burn order within a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LotClass {
    /// Given away.
    Promotional,
    /// Returned after its date had passed, or added with the source `refund`; never extended again.
    Refund,
    /// Paid for, or added manually.
    Paid,
}

impl LotClass {
    /// Parses a stored class.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Ok(match text {
            "promotional" => Self::Promotional,
            "refund" => Self::Refund,
            "paid" => Self::Paid,
            _ => return Err(ParseError("is not a lot class")),
        })
    }

    /// Returns the stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Promotional => "promotional",
            Self::Refund => "refund",
            Self::Paid => "paid",
        }
    }
}

/// Credit with one date and class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lot {
    /// The last date on which it can be spent; `None` if it never expires.
    pub expires_on: Option<Date>,
    /// The class.
    pub class: LotClass,
    /// The source of the first credit in it; later credit with the same date and class joins it.
    pub source: CreditSource,
    /// In the account's unit.
    pub amount: Money,
}

impl Lot {
    /// Returns true if its date has passed.
    pub fn is_expired(&self, today: Date) -> bool {
        self.expires_on.is_some_and(|date| date < today)
    }

    /// Returns the key of the burn order; never-expiring lots come after every date.
    fn rank(&self) -> (bool, Option<Date>, LotClass) {
        (self.expires_on.is_none(), self.expires_on, self.class)
    }

    /// Returns the lot to which returned value goes: the same lot, or, if its date has passed and
    /// it has not been extended before, a refund lot that can be spent until `graced` (`None`:
    /// never expires).
    #[must_use]
    pub fn returned(self, today: Date, graced: Option<Date>) -> Self {
        if !self.is_expired(today) || self.class == LotClass::Refund {
            return self;
        }
        let source = CreditSource::Refund;
        Self { expires_on: graced, class: LotClass::Refund, source, amount: self.amount }
    }

    /// Returns the same credit with another amount.
    pub fn with_amount(&self, amount: Money) -> Self {
        Self { amount, ..self.clone() }
    }
}

/// The lots of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lots(Vec<Lot>);

impl Lots {
    /// Builds lots from stored ones: sorted, merged and limited to [`MAX_LOTS`]; `None` if a sum
    /// cannot be represented.
    pub fn new(lots: impl IntoIterator<Item = Lot>) -> Option<Self> {
        let mut all = Self::default();
        for lot in lots {
            all.add(&lot)?;
        }
        Some(all)
    }

    /// Returns the same credit in at most this many lots: neighbouring dates are merged in the customer's favor.
    #[must_use]
    pub fn at_most(mut self, most: usize) -> Self {
        while self.0.len() > most && self.merge_cheapest().is_some() {}
        self
    }

    /// Returns the next date on which credit expires, and how much expires.
    pub fn next_expiry(&self) -> Option<(Date, Money)> {
        let date = self.0.first()?.expires_on?;
        let expiring = self.0.iter().filter(|lot| lot.expires_on == Some(date));
        Some((date, expiring.map(|lot| lot.amount).sum()))
    }

    /// Returns the lots that have not expired, in burn order.
    pub fn alive(&self, today: Date) -> Vec<Lot> {
        self.0.iter().filter(|lot| !lot.is_expired(today)).cloned().collect()
    }

    /// Returns the lots that have not expired: that of this date and class first, then the others in burn order.
    pub fn alive_own_first(&self, today: Date, own: (Option<Date>, LotClass)) -> Vec<Lot> {
        let is_own = |lot: &Lot| (lot.expires_on, lot.class) == own;
        let (mut lots, others): (Vec<Lot>, Vec<Lot>) = self.alive(today).into_iter().partition(is_own);
        lots.extend(others);
        lots
    }

    /// Returns the lots in burn order.
    pub fn iter(&self) -> impl Iterator<Item = &Lot> {
        self.0.iter()
    }

    /// Returns the number of lots.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns true if there are no lots.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the sum of all lots.
    pub fn total(&self) -> Money {
        self.0.iter().map(|lot| lot.amount).sum()
    }

    /// Returns the lot that burns first.
    pub fn first(&self) -> Option<&Lot> {
        self.0.first()
    }

    /// Adds credit to its lot; `None` if the sum cannot be represented.
    pub fn add(&mut self, lot: &Lot) -> Option<()> {
        if lot.amount.is_zero() {
            return Some(());
        }
        match self.0.binary_search_by(|held| held.rank().cmp(&lot.rank())) {
            Ok(at) => {
                let held = self.0.get_mut(at)?;
                held.amount = held.amount.checked_add(lot.amount)?;
            }
            Err(at) => self.0.insert(at, lot.clone()),
        }
        while self.0.len() > MAX_LOTS {
            self.merge_cheapest()?;
        }
        Some(())
    }

    /// Removes exactly this credit; `None`, without a change, if the lot has less.
    pub fn remove(&mut self, lot: &Lot) -> Option<()> {
        let at = self.0.binary_search_by(|held| held.rank().cmp(&lot.rank())).ok()?;
        let held = self.0.get_mut(at)?;
        held.amount = held.amount.checked_sub(lot.amount)?;
        if held.amount.is_zero() {
            self.0.remove(at);
        }
        Some(())
    }

    /// Returns the lots that a debit of `amount` burns, in burn order; `None` if there is less.
    /// Changes nothing.
    pub fn burn(&self, amount: Money) -> Option<Vec<Lot>> {
        let (burned, rest) = split(&self.0, amount);
        rest.is_zero().then_some(burned)
    }

    /// Merges a lot into the next later one of its class: the lot for which this gives away the least
    /// value × days, and of equal ones the first in burn order. Never-expiring lots are not merged.
    fn merge_cheapest(&mut self) -> Option<()> {
        let mut last: BTreeMap<LotClass, (usize, Date, Money)> = BTreeMap::new();
        let mut cheapest: Option<(Decimal, usize, usize)> = None;
        for (at, lot) in self.0.iter().enumerate() {
            let Some(date) = lot.expires_on else { continue };
            if let Some((earlier, earlier_date, amount)) = last.insert(lot.class, (at, date, lot.amount)) {
                let days = Decimal::from(days_until(earlier_date, date));
                let given = amount.value().checked_mul(days).unwrap_or(Decimal::MAX);
                let pair = (given, earlier, at);
                cheapest = Some(cheapest.map_or(pair, |cheapest| cheapest.min(pair)));
            }
        }
        let (_, earlier, later) = cheapest?;
        let moved = self.0.get(earlier)?.amount;
        let target = self.0.get_mut(later)?;
        target.amount = target.amount.checked_add(moved)?;
        self.0.remove(earlier);
        Some(())
    }
}

/// Takes `amount` from the front of `lots`; returns what was taken and how much was missing.
pub fn split(lots: &[Lot], amount: Money) -> (Vec<Lot>, Money) {
    let mut missing = amount;
    let mut taken = Vec::new();
    for lot in lots {
        if missing.is_zero() {
            break;
        }
        let part = lot.amount.min(missing);
        missing = missing.saturating_sub(part);
        taken.push(lot.with_amount(part));
    }
    (taken, missing)
}

/// Returns what is left of `lots` after `amount` is taken from the front.
pub fn without_front(lots: &[Lot], amount: Money) -> Vec<Lot> {
    let mut missing = amount;
    let mut rest = Vec::new();
    for lot in lots {
        let part = lot.amount.min(missing);
        missing = missing.saturating_sub(part);
        let left = lot.amount.saturating_sub(part);
        if !left.is_zero() {
            rest.push(lot.with_amount(left));
        }
    }
    rest
}

fingerprint_by_word!(CreditSource);

serde_by_text! { CreditSource: |source| source.as_str().to_owned(), CreditSource::parse; }
