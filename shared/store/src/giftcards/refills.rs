//! Refills of buffer pools: one order at a supplier for each card, opened before it is sent.
//!
//! **Invariant:** a refill's number makes its reference, so asking again asks for the same card.
//! **Invariant:** a refill is done when its card lies in the pool, in the same transaction.
//! **Invariant:** those that are not done are listed apart, so looking after them costs no more as a pool grows old.

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

/// An order of a card for a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refill {
    /// Of which pool.
    pub pool: PoolId,
    /// Its number there.
    pub number: u64,
    /// Whom to ask.
    pub supplier: Supplier,
    /// What they call the product.
    pub product: String,
    /// Since when.
    pub at: Timestamp,
    /// How often they were asked.
    pub tries: u32,
    /// True while nobody knows what became of it.
    pub open: bool,
}

impl Refill {
    /// The reference that its supplier is asked under.
    pub fn reference(&self) -> String {
        format!("{}.{:08}", self.pool, self.number)
    }
}

impl GiftCards {
    /// The refills of a pool that are not done.
    pub async fn open_refills(&self, pool: &PoolId) -> Result<Vec<Refill>, StoreError> {
        let places = self.table.partition(&keys::refills(pool), keys::OPEN_REFILLS).await?;
        let number = |item: &Item| item.get(keys::SK)?.as_s().ok()?.split_once('#')?.1.parse().ok();
        let wanted: Vec<Key> = places.iter().filter_map(number).map(|n| keys::refill(pool, n)).collect();
        let found = self.table.with_retry(|| self.table.batch(&wanted)).await?;
        let found = wanted.iter().filter_map(|key| found.get(key)).map(from_item);
        // One that has ended since is no longer asked about.
        found.filter(|refill| refill.as_ref().map_or(true, |refill| refill.open)).collect()
    }

    /// A refill, whatever has become of it.
    pub async fn refill(&self, pool: &PoolId, number: u64) -> Result<Option<Refill>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::refill(pool, number))).await?;
        item.map(|item| from_item(&item)).transpose()
    }

    /// Opens a refill; gives its number's order, or none if another run was quicker.
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
            Sent::Refused(_) | Sent::Busy(_) | Sent::Unknown(_) => Ok(None),
        }
    }

    /// The number of the last refill that was opened.
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

    /// Notes that the supplier was asked.
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
            Sent::Unknown(why) => Err(StoreError::Unavailable(why)),
        }
    }

    /// The supplier has delivered: the card lies in the pool, or is known already (then it is not put in again).
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
                // It has ended: as this, if its card lies in this pool.
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

    /// The supplier has said no for certain.
    pub async fn fail_refill(&self, refill: &Refill) -> Result<(), StoreError> {
        match self.table.transact(self.ended(refill, "FAILED")?.to_vec()).await? {
            Sent::Done(_) | Sent::Refused(_) => Ok(()),
            Sent::Busy(why) => Err(StoreError::Contention(why)),
            Sent::Unknown(why) => Err(StoreError::Unavailable(why)),
        }
    }

    /// It has ended, so it is listed no more.
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

    /// A card that came for nobody is put into a pool; false if it is known already.
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
