//! Puts codes into the stock of vouchers.
//!
//! **Invariant:** the number of codes that a voucher was ever given rises in the transaction that stocks them.

use super::Vouchers;
use crate::engine::attr::number;
use crate::engine::error::StoreError;
use crate::engine::retry::Certain;
use crate::engine::write::change;
use crate::giftcards::Import;
use crate::giftcards::stock::{StockItems, known, put};
use crate::keys;
use crate::vouchers::items;
use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use domain::giftcard::shards_for;
use domain::ids::VoucherId;
use domain::vouchers::code::VoucherCode;
use domain::vouchers::voucher::Voucher;

/// Number of transactions at once; each counts in a part of its own, so that they do not conflict.
const AT_ONCE: u8 = 4;

/// Number of codes that one transaction writes, beside the number of codes.
const CODES_PER_TRANSACTION: usize = 49;

impl Vouchers {
    /// Puts codes into stock; codes that are known anywhere, as those of gift cards, are skipped.
    pub async fn stock(&self, voucher: &Voucher, codes: &[VoucherCode]) -> Result<Import, StoreError> {
        let (given, _) = self.given_and_sold(&voucher.id).await?;
        let more = u64::try_from(codes.len()).unwrap_or(u64::MAX);
        // The number of partitions is raised first, so no code is in a partition that is not searched.
        let shards = self.spread(voucher, shards_for(given.saturating_add(more))).await?;
        let mut import = Import::default();
        for group in codes.chunks(usize::from(AT_ONCE) * CODES_PER_TRANSACTION) {
            // If some codes were known, a part of the file was imported before. Then the next codes are looked up
            // first, which costs less than refused transactions.
            let already = if import.known.is_empty() {
                vec![]
            } else {
                known(&self.table, group.iter().map(|code| &code.id)).await?
            };
            let new = group.iter().filter(|code| !already.iter().any(|(id, _)| *id == code.id));
            let new: Vec<StockItems> = new.map(|code| items_of(code, shards)).collect();
            import.known.extend(already);
            let batches = (0..AT_ONCE).zip(new.chunks(CODES_PER_TRANSACTION)).map(|(part, batch)| {
                put(&self.table, batch, move |count| self.counted(&voucher.id, part, count).map(Some))
            });
            for done in futures::future::try_join_all(batches).await? {
                import.add(done);
            }
        }
        Ok(import)
    }

    fn counted(&self, voucher: &VoucherId, part: u8, count: usize) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table.name)
            .set_key(Some(keys::stocked(voucher, part).attributes()))
            .update_expression("ADD stocked :more")
            .expression_attribute_values(":more", number(count));
        Ok(change(update.build().map_err(StoreError::built)?))
    }

    /// Raises the number of a voucher's partitions to at least `shards`; returns the number then.
    async fn spread(&self, voucher: &Voucher, shards: u8) -> Result<u8, StoreError> {
        if shards <= voucher.shards {
            return Ok(voucher.shards);
        }
        let mut retry = self.table.retry();
        loop {
            let sent = self
                .table
                .update(&keys::voucher(&voucher.id), |update| {
                    update
                        .update_expression("SET shards = :shards")
                        .condition_expression("attribute_exists(pk) AND shards < :shards")
                        .expression_attribute_values(":shards", number(shards))
                })
                .await?;
            self.hints.invalidate(&voucher.id);
            match retry.settled(sent).await? {
                Some(Certain::Done(item) | Certain::Refused(item)) => {
                    let found = item.as_ref().map(items::voucher_from_item).transpose()?;
                    return Ok(found.map_or(shards, |voucher| voucher.shards));
                }
                None => {}
            }
        }
    }
}

fn items_of(code: &VoucherCode, shards: u8) -> StockItems {
    StockItems {
        id: code.id.clone(),
        code: items::code_to_item(code),
        free: items::free_to_item(&code.free(shards)),
    }
}
