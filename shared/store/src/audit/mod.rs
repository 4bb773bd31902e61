//! Reading a whole table for the audit, across all areas.
//!
//! **Invariant:** the audit's reads are strongly consistent and from the base table.

mod budgets;
mod wallets;

pub use budgets::BudgetList;
pub use wallets::{AccountList, Named};

use crate::budgets::Budgets;
use crate::engine::table::Table;

/// All that is stored, for proving it.
#[derive(Clone, Debug)]
pub struct Audit {
    table: Table,
    budgets: Budgets,
}

impl Audit {
    pub(crate) fn new(budgets: Budgets) -> Self {
        Self { table: budgets.table.clone(), budgets }
    }
}
