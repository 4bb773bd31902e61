//! Gift cards over the table: brands, pools, cards, codes, redemptions and what is sent.
//!
//! **Invariant:** a card is sold by taking its one free item away, in the transaction that writes the entry.

mod cards;
mod catalogue;
mod codes;
pub(crate) mod items;
mod orders;
mod redemptions;
mod refills;

pub use cards::Import;
pub use orders::Ordered;
pub use redemptions::Committed;
pub use refills::Refill;
