//! Reads of wallets that were imported.
//!
//! **Invariant:** what an import has opened is read by its causes, whatever the wallet has done since.

use super::Wallets;
use crate::engine::error::StoreError;
use crate::keys;
use crate::ledger::execute::outcome_of;
use crate::ledger::load::entries_of;
use domain::context::Context;
use domain::ids::AccountRef;
use domain::ledger::entry::Entry;
use domain::rejection::{ImportRejection, Rejection};
use domain::wallet::import::ImportWallet;

impl Wallets {
    /// Says whether a wallet is there as an import says it; fails as the import would. Writes nothing.
    pub async fn imported_as(&self, import: &ImportWallet, context: &Context) -> Result<bool, StoreError> {
        let found = outcome_of(&self.table, import, context).await?;
        let existed = found.is_some_and(|found| found.existed);
        if let (false, Some(code)) = (existed, &import.referral_code) {
            let taken = self.table.with_retry(|| self.table.get(keys::referral(code))).await?;
            if taken.is_some() {
                return Err(Rejection::Import(ImportRejection::ReferralCodeTaken).into());
            }
        }
        Ok(existed)
    }

    /// Reads the entries with which an import has opened a wallet, in the order of its lots.
    pub async fn opening_entries(&self, import: &ImportWallet) -> Result<Vec<Entry>, StoreError> {
        let account = AccountRef::wallet(&import.customer);
        let causes = (1..=import.lots.len()).map(|n| import.cause.numbered(n));
        entries_of(&self.table, &account, causes).await
    }
}
