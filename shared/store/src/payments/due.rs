//! Top-ups and reports that are due.
//!
//! **Invariant:** a partition that is neither a top-up's nor a report's is passed over.

use super::Payments;
use crate::engine::due::{DuePage, DueWork, Place};
use crate::engine::error::StoreError;
use crate::keys::{self, DueKind, Key};
use domain::ids::{EventId, TopUpId};
use domain::time::Timestamp;

/// A top-up or a report that is due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DuePayment {
    /// The gateway is to be asked once more.
    TopUp(TopUpId),
    /// It waits.
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
    /// Takes a top-up or report out of what is due, unless another time was set meanwhile.
    pub async fn remove_due(&self, due: &DuePayment, place: &str) -> Result<(), StoreError> {
        self.table.remove_due(due.key(), place).await
    }
}
