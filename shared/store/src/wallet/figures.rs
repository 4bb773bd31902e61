//! Figures of a wallet by month.
//!
//! **Invariant:** the figures are those of the account as it was read: what was written since is left
//! out.

use super::Wallets;
use crate::engine::attr::Attributes;
use crate::engine::error::StoreError;
use crate::engine::item::{Guard, update};
use crate::engine::sent::Sent;
use crate::engine::write::change;
use crate::keys;
use crate::ledger::items::month;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::ledger::account::Account;
use domain::ledger::statistics::MonthFigures;
use domain::month::Month;
use std::collections::BTreeMap;

/// Entries that are read at once where all of them are counted.
const ENTRIES_PER_READ: u16 = 1_000;

/// Months that are written at once.
const MONTHS_PER_WRITE: usize = 50;

impl Wallets {
    /// Returns the figures of an account, oldest month first. Counts the entries first if an earlier
    /// version has changed the account.
    pub async fn months(&self, account: &Account) -> Result<Vec<MonthFigures>, StoreError> {
        let Some(current) = &account.figures else { return self.count_entries(account).await };
        let items = self.table.partition(&keys::account_partition(&account.id), keys::MONTHS).await?;
        let ended = items.iter().map(month::from_item).collect::<Result<Vec<_>, _>>()?;
        let mut months: Vec<MonthFigures> =
            ended.into_iter().filter(|figures| figures.month < current.month).collect();
        months.push(current.clone());
        Ok(months)
    }

    async fn count_entries(&self, account: &Account) -> Result<Vec<MonthFigures>, StoreError> {
        let (mut months, mut before) = (BTreeMap::new(), account.seq + 1);
        while before > 1 {
            let page = self.table.history(&account.id, before, ENTRIES_PER_READ).await?;
            let from = before;
            for entry in page.entries {
                // The index may lag behind the account: every entry must be counted.
                if entry.seq + 1 != before {
                    break;
                }
                before = entry.seq;
                let month = Month::of(entry.at);
                months.entry(month).or_insert_with(|| MonthFigures::new(month, 0)).add(&entry);
            }
            if before == from {
                let what = "the history of the account is not complete yet";
                return Err(StoreError::Contention(what.to_owned()));
            }
        }
        let mut months: Vec<MonthFigures> = months.into_values().collect();
        let current = months.pop().unwrap_or_else(|| MonthFigures::new(Month::of(account.created_at), 0));
        self.keep_months(account, &months, &current).await?;
        months.push(current);
        Ok(months)
    }

    /// Stores the figures: the months that have ended, then those of the account, which say that the
    /// others are complete. Unless the account has changed since it was read, or a write fails; then the
    /// next request counts again.
    async fn keep_months(
        &self,
        account: &Account,
        ended: &[MonthFigures],
        current: &MonthFigures,
    ) -> Result<(), StoreError> {
        for some in ended.chunks(MONTHS_PER_WRITE) {
            let puts = some.iter().map(|figures| self.table.any_put(month::to_item(&account.id, figures)));
            let sent = self.table.transact(puts.collect::<Result<_, _>>()?).await?;
            if !matches!(sent, Sent::Done(_)) {
                return Ok(());
            }
        }
        let mut set = Attributes::default().number("version", account.version + 1).0;
        set.insert("figures".to_owned(), AttributeValue::M(month::to_attributes(current).0));
        let guard = Guard { attribute: "version", value: account.version };
        let update = update(&self.table.name, &keys::account(&account.id), guard, set, &[])?;
        match self.table.transact(vec![change(update)]).await? {
            Sent::Done(_) | Sent::Refused(_) => {}
            Sent::Busy(why) | Sent::Unsent(why) | Sent::Unknown(why) => {
                tracing::debug!(why, "the figures are not stored");
            }
        }
        Ok(())
    }
}
