//! Slices of budgets and redemptions that are due.
//!
//! **Invariant:** partitions that belong neither to a slice nor to a redemption are skipped.

use super::GiftCards;
use crate::engine::due::{DuePage, DueWork, Place};
use crate::engine::error::StoreError;
use crate::keys::{self, DueKind, Key};
use domain::ids::budget::{AccountId, RedemptionId};
use domain::time::Timestamp;

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
