//! Loyalty in the table: executes commands, reads for callers, and changes the rules.
//!
//! **Invariant:** points move only through [`Loyalty::execute`].
//! **Invariant:** every decision reads the number of the rules with it, so it never follows rules that were out of date
//! when it read.

mod imports;
pub(crate) mod items;
pub(crate) mod load;
mod persist;
mod reads;
pub(crate) mod report;
pub(crate) mod rules;

pub use reads::{MemberPage, Parked, Refunded, TierWalk};
pub use report::PointDays;

use crate::engine::error::StoreError;
use crate::engine::table::Table;
use crate::ledger::execute::{Done, execute, try_out};
use domain::context::Context;
use domain::ledger::command::Command;
use domain::loyalty::park::{Kept, ParkReport};
use domain::loyalty::state::{LoyaltyState, LoyaltyWrite};

/// Area of loyalty.
#[derive(Clone, Debug)]
pub struct Loyalty {
    pub(crate) table: Table,
}

impl Loyalty {
    /// Executes a command: exactly once for its cause, or not at all.
    pub async fn execute<C>(&self, command: &C, context: &Context) -> Result<Done<C::Outcome>, StoreError>
    where
        C: Command<State = LoyaltyState, Write = LoyaltyWrite>,
    {
        execute(&self.table, command, context).await
    }

    /// Says whether a command would be applied to what is stored now; writes nothing. Returns false if more has fallen due
    /// than fits into its transaction.
    pub async fn try_out<C>(&self, command: &C, context: &Context) -> Result<bool, StoreError>
    where
        C: Command<State = LoyaltyState, Write = LoyaltyWrite>,
    {
        try_out(&self.table, command, context).await
    }

    /// Keeps a report for a purchase that has not earned yet, or says whose purchase it is.
    pub async fn park(&self, report: &ParkReport, context: &Context) -> Result<Done<Kept>, StoreError> {
        execute(&self.table, report, context).await
    }
}
