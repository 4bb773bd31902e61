//! Wallets over the table: carrying out commands, and reading for people and the sweep.
//!
//! **Invariant:** a wallet's value changes only through [`Wallets::execute`].

pub(crate) mod items;
mod load;
mod persist;
mod reads;

use crate::engine::error::StoreError;
use crate::engine::table::Table;
use crate::ledger::execute::{Done, execute};
use domain::context::Context;
use domain::ledger::command::Command;
use domain::wallet::state::{WalletState, WalletWrite};

/// Customers' wallets.
#[derive(Clone, Debug)]
pub struct Wallets {
    pub(crate) table: Table,
}

impl Wallets {
    /// Carries out a command: exactly once for its cause, or not at all.
    pub async fn execute<C>(&self, command: &C, context: &Context) -> Result<Done<C::Outcome>, StoreError>
    where
        C: Command<State = WalletState, Write = WalletWrite>,
    {
        execute(&self.table, command, context).await
    }
}
