//! What decisions about payments see, write and leave.
//!
//! **Invariant:** a report is written with what became of it, in the transaction that has its effect.

use crate::alert::{Alert, AlertListing};
use crate::context::Context;
use crate::ids::{AccountRef, CustomerId, EventId, GatewayKey, RequestId, ReversalId, TopUpId};
use crate::ledger::command;
use crate::ledger::decision::{Conditional, FailedCondition, NoDecision, Outcome, Write as LedgerWrite};
use crate::ledger::entry::Entry;
use crate::ledger::posting::{LoadedAccount, Posting};
use crate::payments::topup::TopUp;
use crate::payments::webhook_event::{EventStatus, GatewayRef, WebhookEvent};
use crate::rejection::Rejection;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// The items that a command must see.
#[derive(Clone, Debug, Default)]
pub struct PaymentNeeds {
    /// Whose wallet is paid into, if that is known.
    pub customer: Option<CustomerId>,
    /// The top-up acted on.
    pub topup: Option<TopUpId>,
    /// What is known under these gateways' ids; a quarantined report that one leads to is needed with it.
    pub refs: Vec<GatewayKey>,
    /// The report as it is kept.
    pub event: Option<EventId>,
    /// The refund or dispute: if the top-up has been credited, its movements and the expiries of its credit.
    pub reversal: Option<ReversalId>,
}

/// What was loaded.
#[derive(Clone, Debug, Default)]
pub struct PaymentState {
    /// The account of the wallet that is paid into.
    pub account: Option<LoadedAccount>,
    /// The top-up acted on.
    pub topup: Option<TopUp>,
    /// What is known under gateways' ids.
    pub refs: BTreeMap<GatewayKey, GatewayRef>,
    /// The report as it is kept.
    pub event: Option<WebhookEvent>,
    /// Quarantined reports that leads lead to.
    pub quarantined: BTreeMap<EventId, WebhookEvent>,
    /// The movements of the refund or dispute, oldest first.
    pub moved: Vec<Entry>,
    /// The expiries of the date and class of the top-up's credit.
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

/// Starts a decision on the wallet that is paid into: posts what is due.
pub(super) fn begin(
    state: &PaymentState,
    customer: &CustomerId,
    context: &Context,
) -> Result<Posting, NoDecision> {
    let account = state.account.as_ref();
    command::begin(account.ok_or_else(|| Rejection::WalletNotFound(customer.clone()))?, context)
}

/// One item to write, with its condition.
#[derive(Clone, Debug)]
pub enum PaymentWrite {
    /// Of the wallet's account.
    Ledger(LedgerWrite),
    /// A new top-up; its id must be free.
    OpenTopUp(TopUp),
    /// A changed top-up; it must still have version `was`.
    TopUp {
        /// The top-up after the decision.
        topup: TopUp,
        /// Its version before.
        was: u64,
    },
    /// A top-up that is taken back; it must still have version `was`.
    DropTopUp {
        /// Which.
        id: TopUpId,
        /// Its version.
        was: u64,
    },
    /// A report; it must still have version `was` (zero: be new).
    Event {
        /// The report and what became of it.
        event: WebhookEvent,
        /// Its body, sealed; only with a new one.
        body: Vec<u8>,
        /// Its version before.
        was: u64,
    },
    /// What is known under a gateway's id; it must still have version `was` (zero: be new).
    GatewayRef {
        /// Where it leads.
        gateway_ref: GatewayRef,
        /// Its version before.
        was: u64,
    },
    /// A gateway's id of which nothing is known any more; it must still have version `was`.
    DropRef {
        /// Which.
        key: GatewayKey,
        /// Its version.
        was: u64,
    },
    /// An alert, opened or closed; written with what it is about.
    Alert(Alert),
    /// A place in a list; written with what it lists.
    List(Listing),
    /// A place in a list that is given up.
    Unlist(Listing),
}

/// A place in a list that people ask for, by time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// A customer's top-ups.
    TopUp {
        /// Which.
        id: TopUpId,
        /// Since when.
        at: Timestamp,
    },
    /// Reports of a status.
    Event {
        /// Which.
        id: EventId,
        /// Of which status.
        status: EventStatus,
        /// When it came.
        at: Timestamp,
    },
    /// Alerts.
    Alert(AlertListing),
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
            | Self::Alert(_)
            | Self::List(_)
            | Self::Unlist(_) => FailedCondition::Stale,
        }
    }

    fn entry(&self) -> Option<&Entry> {
        if let Self::Ledger(write) = self { write.entry() } else { None }
    }
}

/// A top-up as an operation left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUpOutcome {
    /// The top-up.
    pub topup: TopUp,
    /// The reports that had waited for it.
    pub waiting: Vec<EventId>,
}

impl Outcome for TopUpOutcome {
    fn request(&self) -> Option<&RequestId> {
        Some(&self.topup.request)
    }
}

/// What is left of a top-up that its gateway had refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Abandoned {
    /// Nothing.
    Gone,
    /// The top-up: another's, or one that the gateway has taken after all.
    Kept(Box<TopUp>),
}

impl Outcome for Abandoned {
    fn request(&self) -> Option<&RequestId> {
        None
    }
}

/// What became of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportOutcome {
    /// It is kept, with what became of it; these had waited for it.
    Kept(Box<WebhookEvent>, Vec<EventId>),
    /// It is about this top-up: decide again with it loaded.
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
