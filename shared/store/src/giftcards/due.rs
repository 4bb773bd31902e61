//! Slices of budgets and redemptions that are due.
//!
//! **Invariant:** partitions that belong neither to a slice nor to a redemption are skipped.

use super::GiftCards;
use super::items::redemption;
use crate::budgets::items::budget;
use crate::engine::due::{DuePage, DueWork, Place};
use crate::engine::error::StoreError;
use crate::keys::{self, DueKind, Key};
use domain::ids::budget::{AccountId, RedemptionId};
use domain::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Slice or redemption that is due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DueBudget {
    /// Slice that has attempts, or whose account's status is being copied.
    Slice(AccountId, u8),
    /// Redemption whose supplier is polled again.
    Redemption(RedemptionId),
}

impl DueBudget {
    fn of(pk: &str) -> Option<Self> {
        let slice = keys::slice_of(pk).map(|(account, slice)| Self::Slice(account, slice));
        slice.or_else(|| keys::redemption_of(pk).map(Self::Redemption))
    }

    fn key(&self) -> Key {
        match self {
            Self::Slice(account, slice) => keys::slice(account, *slice),
            Self::Redemption(id) => keys::redemption(id),
        }
    }
}

impl GiftCards {
    /// Returns the agencies to which due slices and redemptions belong; those of items that cannot be
    /// read are not known.
    pub async fn agencies(&self, due: &[DueBudget]) -> Result<BTreeMap<DueBudget, AccountId>, StoreError> {
        let redemptions = due.iter().filter(|due| matches!(due, DueBudget::Redemption(_)));
        let wanted: Vec<Key> = redemptions.map(DueBudget::key).collect();
        let found = self.table.with_retry(|| self.table.batch(&wanted)).await?;
        let mut accounts: BTreeMap<DueBudget, AccountId> = BTreeMap::new();
        for due in due {
            let account = match due {
                DueBudget::Slice(account, _) => Some(account.clone()),
                DueBudget::Redemption(_) => {
                    let read = found.get(&due.key()).and_then(|item| redemption::from_item(item).ok());
                    read.map(|redemption| redemption.campaign)
                }
            };
            accounts.extend(account.map(|account| (due.clone(), account)));
        }
        let wanted: BTreeSet<&AccountId> = accounts.values().collect();
        let wanted: Vec<Key> = wanted.into_iter().map(|account| keys::slice(account, 0)).collect();
        let found = self.table.with_retry(|| self.table.batch(&wanted)).await?;
        let mut agencies = BTreeMap::new();
        for (due, account) in accounts {
            let item = found.get(&keys::slice(&account, 0));
            let agency = item.and_then(|item| budget::from_item(item).ok());
            agencies.extend(agency.and_then(|account| Some((due, account.agency()?.clone()))));
        }
        Ok(agencies)
    }
}

impl DueWork for GiftCards {
    type Item = DueBudget;

    async fn due(&self, page: DuePage<'_>) -> Result<Vec<(DueBudget, Place)>, StoreError> {
        let found = self.table.due(DueKind::Budgets, page).await?;
        Ok(found.into_iter().filter_map(|(pk, at)| Some((DueBudget::of(&pk)?, at))).collect())
    }

    async fn postpone(&self, due: &DueBudget, until: Timestamp) -> Result<(), StoreError> {
        self.table.postpone(due.key(), until).await
    }
}
