//! Budgets in the table: reading accounts, moving credit, reserving it, and settling attempts.
//!
//! **Invariant:** the transaction of a spend never contains a balance: credit is reserved by one
//! plain conditional update, and committed by a transaction whose items are not shared by many
//! requests.
//! **Invariant:** cached accounts are at most five seconds old, and are read again before a request
//! is refused because of them.

mod accounts;
mod books;
mod cause_key;
mod change;
mod children;
mod closing;
mod conditions;
mod gather;
mod heat;
mod history;
pub(crate) mod items;
mod reserve;
mod resolve;
mod rounds;
mod settle;
mod shared_spend;
mod stops;
mod transfer;

pub use books::TreePlace;
pub use children::ChildPage;
pub use history::BudgetPage;
pub use reserve::{Reservation, Reserve, Waiting};
pub use resolve::ResolveSummary;
pub use transfer::TransferReceipt;

use crate::engine::cache::TtlCache;
use crate::engine::table::Table;
use domain::budget::BudgetAccount;
use domain::ids::budget::AccountId;
use heat::Heat;
use settle::Settlements;
use std::sync::Arc;

/// Area of prepaid budgets.
#[derive(Clone, Debug)]
pub struct Budgets {
    pub(crate) table: Table,
    accounts: Arc<TtlCache<AccountId, BudgetAccount>>,
    settlements: Arc<Settlements>,
    heat: Arc<Heat>,
}

impl Budgets {
    pub(crate) fn new(table: Table) -> Self {
        Self { table, accounts: Arc::default(), settlements: Arc::default(), heat: Arc::default() }
    }

    pub(crate) fn over(self, table: Table) -> Self {
        Self { table, ..self }
    }
}
