//! Orders at suppliers, as the table knows them: opened before a supplier is asked, closed by what it answers.
//!
//! **Invariant:** the key is pending for the attempt, and the redemption says so, in one transaction, before anyone is
//! asked; the reference that is sent holds the attempt.
//! **Invariant:** an order ends once: as an entry with a card, or as a fence with the credit given back.

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

/// What became of opening an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ordered {
    /// The supplier may be asked.
    Open,
    /// The code has come to this already, by another attempt.
    Another(Box<Redemption>),
    /// The attempt was fenced: it must give back what it has set aside.
    Not,
    /// So many orders wait for suppliers that this one may not: likewise.
    TooMany,
}

impl GiftCards {
    /// Opens an order for an attempt. Its credit moves out of the way of others first.
    pub async fn open_order(&self, wanted: &Redemption) -> Result<Ordered, StoreError> {
        for slice in wanted.takes.keys() {
            let mut set = self.budgets.set_waiting(&wanted.charged, *slice, &wanted.attempt).await?;
            if set == Waiting::TooMany {
                // Some may only seem to wait: what is done is taken off.
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
                    // A send that may still arrive must find itself fenced before the credit is given back.
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

    /// An order as it was opened for an attempt, whatever has become of its redemption since.
    pub async fn card_order(
        &self,
        id: &RedemptionId,
        attempt: &AttemptId,
    ) -> Result<Option<Redemption>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::card_order(id, attempt))).await?;
        item.map(|item| redemption::from_item(&item)).transpose()
    }

    /// The supplier has said no for certain: the attempt is fenced, the redemption failed, the credit given back.
    ///
    /// False if the order has ended otherwise.
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
                        // It ended so before; what follows may have been cut short.
                        KeyState::Void(fenced) if fenced.contains(&pending.attempt) => break,
                        KeyState::Void(_)
                        | KeyState::Free
                        | KeyState::Pending { .. }
                        | KeyState::Entry(_) => return Ok(false),
                    }
                }
            }
        }
        // If this is cut short, whoever resolves the slices finds the fence.
        self.budgets.release_reservation(&pending.charged, &pending.takes, &pending.attempt).await?;
        Ok(true)
    }

    /// Notes that the supplier was asked, and when it is to be asked again.
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
            Sent::Unknown(why) => Err(StoreError::Unavailable(why)),
        }
    }
}
