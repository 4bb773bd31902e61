//! Redemptions: read, committed with a card, looked at, and queued to be sent.
//!
//! **Invariant:** entry, redemption and card are one transaction; none of its items is shared by many.
//! **Invariant:** who has seen a card is written down before it is shown.

use crate::Store;
use crate::attr::Attributes;
use crate::budgets::write::Sent;
use crate::effort::Effort;
use crate::error::StoreError;
use crate::items::{budget_entry, giftcard, redemption};
use crate::keys::{self, DueKind};
use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::budget::entry::BudgetEntry;
use domain::budget::ids::RedemptionId;
use domain::budget::key::KeyState;
use domain::context::Context;
use domain::giftcard::card::{Card, FreeCard};
use domain::giftcard::redemption::Redemption;
use std::collections::BTreeMap;

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

impl Store {
    /// A redemption.
    pub async fn redemption(&self, id: &RedemptionId) -> Result<Option<Redemption>, StoreError> {
        let item = self.patiently(|| self.get(keys::redemption(id))).await?;
        item.map(|item| redemption::from_item(&item)).transpose()
    }

    /// Commits a redemption with a card from a pool. When this fails, the outcome may be unknown.
    pub async fn commit_card(
        &self,
        (entry, redemption): (&BudgetEntry, &Redemption),
        card: &FreeCard,
    ) -> Result<Committed, StoreError> {
        let mut writes =
            vec![self.entry_put(entry)?, self.redemption_put(redemption)?, self.card_delete(card)?];
        writes.extend(self.to_send(redemption)?);
        self.commit(writes, (entry, redemption)).await
    }

    /// Commits a redemption with a card that a supplier delivered; the card becomes known with it.
    pub async fn commit_delivered(
        &self,
        (entry, redemption): (&BudgetEntry, &Redemption),
        card: &Card,
    ) -> Result<Committed, StoreError> {
        let mut writes = vec![
            self.entry_put(entry)?,
            self.redemption_put(redemption)?,
            self.new_put(giftcard::card_to_item(card))?,
        ];
        writes.extend(self.to_send(redemption)?);
        self.commit(writes, (entry, redemption)).await
    }

    async fn commit(
        &self,
        writes: Vec<TransactWriteItem>,
        (entry, wanted): (&BudgetEntry, &Redemption),
    ) -> Result<Committed, StoreError> {
        let mut effort = Effort::new(self.patience);
        let mut unsure = false;
        loop {
            match self.transact(writes.clone()).await? {
                Sent::Done(_) => return Ok(Committed::Done),
                Sent::Refused(refused) => {
                    let at = |wanted: usize| refused.iter().find(|(at, _)| *at == wanted);
                    if let Some((_, item)) = at(0) {
                        match budget_entry::state_of(item.as_ref())? {
                            KeyState::Entry(found) if found.attempt == entry.attempt => {
                                return Ok(Committed::Done);
                            }
                            // A send that may still arrive must find itself fenced when the other order has failed.
                            KeyState::Pending { .. } if unsure => {
                                self.fence(&entry.account, &entry.cause, &entry.attempt).await?;
                            }
                            KeyState::Entry(_) | KeyState::Pending { .. } => {}
                            KeyState::Free | KeyState::Void(_) => return Ok(Committed::Fenced),
                        }
                    }
                    if at(0).is_some() || at(1).is_some() {
                        let found = self.redemption(&wanted.id).await?;
                        let missing = || StoreError::Corrupt(format!("{} has no redemption", wanted.id));
                        return Ok(Committed::Another(Box::new(found.ok_or_else(missing)?)));
                    }
                    return Ok(Committed::CardGone);
                }
                Sent::Busy(why) if !effort.again().await => {
                    return Err(if unsure {
                        StoreError::Unavailable(why)
                    } else {
                        StoreError::Contention(why)
                    });
                }
                Sent::Busy(_) => {}
                // Sent again as it was: its own attempt at the key tells whether it had been done.
                Sent::Unknown(why) => {
                    unsure = true;
                    if !effort.again().await {
                        return Err(StoreError::Unavailable(why));
                    }
                }
            }
        }
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
        self.any_put(item).map(Some)
    }

    /// Writes down who is about to see a card.
    pub async fn note_reveal(
        &self,
        id: &RedemptionId,
        (ip, user_agent): (Option<&str>, Option<&str>),
        context: &Context,
    ) -> Result<(), StoreError> {
        let mut item = Attributes::default()
            .text("role", context.actor.role.as_str())
            .text("sub", &context.actor.sub)
            .text("at", context.now)
            .text("request", &context.request)
            .maybe("ip", ip)
            .maybe("user_agent", user_agent)
            .0;
        item.extend(keys::reveal(id, context.now, &context.request).attributes());
        let mut effort = Effort::new(self.patience);
        loop {
            match self.transact(vec![self.any_put(item.clone())?]).await? {
                Sent::Done(_) | Sent::Refused(_) => return Ok(()),
                Sent::Busy(why) if !effort.again().await => return Err(StoreError::Contention(why)),
                Sent::Unknown(why) if !effort.again().await => return Err(StoreError::Unavailable(why)),
                Sent::Busy(_) | Sent::Unknown(_) => {}
            }
        }
    }

    /// Who has seen a redemption's card: when, in which role, as whom; oldest first.
    pub async fn reveals(&self, id: &RedemptionId) -> Result<Vec<BTreeMap<String, String>>, StoreError> {
        let items = self.partition(&keys::redemption(id).pk, "R#").await?;
        let text = |item: &crate::attr::Item| {
            let pairs =
                item.iter().filter_map(|(name, value)| Some((name.clone(), value.as_s().ok()?.clone())));
            pairs.filter(|(name, _)| name != keys::PK && name != keys::SK).collect()
        };
        Ok(items.iter().map(text).collect())
    }

    /// Gives the redemption, if one of another attempt is there, together with what stands at its entry's key.
    pub async fn redemption_and_state(
        &self,
        redemption: &Redemption,
    ) -> Result<(Option<Redemption>, KeyState), StoreError> {
        let cause = redemption.id.cause();
        let wanted = [keys::redemption(&redemption.id), keys::budget_entry(&redemption.charged, &cause)];
        let found = self.patiently(|| self.batch(&wanted)).await?;
        let read = found.get(&wanted[0]).map(redemption::from_item).transpose()?;
        Ok((read, budget_entry::state_of(found.get(&wanted[1]))?))
    }
}
