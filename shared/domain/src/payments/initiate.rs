//! Beginning to pay in through a gateway.
//!
//! **Invariant:** the intent is stored before the gateway is asked, under an id that a repetition of the request
//! mints again; so whatever happens in between, there is one gateway order for it.

use crate::cause::Cause;
use crate::context::Context;
use crate::fingerprint::keyed_request;
use crate::ids::{CustomerId, EventId, Gateway, GatewayKey, TopUpId};
use crate::ledger::command::{CauseKey, Command, exact};
use crate::ledger::decision::{Decided, Decision};
use crate::money::Amount;
use crate::payments::limits;
use crate::payments::state::{Abandoned, Listing, PaymentNeeds, PaymentState, PaymentWrite, TopUpOutcome};
use crate::payments::topup::{GatewayOrder, TOPUP_TTL_SECONDS, TopUp};
use crate::payments::webhook_event::{GatewayRef, RefTarget};
use crate::rejection::Rejection;
use crate::time::Timestamp;
use std::collections::BTreeMap;

keyed_request! {
    /// Begin a top-up.
    #[derive(Clone, Debug)]
    pub struct InitiateTopUp ("topup") {
        /// Into whose wallet.
        pub customer: CustomerId => _,
        /// How much.
        pub amount: Amount => "amount",
        /// Through which gateway.
        pub gateway: Gateway => "gateway",
        /// Where the customer goes afterwards.
        pub return_url: Option<String> => "return_url",
        /// Why.
        pub cause: Cause => _,
    }
}

impl InitiateTopUp {
    /// The top-up that this request makes, or made.
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
            ..PaymentNeeds::default()
        }
    }

    /// The top-up's own key is the guard; the stored intent answers repetitions.
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
            let waiting = gateway_ref.map(waiting).unwrap_or_default();
            return Ok(Decision::Already(TopUpOutcome { topup: topup.clone(), waiting }));
        }
        let account = state.account.as_ref().map(|loaded| &loaded.account);
        let account = account.ok_or_else(|| Rejection::WalletNotFound(self.customer.clone()))?;
        let amount = exact(self.amount, account)?;
        let currency = account.currency()?;
        limits::check(self.gateway, amount, currency)?;
        let overflow = Rejection::Inconsistent("a top-up would end past the year 9999");
        let expires_at = context.now.plus_seconds(TOPUP_TTL_SECONDS).ok_or(overflow)?;
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
        ];
        // Written even if nothing waits, so that a report that has just not found the top-up cannot come to wait here.
        let waiting = gateway_ref.map(waiting).unwrap_or_default();
        writes.push(put_ref(gateway_ref, &key, RefTarget::TopUp(id)));
        Ok(Decision::Commit { outcome: TopUpOutcome { topup, waiting }, writes })
    }
}

/// When the gateway is asked first: ten minutes before the top-up expires.
fn first_check_at(expires_at: Timestamp) -> Timestamp {
    expires_at.minus_minutes(10)
}

/// Keep what the gateway made of an intent.
#[derive(Clone, Debug)]
pub struct PlaceTopUp {
    /// Which.
    pub topup: TopUpId,
    /// Through which gateway.
    pub gateway: Gateway,
    /// What the gateway made of it.
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
        let waiting = gateway_ref.map(waiting).unwrap_or_default();
        if topup.placed.is_some() {
            return Ok(Decision::Already(TopUpOutcome { topup, waiting }));
        }
        topup.placed = Some(self.placed.clone());
        // One that was given up before it was placed is looked at again.
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

/// Take back an intent that its gateway has refused for good: nothing is left of it, and its cause is free.
#[derive(Clone, Debug)]
pub struct AbandonTopUp {
    /// The intent that was refused.
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
        // Another intent of the same cause, or one that the gateway has taken after all, stays.
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

/// Note that the gateway was asked once more.
#[derive(Clone, Debug)]
pub struct CloseTopUp {
    /// Which.
    pub topup: TopUpId,
}

impl Command for CloseTopUp {
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
        // Before it expires, and when it has: nothing that was paid at the last moment is missed.
        topup.next_check_at = (context.now < topup.expires_at).then_some(topup.expires_at);
        let was = topup.version;
        topup.version += 1;
        let writes = vec![PaymentWrite::TopUp { topup: topup.clone(), was }];
        Ok(Decision::Commit { outcome: TopUpOutcome { topup, waiting: vec![] }, writes })
    }
}

/// The reports that wait under a lead.
pub(crate) fn waiting(gateway_ref: &GatewayRef) -> Vec<EventId> {
    match &gateway_ref.to {
        RefTarget::Waiting(events) => events.clone(),
        RefTarget::UnmatchedPayment(_) | RefTarget::TopUp(_) => vec![],
    }
}

/// The write of a lead that leads elsewhere now.
pub(crate) fn put_ref(gateway_ref: Option<&GatewayRef>, key: &GatewayKey, to: RefTarget) -> PaymentWrite {
    let was = gateway_ref.map_or(0, |gateway_ref| gateway_ref.version);
    PaymentWrite::GatewayRef { gateway_ref: GatewayRef { key: key.clone(), to, version: was + 1 }, was }
}
