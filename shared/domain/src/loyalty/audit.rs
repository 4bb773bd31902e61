//! The audit of a customer's points: the account, the tier, and the purchases.
//!
//! **Invariant:** the tier is recomputed from entries, grants and the versions of the program alone, and compared with
//! what is stored and recorded; what purchases keep is recomputed from their reports.

use crate::cause::Cause;
use crate::ids::PurchaseId;
use crate::ledger::account::Account;
use crate::ledger::audit::{AccountAudit, Books, Proof, fold};
use crate::ledger::entry::{Entry, EntryType};
use crate::loyalty::earning::{Basis, earn};
use crate::loyalty::figures::{PointsFigures, by_day};
use crate::loyalty::numbers::Points;
use crate::loyalty::record::{Booked, PurchaseRecord};
use crate::loyalty::rules::Rules;
use crate::loyalty::take_back::keeps;
use crate::loyalty::tiers::{Facts, Reason, Standing, TierChange, TierRecord};
use crate::money::Money;
use crate::time::{Date, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Everything stored about a customer's points.
#[derive(Clone, Debug)]
pub struct PointsBooks {
    /// The account, with its entries and locks.
    pub ledger: Books,
    /// The tier.
    pub standing: Option<Standing>,
    /// The records of the tier: the version of the account, the number of its last entry then, and the record.
    pub records: Vec<(u64, u64, TierRecord)>,
    /// The purchases of the customer.
    pub purchases: Vec<PurchaseRecord>,
    /// The number of the last entry that is in the report.
    pub reported: u64,
    /// The days that are to be added to the report.
    pub listed: BTreeSet<Date>,
}

impl PointsBooks {
    /// Returns the days of entries that are neither in the report nor on the list of those to be added.
    pub fn forgotten_days(&self) -> BTreeSet<Date> {
        let left = self.ledger.entries.iter().filter(|entry| entry.seq > self.reported);
        left.map(|entry| entry.at.date()).filter(|day| !self.listed.contains(day)).collect()
    }

    /// Adds the entries that are in the report to the figures of their days.
    pub fn add_reported(&self, days: &mut BTreeMap<Date, PointsFigures>) {
        let mut entries: Vec<Entry> = self.ledger.entries.clone();
        entries.retain(|entry| entry.seq <= self.reported);
        entries.sort_by_key(|entry| entry.seq);
        by_day(&entries, Money::ZERO, days);
    }

    /// Returns true if a purchase of the customer has earned.
    pub fn has_earned(&self) -> bool {
        self.purchases.iter().any(|record| record.booked.is_some())
    }
}

/// Recomputes a customer's points and returns the differences found.
pub fn prove(books: &PointsBooks, rules: &Rules) -> Proof {
    let mut audit = fold(&books.ledger);
    compare_tier(&mut audit, books, rules);
    compare_purchases(&mut audit, books, rules);
    audit.proof
}

/// A tier in the middle of its recomputation.
struct Recomputed<'a> {
    rules: &'a Rules,
    account: Account,
    standing: Standing,
    changes: Vec<TierChange>,
}

impl Recomputed<'_> {
    fn step(&mut self, seq: u64, change: impl FnOnce(&mut Standing, Facts<'_>) -> Vec<TierChange>) {
        let Some(part) = &self.account.points else { return };
        let lifetime = Points::of_money(part.lifetime).unwrap_or_default();
        let programs = self.rules.programs.standing();
        let facts = Facts { programs, spend: &part.spend, lifetime, seq };
        let changes = change(&mut self.standing, facts);
        self.changes.extend(changes);
    }

    fn advance(&mut self, to: Timestamp) {
        self.step(self.account.seq, |standing, facts| standing.advance(facts, to));
    }
}

/// Returns the ids of the purchase that an entry belongs to.
fn ids_of(entry: &Entry) -> impl Iterator<Item = PurchaseId> {
    let points = entry.points.as_deref();
    let booking = points.and_then(|points| points.booking_id.clone()).map(PurchaseId::Booking);
    let payment = points.and_then(|points| points.payment_id.clone()).map(PurchaseId::Payment);
    booking.into_iter().chain(payment)
}

fn compare_tier(audit: &mut AccountAudit<'_>, books: &PointsBooks, rules: &Rules) {
    let (Some(stored), Some(account), Some(_)) = (&books.standing, &books.ledger.account, &audit.folded)
    else {
        return;
    };
    let Some(standing) = Standing::new(rules.programs.standing(), account.created_at) else { return };
    let mut tier = Recomputed { rules, account: account.at_opening(), standing, changes: vec![] };
    let mut records: Vec<_> =
        books.records.iter().filter(|(version, _, _)| *version <= account.version).collect();
    records.sort_by_key(|(version, seq, _)| (*version, *seq));
    let mut grants = records.iter().filter_map(|(_, seq, record)| match record {
        TierRecord::Granted { grant, at, .. } => Some((*seq, grant.clone(), *at)),
        TierRecord::Changed(_) => None,
    });
    let mut next_grant = grants.next();
    let mut earned: BTreeMap<String, u64> = BTreeMap::new();
    for entry in audit.entries.clone() {
        while let Some((_, grant, at)) = next_grant.take_if(|(seq, _, _)| *seq < entry.seq) {
            tier.advance(at);
            tier.step(entry.seq - 1, |standing, facts| standing.grant(facts, at, grant));
            next_grant = grants.next();
        }
        let moves =
            entry.points.as_ref().is_some_and(|points| points.spend.is_some() || !points.lifetime.is_zero());
        if moves {
            tier.advance(entry.at);
        }
        if tier.account.apply(entry).is_err() {
            return;
        }
        if !moves {
            continue;
        }
        if entry.kind == EntryType::Earn {
            earned.extend(ids_of(entry).map(|id| (id.to_string(), entry.seq)));
            tier.step(entry.seq, |standing, facts| standing.raised(facts, entry.at, Reason::Upgrade));
        } else if entry.kind == EntryType::Reversal {
            let booked = ids_of(entry).find_map(|id| earned.get(&id.to_string()).copied());
            let booked = booked.unwrap_or(entry.seq);
            tier.step(entry.seq, |standing, facts| standing.refunded(facts, entry.at, booked));
        } else {
            tier.step(entry.seq, |standing, facts| standing.raised(facts, entry.at, Reason::Adjustment));
        }
    }
    while let Some((seq, grant, at)) = next_grant.take() {
        tier.advance(at);
        tier.step(seq, |standing, facts| standing.grant(facts, at, grant));
        next_grant = grants.next();
    }
    tier.advance(stored.evaluated_at);
    let (a, b) = (stored, &tier.standing);
    if (&a.tier, a.since, a.grace, &a.granted) != (&b.tier, b.since, b.grace, &b.granted) {
        let (stored, found) = (a.tier.as_str(), b.tier.as_str());
        audit.record_difference(None, format!("its tier is stored as {stored}, its entries give {found}"));
    }
    let recorded = records.iter().filter_map(|(_, _, record)| match record {
        TierRecord::Changed(change) => Some(change),
        TierRecord::Granted { .. } => None,
    });
    if !recorded.eq(tier.changes.iter()) {
        audit.record_difference(None, "the records of its tier do not match its entries");
    }
}

fn compare_purchases(audit: &mut AccountAudit<'_>, books: &PointsBooks, rules: &Rules) {
    let mut found: BTreeMap<String, &Entry> = BTreeMap::new();
    for entry in &audit.entries {
        found.insert(entry.cause.to_string(), *entry);
    }
    let known = books.ledger.account.as_ref().map_or(0, |account| account.seq);
    for record in &books.purchases {
        for detail in purchase_differences(record, &found, (rules, known)) {
            audit.record_difference(Some(record.id.to_string()), detail);
        }
    }
    let named = |entry: &&&Entry| {
        let cause = entry.cause.as_str();
        entry.kind == EntryType::Earn
            && !books.purchases.iter().any(|record| cause == Cause::earning(&record.id).as_str())
    };
    let orphans: Vec<String> =
        audit.entries.iter().filter(named).map(|entry| entry.id().to_string()).collect();
    for id in orphans {
        audit.record_difference(Some(id), "has earned for a purchase that is not stored");
    }
}

/// Returns what differs between a purchase, its entries, and the rules.
fn purchase_differences(
    record: &PurchaseRecord,
    entries: &BTreeMap<String, &Entry>,
    (rules, known): (&Rules, u64),
) -> Vec<&'static str> {
    let named: Vec<&(String, u64)> = record.steps.iter().flat_map(|step| &step.entries).collect();
    if named.iter().any(|(_, seq)| *seq > known) {
        // It was changed after the account was read.
        return vec![];
    }
    let mut differences = Vec::new();
    let is_found = |(cause, seq): &&&(String, u64)| entries.get(cause).is_some_and(|entry| entry.seq == *seq);
    if named.iter().filter(is_found).count() != named.len() {
        differences.push("the purchase names an entry that is not stored");
    }
    let Some(booked) = &record.booked else { return differences };
    let earned = entries.get(Cause::earning(&record.id).as_str());
    let spend =
        |entry: &Entry| entry.points.as_ref().and_then(|points| points.spend).map(|spend| spend.amount);
    if !earned
        .is_some_and(|entry| entry.amount == booked.points.money() && spend(entry) == Some(booked.eligible))
    {
        differences.push("the purchase has earned other points or spend than its entry");
    }
    if !earns_again(booked, rules) {
        differences.push("the purchase has earned other points than its rules give");
    }
    let kept = keeps(record, booked, rules);
    if !kept.is_ok_and(|kept| (kept.points, kept.spend) == (record.kept(), record.spend())) {
        differences.push("the purchase keeps other points or spend than its refunds leave");
    }
    let (mut back, mut taken) = (booked.points.money(), Money::ZERO);
    for (cause, _) in named {
        let Some(entry) = entries.get(cause) else { continue };
        let lifetime = entry.points.as_ref().map_or(Money::ZERO, |points| points.lifetime);
        if entry.kind == EntryType::Reversal {
            taken = [taken, lifetime].into_iter().sum();
        } else if entry.kind == EntryType::AdjustIn {
            back = [back, lifetime].into_iter().sum();
        }
    }
    if back.checked_sub(taken) != Some(record.kept().money()) {
        differences.push("the purchase keeps other points than its entries left");
    }
    differences
}

/// Returns true if the purchase earns the same again by the rules that it names.
fn earns_again(booked: &Booked, rules: &Rules) -> bool {
    let Ok(program) = rules.program(booked.program_version) else { return false };
    let tiers = program.rules.tiers.all();
    let Some(tier) = tiers.iter().find(|tier| tier.name.as_str() == booked.tier) else { return false };
    // Campaigns that gave nothing make no difference, so those that it names are enough.
    let Ok(campaigns) = rules.campaigns_used(&booked.rules_used()) else { return false };
    let basis = Basis { program, tier, campaigns: &campaigns, day_left: booked.day_left };
    earn(&basis, &booked.purchase).is_ok_and(|earned| earned.points == booked.points)
}
