//! Brands and pools: adding, caching and listing them.
//!
//! **Invariant:** a pool is in the list of all pools and in the list of its brand and denomination;
//! both places are written with it.

use super::GiftCards;
use crate::engine::attr::{Attributes, Item, number};
use crate::engine::error::StoreError;
use crate::engine::retry::Certain;
use crate::engine::sent::Sent;
use crate::giftcards::items::giftcard;
use crate::keys::{self, Key};
use aws_sdk_dynamodb::types::{AttributeValue, Select, TransactWriteItem};
use domain::fingerprint::Fingerprint;
use domain::giftcard::{Brand, CardSource, Pool};
use domain::ids::RequestId;
use domain::ids::budget::{BrandId, PoolId};
use domain::money::Money;
use domain::rejection::Rejection;
use domain::time::Date;
use std::collections::HashMap;
use std::sync::Arc;

impl GiftCards {
    /// Adds a brand, or finds it if this request is a repetition. Returns the brand, and true if an
    /// earlier request added it.
    pub async fn add_brand(&self, brand: Brand) -> Result<(Brand, bool), StoreError> {
        let listed = keys::listed(keys::BRANDS, brand.created_at, brand.id.as_str());
        let writes = vec![
            self.table.new_put(giftcard::brand_to_item(&brand))?,
            self.table.any_put(place(&listed, "brand_id", brand.id.as_str()))?,
        ];
        match self.add(writes).await? {
            None => Ok((brand, false)),
            Some(item) => {
                let first = giftcard::brand_from_item(&item)?;
                let sent = AddedBy { fingerprint: &brand.fingerprint, request: &brand.request };
                let replayed =
                    sent.replays(AddedBy { fingerprint: &first.fingerprint, request: &first.request })?;
                Ok((first, replayed))
            }
        }
    }

    /// Adds a pool, or finds it if this request is a repetition. Returns the pool, and true if an
    /// earlier request added it.
    pub async fn add_pool(&self, pool: Pool) -> Result<(Pool, bool), StoreError> {
        let all = keys::listed(keys::POOLS, pool.created_at, pool.id.as_str());
        let of = keys::pools_of(&pool.brand, pool.denomination);
        let of = keys::listed(&of, pool.created_at, pool.id.as_str());
        let mut near = place(&of, "pool_id", pool.id.as_str());
        near.insert("pool_type".to_owned(), AttributeValue::S(pool.source.as_str().to_owned()));
        let writes = vec![
            self.table.new_put(giftcard::pool_to_item(&pool))?,
            self.table.any_put(place(&all, "pool_id", pool.id.as_str()))?,
            self.table.any_put(near)?,
        ];
        match self.add(writes).await? {
            None => {
                self.caches.pools_of.invalidate(&(pool.brand.clone(), pool.denomination));
                Ok((pool, false))
            }
            Some(item) => {
                let first = giftcard::pool_from_item(&item)?;
                let sent = AddedBy { fingerprint: &pool.fingerprint, request: &pool.request };
                let replayed =
                    sent.replays(AddedBy { fingerprint: &first.fingerprint, request: &first.request })?;
                Ok((first, replayed))
            }
        }
    }

    /// Writes new items; returns the existing item if one exists.
    async fn add(&self, writes: Vec<TransactWriteItem>) -> Result<Option<Item>, StoreError> {
        let mut retry = self.table.retry();
        loop {
            let sent = self.table.transact(writes.clone()).await?;
            let Some(sent) = retry.settled(sent).await? else { continue };
            match sent {
                Certain::Done(_) => return Ok(None),
                Certain::Refused(refused) => {
                    let found = refused.into_iter().find_map(|(_, item)| item);
                    let missing = || StoreError::Unavailable("refused, item not returned".to_owned());
                    return found.map(Some).ok_or_else(missing);
                }
            }
        }
    }

    /// Returns a brand from the cache, or reads it.
    pub async fn brand(&self, id: &BrandId) -> Result<Option<Arc<Brand>>, StoreError> {
        if let Some(known) = self.caches.brands.get(id) {
            return Ok(Some(known));
        }
        let item = self.table.with_retry(|| self.table.get(keys::brand(id))).await?;
        let brand = item.map(|item| giftcard::brand_from_item(&item)).transpose()?;
        Ok(brand.map(|brand| self.caches.brands.insert(id.clone(), brand)))
    }

    /// Reads a pool with strong consistency, and caches it.
    pub async fn pool(&self, id: &PoolId) -> Result<Option<Pool>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::pool(id))).await?;
        let pool = item.map(|item| giftcard::pool_from_item(&item)).transpose()?;
        if let Some(pool) = &pool {
            self.caches.pools.insert(id.clone(), pool.clone());
        }
        Ok(pool)
    }

    /// Returns a pool from the cache, or reads it.
    pub(crate) async fn known_pool(&self, id: &PoolId) -> Result<Option<Arc<Pool>>, StoreError> {
        match self.caches.pools.get(id) {
            Some(known) => Ok(Some(known)),
            None => Ok(self.pool(id).await?.map(Arc::new)),
        }
    }

    /// Returns the pools of a brand and denomination, oldest first, from the cache or the table.
    pub async fn pools_of(
        &self,
        brand: &BrandId,
        denomination: Money,
    ) -> Result<Arc<Vec<(PoolId, CardSource)>>, StoreError> {
        let key = (brand.clone(), denomination);
        if let Some(known) = self.caches.pools_of.get(&key) {
            return Ok(known);
        }
        let items = self.table.partition(&keys::pools_of(brand, denomination), "").await?;
        let pool = |item: &Item| {
            let id = PoolId::parse(item.get("pool_id")?.as_s().ok()?).ok()?;
            Some((id, CardSource::pool(item.get("pool_type")?.as_s().ok()?).ok()?))
        };
        let pools = items.iter().filter_map(pool).collect();
        Ok(self.caches.pools_of.insert(key, pools))
    }

    /// Removes the pools of a brand and denomination from the cache.
    pub fn invalidate_pools(&self, brand: &BrandId, denomination: Money) {
        self.caches.pools_of.invalidate(&(brand.clone(), denomination));
    }

    /// Returns all brands, in the order in which they were added.
    pub async fn brands(&self) -> Result<Vec<Brand>, StoreError> {
        let keys =
            self.listed_keys(keys::BRANDS, "brand_id", |id| Some(keys::brand(&BrandId::parse(id).ok()?)));
        let (keys, found) = keys.await?;
        keys.iter().filter_map(|key| found.get(key)).map(giftcard::brand_from_item).collect()
    }

    /// Returns all pools, in the order in which they were added.
    pub async fn pools(&self) -> Result<Vec<Pool>, StoreError> {
        let keys = self.listed_keys(keys::POOLS, "pool_id", |id| Some(keys::pool(&PoolId::parse(id).ok()?)));
        let (keys, found) = keys.await?;
        keys.iter().filter_map(|key| found.get(key)).map(giftcard::pool_from_item).collect()
    }

    async fn listed_keys(
        &self,
        list: &str,
        name: &str,
        key: impl Fn(&str) -> Option<Key>,
    ) -> Result<(Vec<Key>, HashMap<Key, Item>), StoreError> {
        let items = self.table.partition(list, "").await?;
        let keys: Vec<Key> = items.iter().filter_map(|item| key(item.get(name)?.as_s().ok()?)).collect();
        let found = self.table.with_retry(|| self.table.batch(&keys)).await?;
        Ok((keys, found))
    }

    /// Counts the free cards of a pool that are valid today; with a limit, stops counting above it.
    pub async fn free_cards(&self, pool: &Pool, today: Date, limit: Option<u64>) -> Result<u64, StoreError> {
        let mut count = 0;
        for shard in 0..pool.shards {
            let list = keys::free_cards(&pool.id, shard);
            let mut start: Option<HashMap<String, AttributeValue>> = None;
            loop {
                let from = start.clone();
                let output = self
                    .table
                    .with_retry(|| async {
                        self.table
                            .client
                            .query()
                            .table_name(&self.table.name)
                            .key_condition_expression("pk = :list AND sk >= :today")
                            .expression_attribute_values(":list", AttributeValue::S(list.clone()))
                            .expression_attribute_values(":today", AttributeValue::S(today.to_string()))
                            .select(Select::Count)
                            .set_exclusive_start_key(from.clone())
                            .send()
                            .await
                            .map_err(|error| crate::engine::read::read_error(&error))
                    })
                    .await?;
                count += u64::try_from(output.count).unwrap_or(0);
                start = output.last_evaluated_key;
                if limit.is_some_and(|limit| count > limit) {
                    return Ok(count);
                }
                if start.is_none() {
                    break;
                }
            }
        }
        Ok(count)
    }

    /// Raises the number of shards of a pool to at least `shards`; never lowers it.
    pub(crate) async fn spread(&self, pool: &Pool, shards: u8) -> Result<(), StoreError> {
        if shards <= pool.shards {
            return Ok(());
        }
        let mut retry = self.table.retry();
        loop {
            let sent = self
                .table
                .update(&keys::pool(&pool.id), |update| {
                    update
                        .update_expression("SET shards = :shards")
                        .condition_expression("attribute_exists(pk) AND shards < :shards")
                        .expression_attribute_values(":shards", number(shards))
                })
                .await?;
            self.caches.pools.invalidate(&pool.id);
            let Some(sent) = retry.settled(sent).await? else { continue };
            match sent {
                Certain::Done(_) | Certain::Refused(_) => return Ok(()),
            }
        }
    }

    /// Adds to the number of cards that a pool was ever given, which only determines its number of
    /// shards.
    pub(crate) async fn record_stocked(&self, pool: &PoolId, more: u64) -> Result<(), StoreError> {
        let noted = self
            .table
            .update(&keys::pool(pool), |update| {
                update
                    .update_expression("SET stocked = stocked + :more")
                    .condition_expression("attribute_exists(pk)")
                    .expression_attribute_values(":more", number(more))
            })
            .await?;
        self.caches.pools.invalidate(pool);
        if let Sent::Busy(why) | Sent::Unsent(why) | Sent::Unknown(why) = noted {
            tracing::debug!(why, "cards added to a pool are not counted");
        }
        Ok(())
    }
}

fn place(key: &Key, name: &str, id: &str) -> Item {
    let mut item = Attributes::default().text(name, id).0;
    item.extend(key.attributes());
    item
}

/// Request that adds, or has added, an item.
#[derive(Clone, Copy)]
struct AddedBy<'a> {
    fingerprint: &'a Fingerprint,
    request: &'a RequestId,
}

impl AddedBy<'_> {
    /// Returns true if this request repeats the request that added the item; rejects a different
    /// request with the same key.
    fn replays(self, first: AddedBy<'_>) -> Result<bool, Rejection> {
        if first.fingerprint == self.fingerprint {
            Ok(first.request != self.request)
        } else {
            Err(Rejection::KeyReused)
        }
    }
}
