//! Refills of buffer pools: one order at a supplier for each card, opened before it is sent.
//!
//! **Invariant:** the reference of a refill is made from its number, so a repeated order requests
//! the same card.
//! **Invariant:** a refill is marked as done in the transaction that puts its card into the pool.
//! **Invariant:** open refills are listed separately, so the cost of following them up does not
//! grow with the age of a pool.

use super::GiftCards;
use crate::engine::attr::{Attributes, Item, Reader, number, text};
use crate::engine::error::StoreError;
use crate::engine::read::read_error;
use crate::engine::retry::Certain;
use crate::engine::sent::Sent;
use crate::giftcards::cards::place;
use crate::giftcards::items::giftcard;
use crate::keys::{self, Key};
use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use domain::giftcard::card::Card;
use domain::giftcard::{Pool, Supplier, SupplierProduct};
use domain::ids::budget::{BrandId, PoolId};
use domain::time::Timestamp;

/// Order of one card for a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refill {
    /// Pool that receives the card.
    pub pool: PoolId,
    /// Number of the refill in its pool, from 1.
    pub number: u64,
    /// Supplier of the card.
    pub supplier: Supplier,
    /// The supplier's id of the product.
    pub product: String,
    /// Time at which the refill was opened.
    pub at: Timestamp,
    /// Number of calls to the supplier.
    pub tries: u32,
    /// True while its outcome is unknown.
    pub open: bool,
}

impl Refill {
    /// Returns the reference under which the card is ordered from the supplier.
    pub fn reference(&self) -> String {
        format!("{}.{:08}", self.pool, self.number)
    }
}

impl GiftCards {
    /// Returns the open refills of a pool.
    pub async fn open_refills(&self, pool: &PoolId) -> Result<Vec<Refill>, StoreError> {
        let places = self.table.partition(&keys::refills(pool), keys::OPEN_REFILLS).await?;
        let number = |item: &Item| item.get(keys::SK)?.as_s().ok()?.split_once('#')?.1.parse().ok();
        let wanted: Vec<Key> = places.iter().filter_map(number).map(|n| keys::refill(pool, n)).collect();
        let found = self.table.with_retry(|| self.table.batch(&wanted)).await?;
        let found = wanted.iter().filter_map(|key| found.get(key)).map(from_item);
        // A refill that has ended since it was listed needs no follow-up.
        found.filter(|refill| refill.as_ref().map_or(true, |refill| refill.open)).collect()
    }

    /// Reads a refill, open or ended.
    pub async fn refill(&self, pool: &PoolId, number: u64) -> Result<Option<Refill>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::refill(pool, number))).await?;
        item.map(|item| from_item(&item)).transpose()
    }

    /// Opens a refill with the next number; returns None if a concurrent run won, or if the outcome
    /// is not certain.
    pub async fn open_refill(
        &self,
        pool: &Pool,
        product: &SupplierProduct,
        now: Timestamp,
    ) -> Result<Option<Refill>, StoreError> {
        let number = self.last_refill(&pool.id).await?.saturating_add(1);
        let refill = Refill {
            pool: pool.id.clone(),
            number,
            supplier: product.supplier,
            product: product.product.clone(),
            at: now,
            tries: 0,
            open: true,
        };
        let mut place = Item::new();
        place.extend(keys::open_refill(&pool.id, number).attributes());
        let writes = vec![self.table.new_put(to_item(&refill, &pool.brand))?, self.table.any_put(place)?];
        match self.table.transact(writes).await? {
            Sent::Done(_) => Ok(Some(refill)),
            Sent::Refused(_) | Sent::Busy(_) | Sent::Unsent(_) | Sent::Unknown(_) => Ok(None),
        }
    }

    /// Returns the number of the last refill that was opened, or 0.
    async fn last_refill(&self, pool: &PoolId) -> Result<u64, StoreError> {
        let output = self
            .table
            .with_retry(|| async {
                self.table
                    .client
                    .query()
                    .table_name(&self.table.name)
                    .key_condition_expression("pk = :pk AND sk < :open")
                    .expression_attribute_values(":pk", text(keys::refills(pool)))
                    .expression_attribute_values(":open", text(keys::OPEN_REFILLS))
                    .scan_index_forward(false)
                    .consistent_read(true)
                    .limit(1)
                    .send()
                    .await
                    .map_err(|error| read_error(&error))
            })
            .await?;
        let last = output.items.unwrap_or_default().into_iter().next();
        Ok(last.map(|item| from_item(&item)).transpose()?.map_or(0, |refill| refill.number))
    }

    /// Records that the supplier was called.
    pub async fn record_refill_asked(&self, refill: &Refill) -> Result<(), StoreError> {
        let sent = self
            .table
            .update(&key(refill), |update| {
                update
                    .update_expression("SET tries = tries + :one")
                    .condition_expression("attribute_exists(pk)")
                    .expression_attribute_values(":one", number(1))
            })
            .await?;
        match sent {
            Sent::Done(_) | Sent::Refused(_) => Ok(()),
            Sent::Busy(why) => Err(StoreError::Contention(why)),
            Sent::Unsent(why) => Err(StoreError::Unreachable(why)),
            Sent::Unknown(why) => Err(StoreError::Unavailable(why)),
        }
    }

    /// Ends a refill whose card was delivered: puts the card into the pool and returns true, or
    /// returns false if the card is known already.
    pub async fn finish_refill(&self, refill: &Refill, pool: &Pool, card: &Card) -> Result<bool, StoreError> {
        let free = place(card, pool, pool.shards);
        let mut writes = self.ended(refill, "DONE")?.to_vec();
        writes.push(self.table.new_put(giftcard::card_to_item(card))?);
        writes.push(self.table.any_put(giftcard::free_to_item(&free))?);
        let mut retry = self.table.retry();
        loop {
            let sent = self.table.transact(writes.clone()).await?;
            let Some(sent) = retry.settled(sent).await? else { continue };
            match sent {
                Certain::Done(_) => {
                    self.record_stocked(&pool.id, 1).await?;
                    return Ok(true);
                }
                // The refill has ended already; its card was put in if it is in this pool.
                Certain::Refused(refused) if refused.iter().any(|(at, _)| *at == 0) => {
                    let known = self.card(&card.id).await?;
                    return Ok(known.is_some_and(|known| known.pool.as_ref() == Some(&pool.id)));
                }
                Certain::Refused(_) => {
                    self.table.transact(self.ended(refill, "KNOWN")?.to_vec()).await?;
                    return Ok(false);
                }
            }
        }
    }

    /// Ends a refill that the supplier has certainly refused.
    pub async fn fail_refill(&self, refill: &Refill) -> Result<(), StoreError> {
        match self.table.transact(self.ended(refill, "FAILED")?.to_vec()).await? {
            Sent::Done(_) | Sent::Refused(_) => Ok(()),
            Sent::Busy(why) => Err(StoreError::Contention(why)),
            Sent::Unsent(why) => Err(StoreError::Unreachable(why)),
            Sent::Unknown(why) => Err(StoreError::Unavailable(why)),
        }
    }

    /// Returns the writes that end a refill and remove it from the list of open refills.
    fn ended(&self, refill: &Refill, how: &str) -> Result<[TransactWriteItem; 2], StoreError> {
        let update = Update::builder()
            .table_name(&self.table.name)
            .set_key(Some(key(refill).attributes()))
            .update_expression("SET #status = :ended")
            .condition_expression("#status = :open")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":ended", text(how))
            .expression_attribute_values(":open", text("OPEN"));
        let update = update.build().map_err(StoreError::built)?;
        let listed = self.table.any_delete(&keys::open_refill(&refill.pool, refill.number))?;
        Ok([TransactWriteItem::builder().update(update).build(), listed])
    }

    /// Puts a card without a recipient into a pool; returns false if the card is known already.
    pub async fn stock_one(&self, pool: &Pool, card: &Card) -> Result<bool, StoreError> {
        let import = self.stock(pool, std::slice::from_ref(card)).await?;
        Ok(import.accepted == 1)
    }
}

fn key(refill: &Refill) -> Key {
    keys::refill(&refill.pool, refill.number)
}

fn to_item(refill: &Refill, brand: &BrandId) -> Item {
    let mut item = Attributes::default()
        .text("pool_id", &refill.pool)
        .text("brand_id", brand)
        .number("number", refill.number)
        .text("supplier", refill.supplier.as_str())
        .text("product", &refill.product)
        .text("at", refill.at)
        .number("tries", refill.tries)
        .text("status", "OPEN")
        .0;
    item.extend(key(refill).attributes());
    item
}

fn from_item(item: &Item) -> Result<Refill, StoreError> {
    let reader = Reader::new(item, "refill");
    Ok(Refill {
        pool: reader.parse("pool_id", PoolId::parse)?,
        number: reader.count("number")?,
        supplier: reader.parse("supplier", Supplier::parse)?,
        product: reader.text("product")?.to_owned(),
        at: reader.instant("at")?,
        tries: u32::try_from(reader.count("tries")?).unwrap_or(u32::MAX),
        open: reader.text("status")? == "OPEN",
    })
}
