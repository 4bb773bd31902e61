//! Paying in through a gateway: from the intent to the credit, and back for refunds and disputes.
//!
//! **Invariant:** a top-up is credited at most once, for exactly the amount and currency of its intent, and from
//! every unpaid state.
//! **Invariant:** Σ allotted = min(the credit, Σ of what its refunds and disputes have come to), in whatever order
//! they were reported.

use crate::currency::Currency;
use crate::fingerprint::Fingerprint;
use crate::ids::{EventId, Gateway, GatewayId, RequestId, ReversalId, TopUpId, TransactionId};
use crate::ledger::lot::LotClass;
use crate::money::Money;
use crate::payments::reversal::{Reversal, effective_amounts, known_as};
use crate::time::{Date, Timestamp};
use std::collections::BTreeMap;

/// How long a customer has to pay: a day.
pub const TOPUP_TTL_SECONDS: u32 = 86_400;

/// How many movements a top-up names: the newest.
const MAX_TRANSACTIONS: usize = 100;

/// How many reports a top-up names: the newest.
const MAX_EVENTS: usize = 10;

/// How many refunds and disputes a top-up keeps apart.
pub const MAX_REVERSALS: usize = 400;

/// What the gateway made of the intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayOrder {
    /// The gateway's order (checkout session).
    pub order: GatewayId,
    /// What the client's SDK needs, as JSON, sealed.
    pub checkout: String,
    /// A page on which the customer can pay.
    pub checkout_url: Option<String>,
}

/// The payment that was credited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credited {
    /// The gateway's payment.
    pub payment: GatewayId,
    /// The gateway's charge, where that is another thing.
    pub charge: Option<GatewayId>,
    /// How the customer paid, where that is said apart.
    pub method: Option<String>,
    /// The last date of the credit.
    pub expires_on: Option<Date>,
    /// The class of its lot.
    pub class: LotClass,
    /// The movement.
    pub transaction: TransactionId,
    /// When.
    pub at: Timestamp,
}

/// A top-up as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUp {
    /// Its id, which names the customer.
    pub id: TopUpId,
    /// How much is to be paid in.
    pub amount: Money,
    /// In the wallet's currency.
    pub currency: Currency,
    /// Through which gateway.
    pub gateway: Gateway,
    /// Where the customer goes afterwards.
    pub return_url: Option<String>,
    /// What was asked for.
    pub fingerprint: Fingerprint,
    /// The invocation that began it.
    pub request: RequestId,
    /// What the gateway made of it; none yet if it did not answer.
    pub placed: Option<GatewayOrder>,
    /// A payment has failed, and none has succeeded.
    pub failed: bool,
    /// The payment that was credited.
    pub credited: Option<Credited>,
    /// The movements that it caused, oldest first, at most the newest hundred; those of collection are not among
    /// them.
    pub transactions: Vec<TransactionId>,
    /// The reports that changed it or that someone must look at, oldest first, at most the newest ten.
    pub events: Vec<EventId>,
    /// Refunds and disputes of it.
    pub reversals: BTreeMap<ReversalId, Reversal>,
    /// When it began.
    pub created_at: Timestamp,
    /// Until when the customer can be expected to pay.
    pub expires_at: Timestamp,
    /// When it is looked at next: the gateway is asked once more when it expires.
    pub next_check_at: Option<Timestamp>,
    /// The wallet's entry that last changed it (zero: none yet).
    pub seq: u64,
    /// The wallet's version that last changed it (zero: none yet).
    pub wallet_version: u64,
    /// Counts its changes; the guard against a stale read.
    pub version: u64,
}

/// A reversal whose allotment changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllotmentChange {
    /// Which.
    pub id: ReversalId,
    /// What was allotted to it.
    pub from: Money,
    /// What is allotted to it now.
    pub to: Money,
}

impl TopUp {
    /// The contract's word for its state at `now`.
    pub fn status(&self, now: Timestamp) -> &'static str {
        let reversed = self.reversed();
        match &self.credited {
            Some(_) if reversed.is_zero() => "CREDITED",
            Some(_) if reversed == self.amount => "REVERSED",
            Some(_) => "PARTIALLY_REVERSED",
            None if self.failed => "FAILED",
            None if now >= self.expires_at => "EXPIRED",
            None => "PENDING",
        }
    }

    /// The refunds and disputes that may move when one of them is reported: itself, and where they are told apart only
    /// by their sums, the others.
    pub fn moves_with(&self, reported: &ReversalId) -> Vec<ReversalId> {
        let reported = known_as(&self.reversals, reported);
        let linked = |id: &&ReversalId| **id != reported && (id.is_unnamed() || id.is_dispute());
        let others: Vec<_> = self.reversals.keys().filter(linked).cloned().collect();
        let paypal = self.gateway == Gateway::PayPal;
        std::iter::once(reported).chain(others.into_iter().filter(|_| paypal)).collect()
    }

    /// Notes movements that it caused.
    pub fn note(&mut self, transactions: impl IntoIterator<Item = TransactionId>) {
        self.transactions.extend(transactions);
        let extra = self.transactions.len().saturating_sub(MAX_TRANSACTIONS);
        self.transactions.drain(..extra);
    }

    /// Notes a report about it.
    pub fn record_event(&mut self, event: &EventId) {
        self.events.retain(|known| known != event);
        self.events.push(event.clone());
        let extra = self.events.len().saturating_sub(MAX_EVENTS);
        self.events.drain(..extra);
    }

    /// How much of the credit its refunds and disputes have come to.
    pub fn reversed(&self) -> Money {
        self.reversals.values().map(|reversal| reversal.allotted).sum()
    }

    /// Allots the credit anew after a report; gives what changes, decreases first.
    ///
    /// One that was reported earlier keeps what it has; what is free goes to those that lack, by id. No more than `limit`
    /// change: the rest is allotted when it is asked again.
    pub fn allot(&mut self, limit: usize) -> Vec<AllotmentChange> {
        let wanted = effective_amounts(&self.reversals);
        let wants = |id: &ReversalId| wanted.get(id).copied().unwrap_or(Money::ZERO);
        let mut shifts = Vec::new();
        for (id, reversal) in &mut self.reversals {
            if wants(id) < reversal.allotted && shifts.len() < limit {
                shifts.push(AllotmentChange { id: id.clone(), from: reversal.allotted, to: wants(id) });
                reversal.allotted = wants(id);
            }
        }
        let mut free = self.amount.saturating_sub(self.reversed());
        for (id, reversal) in &mut self.reversals {
            let lacks = wants(id).saturating_sub(reversal.allotted).min(free);
            if lacks.is_zero() || shifts.len() >= limit {
                continue;
            }
            free = free.saturating_sub(lacks);
            let to = [reversal.allotted, lacks].into_iter().sum();
            shifts.push(AllotmentChange { id: id.clone(), from: reversal.allotted, to });
            reversal.allotted = to;
        }
        shifts
    }
}
