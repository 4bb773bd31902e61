//! What decisions about payments read, write and return.
//!
//! **Invariant:** a report is written together with its outcome, in the transaction that applies
//! its effect.

use crate::alert::{Alert, AlertListing};
use crate::context::Context;
use crate::ids::{AccountRef, CustomerId, EventId, Gateway, GatewayKey, RequestId, ReversalId, TopUpId};
use crate::ledger::command;
use crate::ledger::decision::{Conditional, FailedCondition, NoDecision, Outcome, Write as LedgerWrite};
use crate::ledger::entry::Entry;
use crate::ledger::posting::{LoadedAccount, Posting};
use crate::payments::topup::TopUp;
use crate::payments::unpaid::UnpaidTopUps;
use crate::payments::webhook_event::{EventStatus, GatewayRef, RefTarget, WebhookEvent};
use crate::rejection::Rejection;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Items to read before a decision.
#[derive(Clone, Debug, Default)]
pub struct PaymentNeeds {
    /// Customer whose wallet is credited; None if unknown.
    pub customer: Option<CustomerId>,
    /// Top-up that the command acts on.
    pub topup: Option<TopUpId>,
    /// Gateway references to read. If one leads to an unmatched payment, its quarantined report is
    /// read too.
    pub refs: Vec<GatewayKey>,
    /// Report to read, as stored.
    pub event: Option<EventId>,
    /// Customer whose unpaid top-ups are read; if there is no place for a further one, those top-ups are
    /// read too.
    pub unpaid: Option<CustomerId>,
    /// Refund or dispute. If the top-up has been credited, its entries and the expiries of the
    /// credit are read.
    pub reversal: Option<ReversalId>,
}

/// Items that were read.
#[derive(Clone, Debug, Default)]
pub struct PaymentState {
    /// Account of the wallet that is credited.
    pub account: Option<LoadedAccount>,
    /// Top-up that the command acts on.
    pub topup: Option<TopUp>,
    /// Gateway references that exist.
    pub refs: BTreeMap<GatewayKey, GatewayRef>,
    /// Report as stored; None if it is new.
    pub event: Option<WebhookEvent>,
    /// Quarantined reports that a gateway reference leads to.
    pub quarantined: BTreeMap<EventId, WebhookEvent>,
    /// Unpaid top-ups of the wallet; None if there were never any.
    pub unpaid: Option<UnpaidTopUps>,
    /// Those among them that are credited or gone; only looked up if there is no place for a further
    /// one.
    pub ended: BTreeSet<TopUpId>,
    /// Entries of the refund or dispute, and of those that may change with it; oldest first.
    pub moved: Vec<Entry>,
    /// Expiry entries of the date and class of the top-up's credit.
    pub expired: Vec<Entry>,
}

impl command::State for PaymentState {
    type Needs = PaymentNeeds;

    fn accounts(needs: &PaymentNeeds) -> Vec<AccountRef> {
        needs.customer.iter().map(AccountRef::wallet).collect()
    }

    fn loaded(&self) -> Vec<Option<&LoadedAccount>> {
        vec![self.account.as_ref()]
    }
}

/// Starts a decision on the wallet that is credited: posts what is due.
pub(super) fn begin(
    state: &PaymentState,
    customer: &CustomerId,
    context: &Context,
) -> Result<Posting, NoDecision> {
    let account = state.account.as_ref();
    command::begin(account.ok_or_else(|| Rejection::WalletNotFound(customer.clone()))?, context)
}

/// An item to write, with its condition.
#[derive(Clone, Debug)]
pub enum PaymentWrite {
    /// A write of the wallet's account or its entries.
    Ledger(LedgerWrite),
    /// A new top-up. Condition: its id is unused.
    OpenTopUp(TopUp),
    /// A changed top-up. Condition: the stored version is `was`.
    TopUp {
        /// Top-up after the decision.
        topup: TopUp,
        /// Version before the decision.
        was: u64,
    },
    /// Deletes a top-up. Condition: the stored version is `was`.
    DropTopUp {
        /// Top-up to delete.
        id: TopUpId,
        /// Version before the decision.
        was: u64,
    },
    /// A report. Condition: the stored version is `was`; zero means that the report is new.
    Event {
        /// Report with its outcome.
        event: WebhookEvent,
        /// Sealed body; written only with a new report.
        body: Vec<u8>,
        /// Version before the decision; zero for a new report.
        was: u64,
    },
    /// A gateway reference. Condition: the stored version is `was`; zero means that the reference
    /// is new.
    GatewayRef {
        /// Reference after the decision.
        gateway_ref: GatewayRef,
        /// Version before the decision; zero for a new reference.
        was: u64,
    },
    /// The unpaid top-ups of a wallet. Condition: the stored version is `was`; zero means that there
    /// were none.
    Unpaid {
        /// Unpaid top-ups after the decision.
        unpaid: UnpaidTopUps,
        /// Version before the decision.
        was: u64,
    },
    /// Deletes a gateway reference. Condition: the stored version is `was`.
    DropRef {
        /// Key of the reference to delete.
        key: GatewayKey,
        /// Version before the decision.
        was: u64,
    },
    /// An alert that is raised or closed, in the same transaction as its subject.
    Alert(Alert),
    /// Adds an item to a list, in the same transaction as the item.
    List(Listing),
    /// Removes an item from a list.
    Unlist(Listing),
}

/// Place of an item in a list that the API returns, ordered by time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// In the list of a customer's top-ups.
    TopUp {
        /// Top-up in the list.
        id: TopUpId,
        /// When the top-up was created.
        at: Timestamp,
    },
    /// In the list of reports with a status.
    Event {
        /// Report in the list.
        id: EventId,
        /// Status that the list is for.
        status: EventStatus,
        /// When the report was received.
        at: Timestamp,
    },
    /// In a list of alerts.
    Alert(AlertListing),
    /// In the list of a gateway's payments that were credited because the gateway was polled; it is kept for 90 days.
    Polled {
        /// The gateway.
        gateway: Gateway,
        /// The top-up.
        id: TopUpId,
        /// When it was credited.
        at: Timestamp,
    },
}

impl From<LedgerWrite> for PaymentWrite {
    fn from(write: LedgerWrite) -> Self {
        Self::Ledger(write)
    }
}

impl Conditional for PaymentWrite {
    fn failed(&self) -> FailedCondition {
        match self {
            Self::Ledger(write) => write.failed(),
            Self::OpenTopUp(_)
            | Self::TopUp { .. }
            | Self::DropTopUp { .. }
            | Self::Event { .. }
            | Self::GatewayRef { .. }
            | Self::DropRef { .. }
            | Self::Unpaid { .. }
            | Self::Alert(_)
            | Self::List(_)
            | Self::Unlist(_) => FailedCondition::Stale,
        }
    }

    fn entry(&self) -> Option<&Entry> {
        if let Self::Ledger(write) = self { write.entry() } else { None }
    }
}

/// Outcome of an operation on a top-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUpOutcome {
    /// Top-up after the operation.
    pub topup: TopUp,
    /// Reports that waited for it, to be processed next.
    pub waiting: Vec<EventId>,
}

impl Outcome for TopUpOutcome {
    fn request(&self) -> Option<&RequestId> {
        Some(&self.topup.request)
    }
}

/// What remains of a top-up that its gateway refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Abandoned {
    /// Nothing.
    Gone,
    /// The top-up: it belongs to another request, or the gateway accepted it after all.
    Kept(Box<TopUp>),
}

impl Outcome for Abandoned {
    fn request(&self) -> Option<&RequestId> {
        match self {
            Self::Gone => None,
            Self::Kept(topup) => Some(&topup.request),
        }
    }
}

/// Outcome of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportOutcome {
    /// The report with its outcome, and the reports that waited for it.
    Kept(Box<WebhookEvent>, Vec<EventId>),
    /// The report is about this top-up: load it and decide again.
    OtherTopUp(TopUpId),
}

impl Outcome for ReportOutcome {
    fn request(&self) -> Option<&RequestId> {
        match self {
            Self::Kept(event, _) => Some(&event.request),
            Self::OtherTopUp(_) => None,
        }
    }
}

/// Returns the write that changes what a gateway reference leads to.
pub(crate) fn put_ref(gateway_ref: Option<&GatewayRef>, key: &GatewayKey, to: RefTarget) -> PaymentWrite {
    let was = gateway_ref.map_or(0, |gateway_ref| gateway_ref.version);
    PaymentWrite::GatewayRef { gateway_ref: GatewayRef { key: key.clone(), to, version: was + 1 }, was }
}
