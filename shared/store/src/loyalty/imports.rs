//! Reads of accounts of points that were imported.
//!
//! **Invariant:** what an import has opened is read by its causes, whatever the account has done since.

use super::Loyalty;
use crate::engine::error::StoreError;
use crate::ledger::execute::outcome_of;
use crate::ledger::load::entries_of;
use domain::context::Context;
use domain::ids::AccountRef;
use domain::ledger::entry::Entry;
use domain::loyalty::import::ImportPoints;

impl Loyalty {
    /// Says whether an account is there as an import says it; fails as the import would. Writes nothing.
    pub async fn imported_as(&self, import: &ImportPoints, context: &Context) -> Result<bool, StoreError> {
        Ok(outcome_of(&self.table, import, context).await?.is_some_and(|found| found.existed))
    }

    /// Reads the entries with which an import has opened an account, in the order of its lots.
    pub async fn opening_entries(&self, import: &ImportPoints) -> Result<Vec<Entry>, StoreError> {
        let account = AccountRef::points(&import.user);
        let causes = (1..=import.lots.len()).map(|n| import.cause.numbered(n));
        entries_of(&self.table, &account, causes).await
    }
}
