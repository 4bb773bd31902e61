//! Lots: the credit of a wallet, by the date until which it can be spent.
//!
//! **Invariant:** lots are in burn order (soonest date first, never-expiring last; within a date promotional
//! before refund before paid), no two share date and class, none is empty, and there are at most 100.

use crate::fingerprint::as_worded;
use crate::money::Money;
use crate::parse::ParseError;
use crate::time::{Date, days_until};
use std::collections::BTreeMap;

/// How many lots a wallet keeps apart; beyond, neighbours merge in the customer's favour.
pub const MAX_LOTS: usize = 100;

/// Where credit came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CreditSource {
    /// Bought.
    Purchase,
    /// For bringing another customer.
    Referral,
    /// A campaign.
    Promotion,
    /// A reward.
    Loyalty,
    /// Given back.
    Refund,
    /// Booked by hand.
    Manual,
    /// Paid in through a gateway; reserved.
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

    /// Reads a source.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::ALL
            .into_iter()
            .find(|source| source.as_str() == text)
            .ok_or(ParseError("must be one of purchase, referral, promotion, loyalty, refund, manual, topup"))
    }

    /// The contract's word.
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

    /// The class of lot that credit of this source goes to.
    pub fn class(self) -> LotClass {
        match self {
            Self::Purchase | Self::Manual | Self::Topup => LotClass::Paid,
            Self::Referral | Self::Promotion | Self::Loyalty => LotClass::Promotional,
            Self::Refund => LotClass::Refund,
        }
    }
}

/// What kind of credit a lot is; the order is the burn order within a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LotClass {
    /// Given away.
    Promotional,
    /// Given back after its date had passed; never extended again.
    Refund,
    /// Paid for.
    Paid,
}

impl LotClass {
    /// Reads a stored class.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Ok(match text {
            "promotional" => Self::Promotional,
            "refund" => Self::Refund,
            "paid" => Self::Paid,
            _ => return Err(ParseError("is not a class of lot")),
        })
    }

    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Promotional => "promotional",
            Self::Refund => "refund",
            Self::Paid => "paid",
        }
    }
}

/// Some credit with one date and class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lot {
    /// The last date it can be spent on; `None` lives for ever.
    pub expires_on: Option<Date>,
    /// Its class.
    pub class: LotClass,
    /// Where it came from first (later credit of the same date and class joins it).
    pub source: CreditSource,
    /// How much is left.
    pub amount: Money,
}

impl Lot {
    /// True if its date has passed.
    pub fn is_expired(&self, today: Date) -> bool {
        self.expires_on.is_some_and(|date| date < today)
    }

    /// Sorts into burn order: `None` (never) after every date.
    fn rank(&self) -> (bool, Option<Date>, LotClass) {
        (self.expires_on.is_none(), self.expires_on, self.class)
    }

    /// The lot that value comes back to: its own, or once in its life, when its date has passed, a refund lot that can be
    /// spent until `graced` (`None`: for ever).
    #[must_use]
    pub fn returned(self, today: Date, graced: Option<Date>) -> Self {
        if !self.is_expired(today) || self.class == LotClass::Refund {
            return self;
        }
        let source = CreditSource::Refund;
        Self { expires_on: graced, class: LotClass::Refund, source, amount: self.amount }
    }

    /// The same credit with another amount.
    pub fn with_amount(&self, amount: Money) -> Self {
        Self { amount, ..self.clone() }
    }
}

/// The lots of one wallet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lots(Vec<Lot>);

impl Lots {
    /// Takes stored lots; they are put in order, merged and bounded.
    pub fn new(lots: impl IntoIterator<Item = Lot>) -> Option<Self> {
        let mut all = Self::default();
        for lot in lots {
            all.add(&lot)?;
        }
        Some(all)
    }

    /// The date that credit expires on next, and how much does.
    pub fn next_expiry(&self) -> Option<(Date, Money)> {
        let date = self.0.first()?.expires_on?;
        let expiring = self.0.iter().filter(|lot| lot.expires_on == Some(date));
        Some((date, expiring.map(|lot| lot.amount).sum()))
    }

    /// The lots in burn order.
    pub fn iter(&self) -> impl Iterator<Item = &Lot> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The sum of all lots.
    pub fn total(&self) -> Money {
        self.0.iter().map(|lot| lot.amount).sum()
    }

    /// The lot that burns first.
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
            self.merge_nearest()?;
        }
        Some(())
    }

    /// Removes exactly this credit; `None` (and no change) if the lot has less.
    pub fn remove(&mut self, lot: &Lot) -> Option<()> {
        let at = self.0.binary_search_by(|held| held.rank().cmp(&lot.rank())).ok()?;
        let held = self.0.get_mut(at)?;
        held.amount = held.amount.checked_sub(lot.amount)?;
        if held.amount.is_zero() {
            self.0.remove(at);
        }
        Some(())
    }

    /// What a debit of `amount` burns, in burn order; `None` if there is less. Changes nothing.
    pub fn burn(&self, amount: Money) -> Option<Vec<Lot>> {
        let (burned, rest) = split(&self.0, amount);
        rest.is_zero().then_some(burned)
    }

    /// Merges the two nearest dates of one class into the later one. Never-expiring lots stay apart.
    fn merge_nearest(&mut self) -> Option<()> {
        let mut last: BTreeMap<LotClass, (usize, Date)> = BTreeMap::new();
        let mut nearest: Option<(u64, usize, usize)> = None;
        for (at, lot) in self.0.iter().enumerate() {
            let Some(date) = lot.expires_on else { continue };
            if let Some((earlier, earlier_date)) = last.insert(lot.class, (at, date)) {
                let gap = days_until(earlier_date, date);
                if nearest.is_none_or(|(least, ..)| gap < least) {
                    nearest = Some((gap, earlier, at));
                }
            }
        }
        let (_, earlier, later) = nearest?;
        let moved = self.0.get(earlier)?.amount;
        let target = self.0.get_mut(later)?;
        target.amount = target.amount.checked_add(moved)?;
        self.0.remove(earlier);
        Some(())
    }
}

/// Takes `amount` from the front of `lots`; gives what was taken and how much was missing.
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

/// What is left of `lots` when `amount` has been taken from the front.
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

as_worded!(CreditSource);
