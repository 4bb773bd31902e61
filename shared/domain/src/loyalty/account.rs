//! What is done to a customer's points as a whole: freezing them, granting a tier, writing down what time has changed.
//!
//! **Invariant:** a change of status and a grant are recorded with who made them, and why.

use crate::context::Context;
use crate::ids::{CustomerId, RequestId};
use crate::ledger::account::AccountStatus;
use crate::ledger::command::{CauseKey, Command};
use crate::ledger::decision::{Decided, Decision, Outcome};
use crate::loyalty::member::{Member, Setting};
use crate::loyalty::program::TierName;
use crate::loyalty::state::{LoyaltyNeeds, LoyaltyState, LoyaltyWrite, PointsAfter};
use crate::loyalty::tiers::TierChange;
use crate::text::FreeText;
use crate::time::Date;

/// Freezes points, or ends that.
#[derive(Clone, Debug)]
pub struct FreezePoints {
    /// The customer.
    pub user: CustomerId,
    /// ACTIVE or FROZEN.
    pub status: AccountStatus,
    /// Why.
    pub reason: FreeText,
}

impl Command for FreezePoints {
    type State = LoyaltyState;
    type Outcome = PointsAfter;
    type Write = LoyaltyWrite;

    fn needs(&self) -> LoyaltyNeeds {
        LoyaltyNeeds::points(&self.user)
    }

    fn key(&self, _: &LoyaltyState) -> Option<CauseKey> {
        None
    }

    fn decide(&self, state: &LoyaltyState, context: &Context) -> Decided<PointsAfter, LoyaltyWrite> {
        let setting = Setting::of(state, context)?;
        let mut member = Member::begin(state.points.as_ref(), &self.user, &setting)?;
        let by = setting.context.actor.signature();
        let Some(record) = member.set_status(self.status, &self.reason, &by) else {
            return Ok(Decision::Already(member.after()));
        };
        let outcome = member.after();
        member.finish(outcome, vec![record])
    }
}

/// Grants a tier through a date, or ends a grant.
#[derive(Clone, Debug)]
pub struct GrantTier {
    /// The customer.
    pub user: CustomerId,
    /// The tier and the last date; `None` ends the grant.
    pub grant: Option<(TierName, Date)>,
    /// Why.
    pub reason: FreeText,
}

impl Command for GrantTier {
    type State = LoyaltyState;
    type Outcome = PointsAfter;
    type Write = LoyaltyWrite;

    fn needs(&self) -> LoyaltyNeeds {
        LoyaltyNeeds::points(&self.user)
    }

    fn key(&self, _: &LoyaltyState) -> Option<CauseKey> {
        None
    }

    fn decide(&self, state: &LoyaltyState, context: &Context) -> Decided<PointsAfter, LoyaltyWrite> {
        let setting = Setting::of(state, context)?;
        let mut member = Member::begin(state.points.as_ref(), &self.user, &setting)?;
        let grant = member.granted(self.grant.as_ref())?;
        if member.standing.granted == grant {
            return Ok(Decision::Already(member.after()));
        }
        member.grant(grant, &self.reason, &setting.context.actor.signature());
        let outcome = member.after();
        member.finish(outcome, vec![])
    }
}

/// Writes down what has fallen due: expiries, activations, lock time-outs, and changes of the tier.
#[derive(Clone, Debug)]
pub struct SettlePoints {
    /// The customer.
    pub user: CustomerId,
}

impl Command for SettlePoints {
    type State = LoyaltyState;
    type Outcome = (PointsAfter, Vec<TierChange>);
    type Write = LoyaltyWrite;

    fn needs(&self) -> LoyaltyNeeds {
        LoyaltyNeeds::points(&self.user)
    }

    fn key(&self, _: &LoyaltyState) -> Option<CauseKey> {
        None
    }

    fn decide(&self, state: &LoyaltyState, context: &Context) -> Decided<Self::Outcome, LoyaltyWrite> {
        let setting = Setting::of(state, context)?;
        let member = Member::begin(state.points.as_ref(), &self.user, &setting)?;
        let changes = member.changes().cloned().collect();
        let outcome = (member.after(), changes);
        if state.points.is_none() || !member.is_behind() {
            return Ok(Decision::Already(outcome));
        }
        member.finish(outcome, vec![])
    }
}

impl Outcome for (PointsAfter, Vec<TierChange>) {
    fn request(&self) -> Option<&RequestId> {
        None
    }
}
