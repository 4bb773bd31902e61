//! Gift cards over the table: brands, pools, cards, codes, redemptions and what is sent.
//!
//! **Invariant:** a card is sold by taking its one free item away, in the transaction that writes the entry.
//! **Invariant:** what a process knows of brands and pools is at most five seconds old, and is read again before anything is
//! refused on it.

mod caches;
mod cards;
mod catalogue;
pub(crate) mod codes;
mod conditions;
pub(crate) mod due;
pub(crate) mod items;
mod orders;
pub(crate) mod redemptions;
mod refills;

pub use cards::Import;
pub use orders::Ordered;
pub use redemptions::Committed;
pub use refills::Refill;

use crate::budgets::Budgets;
use crate::engine::table::Table;
use caches::Caches;
use std::sync::Arc;

/// Gift cards, which budgets pay for.
#[derive(Clone, Debug)]
pub struct GiftCards {
    pub(crate) table: Table,
    budgets: Budgets,
    caches: Arc<Caches>,
}

impl GiftCards {
    pub(crate) fn new(budgets: Budgets) -> Self {
        Self { table: budgets.table.clone(), budgets, caches: Arc::default() }
    }

    pub(crate) fn over(self, budgets: Budgets) -> Self {
        Self { table: budgets.table.clone(), budgets, ..self }
    }
}
