//! What a decision gives: the entry to answer from, and the writes that must all happen or none.
//!
//! **Invariant:** every write carries the condition under which it was decided; a condition that fails means
//! either that the state has moved (decide again), or a rejection that the write itself names.

use crate::alert::Alert;
use crate::ids::{AlertId, CustomerId, EventId, Handle, OrderId, ReferralCode, TopUpId};
use crate::ledger::account::{Account, StatusChange};
use crate::ledger::entry::Entry;
use crate::ledger::hold::Hold;
use crate::ledger::order::Order;
use crate::ledger::owed::OwedChange;
use crate::payments::topup::TopUp;
use crate::payments::webhook_event::{Event, EventStatus, Lead};
use crate::rejection::Rejection;
use crate::time::Timestamp;

/// One item to write, with its condition.
#[derive(Clone, Debug)]
pub enum Write {
    /// A new wallet; the customer must have none.
    OpenAccount(Account),
    /// A changed wallet; it must still have version `was`.
    Account {
        /// The wallet after the decision.
        account: Account,
        /// Its version before.
        was: u64,
    },
    /// A new entry; its cause must be free.
    Entry(Box<Entry>),
    /// A new hold; its id must be free.
    PlaceHold(Hold),
    /// A changed hold; entry `was` must still be the last that changed it.
    Hold {
        /// The hold after the decision.
        hold: Hold,
        /// The entry that had changed it last.
        was: u64,
    },
    /// An order that nobody has registered; its id must be free.
    OpenOrder(Order),
    /// A changed order; it must still have version `was`.
    Order {
        /// The order after the decision.
        order: Order,
        /// Its version before.
        was: u64,
    },
    /// The record of a change of what is owed; written with the account.
    OwedRecord {
        /// Whose wallet.
        customer: CustomerId,
        /// The version that the change made.
        version: u64,
        /// Its place among the changes of that version.
        at: usize,
        /// What changed.
        change: OwedChange,
    },
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
    /// A gateway's id of which nothing is known any more; it must still have version `was`.
    DropLead {
        /// Which.
        handle: Handle,
        /// Its version.
        was: u64,
    },
    /// A report; it must still have version `was` (zero: be new).
    Event {
        /// The report and what became of it.
        event: Event,
        /// Its body, sealed; only with a new one.
        body: Vec<u8>,
        /// Its version before.
        was: u64,
    },
    /// What is known under a gateway's id; it must still have version `was` (zero: be new).
    Lead {
        /// Where it leads.
        lead: Lead,
        /// Its version before.
        was: u64,
    },
    /// An alert, opened or closed; written with what it is about.
    Alert(Alert),
    /// A place in a list; written with what it lists.
    List(Listing),
    /// A place in a list that is given up.
    Unlist(Listing),
    /// A place in the list of a customer's registered orders; written with the order.
    ListOrder {
        /// Whose.
        customer: CustomerId,
        /// Which.
        order: OrderId,
        /// Since when.
        at: Timestamp,
    },
    /// A referral code; nobody may have it.
    ReferralCode {
        /// The code.
        code: ReferralCode,
        /// Whose it is.
        customer: CustomerId,
    },
    /// The record of a change of status; written with the account.
    StatusRecord {
        /// Whose wallet.
        customer: CustomerId,
        /// The version that the change made.
        version: u64,
        /// What changed.
        change: StatusChange,
    },
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
    /// Alerts, open or closed.
    Alert {
        /// Which.
        id: AlertId,
        /// Whether it is open.
        open: bool,
        /// Since when.
        at: Timestamp,
    },
}

/// What it means that a write's condition did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The state has moved: load and decide again.
    Stale,
    /// The cause has an entry already: answer from that.
    Caused,
    /// The customer has a wallet already: answer from its opening, or reject.
    Opened,
    /// Another customer has this referral code: try the next candidate.
    CodeTaken,
}

impl Write {
    /// What a failed condition of this write means.
    pub fn refused(&self) -> Refused {
        match self {
            Self::OpenAccount(_) => Refused::Opened,
            Self::Entry(_) => Refused::Caused,
            Self::ReferralCode { .. } => Refused::CodeTaken,
            Self::Account { .. }
            | Self::PlaceHold(_)
            | Self::Hold { .. }
            | Self::OpenOrder(_)
            | Self::Order { .. }
            | Self::ListOrder { .. }
            | Self::OwedRecord { .. }
            | Self::OpenTopUp(_)
            | Self::TopUp { .. }
            | Self::DropTopUp { .. }
            | Self::DropLead { .. }
            | Self::Event { .. }
            | Self::Lead { .. }
            | Self::Alert(_)
            | Self::List(_)
            | Self::Unlist(_)
            | Self::StatusRecord { .. } => Refused::Stale,
        }
    }
}

/// What an operation leaves to answer from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The entry that the operation is known by.
    Entry(Box<Entry>),
    /// The wallet, where the operation is not a movement.
    Account(Box<Account>),
    /// The order, where it was registered.
    Order(Box<Order>),
    /// The top-up, and the reports that had waited for it.
    TopUp(Box<TopUp>, Vec<EventId>),
    /// What became of a report, and the reports that had waited for it.
    Event(Box<Event>, Vec<EventId>),
    /// Nothing is left to answer from.
    Nothing,
    /// The report is about this top-up: decide again with it loaded.
    Elsewhere(TopUpId),
}

/// A decision.
#[derive(Clone, Debug)]
pub enum Decision {
    /// More has fallen due than fits one transaction: write this down first, then decide again.
    SettleFirst(Vec<Write>),
    /// Do this, and answer from the outcome.
    Commit {
        /// What the response is rendered from.
        outcome: Outcome,
        /// All or nothing.
        writes: Vec<Write>,
    },
    /// It was done before; answer from the outcome.
    Already(Outcome),
}

/// What every `decide` gives.
pub type Decided = Result<Decision, Rejection>;
