//! Refills of buffer pools: one order at a supplier for each card, opened before it is sent.
//!
//! **Invariant:** a refill's number makes its reference, so asking again asks for the same card.
//! **Invariant:** a refill is done when its card lies in the pool, in the same transaction.

use crate::Store;
use crate::attr::{Attributes, Item, Reader, number, text};
use crate::budgets::write::Sent;
use crate::effort::Effort;
use crate::error::StoreError;
use crate::giftcards::cards::place;
use crate::items::giftcard;
use crate::keys::{self, Key};
use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use domain::budget::ids::{BrandId, PoolId};
use domain::giftcard::card::Card;
use domain::giftcard::{Pool, Supplier};
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
}

impl Refill {
    /// The reference that its supplier is asked under.
    pub fn reference(&self) -> String {
        format!("{}.{:08}", self.pool, self.number)
    }
}

impl Store {
    /// The refills of a pool that are not done.
    pub async fn open_refills(&self, pool: &PoolId) -> Result<Vec<Refill>, StoreError> {
        let items = self.partition(&keys::refills(pool), "").await?;
        let open = items.iter().filter(|item| {
            item.get("status").and_then(|status| status.as_s().ok()).is_some_and(|s| s == "OPEN")
        });
        open.map(from_item).collect()
    }

    /// A refill, whatever has become of it.
    pub async fn refill(&self, pool: &PoolId, number: u64) -> Result<Option<Refill>, StoreError> {
        let item = self.patiently(|| self.get(keys::refill(pool, number))).await?;
        item.map(|item| from_item(&item)).transpose()
    }

    /// Opens a refill; gives its number's order, or none if another run was quicker.
    pub async fn open_refill(
        &self,
        pool: &Pool,
        (supplier, product): (Supplier, &str),
        now: Timestamp,
    ) -> Result<Option<Refill>, StoreError> {
        let count = self.partition(&keys::refills(&pool.id), "").await?.len();
        let number = u64::try_from(count).unwrap_or(u64::MAX).saturating_add(1);
        let refill = Refill {
            pool: pool.id.clone(),
            number,
            supplier,
            product: product.to_owned(),
            at: now,
            tries: 0,
        };
        match self.transact(vec![self.new_put(to_item(&refill, &pool.brand))?]).await? {
            Sent::Done(_) => Ok(Some(refill)),
            Sent::Refused(_) | Sent::Busy(_) | Sent::Unknown(_) => Ok(None),
        }
    }

    /// Notes that the supplier was asked.
    pub async fn note_refill_asked(&self, refill: &Refill) -> Result<(), StoreError> {
        let sent = self
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
        let writes = vec![
            self.ended(refill, "DONE")?,
            self.new_put(giftcard::card_to_item(card))?,
            self.any_put(giftcard::free_to_item(card, &free))?,
        ];
        let mut effort = Effort::new(self.patience);
        loop {
            match self.transact(writes.clone()).await? {
                Sent::Done(_) => {
                    self.note_stocked(&pool.id, 1).await?;
                    return Ok(true);
                }
                // It has ended: as this, if its card lies in this pool.
                Sent::Refused(refused) if refused.iter().any(|(at, _)| *at == 0) => {
                    let known = self.card(&card.id).await?;
                    return Ok(known.is_some_and(|known| known.pool.as_ref() == Some(&pool.id)));
                }
                Sent::Refused(_) => {
                    self.transact(vec![self.ended(refill, "KNOWN")?]).await?;
                    return Ok(false);
                }
                Sent::Busy(why) if !effort.again().await => return Err(StoreError::Contention(why)),
                Sent::Unknown(why) if !effort.again().await => return Err(StoreError::Unavailable(why)),
                Sent::Busy(_) | Sent::Unknown(_) => {}
            }
        }
    }

    /// The supplier has said no for certain.
    pub async fn fail_refill(&self, refill: &Refill) -> Result<(), StoreError> {
        match self.transact(vec![self.ended(refill, "FAILED")?]).await? {
            Sent::Done(_) | Sent::Refused(_) => Ok(()),
            Sent::Busy(why) => Err(StoreError::Contention(why)),
            Sent::Unknown(why) => Err(StoreError::Unavailable(why)),
        }
    }

    fn ended(&self, refill: &Refill, how: &str) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key(refill).attributes()))
            .update_expression("SET #status = :ended")
            .condition_expression("#status = :open")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":ended", text(how))
            .expression_attribute_values(":open", text("OPEN"));
        Ok(TransactWriteItem::builder().update(update.build().map_err(StoreError::built)?).build())
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
    })
}
