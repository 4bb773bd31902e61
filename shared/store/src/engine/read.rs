//! Reads: items by key, several items at one instant, and partitions.
//!
//! **Invariant:** every read here is strongly consistent; indexes are read only where lists are
//! built.
//! **Invariant:** a read without response is an error, never an empty result.

use crate::engine::attr::{Item, text};
use crate::engine::error::StoreError;
use crate::engine::table::Table;
use crate::engine::write::{Failure, describe};
use crate::keys::{self, Key};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{AttributeValue, Get, KeysAndAttributes, TransactGetItem};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use std::collections::{HashMap, HashSet};

/// Page of a list.
#[derive(Clone, Copy, Debug)]
pub struct PageRange {
    /// Number of items to skip.
    pub skip: u16,
    /// Maximum number of items to return.
    pub limit: u16,
}

/// Returns the error for a read that failed.
pub(crate) fn read_error<E>(error: &SdkError<E, HttpResponse>) -> StoreError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match describe(error) {
        (what, Failure::Busy) => StoreError::Contention(what),
        (what, Failure::Unsent) => StoreError::Unreachable(what),
        (what, Failure::Unknown | Failure::Refused) => StoreError::Unavailable(what),
    }
}

/// Returns the primary key of an item.
pub(crate) fn key_of(item: &Item) -> Option<Key> {
    let part = |name: &str| item.get(name)?.as_s().ok().cloned();
    Some(Key { pk: part(keys::PK)?, sk: part(keys::SK)? })
}

impl Table {
    /// Reads one item, without retry.
    pub(crate) async fn get(&self, key: Key) -> Result<Option<Item>, StoreError> {
        let request = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(key.attributes()))
            .consistent_read(true)
            .set_return_consumed_capacity(self.capacity_report());
        let output = request.send().await.map_err(|error| read_error(&error))?;
        if let Some(meter) = &self.meter {
            meter.read(output.consumed_capacity.as_slice());
        }
        Ok(output.item)
    }

    /// Reads several items; keys that DynamoDB leaves unprocessed are requested again. Each is requested once: DynamoDB
    /// refuses a batch that names a key twice.
    pub(crate) async fn batch(&self, keys: &[Key]) -> Result<HashMap<Key, Item>, StoreError> {
        let mut retry = self.retry();
        let mut found = HashMap::new();
        let mut seen = HashSet::new();
        let once: Vec<&Key> = keys.iter().filter(|key| seen.insert(*key)).collect();
        for chunk in once.chunks(100) {
            let mut pending: Vec<_> = chunk.iter().map(|key| key.attributes()).collect();
            while !pending.is_empty() {
                let wanted = KeysAndAttributes::builder()
                    .set_keys(Some(pending))
                    .consistent_read(true)
                    .build()
                    .map_err(StoreError::built)?;
                let request = self
                    .client
                    .batch_get_item()
                    .request_items(&self.name, wanted)
                    .set_return_consumed_capacity(self.capacity_report());
                let output = request.send().await.map_err(|error| read_error(&error))?;
                if let Some(meter) = &self.meter {
                    meter.read(output.consumed_capacity());
                }
                for item in output.responses.into_iter().flatten().flat_map(|(_, items)| items) {
                    if let Some(key) = key_of(&item) {
                        found.insert(key, item);
                    }
                }
                let rest = output.unprocessed_keys.unwrap_or_default();
                pending = rest.into_values().flat_map(|rest| rest.keys).collect();
                if !pending.is_empty() && !retry.backoff().await {
                    return Err(StoreError::Contention("batch read stays unprocessed".to_owned()));
                }
            }
        }
        Ok(found)
    }

    /// Reads several items in one transaction, in the order of `keys`. The result never shows half of
    /// another transaction. A conflict with a transaction that is in progress is retried.
    pub(crate) async fn read_atomically(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        self.with_retry(|| self.read_atomically_once(keys)).await
    }

    /// The same without retry, for callers that retry all of what they do.
    pub(crate) async fn read_atomically_once(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        let mut request =
            self.client.transact_get_items().set_return_consumed_capacity(self.capacity_report());
        for key in keys {
            let get = Get::builder().table_name(&self.name).set_key(Some(key.attributes()));
            let get = get.build().map_err(StoreError::built)?;
            request = request.transact_items(TransactGetItem::builder().get(get).build());
        }
        let output = request.send().await.map_err(|error| read_error(&error))?;
        if let Some(meter) = &self.meter {
            meter.read(output.consumed_capacity());
        }
        Ok(output.responses.unwrap_or_default().into_iter().map(|response| response.item).collect())
    }

    /// Repeats a read while the table throttles or does not respond, as long as the policy allows.
    pub(crate) async fn with_retry<T, F>(&self, read: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut retry = self.retry();
        loop {
            match read().await {
                Err(StoreError::Contention(_) | StoreError::Unavailable(_)) if retry.backoff().await => {}
                Err(StoreError::Unreachable(_)) if retry.backoff_unsent().await => {}
                done => return done,
            }
        }
    }

    /// Reads all items of a partition whose range keys begin with `prefix`, in key order.
    pub(crate) async fn partition(&self, pk: &str, prefix: &str) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        let mut start: Option<HashMap<String, AttributeValue>> = None;
        loop {
            let from = start.clone();
            let output = self
                .with_retry(|| async {
                    let query = self.client.query().table_name(&self.name);
                    // DynamoDB rejects an empty prefix as a condition.
                    let query = if prefix.is_empty() {
                        query.key_condition_expression("pk = :pk")
                    } else {
                        query
                            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                            .expression_attribute_values(":prefix", text(prefix))
                    };
                    query
                        .expression_attribute_values(":pk", text(pk))
                        .consistent_read(true)
                        .limit(500)
                        .set_exclusive_start_key(from.clone())
                        .send()
                        .await
                        .map_err(|error| read_error(&error))
                })
                .await?;
            items.extend(output.items.unwrap_or_default());
            start = output.last_evaluated_key;
            if start.is_none() {
                return Ok(items);
            }
        }
    }
}
