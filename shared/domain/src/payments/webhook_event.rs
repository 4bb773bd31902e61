//! Reports of gateways as stored: each once, with its outcome.
//!
//! **Invariant:** a report that is processed or ignored never changes again. A parked or
//! quarantined report is processed again when what it lacks arrives, or when an admin requests it.
//! **Invariant:** an alert about a report is open exactly as long as the report is quarantined or
//! failed.

use crate::alert::Alert;
use crate::currency::Currency;
use crate::ids::{AlertId, EventId, GatewayKey, RequestId, ReversalId, TopUpId, TransactionId};
use crate::money::Money;
use crate::parse::ParseError;
use crate::payments::gateway_report::GatewayReport;
use crate::payments::reversal::{Reversal, effective_amounts};
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// Seconds that a report waits for what it lacks before it is quarantined and an alert is raised:
/// one day.
pub const WAIT_SECONDS: u32 = 86_400;

/// Seconds for which a waiting report is checked again automatically: 30 days.
pub const RECHECK_SECONDS: u32 = 30 * 86_400;

/// Maximum number of reports that wait under one gateway reference.
pub const MAX_WAITING: usize = 400;

/// Outcome of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventStatus {
    /// Its effect was applied, by this report or an equivalent one.
    Processed,
    /// It moves nothing.
    Ignored,
    /// It waits for what it lacks.
    Parked,
    /// Its effect is not applied until an operator has checked it.
    Quarantined,
    /// It could not be read.
    Failed,
}

impl EventStatus {
    /// All statuses, in the API's order.
    pub const ALL: [Self; 5] =
        [Self::Processed, Self::Ignored, Self::Parked, Self::Quarantined, Self::Failed];

    /// Parses the API's word.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(ParseError("must be one of processed, ignored, parked, quarantined, failed"))
    }

    /// Returns the API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Processed => "processed",
            Self::Ignored => "ignored",
            Self::Parked => "parked",
            Self::Quarantined => "quarantined",
            Self::Failed => "failed",
        }
    }

    /// Returns true if it never changes again.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Processed | Self::Ignored)
    }

    /// Returns true if an operator must check the report.
    pub fn needs_attention(self) -> bool {
        matches!(self, Self::Quarantined | Self::Failed)
    }
}

/// A report as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookEvent {
    /// Endpoint and the gateway's id of the event.
    pub id: EventId,
    /// Gateway's word for the type of the event.
    pub kind: String,
    /// Outcome of the report.
    pub status: EventStatus,
    /// Reason for the status; one of [`reasons`].
    pub detail: Option<&'static str>,
    /// What it says; None if it could not be read.
    pub report: Option<GatewayReport>,
    /// Top-up that it is about.
    pub topup: Option<TopUpId>,
    /// Entries that it caused, or that an equivalent report caused before.
    pub transactions: Vec<TransactionId>,
    /// Gateway reference under which it waits.
    pub waiting_on: Option<GatewayKey>,
    /// When it was received.
    pub received_at: Timestamp,
    /// When its status last changed.
    pub updated_at: Timestamp,
    /// Since when an operator must check it.
    pub alerted_at: Option<Timestamp>,
    /// When the sweep checks it next; None if no check is due.
    pub next_check_at: Option<Timestamp>,
    /// Invocation that stored it.
    pub request: RequestId,
    /// Incremented by every change; the condition against stale reads.
    pub version: u64,
}

impl WebhookEvent {
    /// Returns when it is checked next if nothing arrives: as long as it waits for something that
    /// may still arrive, or for what it contradicts to be repaired.
    pub fn next_check(&self, now: Timestamp) -> Option<Timestamp> {
        let is_refused = self.detail == Some(reasons::NOT_POSSIBLE);
        let is_waiting = (self.waiting_on.is_some() || is_refused) && !self.status.is_final();
        let late = self.received_at.plus_seconds(RECHECK_SECONDS).is_none_or(|until| now >= until);
        if !is_waiting || late {
            return None;
        }
        let seconds = if self.status == EventStatus::Parked { 900 } else { 21_600 };
        let next = now.plus_seconds(seconds)?;
        // The check at the end of the waiting time must not be late: it raises the alert.
        Some(if now < self.waits_until() { next.min(self.waits_until()) } else { next })
    }

    /// Returns the time until which it waits before it is quarantined.
    pub fn waits_until(&self) -> Timestamp {
        self.received_at.plus_seconds(WAIT_SECONDS).unwrap_or(self.received_at)
    }
}

impl Alert {
    /// Creates the alert about a report that is quarantined or failed.
    pub fn for_event(event: &WebhookEvent) -> Self {
        let kind = if event.status == EventStatus::Failed { "webhook_failed" } else { "payment_quarantined" };
        let opened_at = event.alerted_at.unwrap_or(event.updated_at);
        Self {
            id: AlertId::of("event", event.id.as_str()),
            kind: kind.to_owned(),
            severity: "critical".to_owned(),
            subject: event.id.to_string(),
            detail: event.detail.unwrap_or(reasons::UNREADABLE).to_owned(),
            opened_at,
            updated_at: opened_at,
            over_at: None,
            closed_at: None,
            acknowledged: None,
            count: 1,
        }
    }
}

/// Reasons for the outcome of a report, as text that is stored and shown.
pub mod reasons {
    macro_rules! reasons {
        ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
            $($(#[$doc])* pub const $name: &str = $text;)*
            /// Returns the reason with this text.
            pub fn known(text: &str) -> Option<&'static str> {
                [$($name),*].into_iter().find(|reason| *reason == text)
            }
        };
    }
    reasons! {
        /// Quarantined.
        NOT_OURS = "names no top-up of ours";
        /// Quarantined.
        OTHER_AMOUNT = "the amount or currency is not that of the top-up";
        /// Quarantined.
        OTHER_GATEWAY = "the top-up was begun with another gateway";
        /// Quarantined.
        OTHER_ORDER = "the order is not that of the top-up";
        /// Quarantined.
        SECOND_PAYMENT = "the top-up has been credited for another payment";
        /// Quarantined.
        OTHER_TOPUP = "the payment has been credited for another top-up";
        /// Quarantined.
        REFUNDED_ALREADY = "the gateway has paid back some of it";
        /// Quarantined.
        NO_WALLET = "the customer has no wallet in this currency";
        /// Quarantined.
        TOO_MANY = "there are too many open reports to keep it apart";
        /// Quarantined.
        NOT_POSSIBLE = "it contradicts what is stored, and would again";
        /// Quarantined.
        WAITED = "what it lacks has not arrived for a day";
        /// Failed.
        UNREADABLE = "a field that its type must have is missing or malformed";
        /// Parked.
        NO_TOPUP = "the top-up that it names is not known yet";
        /// Parked.
        NO_ORDER = "the gateway's order that it names is not known yet";
        /// Quarantined.
        CAME_BACK = "a quarantined payment that had gone back is ours again";
        /// Parked.
        NO_CAPTURE = "the payment that it is about has not been reported as captured";
        /// Ignored.
        SAME_AS_ANOTHER = "says the same as a report that is quarantined";
        /// Ignored.
        PAID_BACK = "the gateway has paid it back";
        /// Ignored.
        NO_MONEY = "moves no value";
        /// Processed.
        CREDITED_SINCE = "another report of the same payment has been credited since";
        /// Processed.
        OF_QUARANTINED = "about a payment that is quarantined: no credit is touched";
    }
}

/// An unmatched payment: it is quarantined, its money is held by the gateway for us and credited to
/// no wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmatchedPayment {
    /// The quarantined report.
    pub event: EventId,
    /// Captured amount.
    pub amount: Money,
    /// Currency of the amount.
    pub currency: Currency,
    /// Its refunds and disputes, as far as they have been reported.
    pub reversed: BTreeMap<ReversalId, Reversal>,
}

impl UnmatchedPayment {
    /// Returns how much of it has been refunded or reversed.
    pub fn gone(&self) -> Money {
        let gone: Money = effective_amounts(&self.reversed).into_values().sum();
        gone.min(self.amount)
    }
}

/// What a gateway reference leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefTarget {
    /// Nothing yet; these reports wait for it.
    Waiting(Vec<EventId>),
    /// An unmatched payment.
    UnmatchedPayment(UnmatchedPayment),
    /// A top-up.
    TopUp(TopUpId),
}

/// A gateway reference: what an id that a report may name leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayRef {
    /// Id of a gateway's order, payment or charge, or of a top-up.
    pub key: GatewayKey,
    /// What it leads to.
    pub to: RefTarget,
    /// Incremented by every change; the condition against stale reads.
    pub version: u64,
}

impl GatewayRef {
    /// Returns the reports that wait for what the id will lead to.
    pub fn waiting(&self) -> Vec<EventId> {
        match &self.to {
            RefTarget::Waiting(events) => events.clone(),
            RefTarget::UnmatchedPayment(_) | RefTarget::TopUp(_) => vec![],
        }
    }
}
