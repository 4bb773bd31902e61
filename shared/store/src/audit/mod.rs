//! Reads a whole table for the audit, across all areas.
//!
//! **Invariant:** the audit reads the base table only, with strong consistency.

mod budgets;
mod wallets;

pub use budgets::BudgetList;
pub use wallets::{AccountList, Named};

use crate::budgets::Budgets;
use crate::engine::table::Table;

/// Reads of everything stored, from which the audit proves the balances.
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
