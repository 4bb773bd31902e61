//! Wallets in the table: executes commands, and reads for callers and the sweep.
//!
//! **Invariant:** the value of a wallet changes only through [`Wallets::execute`].

mod figures;
mod imports;
pub(crate) mod items;
pub(crate) mod load;
mod persist;
mod reads;

use crate::engine::error::StoreError;
use crate::engine::table::Table;
use crate::ledger::execute::{Done, execute, try_out};
use domain::context::Context;
use domain::ledger::command::Command;
use domain::wallet::state::{WalletState, WalletWrite};

/// Area of customers' wallets.
#[derive(Clone, Debug)]
pub struct Wallets {
    pub(crate) table: Table,
}

impl Wallets {
    /// Executes a command: exactly once for its cause, or not at all.
    pub async fn execute<C>(&self, command: &C, context: &Context) -> Result<Done<C::Outcome>, StoreError>
    where
        C: Command<State = WalletState, Write = WalletWrite>,
    {
        execute(&self.table, command, context).await
    }

    /// Says whether a command would be applied to what is stored now; writes nothing. Returns false if more has fallen due
    /// than fits into its transaction.
    pub async fn try_out<C>(&self, command: &C, context: &Context) -> Result<bool, StoreError>
    where
        C: Command<State = WalletState, Write = WalletWrite>,
    {
        try_out(&self.table, command, context).await
    }
}
