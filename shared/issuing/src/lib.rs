//! Issuing gift cards: credit, pools and suppliers brought together, for the functions that do it.
//!
//! **Invariant:** what to do next is decided in `domain::giftcard::provision`; here it is only done.
//! **Invariant:** a supplier is asked only about an order that the table knows, under that order's reference.

mod alerts;
mod credit;
mod job;
mod orders;
mod provision;
mod refill;
mod run;
mod watch;

pub use job::{IssueRequest, Issued};
pub use orders::OrderOutcome;
pub use refill::RefillSummary;
pub use watch::WatchSummary;

use gateways::suppliers::Suppliers;
use store::Store;
use vault::Vault;

/// What issuing is done with.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The table.
    pub store: Store,
    /// What opens and seals cards.
    pub vault: Vault,
    /// Who delivers on demand.
    pub suppliers: Suppliers,
}
