//! Puts cards into pools, and finds a free card.
//!
//! **Invariant:** a card and its place in a pool are written together, and only if the card is not
//! known anywhere.
//! **Invariant:** finding a free card changes nothing; the first request to delete the free item
//! gets the card.

use super::GiftCards;
use crate::engine::attr::Item;
use crate::engine::error::StoreError;
use crate::giftcards::items::giftcard;
use crate::giftcards::stock::{self, Import, StockItems};
use crate::keys;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::giftcard::Pool;
use domain::giftcard::card::{Card, FreeCard};
use domain::hash::Hash;
use domain::ids::budget::{CardId, PoolId};
use domain::time::Date;

/// Number of cards that one transaction writes.
const CARDS_PER_TRANSACTION: usize = 50;

/// Number of cards of a shard from which one is chosen at random, so that concurrent requests
/// seldom choose the same.
const CHOICE: i32 = 20;

/// Number of stocked cards up to which a pool is searched as a whole.
const SMALL_POOL_CARDS: u64 = 200;

/// Like [`CHOICE`], for a small pool, and while the earliest expiry date is not cached.
const MORE: i32 = 200;

impl GiftCards {
    /// Puts cards into a pool; cards that are known anywhere are skipped.
    pub async fn stock(&self, pool: &Pool, cards: &[Card]) -> Result<Import, StoreError> {
        let shards = domain::giftcard::shards_for(
            pool.stocked.saturating_add(u64::try_from(cards.len()).unwrap_or(u64::MAX)),
        );
        // The number of shards is raised first, so no card is in a shard that is not searched.
        self.spread(pool, shards).await?;
        let shards = shards.max(pool.shards);
        let mut import = Import::default();
        // Four transactions at once; more would only conflict with each other.
        for group in cards.chunks(4 * CARDS_PER_TRANSACTION) {
            // If some cards were known, a part of the file was imported before. Then the next cards
            // are looked up first, which costs less than refused transactions.
            let known = if import.known.is_empty() {
                vec![]
            } else {
                stock::known(&self.table, group.iter().map(|card| &card.id)).await?
            };
            let new = group.iter().filter(|card| !known.iter().any(|(id, _)| *id == card.id));
            let new: Vec<StockItems> = new.map(|card| items_of(card, pool, shards)).collect();
            import.known.extend(known);
            let batches = new.chunks(CARDS_PER_TRANSACTION);
            let batches = batches.map(|batch| stock::put(&self.table, batch, |_| Ok(None)));
            for done in futures::future::try_join_all(batches).await? {
                import.add(done);
            }
        }
        if import.accepted > 0 {
            self.record_stocked(&pool.id, import.accepted).await?;
        }
        Ok(import)
    }

    /// Returns a free card of a pool that is valid today, if there is any.
    pub async fn free_card(&self, pool: &PoolId, today: Date) -> Result<Option<FreeCard>, StoreError> {
        let Some(known) = self.known_pool(pool).await? else { return Ok(None) };
        if let Some(found) = self.free_card_in(&known, today).await? {
            return Ok(Some(found));
        }
        // The pool may have more shards than the cached one.
        let before = known.shards;
        match self.pool(pool).await? {
            Some(fresh) if fresh.shards != before => self.free_card_in(&fresh, today).await,
            Some(_) | None => Ok(None),
        }
    }

    async fn free_card_in(&self, pool: &Pool, today: Date) -> Result<Option<FreeCard>, StoreError> {
        let first = fastrand::u8(0..pool.shards.max(1));
        let today = today.to_string();
        // Searches the cards that expire first, as far as this process has seen, from a random
        // place on, so that concurrent requests find different cards.
        let soonest = self
            .caches
            .soonest
            .get(&pool.id)
            .filter(|date| **date >= today && pool.stocked > SMALL_POOL_CARDS);
        for step in 0..pool.shards {
            let shard =
                u8::try_from((u16::from(first) + u16::from(step)) % u16::from(pool.shards)).unwrap_or(0);
            let quick = match &soonest {
                Some(date) => (format!("{date}#{:016x}", fastrand::u64(..)), CHOICE),
                None => (today.clone(), MORE),
            };
            // The second search covers all free cards.
            for ((from, limit), consistent) in [(quick, false), ((today.clone(), MORE), true)] {
                let cards = self.some_free(pool, shard, &from, limit, consistent).await?;
                let Some(nearest) = cards.first() else { continue };
                let date = keys::free_card(nearest).sk.split('#').next().unwrap_or_default().to_owned();
                if from == today {
                    self.caches.soonest.insert(pool.id.clone(), date);
                } else if soonest.as_deref() != Some(&date) {
                    // The search passed the last of these cards; there may be some before the
                    // random place.
                    continue;
                }
                let expires_on = nearest.expires_on;
                let like: Vec<FreeCard> =
                    cards.into_iter().filter(|card| card.expires_on == expires_on).collect();
                return Ok(fastrand::choice(like));
            }
        }
        Ok(None)
    }

    async fn some_free(
        &self,
        pool: &Pool,
        shard: u8,
        from: &str,
        limit: i32,
        consistent: bool,
    ) -> Result<Vec<FreeCard>, StoreError> {
        let partition = keys::free_cards(&pool.id, shard);
        let items = stock::some_free(&self.table, &partition, from, (limit, consistent)).await?;
        let free = |item: &Item| free_of(item, pool, shard);
        Ok(items.iter().filter_map(free).collect())
    }

    /// Reads a card.
    pub async fn card(&self, id: &CardId) -> Result<Option<Card>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::card(id))).await?;
        item.map(|item| giftcard::card_from_item(&item)).transpose()
    }
}

fn items_of(card: &Card, pool: &Pool, shards: u8) -> StockItems {
    StockItems {
        id: card.id.clone(),
        code: giftcard::card_to_item(card),
        free: giftcard::free_to_item(&place(card, pool, shards)),
    }
}

/// Returns the place of a card among the shards of its pool.
pub(crate) fn place(card: &Card, pool: &Pool, shards: u8) -> FreeCard {
    let shard = Hash::of(card.id.as_str()).bytes().first().copied().unwrap_or(0) % shards.max(1);
    FreeCard {
        card: card.id.clone(),
        pool: pool.id.clone(),
        shard,
        expires_on: card.expires_on,
        cost: pool.cost_per_card,
        source: pool.source,
    }
}

fn free_of(item: &Item, pool: &Pool, shard: u8) -> Option<FreeCard> {
    let AttributeValue::S(place) = item.get(keys::SK)? else { return None };
    let (card, expires_on) = keys::free_card_of(place)?;
    let cost = item.get("cost").and_then(|cost| cost.as_n().ok()?.parse().ok());
    let cost = cost.and_then(|cost| domain::money::Money::try_new(cost).ok());
    Some(FreeCard {
        card,
        pool: pool.id.clone(),
        shard,
        expires_on,
        cost: cost.unwrap_or(pool.cost_per_card),
        source: pool.source,
    })
}
