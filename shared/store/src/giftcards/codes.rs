//! Registered redemption codes, and the limits on trying codes.
//!
//! **Invariant:** a code is stored only as a keyed digest, and is registered once.
//! **Invariant:** tries are counted in one item for each address, and in eight for each campaign.

use super::GiftCards;
use crate::engine::attr::{Attributes, Item, Reader, number, text};
use crate::engine::error::StoreError;
use crate::engine::retry::Certain;
use crate::keys::{self, Key};
use domain::cause::Cause;
use domain::fingerprint::Fingerprint;
use domain::giftcard::card::Registered;
use domain::ids::RequestId;
use domain::ids::budget::{AccountId, BrandId, CodeId};
use domain::rejection::Rejection;
use domain::time::Timestamp;
use std::collections::BTreeSet;

/// Number of codes that are read at once.
const CODES_PER_READ: usize = 1_000;

/// Number of codes that one transaction registers.
const CODES_PER_TRANSACTION: usize = 100;

/// Number of items over which a campaign's count is spread.
const SHARDS: u8 = 8;

/// Limits for one address in one window.
#[derive(Clone, Copy, Debug)]
pub struct TryLimits {
    /// Wrong codes at which further tries are refused.
    pub wrong: u64,
    /// Concurrent tries at which further tries are refused.
    pub open: u64,
}

impl GiftCards {
    /// Registers codes; returns those that were registered already.
    pub async fn register(&self, codes: &[Registered]) -> Result<Vec<CodeId>, StoreError> {
        let mut known = Vec::new();
        for batch in codes.chunks(CODES_PER_TRANSACTION) {
            let mut left: Vec<&Registered> = batch.iter().collect();
            let mut retry = self.table.retry();
            while !left.is_empty() {
                let writes =
                    left.iter().map(|code| self.table.new_put(to_item(code))).collect::<Result<_, _>>()?;
                let sent = self.table.transact(writes).await?;
                match retry.settled(sent).await? {
                    None => {}
                    Some(Certain::Done(_)) => break,
                    Some(Certain::Refused(refused)) => {
                        let outcome_unknown = retry.may_be_applied();
                        let mut gone = Vec::new();
                        for (at, item) in refused {
                            let (Some(code), Some(item)) = (left.get(at), item) else { continue };
                            gone.push(code.id.clone());
                            let found = from_item(&item)?;
                            if !(outcome_unknown && found.at == code.at && found.campaign == code.campaign) {
                                known.push(code.id.clone());
                            }
                        }
                        left.retain(|code| !gone.contains(&code.id));
                    }
                }
            }
        }
        Ok(known)
    }

    /// Records a request that mints codes; returns true if an earlier request recorded it. A
    /// different request with the same key is rejected.
    pub async fn record_minting(
        &self,
        campaign: &AccountId,
        cause: &Cause,
        fingerprint: &Fingerprint,
        request: &RequestId,
    ) -> Result<bool, StoreError> {
        let key = keys::minting(campaign, cause);
        let mut item = Attributes::default().text("fp", fingerprint.as_str()).text("request", request).0;
        item.extend(key.attributes());
        let mut retry = self.table.retry();
        let found = loop {
            let sent = self.table.transact(vec![self.table.new_put(item.clone())?]).await?;
            let Some(sent) = retry.settled(sent).await? else { continue };
            match sent {
                Certain::Done(_) => return Ok(false),
                Certain::Refused(found) => break found.into_iter().find_map(|(_, item)| item),
            }
        };
        let found = found.ok_or_else(|| StoreError::Unavailable("refused, item not returned".to_owned()))?;
        let reader = Reader::new(&found, "minting request");
        if reader.text("fp")? != fingerprint.as_str() {
            return Err(Rejection::KeyReused.into());
        }
        Ok(reader.text("request")? != request.as_str())
    }

    /// Reads a registered code.
    pub async fn registered(&self, id: &CodeId) -> Result<Option<Registered>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::code(id))).await?;
        item.map(|item| from_item(&item)).transpose()
    }

    /// Returns those of the codes that are registered for a campaign.
    pub async fn registered_in(
        &self,
        campaign: &AccountId,
        codes: &[CodeId],
    ) -> Result<BTreeSet<CodeId>, StoreError> {
        let mut known = BTreeSet::new();
        for some in codes.chunks(CODES_PER_READ) {
            let wanted: Vec<_> = some.iter().map(keys::code).collect();
            let found = self.table.with_retry(|| self.table.batch(&wanted)).await?;
            for item in found.values() {
                let code = from_item(item)?;
                if code.campaign == *campaign {
                    known.insert(code.id);
                }
            }
        }
        Ok(known)
    }

    /// Adds several tries at once; returns the new count. An increment that is applied twice is
    /// harmless.
    pub async fn count_tries(&self, tries: &str, more: u64, until: Timestamp) -> Result<u64, StoreError> {
        let item = self
            .table
            .until_sent(&keys::tries(tries), |update| {
                update
                    .update_expression("SET purge_at = :until ADD n :more")
                    .expression_attribute_values(":until", number(until.millis() / 1_000))
                    .expression_attribute_values(":more", number(more))
            })
            .await?;
        Reader::new(&item.unwrap_or_default(), "count of tries").count("n")
    }

    /// Admits a try of a code by an address; returns false if one of the limits is reached. Tries in
    /// progress are counted by `slot`, so that one that never ends counts in its slot only.
    pub async fn begin_try(
        &self,
        tries: &str,
        slot: i64,
        limits: TryLimits,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut retry = self.table.retry();
        loop {
            let sent = self
                .table
                .update(&keys::tries(tries), |update| {
                    update
                        .update_expression("SET purge_at = :until, n = if_not_exists(n, :none) ADD #open :one")
                        .condition_expression(
                            "(attribute_not_exists(n) OR n < :wrong) AND (attribute_not_exists(#open) OR #open < :open)",
                        )
                        .expression_attribute_names("#open", format!("open_{slot}"))
                        .expression_attribute_values(":until", number(until.millis() / 1_000))
                        .expression_attribute_values(":none", number(0))
                        .expression_attribute_values(":one", number(1))
                        .expression_attribute_values(":wrong", number(limits.wrong))
                        .expression_attribute_values(":open", number(limits.open))
                })
                .await?;
            let Some(sent) = retry.settled(sent).await? else { continue };
            match sent {
                Certain::Done(_) => return Ok(true),
                Certain::Refused(_) => return Ok(false),
            }
        }
    }

    /// Ends a try; returns the number of wrong tries, including this one.
    pub async fn end_try(&self, tries: &str, slot: i64, was_wrong: bool) -> Result<u64, StoreError> {
        let mut retry = self.table.retry();
        loop {
            let sent = self
                .table
                .update(&keys::tries(tries), |update| {
                    update
                        .update_expression("ADD #open :less, n :wrong")
                        .expression_attribute_names("#open", format!("open_{slot}"))
                        .expression_attribute_values(":less", number(-1))
                        .expression_attribute_values(":wrong", number(u8::from(was_wrong)))
                })
                .await?;
            let Some(sent) = retry.settled(sent).await? else { continue };
            match sent {
                Certain::Done(item) | Certain::Refused(item) => {
                    return Reader::new(&item.unwrap_or_default(), "count of tries").count("n");
                }
            }
        }
    }

    /// Counts a redemption of a campaign; returns false if the limit `most` is reached in this
    /// period. The limit is approximate, because each shard has its share of it.
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
        let mut retry = self.table.retry();
        loop {
            let sent = self
                .table
                .update(key, |update| {
                    update
                        .update_expression("SET purge_at = :until ADD n :one")
                        .condition_expression("attribute_not_exists(n) OR n < :most")
                        .expression_attribute_values(":until", number(until.millis() / 1_000))
                        .expression_attribute_values(":one", number(1))
                        .expression_attribute_values(":most", number(most))
                })
                .await?;
            let Some(sent) = retry.settled(sent).await? else { continue };
            match sent {
                Certain::Done(item) => {
                    let item = item.unwrap_or_default();
                    return Reader::new(&item, "count of tries").count("n").map(Some);
                }
                Certain::Refused(_) => return Ok(None),
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
