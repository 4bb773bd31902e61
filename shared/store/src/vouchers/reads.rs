//! Reads vouchers, their stock and purchases for callers.
//!
//! **Invariant:** whether a voucher can be bought is read with strong consistency.

use super::{Vouchers, items, load};
use crate::engine::attr::{Item, Reader};
use crate::engine::error::StoreError;
use crate::giftcards::redemptions::{Viewer, reveal_to_item};
use crate::keys::{self, Key};
use domain::context::Context;
use domain::ids::budget::CardId;
use domain::ids::{CustomerId, VoucherId, VoucherPurchaseId};
use domain::time::Timestamp;
use domain::vouchers::bought::VoucherPurchase;
use domain::vouchers::code::VoucherCode;
use domain::vouchers::voucher::Voucher;
use futures::{StreamExt, TryStreamExt};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Vouchers whose codes are counted at once.
const AT_ONCE: usize = 8;

/// The codes of a voucher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InStock {
    /// Free codes that can be sold.
    pub free: u64,
    /// Codes that were sold.
    pub sold: u64,
}

/// How exactly free codes are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// All of them.
    All,
    /// Whether there is one.
    Any,
}

/// Page of purchases.
#[derive(Debug)]
pub struct BoughtPage {
    /// Newest first.
    pub purchases: Vec<VoucherPurchase>,
    /// Place of the last purchase, if there may be older ones.
    pub next: Option<String>,
}

fn place(item: &Item) -> String {
    item.get(keys::SK).and_then(|sk| sk.as_s().ok()).cloned().unwrap_or_default()
}

impl Vouchers {
    /// Reads a voucher.
    pub async fn voucher(&self, id: &VoucherId) -> Result<Option<Voucher>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::voucher(id))).await?;
        item.map(|item| items::voucher_from_item(&item)).transpose()
    }

    /// Reads all vouchers, oldest first.
    pub async fn vouchers(&self) -> Result<Vec<Voucher>, StoreError> {
        let listed = self.table.partition(keys::VOUCHERS, "").await?;
        let id = |item: &Item| Reader::new(item, "voucher in the list").parse("voucher_id", VoucherId::parse);
        let ids = listed.iter().map(id).collect::<Result<Vec<_>, _>>()?;
        let wanted: Vec<Key> = ids.iter().map(keys::voucher).collect();
        let found = self.table.with_retry(|| self.table.batch(&wanted)).await?;
        wanted.iter().filter_map(|key| found.get(key)).map(items::voucher_from_item).collect()
    }

    /// Returns all vouchers as they were a few seconds ago at most.
    pub async fn recent(&self) -> Result<Arc<Vec<Voucher>>, StoreError> {
        match self.recent.get(&()) {
            Some(known) => Ok(known),
            None => Ok(self.recent.insert((), self.vouchers().await?)),
        }
    }

    /// Returns how many codes a voucher was ever given, and how many of them were sold.
    pub async fn given_and_sold(&self, id: &VoucherId) -> Result<(u64, u64), StoreError> {
        let parts = self.table.partition(&keys::voucher_partition(id), keys::STOCKED).await?;
        let sum = |name: &str| {
            let counts = parts.iter().map(|item| {
                let reader = Reader::new(item, "number of codes");
                if reader.has(name) { reader.count(name) } else { Ok(0) }
            });
            Ok::<u64, StoreError>(counts.collect::<Result<Vec<_>, _>>()?.into_iter().sum())
        };
        Ok((sum("stocked")?, sum("sold")?))
    }

    /// Counts the codes of a voucher that can be sold, up to a limit.
    pub async fn free(
        &self,
        voucher: &Voucher,
        now: Timestamp,
        limit: Option<u64>,
    ) -> Result<u64, StoreError> {
        let from = keys::sold_from(now.date());
        let mut free = 0;
        for shard in 0..voucher.shards {
            let left = limit.map(|limit| limit.saturating_sub(free));
            let partition = keys::free_codes(&voucher.id, shard);
            free += self.table.count_from(&partition, Some(&from), left).await?;
            if limit.is_some_and(|limit| free >= limit) {
                break;
            }
        }
        Ok(free)
    }

    /// Returns the stock of a voucher.
    pub async fn in_stock(&self, voucher: &Voucher, now: Timestamp) -> Result<InStock, StoreError> {
        self.stock_of(voucher, now, Counting::All).await
    }

    async fn stock_of(
        &self,
        voucher: &Voucher,
        now: Timestamp,
        counting: Counting,
    ) -> Result<InStock, StoreError> {
        let limit = match counting {
            Counting::All => None,
            Counting::Any => Some(1),
        };
        let free = self.free(voucher, now, limit).await?;
        Ok(InStock { free, sold: self.given_and_sold(&voucher.id).await?.1 })
    }

    /// Returns vouchers with their stock, in this order.
    pub async fn all_in_stock(
        &self,
        vouchers: Vec<Voucher>,
        now: Timestamp,
        counting: Counting,
    ) -> Result<Vec<(Voucher, InStock)>, StoreError> {
        let counted = async |voucher: Voucher| {
            let stock = self.stock_of(&voucher, now, counting).await?;
            Ok((voucher, stock))
        };
        futures::stream::iter(vouchers.into_iter().map(counted)).buffered(AT_ONCE).try_collect().await
    }

    /// Returns how many of these vouchers, as far as they have a limit, a customer has bought and not given back.
    pub async fn bought(
        &self,
        user: &CustomerId,
        vouchers: &[Voucher],
    ) -> Result<BTreeMap<VoucherId, u32>, StoreError> {
        let limited: Vec<&Voucher> =
            vouchers.iter().filter(|voucher| voucher.terms.per_user_limit.is_some()).collect();
        if limited.is_empty() {
            return Ok(BTreeMap::new());
        }
        let wanted: Vec<Key> = limited.iter().map(|voucher| keys::bought_count(user, &voucher.id)).collect();
        let found = self.table.with_retry(|| self.table.batch(&wanted)).await?;
        let (mut counts, mut others) = (BTreeMap::new(), BTreeSet::new());
        for (voucher, key) in limited.iter().zip(&wanted) {
            let stored = found.get(key).map(items::count_from_item).transpose()?;
            match stored.filter(|(count, _)| count.limit_number == voucher.limit_number) {
                Some((count, _)) => {
                    counts.insert(voucher.id.clone(), count.bought);
                }
                None => {
                    others.insert(voucher.id.clone());
                }
            }
        }
        if !others.is_empty() {
            counts.extend(load::count_bought(&self.table, user, |id| others.contains(id)).await?);
        }
        Ok(counts)
    }

    /// Counts the purchases of a customer.
    pub async fn count_purchases(&self, user: &CustomerId) -> Result<u64, StoreError> {
        self.table.count_partition(&keys::bought_vouchers(user)).await
    }

    /// Reads a purchase.
    pub async fn purchase(&self, id: &VoucherPurchaseId) -> Result<Option<VoucherPurchase>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::voucher_purchase(id))).await?;
        item.map(|item| items::purchase_from_item(&item)).transpose()
    }

    /// Returns purchases of a customer that are older than the place `before`, newest first.
    pub async fn purchases(
        &self,
        user: &CustomerId,
        before: Option<&str>,
        (skip, limit): (u16, u16),
    ) -> Result<BoughtPage, StoreError> {
        let wanted = usize::from(skip) + usize::from(limit);
        let mut listed = self.table.page_before(&keys::bought_vouchers(user), before, wanted + 1).await?;
        let more = listed.len() > wanted;
        listed.truncate(wanted);
        let next = listed.last().filter(|_| more).map(place);
        let shown = listed.iter().skip(usize::from(skip)).map(items::listed_from_item);
        let ids = shown.collect::<Result<Vec<_>, _>>()?;
        let keys: Vec<Key> = ids.iter().map(|(id, _)| keys::voucher_purchase(id)).collect();
        let found = self.table.with_retry(|| self.table.batch(&keys)).await?;
        let purchases = keys.iter().filter_map(|key| found.get(key)).map(items::purchase_from_item);
        Ok(BoughtPage { purchases: purchases.collect::<Result<_, _>>()?, next })
    }

    /// Reads a code.
    pub async fn code(&self, id: &CardId) -> Result<Option<VoucherCode>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::card(id))).await?;
        item.map(|item| items::code_from_item(&item)).transpose()
    }

    /// Records who is about to see the code of a purchase.
    pub async fn record_reveal(
        &self,
        id: &VoucherPurchaseId,
        viewer: Viewer<'_>,
        context: &Context,
    ) -> Result<(), StoreError> {
        let key = keys::voucher_reveal(id, context.now, &context.request);
        self.table.put_record(reveal_to_item(&key, viewer, context)).await
    }
}
