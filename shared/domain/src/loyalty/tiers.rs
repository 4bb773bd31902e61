//! Which tier a customer holds: risen at once, and lost after a grace.
//!
//! **Invariant:** what is held follows from spend by date, lifetime points, grants and the program's versions alone.
//! Time passes in steps at the instants at which something may change; how often it is asked makes no difference.
//! **Invariant:** while there is no grace, the tier held is the one reached.

use crate::actor::PerformedBy;
use crate::ledger::spend::SpendMap;
use crate::loyalty::numbers::Points;
use crate::loyalty::program::{LoyaltyTiers, Program, TierName, in_force};
use crate::money::Money;
use crate::text::FreeText;
use crate::time::{Date, Timestamp, plus_days};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why a tier changed, or grace began or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// A purchase.
    Upgrade,
    /// Spend that counts no longer.
    Ageing,
    /// A refund.
    Refund,
    /// Another version of the program.
    Program,
    /// An adjustment that counts for tiers.
    Adjustment,
    /// A tier granted by hand.
    Granted,
    /// The end of a granted tier.
    GrantEnded,
    /// The tier is held although it is no longer reached.
    GraceStarted,
    /// The tier is reached again.
    GraceEnded,
}

impl Reason {
    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upgrade => "upgrade",
            Self::Ageing => "ageing",
            Self::Refund => "refund",
            Self::Program => "program",
            Self::Adjustment => "adjustment",
            Self::Granted => "granted",
            Self::GrantEnded => "grant_ended",
            Self::GraceStarted => "grace_started",
            Self::GraceEnded => "grace_ended",
        }
    }
}

/// A tier granted by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The tier.
    pub tier: TierName,
    /// The last date on which it is reached by that.
    pub until: Date,
}

/// Dates on which a tier is held that is no longer reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grace {
    /// The first.
    pub from: Date,
    /// The first on which the tier is lost.
    pub ends: Date,
    /// Why the tier is lost then.
    pub reason: Reason,
}

/// The tier that a customer holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The tier.
    pub tier: TierName,
    /// Since when.
    pub since: Timestamp,
    /// By tier above the lowest: the number of the account's entry that lifted the customer to it.
    pub rose: BTreeMap<TierName, u64>,
    /// Grace, if the tier is no longer reached.
    pub grace: Option<Grace>,
    /// A tier granted by hand.
    pub granted: Option<Grant>,
    /// The lowest entry whose purchase was refunded since the customer last rose, so that the order of refunds makes no
    /// difference.
    pub refunded_from: Option<u64>,
    /// The version of the program that was last looked at.
    pub program_version: u32,
    /// Until when all changes have been written.
    pub evaluated_at: Timestamp,
}

/// What a standing follows from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The versions of the program, oldest first.
    pub programs: &'a [Program],
    /// Spend by date.
    pub spend: &'a SpendMap,
    /// Lifetime points.
    pub lifetime: Points,
    /// Number of the account's last entry.
    pub seq: u64,
}

/// A change of a standing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierChange {
    /// The tier before.
    pub from: TierName,
    /// The tier after; the same if grace began or ended.
    pub to: TierName,
    /// Why.
    pub reason: Reason,
    /// When it fell due.
    pub at: Timestamp,
    /// Spend of twelve months then.
    pub spend_12m: Money,
    /// Lifetime points then.
    pub lifetime: Points,
    /// The program's version then.
    pub program_version: u32,
}

/// What is recorded of a tier, beside the entries from which it follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TierRecord {
    /// It changed, or grace began or ended.
    Changed(TierChange),
    /// A tier was granted by hand, or a grant was ended.
    Granted {
        /// The grant; `None` if it was ended.
        grant: Option<Grant>,
        /// The reason given by the caller.
        reason: FreeText,
        /// The caller.
        by: PerformedBy,
        /// When.
        at: Timestamp,
    },
}

/// The moment at which a standing is compared with what it follows from.
struct Moment<'a> {
    at: Timestamp,
    program: &'a Program,
    spend_12m: Money,
    lifetime: Points,
    seq: u64,
    /// The position of the tier that is reached.
    reached: usize,
    changes: Vec<TierChange>,
}

impl Moment<'_> {
    fn tiers(&self) -> &LoyaltyTiers {
        &self.program.rules.tiers
    }

    fn name(&self, rank: usize) -> Option<TierName> {
        self.tiers().all().get(rank).map(|tier| tier.name.clone())
    }

    fn tell(&mut self, from: TierName, to: TierName, reason: Reason) {
        let (at, spend_12m, lifetime) = (self.at, self.spend_12m, self.lifetime);
        let program_version = self.program.version;
        self.changes.push(TierChange { from, to, reason, at, spend_12m, lifetime, program_version });
    }
}

impl Standing {
    /// Returns the standing of a customer of whom nothing is known; `None` without a program.
    pub fn new(programs: &[Program], at: Timestamp) -> Option<Self> {
        let program = in_force(programs, at)?;
        Some(Self {
            tier: program.rules.tiers.all().first()?.name.clone(),
            since: at,
            rose: BTreeMap::new(),
            grace: None,
            granted: None,
            refunded_from: None,
            program_version: program.version,
            evaluated_at: at,
        })
    }

    /// Lets time pass until an instant; returns the changes, each dated when it fell due.
    pub fn advance(&mut self, facts: Facts<'_>, to: Timestamp) -> Vec<TierChange> {
        let mut changes = self.catch_up(facts);
        while let Some(at) = self.next_change(facts).filter(|at| *at <= to) {
            let reason = self.reason_of_time(facts, at);
            changes.extend(self.settle(facts, at, reason, None));
        }
        self.evaluated_at = self.evaluated_at.max(to);
        changes
    }

    /// Compares the standing with a version of the program that began before the standing was last looked at, by a
    /// clock that was ahead.
    fn catch_up(&mut self, facts: Facts<'_>) -> Vec<TierChange> {
        let at = self.evaluated_at;
        let is_other =
            in_force(facts.programs, at).is_some_and(|program| program.version != self.program_version);
        if is_other { self.settle(facts, at, Reason::Program, None) } else { vec![] }
    }

    /// Compares the standing with what it follows from, after something has been added to that. Time must have been
    /// let pass before, by [`Standing::advance`].
    pub fn raised(&mut self, facts: Facts<'_>, at: Timestamp, reason: Reason) -> Vec<TierChange> {
        self.settle(facts, at, reason, None)
    }

    /// Compares the standing with what it follows from, after the refund of a purchase that the entry `booked`
    /// earned: every tier risen to since is lost at once.
    pub fn refunded(&mut self, facts: Facts<'_>, at: Timestamp, booked: u64) -> Vec<TierChange> {
        self.settle(facts, at, Reason::Refund, Some(booked))
    }

    /// Grants a tier through a date, or ends the grant.
    pub fn grant(&mut self, facts: Facts<'_>, at: Timestamp, grant: Option<Grant>) -> Vec<TierChange> {
        let reason = if grant.is_some() { Reason::Granted } else { Reason::GrantEnded };
        self.granted = grant;
        self.settle(facts, at, reason, None)
    }

    /// Returns when the passing of time alone may next change the standing.
    pub fn next_change(&self, facts: Facts<'_>) -> Option<Timestamp> {
        let today = self.evaluated_at.date();
        let dates = [
            facts.spend.next_fall(today),
            self.granted.as_ref().and_then(|grant| grant.until.succ_opt()),
            self.grace.map(|grace| grace.ends),
        ];
        let dates = dates.into_iter().flatten().filter(|date| *date > today).map(Timestamp::start_of);
        let versions = facts.programs.iter().map(|program| program.valid_from);
        dates.chain(versions.filter(|from| *from > self.evaluated_at)).min()
    }

    /// Returns why the tier changes at an instant at which nothing but time has passed.
    fn reason_of_time(&self, facts: Facts<'_>, at: Timestamp) -> Reason {
        let grant_ends =
            self.granted.as_ref().and_then(|grant| grant.until.succ_opt()).map(Timestamp::start_of);
        let before = facts.programs.iter().find(|program| program.version == self.program_version);
        let is_kept_by = |program: &Program| {
            let moment = self.moment_under(program, facts, at);
            moment.is_some_and(|moment| {
                moment.tiers().rank(&self.tier).is_none_or(|held| moment.reached >= held)
            })
        };
        let begins = facts.programs.iter().any(|program| program.valid_from == at);
        if begins && before.is_none_or(is_kept_by) {
            Reason::Program
        } else if grant_ends == Some(at) {
            Reason::GrantEnded
        } else {
            Reason::Ageing
        }
    }

    /// Returns what is reached at an instant; `None` without a program.
    fn moment<'a>(&self, facts: Facts<'a>, at: Timestamp) -> Option<Moment<'a>> {
        self.moment_under(in_force(facts.programs, at)?, facts, at)
    }

    /// Returns the name of the tier by which a purchase is judged under a version of the program: the one held or, if
    /// that version does not know it, the one that it says is reached.
    pub fn tier_under(&self, program: &Program, facts: Facts<'_>, at: Timestamp) -> Option<TierName> {
        let held = program.rules.tiers.named(&self.tier).map(|tier| tier.name.clone());
        held.or_else(|| self.moment_under(program, facts, at).and_then(|moment| moment.name(moment.reached)))
    }

    fn moment_under<'a>(&self, program: &'a Program, facts: Facts<'a>, at: Timestamp) -> Option<Moment<'a>> {
        let tiers = &program.rules.tiers;
        let spend_12m = facts.spend.trailing(at.date());
        let reached = tiers.rank(&tiers.reached(spend_12m, facts.lifetime)?.name)?;
        let granted = self.granted.as_ref().filter(|grant| at.date() <= grant.until);
        let granted = granted.and_then(|grant| tiers.rank(&grant.tier)).unwrap_or(0);
        let (lifetime, seq, reached) = (facts.lifetime, facts.seq, reached.max(granted));
        Some(Moment { at, program, spend_12m, lifetime, seq, reached, changes: vec![] })
    }

    fn settle(
        &mut self,
        facts: Facts<'_>,
        at: Timestamp,
        reason: Reason,
        refund_of: Option<u64>,
    ) -> Vec<TierChange> {
        let Some(mut moment) = self.moment(facts, at) else { return vec![] };
        self.evaluated_at = self.evaluated_at.max(at);
        self.program_version = moment.program.version;
        if let Some(booked) = refund_of {
            self.refunded_from = Some(self.refunded_from.map_or(booked, |known| known.min(booked)));
        }
        match moment.tiers().rank(&self.tier) {
            None => {
                // The program knows the tier no longer.
                let to = moment.reached;
                self.become_tier(&mut moment, to, Reason::Program);
            }
            Some(held) if moment.reached > held => {
                let to = moment.reached;
                self.become_tier(&mut moment, to, reason);
            }
            Some(held) if moment.reached == held => {
                if self.grace.take().is_some() {
                    moment.tell(self.tier.clone(), self.tier.clone(), Reason::GraceEnded);
                }
            }
            Some(held) => self.sink(&mut moment, held, reason, refund_of),
        }
        moment.changes
    }

    /// Handles a tier that is no longer reached.
    fn sink(&mut self, moment: &mut Moment<'_>, held: usize, reason: Reason, refund_of: Option<u64>) {
        let lost_from = self.refunded_from.filter(|_| refund_of.is_some());
        let to = lost_from.map_or(held, |booked| self.held_before(moment, held, booked));
        if to < held {
            self.become_tier(moment, to, Reason::Refund);
        }
        if to > moment.reached {
            // Another grant has taken the place of the one by which the tier was held.
            let reason = if reason == Reason::Granted { Reason::GrantEnded } else { reason };
            self.hold(moment, reason);
        }
    }

    /// Returns true if a tier was risen to by this entry or a later one. A tier that did not exist then was passed with
    /// the next higher one.
    fn rose_since(&self, moment: &Moment<'_>, rank: usize, booked: u64) -> bool {
        let mut names = moment.tiers().all().iter().skip(rank.max(1)).map(|tier| &tier.name);
        let entry = names.find_map(|name| self.rose.get(name));
        rank > 0 && entry.is_some_and(|entry| *entry >= booked)
    }

    /// Returns the highest tier not above `held` that was not risen to since an entry, or the one reached.
    fn held_before(&self, moment: &Moment<'_>, held: usize, booked: u64) -> usize {
        let kept = (moment.reached..=held).rev().find(|rank| !self.rose_since(moment, *rank, booked));
        kept.unwrap_or(moment.reached)
    }

    /// Begins grace unless it has begun, and ends it with the tier when its time is over.
    fn hold(&mut self, moment: &mut Moment<'_>, reason: Reason) {
        let from = moment.at.date();
        let days = moment.program.rules.downgrade_grace_days;
        if self.grace.is_none() && days > 0 {
            moment.tell(self.tier.clone(), self.tier.clone(), Reason::GraceStarted);
        }
        let ends = plus_days(from, days).unwrap_or(Date::MAX);
        let grace = *self.grace.get_or_insert(Grace { from, ends, reason });
        if grace.ends <= from {
            let to = moment.reached;
            self.become_tier(moment, to, grace.reason);
        }
    }

    fn become_tier(&mut self, moment: &mut Moment<'_>, rank: usize, reason: Reason) {
        let Some(to) = moment.name(rank) else { return };
        let from = std::mem::replace(&mut self.tier, to.clone());
        let held = moment.tiers().rank(&from);
        let all = moment.program.rules.tiers.all();
        let names: Vec<&TierName> = all.iter().map(|tier| &tier.name).collect();
        self.rose.retain(|name, _| names.iter().take(rank + 1).any(|kept| *kept == name));
        for name in names.iter().take(rank + 1).skip(held.map_or(1, |held| held + 1)) {
            self.rose.entry((*name).clone()).or_insert(moment.seq);
        }
        if held.is_some_and(|held| rank > held) {
            self.refunded_from = None;
        }
        self.grace = None;
        self.since = moment.at;
        moment.tell(from, to, reason);
    }
}
