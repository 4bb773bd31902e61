//! What gateways have reported, kept: each report once, with what became of it.
//!
//! **Invariant:** an event that is processed or ignored never changes again; one that waits or is quarantined is
//! looked at anew when what it lacks arrives, or when an admin asks.
//! **Invariant:** an alert about an event is open exactly as long as the event is quarantined or failed.

use crate::alert::Alert;
use crate::currency::Currency;
use crate::ids::{AlertId, EventId, GatewayKey, RequestId, ReversalId, TopUpId, TransactionId};
use crate::money::Money;
use crate::parse::ParseError;
use crate::payments::gateway_report::GatewayReport;
use crate::payments::reversal::{Reversal, effective_amounts};
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// How long a report waits for what it lacks before someone is told: a day.
pub const WAIT_SECONDS: u32 = 86_400;

/// For how long one that waits is looked at again by itself: thirty days.
pub const LOOK_SECONDS: u32 = 30 * 86_400;

/// How many reports wait under one handle.
pub const MAX_WAITING: usize = 400;

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventStatus {
    /// It had its effect, or says what had its effect already.
    Processed,
    /// It moves nothing.
    Ignored,
    /// It waits for what it lacks.
    Parked,
    /// It must not have its effect until someone has looked.
    Quarantined,
    /// It could not be understood.
    Failed,
}

impl EventStatus {
    /// Every status, in the contract's order.
    pub const ALL: [Self; 5] =
        [Self::Processed, Self::Ignored, Self::Parked, Self::Quarantined, Self::Failed];

    /// Reads the contract's word.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(ParseError("must be one of processed, ignored, parked, quarantined, failed"))
    }

    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Processed => "processed",
            Self::Ignored => "ignored",
            Self::Parked => "parked",
            Self::Quarantined => "quarantined",
            Self::Failed => "failed",
        }
    }

    /// True if nothing more can come of it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Processed | Self::Ignored)
    }

    /// True if someone must look.
    pub fn needs_attention(self) -> bool {
        matches!(self, Self::Quarantined | Self::Failed)
    }
}

/// A report, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookEvent {
    /// Which endpoint, and the gateway's id.
    pub id: EventId,
    /// The gateway's word for its type.
    pub kind: String,
    /// What became of it.
    pub status: EventStatus,
    /// Why, in our words.
    pub detail: Option<&'static str>,
    /// What it says; none if it could not be understood.
    pub report: Option<GatewayReport>,
    /// The top-up that it is about.
    pub topup: Option<TopUpId>,
    /// The movements that it caused, or that had been caused by one that says the same.
    pub transactions: Vec<TransactionId>,
    /// What it waits under.
    pub waiting_on: Option<GatewayKey>,
    /// When it came.
    pub received_at: Timestamp,
    /// When its status last changed.
    pub updated_at: Timestamp,
    /// Since when someone must look.
    pub alerted_at: Option<Timestamp>,
    /// When it is looked at next.
    pub next_check_at: Option<Timestamp>,
    /// The invocation that stored it.
    pub request: RequestId,
    /// Counts its changes; the guard against a stale read.
    pub version: u64,
}

impl WebhookEvent {
    /// When it is looked at next if nothing comes of it: while it waits for something that may still arrive.
    pub fn next_check(&self, now: Timestamp) -> Option<Timestamp> {
        let is_waiting = self.waiting_on.is_some() && !self.status.is_final();
        let late = self.received_at.plus_seconds(LOOK_SECONDS).is_none_or(|until| now >= until);
        if !is_waiting || late {
            return None;
        }
        let seconds = if self.status == EventStatus::Parked { 900 } else { 21_600 };
        let next = now.plus_seconds(seconds)?;
        // On the day it has waited for, someone is told without delay.
        Some(if now < self.waits_until() { next.min(self.waits_until()) } else { next })
    }

    /// Until when it waits.
    pub fn waits_until(&self) -> Timestamp {
        self.received_at.plus_seconds(WAIT_SECONDS).unwrap_or(self.received_at)
    }
}

impl Alert {
    /// The alert about an event that is quarantined or failed.
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
            closed_at: None,
            acknowledged: None,
            count: 1,
        }
    }
}

/// Reasons for what became of a report, as text that is stored and shown.
pub mod reasons {
    macro_rules! reasons {
        ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
            $($(#[$doc])* pub const $name: &str = $text;)*
            /// Finds a reason by its text.
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

/// A quarantined payment: money that a gateway holds for us and that is nobody's credit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmatchedPayment {
    /// The report that is quarantined.
    pub event: EventId,
    /// How much was paid.
    pub amount: Money,
    /// In which currency.
    pub currency: Currency,
    /// What has been reported of its refunds and disputes.
    pub reversed: BTreeMap<ReversalId, Reversal>,
}

impl UnmatchedPayment {
    /// How much of it has gone back.
    pub fn gone(&self) -> Money {
        let gone: Money = effective_amounts(&self.reversed).into_values().sum();
        gone.min(self.amount)
    }
}

/// Where a handle leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefTarget {
    /// Nowhere yet; these reports wait for it.
    Waiting(Vec<EventId>),
    /// To a payment that is quarantined.
    UnmatchedPayment(UnmatchedPayment),
    /// To a top-up.
    TopUp(TopUpId),
}

/// What is known under a gateway's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayRef {
    /// The id.
    pub key: GatewayKey,
    /// Where it leads.
    pub to: RefTarget,
    /// Counts its changes; the guard against a stale read.
    pub version: u64,
}
