//! Budgets over the table: reading accounts, moving credit, setting it aside, and settling what was set aside.
//!
//! **Invariant:** a balance never stands in a transaction of a spend: credit is set aside by one plain conditional
//! update, and committed by a transaction in which no item is shared by many.
//! **Invariant:** what a process knows of accounts, brands and pools is at most five seconds old, and is read again
//! before anything is refused on it.

mod accounts;
mod books;
mod caches;
mod cause_key;
mod change;
mod closing;
pub(crate) mod conditions;
mod gather;
mod history;
pub(crate) mod items;
mod reserve;
mod resolve;
mod settle;
mod shared_spend;
mod stops;
mod transfer;

pub use books::BudgetList;
pub(crate) use caches::Known;
pub use history::BudgetPage;
pub use reserve::{Reservation, Reserve, Waiting};
pub use resolve::{Resolved, Undecided};
pub(crate) use settle::Settlements;
pub use transfer::Moved;
