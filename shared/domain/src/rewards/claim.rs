//! The claim of a reward.
//!
//! **Invariant:** a claim takes one free use in the transaction that credits the wallet, so exactly as many claims
//! succeed as the reward has uses.
//! **Invariant:** a customer proves a purchase only by an order that was registered for them.

use crate::cause::Cause;
use crate::context::Context;
use crate::fingerprint::keyed_request;
use crate::ids::{CustomerId, LineId, OrderId, RewardId};
use crate::ledger::command::{CauseKey, Command, draft, finish, may_spend};
use crate::ledger::decision::Decided;
use crate::ledger::entry::{Entry, EntryType};
use crate::ledger::lot::{CreditSource, Lot};
use crate::ledger::order::Order;
use crate::money::{Amount, Money};
use crate::rejection::{LoyaltyRejection, Rejection};
use crate::rewards::reward::Reward;
use crate::rewards::state::{ClaimNeeds, ClaimState, Drawn, RewardsWrite};
use crate::time::plus_days;
use crate::unit::Unit;
use crate::wallet::state::begin;

keyed_request! {
    /// Claims a reward.
    #[derive(Clone, Debug)]
    pub struct ClaimReward ("claim-reward") {
        /// Who claims it.
        pub customer: CustomerId => _,
        /// The reward.
        pub reward: RewardId => _,
        /// A registered order that proves a purchase.
        pub order: Option<OrderId> => "order",
        /// The purchase as a trusted backend states it.
        pub purchase_amount: Option<Amount> => _,
        /// The products and categories that a trusted backend states.
        pub products: Vec<LineId> => _,
        /// The partitions of the reward's free uses, if known.
        pub shards: Option<u8> => _,
    }
}

impl ClaimReward {
    fn key(&self) -> CauseKey {
        CauseKey::new(Cause::claim(&self.reward), self.fingerprint())
            .otherwise(Rejection::Loyalty(LoyaltyRejection::RewardAlreadyClaimed))
    }

    /// Returns the amount of the purchase that a trusted backend states, in the reward's currency.
    fn stated(&self, reward: &Reward) -> Result<Money, Rejection> {
        let (field, unit) = ("purchase_amount", Unit::from(reward.terms.currency));
        let too_precise = Rejection::Loyalty(LoyaltyRejection::TooPreciseAt { field, unit });
        match self.purchase_amount {
            Some(amount) => amount.in_currency(reward.terms.currency).ok_or(too_precise),
            None => Ok(Money::ZERO),
        }
    }

    /// Rejects a claim without a purchase for which the reward is.
    fn qualifies(&self, reward: &Reward, order: Option<&Order>, stated: Money) -> Result<(), Rejection> {
        let is_enough = match order {
            Some(order) => reward.is_proved_by(order),
            None => stated >= reward.terms.min_purchase_amount,
        };
        let ordered = order.iter().flat_map(|order| order.products.iter());
        if is_enough && reward.applies_to(ordered.chain(&self.products)) {
            Ok(())
        } else {
            Err(Rejection::Loyalty(LoyaltyRejection::RewardNotApplicable))
        }
    }
}

impl Command for ClaimReward {
    type State = ClaimState;
    type Outcome = Entry;
    type Write = RewardsWrite;

    fn needs(&self) -> ClaimNeeds {
        ClaimNeeds {
            customer: self.customer.clone(),
            reward: self.reward.clone(),
            order: self.order.clone(),
            shards: self.shards,
        }
    }

    fn key(&self, _: &ClaimState) -> Option<CauseKey> {
        Some(self.key())
    }

    fn precedes_replay(&self, rejection: &Rejection) -> bool {
        *rejection == Rejection::OrderNotFound
    }

    fn decide(&self, state: &ClaimState, context: &Context) -> Decided<Entry, RewardsWrite> {
        let mut posting = begin(state.wallet.as_ref(), &self.customer, context)?;
        let rejected = |why: LoyaltyRejection| Rejection::Loyalty(why);
        let reward = state.reward.as_ref().ok_or(rejected(LoyaltyRejection::RewardNotFound))?;
        let order = match &self.order {
            Some(_) => {
                let own = state.order.as_ref().filter(|order| order.customer == self.customer);
                Some(own.ok_or(Rejection::OrderNotFound)?)
            }
            None => None,
        };
        let stated = self.stated(reward)?;
        may_spend(&posting.account)?;
        if !reward.is_claimable(posting.now) {
            return Err(rejected(LoyaltyRejection::RewardNotActive).into());
        }
        let currency = reward.terms.currency;
        if posting.account.unit != currency || order.is_some_and(|order| order.currency != currency) {
            return Err(Rejection::CurrencyMismatch.into());
        }
        self.qualifies(reward, order, stated)?;
        let free = match &state.drawn {
            Some(Drawn::Free(free)) => free.clone(),
            Some(Drawn::Exhausted) => return Err(rejected(LoyaltyRejection::RewardExhausted).into()),
            None => return Err(Rejection::Inconsistent("no use was looked for").into()),
        };
        let today = posting.today();
        let expires_on = match reward.terms.credit_expiry_days {
            Some(days) => Some(plus_days(today, days).ok_or(Rejection::ExpiryNotInFuture)?),
            None => context.policy.default_expiry(posting.account.balance(), today),
        };
        let source = CreditSource::Loyalty;
        let lot = Lot { expires_on, class: source.class(), source, amount: reward.terms.credit_amount };
        let mut credit = draft(self.key(), EntryType::Credit, vec![lot], Some(&reward.terms.name), context);
        (credit.source, credit.expires_on) = (Some(source), expires_on);
        credit.order_id.clone_from(&self.order);
        let entry = posting.post(credit)?;
        let listed = RewardsWrite::ListClaim {
            reward: self.reward.clone(),
            entry: Box::new(entry.clone()),
            least: reward.terms.min_purchase_amount,
        };
        let mut more = vec![RewardsWrite::TakeUse(free), listed];
        // A refund of the order at the same instant is decided before or after this claim, not beside it.
        more.extend(
            order.map(|order| RewardsWrite::SameOrder { order: order.id.clone(), version: order.version }),
        );
        finish(posting, entry, more)
    }
}
