//! Redemptions: read, committed with a card, looked at, and queued to be sent.
//!
//! **Invariant:** entry, redemption and card are one transaction; none of its items is shared by many.
//! **Invariant:** who has seen a card is written down before it is shown.

use super::GiftCards;
use crate::budgets::items::budget_entry;
use crate::engine::attr::Attributes;
use crate::engine::error::StoreError;
use crate::engine::retry::Certain;
use crate::engine::write::Refusals;
use crate::giftcards::items::{giftcard, redemption};
use crate::keys::{self, DueKind};
use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::budget::entry::BudgetEntry;
use domain::budget::key::KeyState;
use domain::context::Context;
use domain::giftcard::card::{Card, FreeCard};
use domain::giftcard::redemption::Redemption;
use domain::ids::budget::RedemptionId;

/// What became of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// The card is the recipient's.
    Done,
    /// Another was quicker with the card; nothing was committed.
    CardGone,
    /// The code has come to this already, by another attempt; nothing was committed by this one.
    Another(Box<Redemption>),
    /// The attempt was fenced: it must give back what it has set aside.
    Fenced,
}

/// Where a card is shown.
#[derive(Clone, Copy, Debug)]
pub struct Viewer<'a> {
    /// The caller's address, if it is known.
    pub ip: Option<&'a str>,
    /// The `User-Agent` header.
    pub user_agent: Option<&'a str>,
}

impl GiftCards {
    /// A redemption.
    pub async fn redemption(&self, id: &RedemptionId) -> Result<Option<Redemption>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::redemption(id))).await?;
        item.map(|item| redemption::from_item(&item)).transpose()
    }

    /// Commits a redemption with a card from a pool. When this fails, the outcome may be unknown.
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

    /// Commits a redemption with a card that a supplier delivered; the card becomes known with it.
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
            // Sent again as it was: its own attempt at the key tells whether it had been done.
            let sent = self.table.transact(writes.clone()).await.map_err(|error| retry.certain(error))?;
            match retry.settled(sent).await? {
                None => {}
                Some(Certain::Done(_)) => return Ok(Committed::Done),
                Some(Certain::Refused(refused)) if retry.may_be_applied() => {
                    let committed = self.certain_commit(&refused, entry, wanted).await;
                    return committed.map_err(StoreError::after_effect);
                }
                Some(Certain::Refused(refused)) => return self.met(&refused, entry, wanted).await,
            }
        }
    }

    /// What became of a commit that was refused after a send of unknown outcome. The refusal may have been by that very
    /// send, whose writes it met half applied; and what it met may not be all, for a conflict hides what else there is.
    /// The key alone tells, once the attempt is fenced there.
    async fn certain_commit(
        &self,
        refused: &Refusals,
        entry: &BudgetEntry,
        wanted: &Redemption,
    ) -> Result<Committed, StoreError> {
        match self.budgets.fence(&entry.account, &entry.cause, &entry.attempt).await? {
            KeyState::Entry(found) if found.attempt == entry.attempt => Ok(Committed::Done),
            KeyState::Free | KeyState::Void(_) => Ok(Committed::Fenced),
            // An order of our own is not fenced; it stays open, and so nothing of it was committed.
            KeyState::Pending { ordered, .. } if ordered == entry.attempt => {
                let known = refused.iter().any(|(at, _)| *at == 2);
                let other = || StoreError::Contention("what a commit met has moved".to_owned());
                if known { Ok(Committed::CardGone) } else { Err(other()) }
            }
            KeyState::Entry(_) | KeyState::Pending { .. } => self.another(wanted).await,
        }
    }

    /// What was met by a commit that was refused.
    async fn met(
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

    /// What is to be sent to the recipient, written with what it tells.
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

    /// Writes down who is about to see a card.
    pub async fn record_reveal(
        &self,
        id: &RedemptionId,
        viewer: Viewer<'_>,
        context: &Context,
    ) -> Result<(), StoreError> {
        let mut item = Attributes::default()
            .text("role", context.actor.role.as_str())
            .text("sub", &context.actor.sub)
            .text("at", context.now)
            .text("request", &context.request)
            .maybe("ip", viewer.ip)
            .maybe("user_agent", viewer.user_agent)
            .0;
        item.extend(keys::reveal(id, context.now, &context.request).attributes());
        let mut retry = self.table.retry();
        loop {
            let sent = self.table.transact(vec![self.table.any_put(item.clone())?]).await?;
            let Some(sent) = retry.settled(sent).await? else { continue };
            match sent {
                Certain::Done(_) | Certain::Refused(_) => return Ok(()),
            }
        }
    }

    /// A redemption and what stands at its entry's key, of one instant.
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

    /// A redemption as of an instant at which no transaction is half applied: what is refused is refused on this.
    pub async fn certain_redemption(&self, id: &RedemptionId) -> Result<Option<Redemption>, StoreError> {
        let item = self.table.read_atomically(&[keys::redemption(id)]).await?.into_iter().next().flatten();
        item.map(|item| redemption::from_item(&item)).transpose()
    }
}
