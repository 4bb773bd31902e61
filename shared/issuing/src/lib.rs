//! Issuing gift cards from budget credit, pools and suppliers; used by the functions that issue them and
//! the monitor.
//!
//! **Invariant:** `domain::giftcard::provision` decides each next step; this crate only executes it.
//! **Invariant:** a supplier is only asked about an order that is stored in the table, under that
//! order's reference.

mod accounts;
mod alerts;
mod checked;
mod credit;
mod job;
mod orders;
mod provision;
mod refill;
mod run;
mod watch;

pub use checked::{AccountBounds, WatchBounds, WatchSummary};
pub use job::{IssueRequest, Issued};
pub use orders::OrderOutcome;
pub use refill::RefillSummary;

use gateways::suppliers::Suppliers;
use store::Store;
use vault::Vault;

/// The services needed to issue cards.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The DynamoDB table.
    pub store: Store,
    /// Seals and opens cards.
    pub vault: Vault,
    /// The configured suppliers, which deliver cards on demand.
    pub suppliers: Suppliers,
}
