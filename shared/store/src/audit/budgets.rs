//! Reads everything stored about budgets and cards, for the audit.
//!
//! **Invariant:** slices are read before and after the entries; what both reads agree on was true
//! while the entries were read.

use super::Audit;
use crate::budgets::items::budget_entry;
use crate::engine::attr::Item;
use crate::engine::error::StoreError;
use crate::giftcards::items::redemption;
use crate::keys;
use domain::budget::audit::BudgetBooks;
use domain::budget::entry::BudgetEntry;
use domain::giftcard::redemption::Redemption;
use domain::ids::budget::{AccountId, CardId};
use domain::ledger::audit::Difference;
use std::collections::{BTreeMap, BTreeSet};

/// Accounts, cards and redemptions of a table.
#[derive(Debug, Default)]
pub struct BudgetList {
    /// Every account that has a slice or an entry.
    pub accounts: BTreeSet<AccountId>,
    /// Every card with an item of its own.
    pub cards: BTreeSet<CardId>,
    /// Free cards; with the number of items in pools for each (correct: 1).
    pub free: BTreeMap<CardId, u32>,
    /// Every redemption that can be read.
    pub redemptions: Vec<Redemption>,
    /// Redemptions that cannot be read, as differences.
    pub unreadable: Vec<Difference>,
}

impl Audit {
    /// Reads everything about budgets and cards except the entries. Scans the table; for the audit
    /// only.
    pub async fn budget_list(&self) -> Result<BudgetList, StoreError> {
        let mut list = BudgetList::default();
        let mut pages = self.scan();
        while let Some(page) = pages.next().await? {
            for item in &page {
                list.add(item);
            }
        }
        Ok(list)
    }

    /// Reads everything stored about an account, and lists the items that cannot be read.
    pub async fn budget_books(
        &self,
        account: &AccountId,
    ) -> Result<(Option<BudgetBooks>, Vec<Difference>), StoreError> {
        let mut bad = Vec::new();
        let mut differ = |at: Option<String>, detail: String| {
            bad.push(Difference { account: format!("b:{account}"), at, detail });
        };
        let sliced = match self.budgets.load_sliced(account).await {
            Ok(Some(sliced)) => sliced,
            Ok(None) => {
                differ(None, "has entries, but no account".to_owned());
                return Ok((None, bad));
            }
            Err(StoreError::Corrupt(what)) => {
                differ(None, what);
                return Ok((None, bad));
            }
            Err(error) => return Err(error),
        };
        let mut entries: Vec<BudgetEntry> = Vec::new();
        for partition in keys::budget_partitions(account) {
            for item in self.table.partition(&partition, "").await? {
                if item.contains_key(budget_entry::STATE) {
                    continue;
                }
                match budget_entry::from_item(&item) {
                    Ok(entry) => entries.push(entry),
                    Err(error) => differ(None, error.to_string()),
                }
            }
        }
        let again = self.budgets.load_sliced(account).await?;
        let Some(again) = again else { return Ok((None, bad)) };
        Ok((Some(BudgetBooks { sliced, again, entries }), bad))
    }
}

impl BudgetList {
    fn add(&mut self, item: &Item) {
        let part = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str);
        let (pk, sk) = (part(keys::PK), part(keys::SK));
        self.accounts.extend(keys::slice_of(pk).map(|(account, _)| account));
        if !item.contains_key(budget_entry::STATE) {
            self.accounts.extend(keys::budget_entry_account(pk));
        }
        if !item.contains_key("voucher_id") {
            self.cards.extend(keys::card_of(pk));
        }
        if keys::is_of_pool(pk) {
            let card = keys::free_card_of(sk).map_or_else(|| CardId::of(sk), |(card, _)| card);
            *self.free.entry(card).or_default() += 1;
        }
        if sk == "N" && keys::redemption_of(pk).is_some() {
            match redemption::from_item(item) {
                Ok(redemption) => self.redemptions.push(redemption),
                Err(error) => self.unreadable.push(Difference {
                    account: pk.to_owned(),
                    at: None,
                    detail: error.to_string(),
                }),
            }
        }
    }
}
