//! Orders at suppliers, as stored: opened before the order is sent, closed by the supplier's
//! response.
//!
//! **Invariant:** before the supplier is called, one transaction makes the key pending for the
//! attempt and writes the pending redemption; the reference that is sent contains the attempt.
//! **Invariant:** an order ends once: as an entry with a card, or as a fence with the reservation
//! released.

use super::GiftCards;
use crate::budgets::Waiting;
use crate::budgets::items::budget_entry;
use crate::engine::attr::{number, text};
use crate::engine::error::StoreError;
use crate::engine::retry::Certain;
use crate::engine::sent::Sent;
use crate::giftcards::items::redemption;
use crate::keys::{self, DueKind};
use domain::budget::key::KeyState;
use domain::giftcard::redemption::{Redemption, RedemptionStatus};
use domain::ids::budget::{AttemptId, RedemptionId};
use domain::time::Timestamp;

/// Outcome of opening an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ordered {
    /// The order is open; it may be sent to the supplier.
    Open,
    /// Another attempt has already produced this redemption for the code.
    Another(Box<Redemption>),
    /// The attempt was fenced; its reservation must be released.
    Not,
    /// The slice has the maximum number of waiting attempts; the reservation must be released.
    TooMany,
}

impl GiftCards {
    /// Opens an order for an attempt. First moves its reservation to the waiting attempts.
    pub async fn open_order(&self, wanted: &Redemption) -> Result<Ordered, StoreError> {
        for slice in wanted.takes.keys() {
            let mut set = self.budgets.set_waiting(&wanted.charged, *slice, &wanted.attempt).await?;
            if set == Waiting::TooMany {
                // Some waiting attempts may be decided already; resolving removes them.
                self.budgets.resolve_one(&wanted.charged, *slice, wanted.created_at).await?;
                set = self.budgets.set_waiting(&wanted.charged, *slice, &wanted.attempt).await?;
            }
            match set {
                Waiting::Set => {}
                Waiting::TooMany => return Ok(Ordered::TooMany),
                Waiting::Gone => return Ok(Ordered::Not),
            }
        }
        let cause = wanted.id.cause();
        let key = keys::budget_entry(&wanted.charged, &cause);
        let mut order = redemption::to_item(&Redemption { next_check_at: None, ..wanted.clone() });
        order.extend(keys::card_order(&wanted.id, &wanted.attempt).attributes());
        let writes = vec![
            self.budgets.pending_update(&key, &wanted.attempt)?,
            self.redemption_put(wanted)?,
            self.table.any_put(order)?,
        ];
        let mut retry = self.table.retry();
        loop {
            let sent = self.table.transact(writes.clone()).await?;
            let Some(sent) = retry.settled(sent).await? else { continue };
            match sent {
                Certain::Done(_) => return Ok(Ordered::Open),
                Certain::Refused(_) => {
                    let is_ours = |state: &KeyState| matches!(state, KeyState::Pending { ordered, .. } if *ordered == wanted.attempt);
                    // A send that may still arrive must be fenced before the reservation is
                    // released.
                    if retry.may_be_applied() {
                        let fenced = self.budgets.fence(&wanted.charged, &cause, &wanted.attempt).await;
                        if is_ours(&fenced.map_err(StoreError::after_effect)?) {
                            return Ok(Ordered::Open);
                        }
                    }
                    let (found, state) =
                        self.redemption_and_state(wanted).await.map_err(StoreError::after_effect)?;
                    return Ok(match found {
                        _ if is_ours(&state) => Ordered::Open,
                        Some(found) if found.status != RedemptionStatus::Failed => {
                            Ordered::Another(Box::new(found))
                        }
                        Some(_) | None => Ordered::Not,
                    });
                }
            }
        }
    }

    /// Reads an order as it was opened for an attempt, whatever has happened to its redemption
    /// since.
    pub async fn card_order(
        &self,
        id: &RedemptionId,
        attempt: &AttemptId,
    ) -> Result<Option<Redemption>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::card_order(id, attempt))).await?;
        item.map(|item| redemption::from_item(&item)).transpose()
    }

    /// Ends an order that the supplier has certainly refused: fences the attempt, marks the
    /// redemption as failed and releases the reservation.
    ///
    /// Returns false if the order has ended in another way.
    pub async fn fail_order(&self, pending: &Redemption, failure: &str) -> Result<bool, StoreError> {
        let key = keys::budget_entry(&pending.charged, &pending.id.cause());
        let failed = Redemption {
            status: RedemptionStatus::Failed,
            failure: Some(failure.to_owned()),
            next_check_at: None,
            ..pending.clone()
        };
        let writes = vec![self.budgets.void_update(&key, &pending.attempt)?, self.redemption_put(&failed)?];
        let mut retry = self.table.retry();
        loop {
            let sent = self.table.transact(writes.clone()).await?;
            let Some(sent) = retry.settled(sent).await? else { continue };
            match sent {
                Certain::Done(_) => break,
                Certain::Refused(refused) => {
                    let item = refused.into_iter().find(|(at, _)| *at == 0).and_then(|(_, item)| item);
                    match budget_entry::state_of(item.as_ref())? {
                        // The order ended in this way before; the steps that follow may have been
                        // interrupted.
                        KeyState::Void(fenced) if fenced.contains(&pending.attempt) => break,
                        KeyState::Void(_)
                        | KeyState::Free
                        | KeyState::Pending { .. }
                        | KeyState::Entry(_) => return Ok(false),
                    }
                }
            }
        }
        // If this is interrupted, the next resolve of the slices finds the fence.
        self.budgets.release_reservation(&pending.charged, &pending.takes, &pending.attempt).await?;
        Ok(true)
    }

    /// Records that the supplier was called, and when it is polled again.
    pub async fn record_asked(&self, pending: &Redemption, next: Timestamp) -> Result<(), StoreError> {
        let key = keys::redemption(&pending.id);
        let sent = self
            .table
            .update(&key, |update| {
                update
                    .update_expression("SET asked.tries = asked.tries + :one, dpk = :dpk, dsk = :dsk")
                    .condition_expression("#status = :pending AND attempt = :attempt")
                    .expression_attribute_names("#status", "status")
                    .expression_attribute_values(":one", number(1))
                    .expression_attribute_values(":dpk", text(keys::due_partition(DueKind::Budgets, &key.pk)))
                    .expression_attribute_values(":dsk", text(keys::due(next, &key.pk)))
                    .expression_attribute_values(":pending", text(RedemptionStatus::Pending.as_str()))
                    .expression_attribute_values(":attempt", text(&pending.attempt))
            })
            .await?;
        match sent {
            Sent::Done(_) | Sent::Refused(_) => Ok(()),
            Sent::Busy(why) => Err(StoreError::Contention(why)),
            Sent::Unsent(why) => Err(StoreError::Unreachable(why)),
            Sent::Unknown(why) => Err(StoreError::Unavailable(why)),
        }
    }
}
