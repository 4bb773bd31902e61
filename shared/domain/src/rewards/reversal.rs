//! The reversal of a referral, and of claims whose order was refunded.
//!
//! **Invariant:** each is reversed whole, and the referred customer stays referred.
//! **Invariant:** a claim is taken back as long as too little is left of its order: it comes back if a refund has failed.

use crate::context::Context;
use crate::ids::{AccountRef, CustomerId, OrderId, RequestId, RewardId};
use crate::ledger::command::{self, CauseKey, Command};
use crate::ledger::decision::{Decided, Decision, NoDecision, Outcome};
use crate::ledger::entry::Entry;
use crate::ledger::order::Order;
use crate::ledger::posting::{LoadedAccount, Posting};
use crate::money::Money;
use crate::rejection::{LoyaltyRejection, Rejection};
use crate::rewards::causes::{reversed_claim, reversed_referral};
use crate::rewards::referral::{begin_both, finished};
use crate::rewards::reward::has_enough_left;
use crate::rewards::state::{
    ReferralNeeds, ReferralRecord, ReferralReversal, ReferralState, ReversedClaim, RewardsWrite,
};
use crate::rewards::take_back::{Taking, Why, give_back, take_back};
use crate::text::FreeText;
use crate::wallet::profile::LoadedWallet;
use crate::wallet::state::begin;

/// Has what is due written first: what has expired is only forgiven once its entry is stored.
pub(super) fn written_first(posting: &Posting) -> Result<(), NoDecision> {
    if posting.is_untouched() { Ok(()) } else { Err(NoDecision::SettleFirst(posting.clone().into_writes())) }
}

/// Takes the credits of a referral back.
#[derive(Clone, Debug)]
pub struct ReverseReferral {
    /// Who referred; from the record.
    pub referrer: CustomerId,
    /// Who was referred.
    pub referred: CustomerId,
    /// Why.
    pub reason: FreeText,
}

impl Outcome for ReferralRecord {
    fn request(&self) -> Option<&RequestId> {
        self.reversed.as_ref().map(|reversed| &reversed.request)
    }
}

impl Command for ReverseReferral {
    type State = ReferralState;
    type Outcome = ReferralRecord;
    type Write = RewardsWrite;

    fn needs(&self) -> ReferralNeeds {
        ReferralNeeds { referrer: self.referrer.clone(), referred: self.referred.clone(), expiries: true }
    }

    fn key(&self, _: &ReferralState) -> Option<CauseKey> {
        None
    }

    fn decide(&self, state: &ReferralState, context: &Context) -> Decided<ReferralRecord, RewardsWrite> {
        let unknown = Rejection::Loyalty(LoyaltyRejection::ReferralNotFound);
        let record = state.record.clone().ok_or(unknown)?;
        if record.reversed.is_some() {
            return Ok(Decision::Already(record));
        }
        let both = (&self.referrer, &self.referred);
        let (mut from, mut newcomer, context) = begin_both(state, both, context)?;
        written_first(&from)?;
        written_first(&newcomer)?;
        let by = context.actor.signature();
        let why = Why { by, request: Some(&context.request), reason: Some(&self.reason) };
        let reversed = reversed_referral(&self.referred);
        let [own, other] = &state.credits;
        let own = own.as_ref().ok_or(Rejection::Inconsistent("a referral without its credit"))?;
        take_back(&mut from, &mut Taking::of(own, &state.expired[0], &reversed)?, own.amount, &why)?;
        if let Some(credit) = other {
            let mut taking = Taking::of(credit, &state.expired[1], &reversed)?;
            take_back(&mut newcomer, &mut taking, credit.amount, &why)?;
        }
        let missing = Rejection::Inconsistent("a referral without its wallets");
        let (Some(first_wallet), Some(to)) = (&state.referrer, &state.referred) else {
            return Err(missing.into());
        };
        let mut profile = first_wallet.profile.clone();
        profile.referral_count = profile.referral_count.saturating_sub(1);
        let was = record.version;
        let record = ReferralRecord {
            reversed: Some(ReferralReversal {
                at: from.now,
                request: context.request.clone(),
                referral_count: profile.referral_count,
            }),
            version: was + 1,
            ..record
        };
        let mut writes = finished(from, &profile)?;
        writes.extend(finished(newcomer, &to.profile)?);
        writes.push(RewardsWrite::Referral { record: Box::new(record.clone()), was });
        Ok(Decision::Commit { outcome: record, writes })
    }
}

/// The most claims that one transaction reverses.
const MAX_AT_ONCE: usize = 20;

/// Takes the claims of an order back of which too little is left, and gives those back of which enough is left again.
#[derive(Clone, Debug)]
pub struct ReverseClaims {
    /// Whose order it is.
    pub customer: CustomerId,
    /// The order.
    pub order: OrderId,
}

/// A reward that was claimed with an order.
#[derive(Clone, Debug)]
pub struct OrderClaim {
    /// The reward.
    pub reward: RewardId,
    /// The credit.
    pub credit: Entry,
    /// The least purchase for which the reward was then.
    pub least: Money,
    /// Its reversal before.
    pub reversed: Option<ReversedClaim>,
    /// What has expired with the date of the credit.
    pub expired: Vec<Entry>,
    /// The entries of the reversal before.
    pub moved: Vec<Entry>,
}

impl OrderClaim {
    /// Returns true if the credit was taken back and did not come back.
    fn is_taken(&self) -> bool {
        self.reversed.as_ref().is_some_and(|reversed| reversed.is_taken)
    }
}

/// What the reversal of an order's claims is decided on.
#[derive(Clone, Debug, Default)]
pub struct ReversalState {
    /// The wallet; `None` if it does not exist.
    pub wallet: Option<LoadedWallet>,
    /// The order, if it exists.
    pub order: Option<Order>,
    /// The claims that name it.
    pub claims: Vec<OrderClaim>,
}

/// The items that the reversal of an order's claims needs.
#[derive(Clone, Debug)]
pub struct ReversalNeeds {
    /// Whose order it is.
    pub customer: CustomerId,
    /// The order.
    pub order: OrderId,
}

impl command::State for ReversalState {
    type Needs = ReversalNeeds;

    fn accounts(needs: &ReversalNeeds) -> Vec<AccountRef> {
        vec![AccountRef::wallet(&needs.customer)]
    }

    fn loaded(&self) -> Vec<Option<&LoadedAccount>> {
        vec![self.wallet.as_ref().map(|wallet| &wallet.loaded)]
    }
}

/// The claims of an order of which too little is left are reversed.
#[derive(Clone, Copy, Debug)]
pub struct TakenBack;

impl Outcome for TakenBack {
    fn request(&self) -> Option<&RequestId> {
        None
    }
}

impl Command for ReverseClaims {
    type State = ReversalState;
    type Outcome = TakenBack;
    type Write = RewardsWrite;

    fn needs(&self) -> ReversalNeeds {
        ReversalNeeds { customer: self.customer.clone(), order: self.order.clone() }
    }

    fn key(&self, _: &ReversalState) -> Option<CauseKey> {
        None
    }

    fn decide(&self, state: &ReversalState, context: &Context) -> Decided<TakenBack, RewardsWrite> {
        let (Some(order), false) = (&state.order, state.claims.is_empty()) else {
            return Ok(Decision::Already(TakenBack));
        };
        let mut posting = begin(state.wallet.as_ref(), &self.customer, context)?;
        written_first(&posting)?;
        let is_due = |claim: &&OrderClaim| has_enough_left(order, claim.least) == claim.is_taken();
        let left: Vec<&OrderClaim> = state.claims.iter().filter(is_due).collect();
        let mut records = vec![];
        // It follows from the refund, whichever request completes it.
        let why = Why { by: context.actor.signature(), request: None, reason: None };
        for claim in left.iter().take(MAX_AT_ONCE) {
            let reversed = reversed_claim(&claim.reward, &self.order);
            let (number, was) =
                claim.reversed.as_ref().map_or((0, 0), |reversed| (reversed.number, reversed.version));
            let first = Taking::of(&claim.credit, &claim.expired, &reversed)?;
            let (mut taking, is_taken) = (Taking { number, ..first }, !claim.is_taken());
            if is_taken {
                take_back(&mut posting, &mut taking, claim.credit.amount, &why)?;
            } else {
                give_back(&mut posting, &mut taking, claim.credit.amount, (&claim.moved, context), &why)?;
            }
            records.push(RewardsWrite::ReversedClaim(Box::new(ReversedClaim {
                customer: self.customer.clone(),
                reward: claim.reward.clone(),
                order: self.order.clone(),
                amount: claim.credit.amount,
                at: posting.now,
                is_taken,
                number: taking.number,
                version: was + 1,
            })));
        }
        if records.is_empty() {
            return Ok(Decision::Already(TakenBack));
        }
        let missing = Rejection::Inconsistent("claims without their wallet");
        let profile = state.wallet.as_ref().map(|wallet| wallet.profile.clone()).ok_or(missing)?;
        let mut writes = finished(posting, &profile)?;
        writes.extend(records);
        writes.push(RewardsWrite::SameOrder { order: order.id.clone(), version: order.version });
        Ok(if left.len() > MAX_AT_ONCE {
            Decision::Partly(writes)
        } else {
            Decision::Commit { outcome: TakenBack, writes }
        })
    }
}
