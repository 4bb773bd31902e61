//! Wallets over the table: loading what a decision needs, committing what it decided, and reading for people and the audit.
//!
//! **Invariant:** a wallet's value changes only through [`crate::Store::execute`].

pub(crate) mod books;
pub(crate) mod commit;
pub(crate) mod execute;
pub(crate) mod history;
pub(crate) mod items;
pub(crate) mod load;
mod orders;
