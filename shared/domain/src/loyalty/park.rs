//! Reports about a purchase that has not earned yet: they are kept, and count when it earns.
//!
//! **Invariant:** a report is kept once by its refund id, and needs nobody's points.
//! **Invariant:** what belongs to a customer, because the purchase has earned or has a redemption, is not kept here: it
//! is a report about their purchase.

use crate::context::Context;
use crate::ids::{AccountRef, CustomerId, PurchaseId, RefundId, RequestId};
use crate::ledger::command::{CauseKey, Command, State};
use crate::ledger::decision::{Decided, Decision, Outcome};
use crate::ledger::posting::LoadedAccount;
use crate::loyalty::identity::{Identified, identify};
use crate::loyalty::member::{Member, Setting};
use crate::loyalty::record::{PurchaseRecord, PurchaseStep};
use crate::loyalty::report::Reported;
use crate::loyalty::state::{LoyaltyState, LoyaltyWrite};
use crate::loyalty::take_back::{Occasion, settle};
use crate::rejection::{LoyaltyRejection, Rejection};
use std::collections::BTreeMap;

/// The purchases that a report names.
#[derive(Clone, Debug, Default)]
pub struct ParkState {
    /// By the ids that were named; two ids may lead to one purchase.
    pub purchases: BTreeMap<PurchaseId, PurchaseRecord>,
}

impl State for ParkState {
    type Needs = Vec<PurchaseId>;

    fn accounts(_: &Vec<PurchaseId>) -> Vec<AccountRef> {
        vec![]
    }

    fn loaded(&self) -> Vec<Option<&LoadedAccount>> {
        vec![]
    }
}

/// A report about a purchase of which it is not known whether it has earned.
#[derive(Clone, Debug)]
pub struct ParkReport {
    /// The ids of the purchase, the one under which it is kept first.
    pub ids: Vec<PurchaseId>,
    /// Whose purchase it is, if the report says so.
    pub user: Option<CustomerId>,
    /// What is reported.
    pub what: Reported,
}

/// Outcome of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is kept until the purchase earns.
    Parked,
    /// It was kept before.
    Known,
    /// The purchase is known by this id, and is this customer's.
    Belongs(PurchaseId, CustomerId),
}

impl Outcome for Kept {
    fn request(&self) -> Option<&RequestId> {
        None
    }
}

impl Command for ParkReport {
    type State = ParkState;
    type Outcome = Kept;
    type Write = LoyaltyWrite;

    fn needs(&self) -> Vec<PurchaseId> {
        self.ids.clone()
    }

    fn key(&self, _: &ParkState) -> Option<CauseKey> {
        None
    }

    fn decide(&self, state: &ParkState, context: &Context) -> Decided<Kept, LoyaltyWrite> {
        let Identified { mut record, aliases, .. } = identify(&self.ids, &state.purchases)?;
        if self.user.is_some() && record.user.is_some() && self.user != record.user {
            return Err(Rejection::Loyalty(LoyaltyRejection::PurchaseExists).into());
        }
        if let Some(user) =
            record.user.clone().filter(|_| record.booked.is_some() || record.redemption.is_some())
        {
            return Ok(Decision::Already(Kept::Belongs(record.id, user)));
        }
        if self.what.is_known(&record.refunds)? && aliases.is_empty() {
            return Ok(Decision::Already(Kept::Known));
        }
        let was = record.version;
        self.what.add_to(&mut record.refunds)?;
        record.expect(context.now);
        (record.user, record.version) = (record.user.or(self.user.clone()), was + 1);
        let mut writes = vec![LoyaltyWrite::Purchase { record: Box::new(record), was, earns: false }];
        writes.extend(aliases);
        Ok(Decision::Commit { outcome: Kept::Parked, writes })
    }
}

/// The most kept refunds that are booked separately when a purchase earns; more would not fit into a transaction.
const MAX_SEPARATE: usize = 8;

/// Books what was reported of a purchase before it earned: each refund as a change of its own, as far as they fit into
/// a transaction, then the rest.
pub(super) fn book_kept(
    member: &mut Member,
    record: &mut PurchaseRecord,
    state: &LoyaltyState,
    setting: &Setting,
) -> Result<(), Rejection> {
    let all = record.refunds.clone();
    let is_new = |id: &&String| !record.steps.iter().any(|step| names(step, id));
    let stands = |id: &&String| all.by_id.get(*id).is_some_and(|report| !report.has_failed);
    let mut left: Vec<String> = all.by_id.keys().filter(is_new).filter(stands).cloned().collect();
    let mut more = left.split_off(left.len().min(MAX_SEPARATE));
    more.extend(left.iter().cloned());
    if record.cancelled_at.is_none() {
        record.refunds.amount_kept = None;
    }
    record.refunds.by_id.retain(|id, _| !more.contains(id));
    for id in &left {
        let Some(report) = all.by_id.get(id) else { continue };
        record.refunds.by_id.insert(id.clone(), report.clone());
        let amount = if report.amount.is_zero() { report.refunded_total } else { report.amount };
        let refund_id = RefundId::parse(id).ok();
        let occasion = Occasion { refund_id, amount: Some(amount), reason: None };
        settle(member, record, state, setting, Some(occasion))?;
    }
    let is_complete = record.refunds == all && !left.is_empty();
    record.refunds = all;
    // What an earlier change took back may turn out to have failed.
    let had_refunds = record.steps.iter().any(|step| !step.refunded.is_zero());
    if !is_complete && (record.refunds.count() || had_refunds) {
        if record.is_cancelled() && record.cancelled_at.is_none() {
            record.cancelled_at = Some(record.next_step());
        }
        settle(member, record, state, setting, None)?;
    }
    Ok(())
}

fn names(step: &PurchaseStep, id: &str) -> bool {
    step.refund_id.as_ref().is_some_and(|refund| refund.as_str() == id)
}
