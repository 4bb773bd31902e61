//! Redemptions: reading, committing with a card, revealing, and queueing their messages.
//!
//! **Invariant:** entry, redemption and card are written in one transaction whose items are not
//! shared by many requests.
//! **Invariant:** each reveal of a card is recorded, with its actor, before the card is shown.

use super::GiftCards;
use crate::budgets::items::budget_entry;
use crate::engine::attr::{Attributes, Item};
use crate::engine::error::StoreError;
use crate::engine::retry::Certain;
use crate::engine::write::Refusals;
use crate::giftcards::items::{giftcard, redemption};
use crate::keys::{self, DueKind, Key};
use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::budget::entry::BudgetEntry;
use domain::budget::key::KeyState;
use domain::context::Context;
use domain::giftcard::card::{Card, FreeCard};
use domain::giftcard::redemption::Redemption;
use domain::ids::budget::RedemptionId;

/// Outcome of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// Committed: the card belongs to the recipient.
    Done,
    /// Another request won the card, or the card is already known; nothing was committed.
    CardGone,
    /// Another attempt has already produced this redemption for the code; nothing was committed by
    /// this one.
    Another(Box<Redemption>),
    /// The attempt was fenced; its reservation must be released.
    Fenced,
}

/// Client to which a card is shown.
#[derive(Clone, Copy, Debug)]
pub struct Viewer<'a> {
    /// IP address of the caller, if known.
    pub ip: Option<&'a str>,
    /// Value of the `User-Agent` header.
    pub user_agent: Option<&'a str>,
}

impl GiftCards {
    /// Reads a redemption.
    pub async fn redemption(&self, id: &RedemptionId) -> Result<Option<Redemption>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::redemption(id))).await?;
        item.map(|item| redemption::from_item(&item)).transpose()
    }

    /// Commits a redemption with a card from a pool. If this returns an error, the outcome may be
    /// unknown.
    pub async fn commit_card(
        &self,
        entry: &BudgetEntry,
        redemption: &Redemption,
        card: &FreeCard,
    ) -> Result<Committed, StoreError> {
        let mut writes =
            vec![self.budgets.entry_put(entry)?, self.redemption_put(redemption)?, self.card_delete(card)?];
        writes.extend(self.to_send(redemption)?);
        self.commit(writes, entry, redemption).await
    }

    /// Commits a redemption with a card that a supplier delivered; the card is written in the same
    /// transaction.
    pub async fn commit_delivered(
        &self,
        entry: &BudgetEntry,
        redemption: &Redemption,
        card: &Card,
    ) -> Result<Committed, StoreError> {
        let mut writes = vec![
            self.budgets.entry_put(entry)?,
            self.redemption_put(redemption)?,
            self.table.new_put(giftcard::card_to_item(card))?,
        ];
        writes.extend(self.to_send(redemption)?);
        self.commit(writes, entry, redemption).await
    }

    async fn commit(
        &self,
        writes: Vec<TransactWriteItem>,
        entry: &BudgetEntry,
        wanted: &Redemption,
    ) -> Result<Committed, StoreError> {
        let mut retry = self.table.retry();
        loop {
            // Sent again unchanged: the attempt found at the key shows whether an earlier send was
            // applied.
            let sent = self.table.transact(writes.clone()).await.map_err(|error| retry.certain(error))?;
            match retry.settled(sent).await? {
                None => {}
                Some(Certain::Done(_)) => return Ok(Committed::Done),
                Some(Certain::Refused(refused)) if retry.may_be_applied() => {
                    let committed = self.certain_commit(&refused, entry, wanted).await;
                    return committed.map_err(StoreError::after_effect);
                }
                Some(Certain::Refused(refused)) => return self.refused_commit(&refused, entry, wanted).await,
            }
        }
    }

    /// Returns the outcome of a commit that was refused after a send with an unknown outcome. The
    /// refusal may be due to that very send, while its writes were half applied. It may also be
    /// incomplete, because a conflict hides failed conditions. So only the key is reliable, once
    /// the attempt is fenced there.
    async fn certain_commit(
        &self,
        refused: &Refusals,
        entry: &BudgetEntry,
        wanted: &Redemption,
    ) -> Result<Committed, StoreError> {
        match self.budgets.fence(&entry.account, &entry.cause, &entry.attempt).await? {
            KeyState::Entry(found) if found.attempt == entry.attempt => Ok(Committed::Done),
            KeyState::Free | KeyState::Void(_) => Ok(Committed::Fenced),
            // The order of this attempt is not fenced; it stays open, so nothing of it was
            // committed.
            KeyState::Pending { ordered, .. } if ordered == entry.attempt => {
                let known = refused.iter().any(|(at, _)| *at == 2);
                let other = || StoreError::Contention("the commit's items changed".to_owned());
                if known { Ok(Committed::CardGone) } else { Err(other()) }
            }
            KeyState::Entry(_) | KeyState::Pending { .. } => self.another(wanted).await,
        }
    }

    /// Returns the outcome of a refused commit from the conditions that failed.
    async fn refused_commit(
        &self,
        refused: &Refusals,
        entry: &BudgetEntry,
        wanted: &Redemption,
    ) -> Result<Committed, StoreError> {
        let at = |wanted: usize| refused.iter().find(|(at, _)| *at == wanted);
        if let Some((_, item)) = at(0) {
            match budget_entry::state_of(item.as_ref())? {
                KeyState::Entry(found) if found.attempt == entry.attempt => return Ok(Committed::Done),
                KeyState::Entry(_) | KeyState::Pending { .. } => {}
                KeyState::Free | KeyState::Void(_) => return Ok(Committed::Fenced),
            }
        }
        if at(0).is_none() && at(1).is_none() {
            return Ok(Committed::CardGone);
        }
        self.another(wanted).await
    }

    async fn another(&self, wanted: &Redemption) -> Result<Committed, StoreError> {
        let (found, _) = self.redemption_and_state(wanted).await?;
        let missing = || StoreError::Corrupt(format!("{} has no redemption", wanted.id));
        Ok(Committed::Another(Box::new(found.ok_or_else(missing)?)))
    }

    /// Returns the write that queues the message to the recipient; it goes into the transaction of
    /// the redemption.
    pub(crate) fn to_send(&self, redemption: &Redemption) -> Result<Option<TransactWriteItem>, StoreError> {
        let Some(delivery) = &redemption.delivery else { return Ok(None) };
        let key = keys::outbox(&redemption.id, delivery.method);
        let mut item = Attributes::default()
            .text("redemption_id", &redemption.id)
            .text("method", delivery.method.as_str())
            .with("address", giftcard::sealed(&delivery.address))
            .text("status", "QUEUED")
            .text("created_at", redemption.issued_at.unwrap_or(redemption.created_at))
            .text(keys::DUE_PK, keys::due_partition(DueKind::Notices, &key.pk))
            .text(keys::DUE_SK, keys::due(redemption.created_at, &key.pk))
            .0;
        item.extend(key.attributes());
        self.table.any_put(item).map(Some)
    }

    /// Records who is about to see a card.
    pub async fn record_reveal(
        &self,
        id: &RedemptionId,
        viewer: Viewer<'_>,
        context: &Context,
    ) -> Result<(), StoreError> {
        let key = keys::reveal(id, context.now, &context.request);
        self.table.put_record(reveal_to_item(&key, viewer, context)).await
    }

    /// Reads a redemption and the state of its entry's key at one instant.
    pub(crate) async fn redemption_and_state(
        &self,
        redemption: &Redemption,
    ) -> Result<(Option<Redemption>, KeyState), StoreError> {
        let cause = redemption.id.cause();
        let wanted = [keys::redemption(&redemption.id), keys::budget_entry(&redemption.charged, &cause)];
        let mut items = self.table.read_atomically(&wanted).await?.into_iter();
        let (found, key) = (items.next().flatten(), items.next().flatten());
        let found = found.map(|item| redemption::from_item(&item)).transpose()?;
        Ok((found, budget_entry::state_of(key.as_ref())?))
    }

    /// Reads a redemption at an instant at which no transaction is half applied; refusals are based
    /// on this read.
    pub async fn certain_redemption(&self, id: &RedemptionId) -> Result<Option<Redemption>, StoreError> {
        let item = self.table.read_atomically(&[keys::redemption(id)]).await?.into_iter().next().flatten();
        item.map(|item| redemption::from_item(&item)).transpose()
    }
}

/// Converts the record that a code is revealed to its item.
pub(crate) fn reveal_to_item(key: &Key, viewer: Viewer<'_>, context: &Context) -> Item {
    let mut item = Attributes::default()
        .text("role", context.actor.role.as_str())
        .text("sub", &context.actor.sub)
        .text("at", context.now)
        .text("request", &context.request)
        .maybe("ip", viewer.ip)
        .maybe("user_agent", viewer.user_agent)
        .0;
    item.extend(key.attributes());
    item
}
