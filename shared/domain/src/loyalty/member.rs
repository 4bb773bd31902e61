//! A customer's points and tier in the middle of a decision.
//!
//! **Invariant:** every decision starts from the points after what is due is posted, and from the tier that is true
//! then; both are written with the decision.

use crate::actor::PerformedBy;
use crate::cause::Cause;
use crate::context::Context;
use crate::fingerprint::Fingerprint;
use crate::ids::{AccountRef, CustomerId};
use crate::ledger::account::{Account, AccountStatus, NewAccount, Opening, StatusChange};
use crate::ledger::decision::{Decided, Decision, NoDecision, Write};
use crate::ledger::due::post_due;
use crate::ledger::entry::{Entry, EntryType};
use crate::ledger::points::PointsPart;
use crate::ledger::posting::{Draft, LoadedAccount, MAX_DUE, Posting};
use crate::ledger::spend::SpendMap;
use crate::loyalty::numbers::Points;
use crate::loyalty::program::{LoyaltyTier, Program, TierName};
use crate::loyalty::rules::Rules;
use crate::loyalty::state::{LoadedPoints, LoyaltyState, LoyaltyWrite, PointsAfter};
use crate::loyalty::tiers::{Facts, Grant, Reason, Standing, TierChange, TierRecord};
use crate::money::Money;
use crate::rejection::{LoyaltyRejection, Rejection};
use crate::text::FreeText;
use crate::time::{Date, Timestamp};
use crate::unit::Unit;
use std::sync::Arc;

const NO_PROGRAM: Rejection = Rejection::Inconsistent("there is no program");

/// The instant of a decision, and all rules.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The rules.
    pub rules: Arc<Rules>,
    /// The caller and the instant, which is never before the last change of the rules.
    pub context: Context,
}

impl Setting {
    /// Returns the setting of a decision.
    pub fn of(state: &LoyaltyState, context: &Context) -> Result<Self, Rejection> {
        let rules = Rules::of(&state.rules, context.policy.currency())?;
        let now = rules.changed_at.map_or(context.now, |changed| context.now.max(changed));
        Ok(Self { rules: Arc::new(rules), context: Context { now, ..context.clone() } })
    }
}

/// A customer's points and tier, with what was posted and changed.
#[derive(Clone, Debug)]
pub struct Member {
    /// The account with the entries posted to it.
    pub posting: Posting,
    /// The tier.
    pub standing: Standing,
    /// The rules.
    pub rules: Arc<Rules>,
    records: Vec<(u64, TierRecord)>,
    /// The tier in whose list of members the customer is.
    listed: Option<TierName>,
    was: u64,
}

/// Returns the points of a customer as loaded; empty ones if nothing was written to them yet.
fn loaded(
    points: Option<&LoadedPoints>,
    user: &CustomerId,
    setting: &Setting,
) -> Result<LoadedPoints, Rejection> {
    let values = setting.rules.values().map(Arc::new);
    if let Some(points) = points {
        let loaded = LoadedAccount { values, ..points.loaded.clone() };
        return Ok(LoadedPoints { loaded, standing: points.standing.clone() });
    }
    let at = setting.context.now;
    let opening = Opening {
        cause: Cause::stored("points"),
        fingerprint: Fingerprint::stored(""),
        request: setting.context.request.clone(),
        initial: Money::ZERO,
        by: setting.context.actor.signature(),
    };
    let account = Account::open(NewAccount { id: AccountRef::points(user), unit: Unit::Points, opening, at });
    let standing = Standing::new(setting.rules.programs.standing(), at).ok_or(NO_PROGRAM)?;
    Ok(LoadedPoints { loaded: LoadedAccount { account, due_holds: vec![], values }, standing })
}

/// Makes the next check of a changed account no later than the instant at which the tier may change.
fn check_by(write: &mut Write, tier_due: Option<Timestamp>) {
    if let Write::Account { account, .. } = write {
        account.next_check_at = [account.next_check_at, tier_due].into_iter().flatten().min();
    }
}

impl Member {
    /// Returns the points and the tier as they are now.
    pub fn after(&self) -> PointsAfter {
        PointsAfter { account: self.posting.account.clone(), standing: self.standing.clone() }
    }

    /// Sets the status of the account; returns the record of the change, or `None` if it has this status.
    pub fn set_status(
        &mut self,
        to: AccountStatus,
        reason: &FreeText,
        by: &PerformedBy,
    ) -> Option<LoyaltyWrite> {
        let (from, at) = (self.posting.account.status, self.posting.now);
        if from == to {
            return None;
        }
        (self.posting.account.status, self.posting.account.updated_at) = (to, at);
        let change = StatusChange { from, to, reason: reason.clone(), by: by.clone(), at };
        let (account, version) = (self.posting.account.id.clone(), self.posting.next_version());
        Some(LoyaltyWrite::from(Write::StatusRecord { account, version, change }))
    }

    /// Returns this grant, if the program has its tier.
    pub fn granted(&self, wanted: Option<&(TierName, Date)>) -> Result<Option<Grant>, Rejection> {
        let Some((tier, until)) = wanted else { return Ok(None) };
        let tiers = &self.program()?.rules.tiers;
        tiers.named(tier).ok_or(Rejection::Loyalty(LoyaltyRejection::UnknownTier))?;
        Ok(Some(Grant { tier: tier.clone(), until: *until }))
    }

    /// Starts from the points as loaded: posts what is due and lets the tier follow the time. If more is due than one
    /// transaction can carry, that is written first.
    pub fn begin(
        points: Option<&LoadedPoints>,
        user: &CustomerId,
        setting: &Setting,
    ) -> Result<Self, NoDecision> {
        let mut member = Self::open(points, user, setting, MAX_DUE)?;
        if member.posting.more_due() {
            let tier_due = member.tier_due();
            let mut writes = member.posting.into_writes();
            for write in &mut writes {
                check_by(write, tier_due);
            }
            return Err(NoDecision::SettleFirst(writes));
        }
        member.advance();
        Ok(member)
    }

    /// Returns the points as they are at the setting's instant, whatever is due.
    pub fn view(
        points: Option<&LoadedPoints>,
        user: &CustomerId,
        setting: &Setting,
    ) -> Result<Self, Rejection> {
        let mut member = Self::open(points, user, setting, usize::MAX)?;
        member.advance();
        Ok(member)
    }

    fn open(
        points: Option<&LoadedPoints>,
        user: &CustomerId,
        setting: &Setting,
        limit: usize,
    ) -> Result<Self, Rejection> {
        let LoadedPoints { loaded, standing } = loaded(points, user, setting)?;
        let posting = Posting::open(&loaded, setting.context.now, limit)?;
        let listed = points.map(|points| points.standing.tier.clone());
        let was = loaded.account.version;
        Ok(Self { posting, standing, rules: setting.rules.clone(), records: vec![], listed, was })
    }

    /// Returns what only an account of points has.
    pub fn part(&self) -> Result<&PointsPart, Rejection> {
        self.posting.account.points.as_deref().ok_or(Rejection::Inconsistent("an account has no points"))
    }

    /// Returns the lifetime points.
    pub fn lifetime(&self) -> Points {
        self.part().ok().and_then(|part| Points::of_money(part.lifetime)).unwrap_or_default()
    }

    /// Returns the version of the program that is in force now.
    pub fn program(&self) -> Result<&Program, Rejection> {
        self.rules.program_at(self.posting.now)
    }

    /// Returns the tier that is held.
    pub fn tier(&self) -> Result<&LoyaltyTier, Rejection> {
        let tiers = &self.program()?.rules.tiers;
        let held = tiers.named(&self.standing.tier).or(tiers.all().first());
        held.ok_or(NO_PROGRAM)
    }

    /// Does something to the tier, given what it follows from.
    fn with_facts<T>(
        &mut self,
        spend: &SpendMap,
        (lifetime, seq): (Points, u64),
        change: impl FnOnce(&mut Standing, Facts<'_>) -> T,
    ) -> T {
        let facts = Facts { programs: self.rules.programs.standing(), spend, lifetime, seq };
        change(&mut self.standing, facts)
    }

    fn change(
        &mut self,
        change: impl FnOnce(&mut Standing, Facts<'_>) -> Vec<TierChange>,
    ) -> Vec<TierChange> {
        let spend = self.part().map(|part| part.spend.clone()).unwrap_or_default();
        let (lifetime, seq) = (self.lifetime(), self.posting.account.seq);
        let changes = self.with_facts(&spend, (lifetime, seq), change);
        self.records.extend(changes.iter().cloned().map(|change| (seq, TierRecord::Changed(change))));
        changes
    }

    fn advance(&mut self) {
        let now = self.posting.now;
        self.change(|standing, facts| standing.advance(facts, now));
    }

    /// Returns the facts of now, and the tier, for a question about them.
    pub fn ask<T>(&self, question: impl FnOnce(&Standing, Facts<'_>) -> T) -> T {
        let spend = self.part().map(|part| part.spend.clone()).unwrap_or_default();
        let (lifetime, seq) = (self.lifetime(), self.posting.account.seq);
        let facts = Facts { programs: self.rules.programs.standing(), spend: &spend, lifetime, seq };
        question(&self.standing, facts)
    }

    /// Posts an entry, and compares the tier with what it follows from then. The entry names the tier before and after,
    /// so the tier is decided on the points as they will be.
    pub fn post(
        &mut self,
        mut draft: Draft,
        event: TierEvent,
    ) -> Result<(Entry, Vec<TierChange>), Rejection> {
        let (now, seq) = (self.posting.now, self.posting.next_seq());
        let lowers = draft.kind == EntryType::Reversal;
        let mut spend = self.part()?.spend.clone();
        if let Some(moved) = draft.points.spend {
            if lowers {
                spend.take(moved.on, moved.amount);
            } else {
                spend.add(moved.on, moved.amount).ok_or(Rejection::Inconsistent("the spend overflows"))?;
            }
        }
        let by = Points::of_money(draft.points.lifetime).unwrap_or_default();
        let lifetime = self.lifetime();
        let lifetime = if lowers { lifetime.saturating_sub(by) } else { lifetime.saturating_add(by) };
        let changes = self.with_facts(&spend, (lifetime, seq), |standing, facts| match event {
            TierEvent::None => vec![],
            TierEvent::Raised(reason) => standing.raised(facts, now, reason),
            TierEvent::Refunded(booked) => standing.refunded(facts, now, booked),
        });
        self.records.extend(changes.iter().cloned().map(|change| (seq, TierRecord::Changed(change))));
        let first = changes.iter().find(|change| change.from != change.to);
        let last = changes.iter().rev().find(|change| change.from != change.to);
        draft.points.tier_change = first
            .zip(last)
            .map(|(first, last)| (first.from.as_str().to_owned(), last.to.as_str().to_owned()));
        Ok((self.posting.post(draft)?, changes))
    }

    /// Returns the tier that would be held after a purchase.
    pub fn tier_after(&self, on: Date, spend: Money, points: Points) -> Result<TierName, Rejection> {
        let mut after = self.clone();
        let mut spends = self.part()?.spend.clone();
        spends.add(on, spend).ok_or(Rejection::Inconsistent("the spend overflows"))?;
        let (now, lifetime) = (self.posting.now, self.lifetime().saturating_add(points));
        let seq = self.posting.next_seq();
        after.with_facts(&spends, (lifetime, seq), |standing, facts| {
            standing.raised(facts, now, Reason::Upgrade)
        });
        Ok(after.standing.tier)
    }

    /// Grants a tier, or ends a grant.
    pub fn grant(&mut self, grant: Option<Grant>, reason: &FreeText, by: &PerformedBy) {
        let (at, now) = (self.posting.now, self.posting.now);
        let (reason, by) = (reason.clone(), by.clone());
        let record = TierRecord::Granted { grant: grant.clone(), reason, by, at };
        self.records.push((self.posting.account.seq, record));
        self.change(|standing, facts| standing.grant(facts, now, grant));
    }

    /// Returns true if time has changed something that is not written yet.
    pub fn is_behind(&self) -> bool {
        let mut account = self.posting.account.clone();
        account.schedule_check(self.posting.now);
        let next = [account.next_check_at, self.tier_due()].into_iter().flatten().min();
        !self.posting.is_untouched() || self.has_changes() || next != self.posting.account.next_check_at
    }

    /// Returns true if the tier has changed, or grace has begun or ended.
    pub fn has_changes(&self) -> bool {
        !self.records.is_empty()
    }

    /// Returns the changes of the tier.
    pub fn changes(&self) -> impl Iterator<Item = &TierChange> {
        self.records.iter().filter_map(|(_, record)| match record {
            TierRecord::Changed(change) => Some(change),
            TierRecord::Granted { .. } => None,
        })
    }

    /// Returns the instant until which nothing falls due, given the tier.
    fn tier_due(&self) -> Option<Timestamp> {
        self.ask(Standing::next_change)
    }

    /// Ends a decision: also posts what became due by its own entries, and returns all writes.
    pub fn into_writes(mut self) -> Result<Vec<LoyaltyWrite>, Rejection> {
        post_due(&mut self.posting, MAX_DUE)?;
        let (user, tier_due) = (self.posting.account.id.customer().clone(), self.tier_due());
        let (id, tier) = (self.posting.account.id.clone(), self.standing.tier.clone());
        let version = self.posting.next_version();
        let mut writes = Vec::new();
        for mut write in self.posting.into_writes() {
            check_by(&mut write, tier_due);
            writes.push(match write {
                Write::Account { account, .. } => {
                    let standing = Box::new(self.standing.clone());
                    LoyaltyWrite::Points { account, standing, was: self.was }
                }
                write @ (Write::Entry(_)
                | Write::PlaceHold(_)
                | Write::Hold { .. }
                | Write::OwedRecord { .. }
                | Write::Month { .. }
                | Write::ReportDay { .. }
                | Write::StatusRecord { .. }) => LoyaltyWrite::Ledger(Box::new(write)),
            });
        }
        for (at, (seq, record)) in self.records.into_iter().enumerate() {
            let (account, record) = (id.clone(), Box::new(record));
            writes.push(LoyaltyWrite::TierRecord { account, version, at, seq, record });
        }
        if self.listed.as_ref() != Some(&tier) {
            let left = self.listed.map(|left| left.as_str().to_owned());
            writes.push(LoyaltyWrite::Member { user, tier: tier.as_str().to_owned(), left });
        }
        Ok(writes)
    }

    /// Ends a decision with its outcome and further writes.
    pub fn finish<O>(self, outcome: O, more: Vec<LoyaltyWrite>) -> Decided<O, LoyaltyWrite> {
        let mut writes = self.into_writes()?;
        writes.extend(more);
        Ok(Decision::Commit { outcome, writes })
    }
}

/// What an entry does to the tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TierEvent {
    /// Nothing.
    None,
    /// It adds to what tiers follow from.
    Raised(Reason),
    /// It takes back what the purchase with this EARN entry added.
    Refunded(u64),
}
