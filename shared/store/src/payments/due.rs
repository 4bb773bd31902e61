//! Top-ups and reports that are due.
//!
//! **Invariant:** partitions that belong neither to a top-up nor to a report are skipped.

use super::Payments;
use crate::engine::due::{DuePage, DueWork, Place};
use crate::engine::error::StoreError;
use crate::keys::{self, DueKind, Key};
use domain::ids::{EventId, TopUpId};
use domain::time::Timestamp;

/// Top-up or report that is due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DuePayment {
    /// Top-up whose gateway is polled again.
    TopUp(TopUpId),
    /// Report that waits for another one.
    Event(EventId),
}

impl DuePayment {
    fn of(pk: &str) -> Option<Self> {
        keys::topup_of(pk).map(Self::TopUp).or_else(|| keys::event_of(pk).map(Self::Event))
    }

    fn key(&self) -> Key {
        match self {
            Self::TopUp(id) => keys::topup(id),
            Self::Event(id) => keys::event(id),
        }
    }
}

impl DueWork for Payments {
    type Item = DuePayment;

    async fn due(&self, page: DuePage<'_>) -> Result<Vec<(DuePayment, Place)>, StoreError> {
        let found = self.table.due(DueKind::Payments, page).await?;
        Ok(found.into_iter().filter_map(|(pk, at)| Some((DuePayment::of(&pk)?, at))).collect())
    }

    async fn postpone(&self, due: &DuePayment, until: Timestamp) -> Result<(), StoreError> {
        self.table.postpone(due.key(), until).await
    }
}

impl Payments {
    /// Removes a top-up or report from the index `due`, unless its due time has changed since it
    /// was read.
    pub async fn remove_due(&self, due: &DuePayment, place: &str) -> Result<(), StoreError> {
        self.table.remove_due(due.key(), place).await
    }
}
