//! Registered redemption codes, and how often someone may try one.
//!
//! **Invariant:** a code is stored as a keyed digest alone, and is registered once.
//! **Invariant:** a count of tries is one item for each address, and eight for each campaign.

use crate::Store;
use crate::attr::{Attributes, Item, Reader, number, text};
use crate::budgets::write::Sent;
use crate::effort::Effort;
use crate::error::StoreError;
use crate::keys::{self, Key};
use domain::budget::ids::{AccountId, BrandId, CodeId};
use domain::giftcard::card::Registered;
use domain::time::Timestamp;

/// How many codes are registered with one transaction.
const BATCH: usize = 100;

/// Over how many items a campaign's count is spread.
const SHARDS: u8 = 8;

impl Store {
    /// Registers codes; gives those that are registered already, with the campaign that has them.
    pub async fn register(&self, codes: &[Registered]) -> Result<Vec<(CodeId, AccountId)>, StoreError> {
        let mut known = Vec::new();
        for batch in codes.chunks(BATCH) {
            let mut left: Vec<&Registered> = batch.iter().collect();
            let mut effort = Effort::new(self.patience);
            let mut unsure = false;
            while !left.is_empty() {
                let writes = left.iter().map(|code| self.new_put(to_item(code))).collect::<Result<_, _>>()?;
                match self.transact(writes).await? {
                    Sent::Done(_) => break,
                    Sent::Refused(refused) => {
                        let mut gone = Vec::new();
                        for (at, item) in refused {
                            let (Some(code), Some(item)) = (left.get(at), item) else { continue };
                            gone.push(code.id.clone());
                            let found = from_item(&item)?;
                            if !(unsure && found.at == code.at && found.campaign == code.campaign) {
                                known.push((code.id.clone(), found.campaign));
                            }
                        }
                        left.retain(|code| !gone.contains(&code.id));
                    }
                    Sent::Busy(why) if !effort.again().await => return Err(StoreError::Contention(why)),
                    Sent::Unknown(why) => {
                        unsure = true;
                        if !effort.again().await {
                            return Err(StoreError::Unavailable(why));
                        }
                    }
                    Sent::Busy(_) => {}
                }
            }
        }
        Ok(known)
    }

    /// A registered code, and how often this address has tried a wrong one in this period.
    pub async fn registered(
        &self,
        id: &CodeId,
        tries: &str,
    ) -> Result<(Option<Registered>, u64), StoreError> {
        let wanted = [keys::code(id), keys::tries(tries)];
        let found = self.patiently(|| self.batch(&wanted)).await?;
        let [code, tries] = wanted;
        let registered = found.get(&code).map(from_item).transpose()?;
        let count = found.get(&tries).map(|item| Reader::new(item, "count of tries").count("n"));
        Ok((registered, count.transpose()?.unwrap_or(0)))
    }

    /// Counts a try of an address.
    pub async fn count_try(&self, tries: &str, until: Timestamp) -> Result<u64, StoreError> {
        self.count_up(&keys::tries(tries), until, u64::MAX).await.map(|count| count.unwrap_or(u64::MAX))
    }

    /// Counts a redemption of a campaign; false if there were more than `most` in this period.
    pub async fn count_redemption(
        &self,
        period: &str,
        most: u64,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let shard = fastrand::u8(0..SHARDS);
        let most = most.div_ceil(u64::from(SHARDS));
        let key = keys::tries(&format!("{period}#{shard}"));
        Ok(self.count_up(&key, until, most).await?.is_some())
    }

    async fn count_up(&self, key: &Key, until: Timestamp, most: u64) -> Result<Option<u64>, StoreError> {
        let mut effort = Effort::new(self.patience);
        loop {
            let sent = self
                .update(key, |update| {
                    update
                        .update_expression("SET expires_at = :until ADD n :one")
                        .condition_expression("attribute_not_exists(n) OR n < :most")
                        .expression_attribute_values(":until", number(until.millis() / 1_000))
                        .expression_attribute_values(":one", number(1))
                        .expression_attribute_values(":most", number(most))
                })
                .await?;
            match sent {
                Sent::Done(item) => {
                    let item = item.unwrap_or_default();
                    return Reader::new(&item, "count of tries").count("n").map(Some);
                }
                Sent::Refused(_) => return Ok(None),
                Sent::Busy(why) if !effort.again().await => return Err(StoreError::Contention(why)),
                // Counted twice is harmless.
                Sent::Unknown(why) if !effort.again().await => return Err(StoreError::Unavailable(why)),
                Sent::Busy(_) | Sent::Unknown(_) => {}
            }
        }
    }
}

fn to_item(code: &Registered) -> Item {
    let mut item = Attributes::default()
        .text("code_id", &code.id)
        .text("campaign_id", &code.campaign)
        .text("brand_id", &code.brand)
        .number("denomination", code.denomination)
        .with("at", text(code.at))
        .0;
    item.extend(keys::code(&code.id).attributes());
    item
}

fn from_item(item: &Item) -> Result<Registered, StoreError> {
    let reader = Reader::new(item, "registered code");
    Ok(Registered {
        id: CodeId::of(reader.text("code_id")?),
        campaign: reader.parse("campaign_id", AccountId::parse)?,
        brand: reader.parse("brand_id", BrandId::parse)?,
        denomination: reader.money("denomination")?,
        at: reader.instant("at")?,
    })
}
