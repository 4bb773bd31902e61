//! Gift cards in the table: brands, pools, cards, codes, redemptions, and queued messages.
//!
//! **Invariant:** a card is sold by deleting its one free item, in the transaction that writes the
//! entry.
//! **Invariant:** cached brands and pools are at most five seconds old, and are read again before a
//! request is refused because of them.

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
pub(crate) mod stock;

pub use orders::Ordered;
pub use redemptions::Committed;
pub use refills::Refill;
pub use stock::Import;

use crate::budgets::Budgets;
use crate::engine::table::Table;
use caches::Caches;
use std::sync::Arc;

/// Area of gift cards, which budgets pay for.
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
