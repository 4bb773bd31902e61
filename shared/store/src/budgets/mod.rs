//! Budgets over the table: reading accounts, moving credit, setting it aside, and settling what was set aside.
//!
//! **Invariant:** a balance never stands in a transaction of a spend: credit is set aside by one plain conditional
//! update, and committed by a transaction in which no item is shared by many.
//! **Invariant:** what a process knows of accounts is at most five seconds old, and is read again before anything is refused
//! on it.

mod accounts;
mod cause_key;
mod change;
mod closing;
mod conditions;
mod gather;
mod history;
pub(crate) mod items;
mod reserve;
mod resolve;
mod settle;
mod shared_spend;
mod stops;
mod transfer;

pub use history::BudgetPage;
pub use reserve::{Reservation, Reserve, Waiting};
pub use resolve::ResolveSummary;
pub use transfer::TransferReceipt;

use crate::engine::cache::TtlCache;
use crate::engine::table::Table;
use domain::budget::BudgetAccount;
use domain::ids::budget::AccountId;
use settle::Settlements;
use std::sync::Arc;

/// Prepaid budgets.
#[derive(Clone, Debug)]
pub struct Budgets {
    pub(crate) table: Table,
    accounts: Arc<TtlCache<AccountId, BudgetAccount>>,
    settlements: Arc<Settlements>,
}

impl Budgets {
    pub(crate) fn new(table: Table) -> Self {
        Self { table, accounts: Arc::default(), settlements: Arc::default() }
    }

    pub(crate) fn over(self, table: Table) -> Self {
        Self { table, ..self }
    }
}
