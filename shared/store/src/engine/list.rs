//! Lists: counts a partition, and reads it from its end.
//!
//! **Invariant:** a page follows the place at which the former one ended, whatever was added since.

use crate::engine::attr::{Item, text};
use crate::engine::error::StoreError;
use crate::engine::read::{key_of, read_error};
use crate::engine::table::Table;
use crate::keys;
use aws_sdk_dynamodb::types::{AttributeValue, Select};
use std::collections::HashMap;

/// Which items of a partition come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// Those with the lowest range keys.
    First,
    /// Those with the highest range keys.
    Last,
}

impl Order {
    fn condition(self) -> &'static str {
        match self {
            Self::First => "pk = :pk AND sk > :place",
            Self::Last => "pk = :pk AND sk < :place",
        }
    }
}

fn small(number: u64) -> i32 {
    i32::try_from(number.max(1)).unwrap_or(i32::MAX)
}

impl Table {
    /// Counts the items of a partition with strong consistency.
    pub(crate) async fn count_partition(&self, pk: &str) -> Result<u64, StoreError> {
        self.count_from(pk, None, None).await
    }

    /// Counts the items of a partition, or those whose range keys are at or after a place, with strong consistency. With
    /// a limit, counts no more than that.
    pub(crate) async fn count_from(
        &self,
        pk: &str,
        place: Option<&str>,
        limit: Option<u64>,
    ) -> Result<u64, StoreError> {
        let (mut count, mut start): (u64, Option<HashMap<String, AttributeValue>>) = (0, None);
        loop {
            let from = start.clone();
            let output = self
                .with_retry(|| async {
                    let query = self.client.query().table_name(&self.name);
                    let query = match place {
                        Some(place) => query
                            .key_condition_expression("pk = :pk AND sk >= :place")
                            .expression_attribute_values(":place", text(place)),
                        None => query.key_condition_expression("pk = :pk"),
                    };
                    let query = query
                        .expression_attribute_values(":pk", text(pk))
                        .select(Select::Count)
                        .consistent_read(true)
                        .set_limit(limit.map(|limit| limit.saturating_sub(count)).map(small))
                        .set_exclusive_start_key(from.clone())
                        .set_return_consumed_capacity(self.capacity_report());
                    query.send().await.map_err(|error| read_error(&error))
                })
                .await?;
            if let Some(meter) = &self.meter {
                meter.read(output.consumed_capacity.as_slice());
            }
            count += u64::try_from(output.count).unwrap_or(0);
            start = output.last_evaluated_key;
            if start.is_none() || limit.is_some_and(|limit| count >= limit) {
                return Ok(count);
            }
        }
    }

    /// Reads up to `limit` items of a partition whose range keys follow `after`, in key order.
    pub(crate) async fn partition_page(
        &self,
        pk: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        self.page_from(pk, after, (Order::First, limit)).await
    }

    /// Reads up to `limit` items of a partition whose range keys precede `before`, last first.
    pub(crate) async fn page_before(
        &self,
        pk: &str,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        self.page_from(pk, before, (Order::Last, limit)).await
    }

    async fn page_from(
        &self,
        pk: &str,
        place: Option<&str>,
        (order, limit): (Order, usize),
    ) -> Result<Vec<Item>, StoreError> {
        let mut items: Vec<Item> = Vec::new();
        let mut place = place.map(str::to_owned);
        loop {
            let left = limit.saturating_sub(items.len());
            let output = self
                .with_retry(|| async {
                    let query = self.client.query().table_name(&self.name);
                    let query = match &place {
                        Some(place) => query
                            .key_condition_expression(order.condition())
                            .expression_attribute_values(":place", text(place)),
                        None => query.key_condition_expression("pk = :pk"),
                    };
                    let query = query
                        .expression_attribute_values(":pk", text(pk))
                        .consistent_read(true)
                        .scan_index_forward(order == Order::First)
                        .limit(i32::try_from(left).unwrap_or(i32::MAX))
                        .set_return_consumed_capacity(self.capacity_report());
                    query.send().await.map_err(|error| read_error(&error))
                })
                .await?;
            if let Some(meter) = &self.meter {
                meter.read(output.consumed_capacity.as_slice());
            }
            let more = output.last_evaluated_key.is_some();
            items.extend(output.items.unwrap_or_default());
            let last = items.last().and_then(key_of);
            // A response may end at one megabyte, before it has the requested number of items.
            match last.filter(|_| more && items.len() < limit) {
                Some(last) => place = Some(last.sk),
                None => return Ok(items),
            }
        }
    }

    /// Reads the last item of a partition.
    pub(crate) async fn newest_item(&self, pk: &str) -> Result<Option<Item>, StoreError> {
        Ok(self.page_before(pk, None, 1).await?.pop())
    }

    /// Returns the newest range keys of a list, newest first.
    pub(crate) async fn newest_listed(&self, list: &str, limit: u16) -> Result<Vec<String>, StoreError> {
        let items = self.page_before(list, None, usize::from(limit)).await?;
        let place = |item: &Item| item.get(keys::SK)?.as_s().ok().cloned();
        Ok(items.iter().filter_map(place).collect())
    }
}
