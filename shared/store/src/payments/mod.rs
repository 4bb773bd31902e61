//! Payments in the table: top-ups, gateways' reports, and gateway references.
//!
//! **Invariant:** a report is stored together with its outcome, in the transaction that applies its
//! effect.

pub(crate) mod due;
pub(crate) mod items;
mod load;
mod persist;
mod process;
pub(crate) mod webhook_events;

use crate::engine::error::StoreError;
use crate::engine::table::Table;
use crate::ledger::execute::{Done, execute};
use domain::context::Context;
use domain::ledger::command::Command;
use domain::payments::state::{PaymentState, PaymentWrite};

/// Area of payments into wallets.
#[derive(Clone, Debug)]
pub struct Payments {
    pub(crate) table: Table,
}

impl Payments {
    /// Executes a command: exactly once, or not at all.
    pub async fn execute<C>(&self, command: &C, context: &Context) -> Result<Done<C::Outcome>, StoreError>
    where
        C: Command<State = PaymentState, Write = PaymentWrite>,
    {
        execute(&self.table, command, context).await
    }
}
