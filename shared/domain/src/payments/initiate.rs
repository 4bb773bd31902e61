//! Creates top-ups and records the orders that gateways create for them.
//!
//! **Invariant:** the intent is stored before the gateway is called, under an id that a repeated
//! request computes again. So whatever happens in between, it has one gateway order.

use crate::cause::Cause;
use crate::context::Context;
use crate::fingerprint::keyed_request;
use crate::ids::{CustomerId, Gateway, GatewayKey, TopUpId};
use crate::ledger::command::{CauseKey, Command, exact};
use crate::ledger::decision::{Decided, Decision};
use crate::money::Amount;
use crate::payments::limits;
use crate::payments::state::{
    Abandoned, Listing, PaymentNeeds, PaymentState, PaymentWrite, TopUpOutcome, put_ref,
};
use crate::payments::topup::{GatewayOrder, TOPUP_TTL_SECONDS, TopUp};
use crate::payments::unpaid::UnpaidTopUps;
use crate::payments::webhook_event::{GatewayRef, RefTarget};
use crate::rejection::Rejection;
use crate::time::Timestamp;
use std::collections::BTreeMap;

keyed_request! {
    /// Creates a top-up.
    #[derive(Clone, Debug)]
    pub struct InitiateTopUp ("topup") {
        /// Customer whose wallet is credited.
        pub customer: CustomerId => _,
        /// Amount to pay in, in the wallet's currency.
        pub amount: Amount => "amount",
        /// Gateway through which the customer pays.
        pub gateway: Gateway => "gateway",
        /// URL to which the customer returns after the payment.
        pub return_url: Option<String> => "return_url",
        /// Idempotency cause.
        pub cause: Cause => _,
    }
}

impl InitiateTopUp {
    /// Returns the id of the top-up that this request creates; a repetition returns the same id.
    pub fn id(&self) -> TopUpId {
        TopUpId::mint(&self.customer, &self.cause)
    }
}

impl Command for InitiateTopUp {
    type State = PaymentState;
    type Outcome = TopUpOutcome;
    type Write = PaymentWrite;

    fn needs(&self) -> PaymentNeeds {
        let id = self.id();
        PaymentNeeds {
            refs: vec![GatewayKey::topup(&id)],
            topup: Some(id),
            customer: Some(self.customer.clone()),
            unpaid: Some(self.customer.clone()),
            ..PaymentNeeds::default()
        }
    }

    /// None: the condition on the top-up's own key suffices, and the stored intent answers
    /// repetitions.
    fn key(&self, _: &PaymentState) -> Option<CauseKey> {
        None
    }

    fn decide(&self, state: &PaymentState, context: &Context) -> Decided<TopUpOutcome, PaymentWrite> {
        let id = self.id();
        let key = GatewayKey::topup(&id);
        let gateway_ref = state.refs.get(&key);
        if let Some(topup) = &state.topup {
            if topup.fingerprint != self.fingerprint() {
                return Err(Rejection::KeyReused.into());
            }
            let waiting = gateway_ref.map(GatewayRef::waiting).unwrap_or_default();
            return Ok(Decision::Already(TopUpOutcome { topup: topup.clone(), waiting }));
        }
        let account = state.account.as_ref().map(|loaded| &loaded.account);
        let account = account.ok_or_else(|| Rejection::WalletNotFound(self.customer.clone()))?;
        let amount = exact(self.amount, account)?;
        let currency = account.currency()?;
        limits::check(self.gateway, amount, currency)?;
        let overflow = Rejection::Inconsistent("the top-up would expire after the year 9999");
        let expires_at = context.now.plus_seconds(TOPUP_TTL_SECONDS).ok_or(overflow)?;
        let none = UnpaidTopUps::none(self.customer.clone());
        let unpaid = state.unpaid.as_ref().unwrap_or(&none);
        let was = unpaid.version;
        let unpaid = unpaid.with(&id, expires_at, &state.ended, context.now)?;
        let topup = TopUp {
            id: id.clone(),
            amount,
            currency,
            gateway: self.gateway,
            return_url: self.return_url.clone(),
            fingerprint: self.fingerprint(),
            request: context.request.clone(),
            placed: None,
            failed: false,
            credited: None,
            transactions: vec![],
            events: vec![],
            reversals: BTreeMap::new(),
            created_at: context.now,
            expires_at,
            next_check_at: Some(first_check_at(expires_at)),
            seq: 0,
            wallet_version: 0,
            version: 1,
        };
        let mut writes = vec![
            PaymentWrite::OpenTopUp(topup.clone()),
            PaymentWrite::List(Listing::TopUp { id: id.clone(), at: context.now }),
            PaymentWrite::Unpaid { unpaid, was },
        ];
        // Written even if nothing waits: a concurrent report that has not found the top-up can then
        // no longer wait here.
        let waiting = gateway_ref.map(GatewayRef::waiting).unwrap_or_default();
        writes.push(put_ref(gateway_ref, &key, RefTarget::TopUp(id)));
        Ok(Decision::Commit { outcome: TopUpOutcome { topup, waiting }, writes })
    }
}

/// Returns when the gateway is polled first: ten minutes before the top-up expires.
fn first_check_at(expires_at: Timestamp) -> Timestamp {
    expires_at.minus_minutes(10)
}

/// Records the order that the gateway created for an intent.
#[derive(Clone, Debug)]
pub struct PlaceTopUp {
    /// Top-up that the order belongs to.
    pub topup: TopUpId,
    /// Gateway of the top-up.
    pub gateway: Gateway,
    /// Order that the gateway created.
    pub placed: GatewayOrder,
}

impl Command for PlaceTopUp {
    type State = PaymentState;
    type Outcome = TopUpOutcome;
    type Write = PaymentWrite;

    fn needs(&self) -> PaymentNeeds {
        let order = GatewayKey::order(self.gateway, &self.placed.order);
        PaymentNeeds { topup: Some(self.topup.clone()), refs: vec![order], ..PaymentNeeds::default() }
    }

    fn key(&self, _: &PaymentState) -> Option<CauseKey> {
        None
    }

    fn decide(&self, state: &PaymentState, context: &Context) -> Decided<TopUpOutcome, PaymentWrite> {
        let mut topup = state.topup.clone().ok_or(Rejection::TopUpNotFound)?;
        let order = GatewayKey::order(self.gateway, &self.placed.order);
        let gateway_ref = state.refs.get(&order);
        let waiting = gateway_ref.map(GatewayRef::waiting).unwrap_or_default();
        if topup.placed.is_some() {
            return Ok(Decision::Already(TopUpOutcome { topup, waiting }));
        }
        topup.placed = Some(self.placed.clone());
        // A top-up that was given up before it was placed is checked again.
        if topup.next_check_at.is_none() && topup.credited.is_none() {
            topup.next_check_at = context.now.plus_seconds(TOPUP_TTL_SECONDS);
        }
        let was = topup.version;
        topup.version += 1;
        let writes = vec![
            PaymentWrite::TopUp { topup: topup.clone(), was },
            put_ref(gateway_ref, &order, RefTarget::TopUp(self.topup.clone())),
        ];
        Ok(Decision::Commit { outcome: TopUpOutcome { topup, waiting }, writes })
    }
}

/// Deletes an intent that its gateway has refused for good, so that its cause can be used again.
#[derive(Clone, Debug)]
pub struct AbandonTopUp {
    /// Intent that was refused.
    pub refused: TopUp,
}

impl Command for AbandonTopUp {
    type State = PaymentState;
    type Outcome = Abandoned;
    type Write = PaymentWrite;

    fn needs(&self) -> PaymentNeeds {
        let id = self.refused.id.clone();
        PaymentNeeds { refs: vec![GatewayKey::topup(&id)], topup: Some(id), ..PaymentNeeds::default() }
    }

    fn key(&self, _: &PaymentState) -> Option<CauseKey> {
        None
    }

    fn decide(&self, state: &PaymentState, _: &Context) -> Decided<Abandoned, PaymentWrite> {
        let Some(topup) = &state.topup else { return Ok(Decision::Already(Abandoned::Gone)) };
        // Another intent of the same cause, or an intent that the gateway has accepted after all,
        // is kept.
        let same = (&topup.fingerprint, &topup.request) == (&self.refused.fingerprint, &self.refused.request);
        if !same || topup.placed.is_some() || topup.credited.is_some() {
            return Ok(Decision::Already(Abandoned::Kept(Box::new(topup.clone()))));
        }
        let mut writes = vec![
            PaymentWrite::DropTopUp { id: topup.id.clone(), was: topup.version },
            PaymentWrite::Unlist(Listing::TopUp { id: topup.id.clone(), at: topup.created_at }),
        ];
        let key = GatewayKey::topup(&topup.id);
        if let Some(gateway_ref) = state.refs.get(&key) {
            writes.push(PaymentWrite::DropRef { key, was: gateway_ref.version });
        }
        Ok(Decision::Commit { outcome: Abandoned::Gone, writes })
    }
}

/// Records that the gateway was polled, and schedules the next poll.
#[derive(Clone, Debug)]
pub struct RecordPoll {
    /// Top-up that was polled.
    pub topup: TopUpId,
}

impl Command for RecordPoll {
    type State = PaymentState;
    type Outcome = TopUpOutcome;
    type Write = PaymentWrite;

    fn needs(&self) -> PaymentNeeds {
        PaymentNeeds { topup: Some(self.topup.clone()), ..PaymentNeeds::default() }
    }

    fn key(&self, _: &PaymentState) -> Option<CauseKey> {
        None
    }

    fn decide(&self, state: &PaymentState, context: &Context) -> Decided<TopUpOutcome, PaymentWrite> {
        let mut topup = state.topup.clone().ok_or(Rejection::TopUpNotFound)?;
        if topup.next_check_at.is_none() {
            return Ok(Decision::Already(TopUpOutcome { topup, waiting: vec![] }));
        }
        // Polled before it expires and when it has expired, so that a payment at the last moment is
        // not missed.
        topup.next_check_at = (context.now < topup.expires_at).then_some(topup.expires_at);
        let was = topup.version;
        topup.version += 1;
        let writes = vec![PaymentWrite::TopUp { topup: topup.clone(), was }];
        Ok(Decision::Commit { outcome: TopUpOutcome { topup, waiting: vec![] }, writes })
    }
}
