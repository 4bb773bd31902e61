//! Referrals: a customer brings another, and both are credited.
//!
//! **Invariant:** a customer is referred once. `referred_by` is set once and never changes, so an arc from R to X closes
//! a circle only if X is the root of R's chain; the transaction checks that the root still is one.

use crate::cause::Cause;
use crate::context::Context;
use crate::fingerprint::keyed_request;
use crate::ids::CustomerId;
use crate::ids::RequestId;
use crate::ledger::command::{CauseKey, Command, draft, may_receive};
use crate::ledger::decision::{Decided, Decision, NoDecision, Outcome};
use crate::ledger::due::post_due;
use crate::ledger::entry::{Entry, EntryType};
use crate::ledger::lot::{CreditSource, Lot};
use crate::ledger::posting::{Draft, MAX_DUE, Posting};
use crate::money::{Amount, Money};
use crate::rejection::{LoyaltyRejection, Rejection};
use crate::rewards::program::ReferralProgram;
use crate::rewards::state::{ReferralNeeds, ReferralRecord, ReferralState, RewardsWrite, with_profile};
use crate::time::{Date, Timestamp, plus_days};
use crate::wallet::profile::{LoadedWallet, Profile};
use crate::wallet::state::begin;

/// What a referral has done.
#[derive(Clone, Debug)]
pub struct Referred {
    /// The referrer's entry.
    pub entry: Entry,
    /// The referred customer's entry and the referrer's count, if this invocation has decided it; a replay reads them.
    pub rest: Option<(Option<Entry>, u64)>,
}

impl Outcome for Referred {
    fn of_entry(entry: Entry) -> Option<Self> {
        Some(Self { entry, rest: None })
    }

    fn request(&self) -> Option<&RequestId> {
        self.entry.request.as_ref()
    }
}

keyed_request! {
    /// Records that a customer referred another, and credits both.
    #[derive(Clone, Debug)]
    pub struct ApplyReferral ("referral") {
        /// Who refers.
        pub referrer: CustomerId => _,
        /// Who is referred.
        pub referred: CustomerId => _,
        /// The referrer's bonus; the program's if left out.
        pub bonus: Option<Amount> => "bonus",
    }
}

/// Starts both wallets' postings at one instant.
pub(super) fn begin_both(
    state: &ReferralState,
    (from, newcomer): (&CustomerId, &CustomerId),
    context: &Context,
) -> Result<(Posting, Posting, Context), NoDecision> {
    let both = [&state.referrer, &state.referred].into_iter().flatten();
    let now = both.map(|wallet| wallet.loaded.account.updated_at).fold(context.now, Timestamp::max);
    let context = Context { now, ..context.clone() };
    let first = begin(state.referrer.as_ref(), from, &context)?;
    let second = begin(state.referred.as_ref(), newcomer, &context)?;
    // Both share one transaction, so due entries are included only if they are few.
    for posting in [&first, &second] {
        if posting.entries.len() > MAX_DUE / 2 {
            return Err(NoDecision::SettleFirst(posting.clone().into_writes()));
        }
    }
    Ok((first, second, context))
}

/// Ends a posting: also posts what became due by its own entries, and returns its writes with the profile.
pub(super) fn finished(mut posting: Posting, profile: &Profile) -> Result<Vec<RewardsWrite>, NoDecision> {
    post_due(&mut posting, MAX_DUE)?;
    Ok(with_profile(posting.into_writes(), profile))
}

fn profile_of<'a>(wallet: Option<&'a LoadedWallet>, customer: &CustomerId) -> Result<&'a Profile, Rejection> {
    let found = wallet.map(|wallet| &wallet.profile);
    found.ok_or_else(|| Rejection::WalletNotFound(customer.clone()))
}

impl ApplyReferral {
    fn key(&self) -> CauseKey {
        CauseKey::new(Cause::referral(&self.referred), self.fingerprint())
            .otherwise(Rejection::Loyalty(LoyaltyRejection::ReferralAlreadyApplied))
    }

    fn credit(&self, cause: Cause, (amount, expires_on): (Money, Date), context: &Context) -> Draft {
        let (source, expires_on) = (CreditSource::Referral, Some(expires_on));
        let lot = Lot { expires_on, class: source.class(), source, amount };
        let mut credit = draft(self.key(), EntryType::Credit, vec![lot], None, context);
        (credit.cause, credit.source, credit.expires_on) = (cause, Some(source), expires_on);
        credit
    }

    /// Returns the bonuses of the referrer and of the referred customer.
    fn bonuses(&self, program: &ReferralProgram, context: &Context) -> Result<[Money; 2], Rejection> {
        let currency = context.policy.currency();
        let (field, unit) = ("bonus_amount", currency.into());
        let too_precise = Rejection::Loyalty(LoyaltyRejection::TooPreciseAt { field, unit });
        let first = match self.bonus {
            Some(bonus) => bonus.in_currency(currency).ok_or(too_precise)?,
            None => program.referrer_bonus,
        };
        Ok([first, program.referred_bonus])
    }
}

impl Command for ApplyReferral {
    type State = ReferralState;
    type Outcome = Referred;
    type Write = RewardsWrite;

    fn needs(&self) -> ReferralNeeds {
        ReferralNeeds { referrer: self.referrer.clone(), referred: self.referred.clone(), expiries: false }
    }

    fn key(&self, _: &ReferralState) -> Option<CauseKey> {
        Some(self.key())
    }

    fn decide(&self, state: &ReferralState, context: &Context) -> Decided<Referred, RewardsWrite> {
        let rejected = |why: LoyaltyRejection| Err(Rejection::Loyalty(why).into());
        let program = match &state.program {
            Some(program) => program.clone(),
            None => ReferralProgram::standard().map_err(|_| Rejection::Inconsistent("the defaults"))?,
        };
        let bonuses = self.bonuses(&program, context)?;
        let both = (&self.referrer, &self.referred);
        let (mut from, mut newcomer, context) = begin_both(state, both, context)?;
        if state.record.is_some() {
            return rejected(LoyaltyRejection::ReferralAlreadyApplied);
        }
        may_receive(&from.account)?;
        may_receive(&newcomer.account)?;
        let currency = context.policy.currency();
        if from.account.unit != currency || newcomer.account.unit != currency {
            return Err(Rejection::CurrencyMismatch.into());
        }
        let Some(root) = state.root.clone().filter(|root| *root != self.referred) else {
            return rejected(LoyaltyRejection::ReferralCycle);
        };
        let mut profiles = [
            profile_of(state.referrer.as_ref(), &self.referrer)?.clone(),
            profile_of(state.referred.as_ref(), &self.referred)?.clone(),
        ];
        if program.max_per_referrer.is_some_and(|most| profiles[0].referral_count >= most) {
            return rejected(LoyaltyRejection::ReferralLimitReached);
        }
        let expires_on = plus_days(from.today(), program.expiry_days).ok_or(Rejection::ExpiryNotInFuture)?;
        let own = self.credit(self.key().cause, (bonuses[0], expires_on), &context);
        let entry = from.post(own)?;
        let other = if bonuses[1].is_zero() {
            None
        } else {
            let cause = Cause::referred_by(&self.referrer);
            let mut credit = self.credit(cause, (bonuses[1], expires_on), &context);
            credit.fingerprint = None;
            Some(newcomer.post(credit)?)
        };
        let count = profiles[0].referral_count.saturating_add(1);
        profiles[0].referral_count = count;
        (profiles[1].referred_by, profiles[1].referral_root) =
            (Some(self.referrer.clone()), Some(root.clone()));
        let record = ReferralRecord {
            referred: self.referred.clone(),
            referrer: self.referrer.clone(),
            at: from.now,
            referrer_bonus: bonuses[0],
            referred_bonus: bonuses[1],
            referral_count: count,
            reversed: None,
            version: 1,
        };
        let mut writes = finished(from, &profiles[0])?;
        writes.extend(finished(newcomer, &profiles[1])?);
        writes.push(RewardsWrite::Referral { record: Box::new(record), was: 0 });
        if root != self.referrer {
            writes.push(RewardsWrite::IsRoot(root));
        }
        Ok(Decision::Commit { outcome: Referred { entry, rest: Some((other, count)) }, writes })
    }
}
