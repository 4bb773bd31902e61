//! A customer whose tier is looked at: buys, is refunded, and lets time pass.

use super::{at, date, money, noon, program};
use domain::ledger::spend::SpendMap;
use domain::loyalty::numbers::Points;
use domain::loyalty::program::{LoyaltyTier, LoyaltyTiers, Program, TierName};
use domain::loyalty::tiers::{Facts, Reason, Standing, TierChange};
use domain::time::{Date, Timestamp};

/// A customer and what their tier follows from.
pub(super) struct Customer {
    pub(super) programs: Vec<Program>,
    pub(super) spend: SpendMap,
    pub(super) lifetime: Points,
    pub(super) seq: u64,
    pub(super) standing: Standing,
    pub(super) history: Vec<TierChange>,
}

impl Customer {
    pub(super) fn new(programs: Vec<Program>, since: Date) -> Self {
        let standing = Standing::new(&programs, Timestamp::start_of(since)).unwrap();
        let (spend, lifetime) = (SpendMap::default(), Points::ZERO);
        Self { programs, spend, lifetime, seq: 0, standing, history: vec![] }
    }

    pub(super) fn change(&mut self, how: impl FnOnce(&mut Standing, Facts<'_>) -> Vec<TierChange>) {
        let facts =
            Facts { programs: &self.programs, spend: &self.spend, lifetime: self.lifetime, seq: self.seq };
        self.history.extend(how(&mut self.standing, facts));
    }

    pub(super) fn pass(&mut self, to: Timestamp) {
        self.change(|standing, facts| standing.advance(facts, to));
    }

    /// Buys on a date; returns the number of the entry.
    pub(super) fn buy(&mut self, on: Date, amount: &str) -> u64 {
        self.pass(noon(on));
        self.spend.add(on, money(amount)).unwrap();
        self.seq += 1;
        self.change(|standing, facts| standing.raised(facts, noon(on), Reason::Upgrade));
        self.seq
    }

    pub(super) fn refund(&mut self, on: Date, (bought, amount): (Date, &str), booked: u64) {
        self.pass(noon(on));
        self.spend.take(bought, money(amount));
        self.seq += 1;
        self.change(|standing, facts| standing.refunded(facts, noon(on), booked));
    }

    pub(super) fn tier(&mut self, on: &str) -> &str {
        self.pass(noon(date(on)));
        self.standing.tier.as_str()
    }

    pub(super) fn reasons(&self) -> Vec<(Reason, String)> {
        self.history.iter().map(|change| (change.reason, change.at.date().to_string())).collect()
    }
}

/// A version of the program with these tiers: name and spend.
pub(super) fn version(number: u32, from: &str, tiers: &[(&str, Option<&str>)]) -> Program {
    let mut changed = program("INR", |_| {});
    (changed.version, changed.valid_from) = (number, at(from));
    let gold = changed.rules.tiers.all()[2].clone();
    let tier = |(name, spend): &(&str, Option<&str>)| LoyaltyTier {
        name: TierName::parse(name).unwrap(),
        spend_12m: spend.map(money),
        ..gold.clone()
    };
    changed.rules.tiers = LoyaltyTiers::try_new(tiers.iter().map(tier).collect()).unwrap();
    changed
}

pub(super) const BRONZE: (&str, Option<&str>) = ("BRONZE", None);
pub(super) const SILVER: (&str, Option<&str>) = ("SILVER", Some("50000"));
pub(super) const GOLD: (&str, Option<&str>) = ("GOLD", Some("200000"));
