//! Top-ups: payments through a gateway, from the intent to the credit, with refunds and disputes.
//!
//! **Invariant:** a top-up is credited at most once, for exactly the amount and currency of its
//! intent, and from every unpaid state.
//! **Invariant:** Σ allotted = min(the credit, Σ effective amounts of its refunds and disputes), in
//! whatever order they were reported.

use crate::currency::Currency;
use crate::fingerprint::Fingerprint;
use crate::ids::{EventId, Gateway, GatewayId, RequestId, ReversalId, TopUpId, TransactionId};
use crate::ledger::lot::LotClass;
use crate::money::Money;
use crate::payments::reversal::{Reversal, canonical_id, effective_amounts};
use crate::time::{Date, Timestamp};
use std::collections::BTreeMap;

/// Seconds that a customer has to pay: one day.
pub const TOPUP_TTL_SECONDS: u32 = 86_400;

/// Maximum number of entries that a top-up names; the newest are kept.
const MAX_TRANSACTIONS: usize = 100;

/// Maximum number of reports that a top-up names; the newest are kept.
const MAX_EVENTS: usize = 10;

/// Maximum number of refunds and disputes that a top-up keeps.
pub const MAX_REVERSALS: usize = 400;

/// The order that the gateway created for the intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayOrder {
    /// Gateway's order (checkout session).
    pub order: GatewayId,
    /// Sealed JSON that the client's SDK needs.
    pub checkout: String,
    /// URL of a page on which the customer can pay.
    pub checkout_url: Option<String>,
}

/// The payment that was credited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credited {
    /// Gateway's payment.
    pub payment: GatewayId,
    /// Gateway's charge, if that differs from the payment.
    pub charge: Option<GatewayId>,
    /// Payment method, if the report states it separately.
    pub method: Option<String>,
    /// Last date of the credit; None if it does not expire.
    pub expires_on: Option<Date>,
    /// Class of the credit's lot.
    pub class: LotClass,
    /// Entry that credited the wallet.
    pub transaction: TransactionId,
    /// When the entry was posted.
    pub at: Timestamp,
}

/// A top-up as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUp {
    /// Contains the customer's id.
    pub id: TopUpId,
    /// Amount to pay in.
    pub amount: Money,
    /// Currency of the wallet.
    pub currency: Currency,
    /// Gateway through which the customer pays.
    pub gateway: Gateway,
    /// URL to which the customer returns after the payment.
    pub return_url: Option<String>,
    /// Fingerprint of the request.
    pub fingerprint: Fingerprint,
    /// Invocation that created it.
    pub request: RequestId,
    /// Order that the gateway created; None until the gateway has answered.
    pub placed: Option<GatewayOrder>,
    /// True if a payment failed before any was credited.
    pub failed: bool,
    /// Payment that was credited; None until then.
    pub credited: Option<Credited>,
    /// Entries that it caused, oldest first; at most the newest 100. Entries that collect owed
    /// amounts are not included.
    pub transactions: Vec<TransactionId>,
    /// Reports that changed it or need an operator's attention, oldest first; at most the newest
    /// ten.
    pub events: Vec<EventId>,
    /// Its refunds and disputes; at most 400.
    pub reversals: BTreeMap<ReversalId, Reversal>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Time until which the customer is expected to pay.
    pub expires_at: Timestamp,
    /// When the gateway is polled next: shortly before it expires and when it has expired. None if
    /// no poll is due.
    pub next_check_at: Option<Timestamp>,
    /// Sequence number of the wallet's entry in the last change; zero if none.
    pub seq: u64,
    /// Version of the wallet in the last change; zero if none.
    pub wallet_version: u64,
    /// Incremented by every change; the condition against stale reads.
    pub version: u64,
}

/// A change of the amount allotted to a reversal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllotmentChange {
    /// Reversal whose allotment changes.
    pub id: ReversalId,
    /// Amount allotted before.
    pub from: Money,
    /// Amount allotted now.
    pub to: Money,
}

impl TopUp {
    /// Returns the API's word for its state at `now`.
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

    /// Returns the refunds and disputes that may change when one is reported: itself and, at
    /// PayPal, where only amounts link them, all disputes and all reversals that name no dispute.
    pub fn moves_with(&self, reported: &ReversalId) -> Vec<ReversalId> {
        let reported = canonical_id(&self.reversals, reported);
        let linked = |id: &&ReversalId| **id != reported && (id.is_unnamed() || id.is_dispute());
        let others: Vec<_> = self.reversals.keys().filter(linked).cloned().collect();
        let paypal = self.gateway == Gateway::PayPal;
        std::iter::once(reported).chain(others.into_iter().filter(|_| paypal)).collect()
    }

    /// Adds entries that it caused, and drops the oldest beyond the limit.
    pub fn note(&mut self, transactions: impl IntoIterator<Item = TransactionId>) {
        self.transactions.extend(transactions);
        let extra = self.transactions.len().saturating_sub(MAX_TRANSACTIONS);
        self.transactions.drain(..extra);
    }

    /// Adds a report about it, as the newest, and drops the oldest beyond the limit.
    pub fn record_event(&mut self, event: &EventId) {
        self.events.retain(|known| known != event);
        self.events.push(event.clone());
        let extra = self.events.len().saturating_sub(MAX_EVENTS);
        self.events.drain(..extra);
    }

    /// Returns how much of the credit is allotted to its refunds and disputes.
    pub fn reversed(&self) -> Money {
        self.reversals.values().map(|reversal| reversal.allotted).sum()
    }

    /// Allots the credit again after a report. Returns the changes, decreases first.
    ///
    /// A reversal keeps what it was allotted before; what is free goes to those that lack an
    /// amount, in the order of their ids. At most `limit` allotments change; the rest changes in a
    /// further call.
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
