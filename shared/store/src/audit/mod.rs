//! Reads a whole table for the audit, across all areas.
//!
//! **Invariant:** the audit reads the base table only, with strong consistency.

mod budgets;
mod exports;
mod points;
mod rewards;
mod vouchers;
mod wallets;

pub use budgets::BudgetList;
pub use exports::{SegmentOf, SegmentPage, SegmentPlace, WholeWallet};
pub use rewards::RewardBooks;
pub use wallets::{AccountList, Named};

use crate::budgets::Budgets;
use crate::engine::attr::Item;
use crate::engine::error::StoreError;
use crate::engine::read::read_error;
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

/// A scan of the whole table in the middle.
struct Scan<'a> {
    table: &'a Table,
    start: Option<Item>,
    is_done: bool,
}

impl Scan<'_> {
    /// Reads the next page; `None` after the last one.
    async fn next(&mut self) -> Result<Option<Vec<Item>>, StoreError> {
        if self.is_done {
            return Ok(None);
        }
        let request = || async {
            let scan = self.table.client.scan().table_name(&self.table.name).consistent_read(true);
            let scan = scan.set_exclusive_start_key(self.start.clone());
            scan.send().await.map_err(|error| read_error(&error))
        };
        let output = self.table.with_retry(request).await?;
        self.is_done = output.last_evaluated_key.is_none();
        self.start = output.last_evaluated_key;
        Ok(Some(output.items.unwrap_or_default()))
    }
}

impl Audit {
    fn scan(&self) -> Scan<'_> {
        Scan { table: &self.table, start: None, is_done: false }
    }
}
