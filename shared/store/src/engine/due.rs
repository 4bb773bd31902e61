//! Items that fall due, found through the sparse index `due`.
//!
//! **Invariant:** the index only names candidates; whether an item is due is decided on the item
//! itself.
//! **Invariant:** an item that keeps failing is postponed, so it cannot block the items behind it.

use crate::engine::attr::{Item, text};
use crate::engine::error::StoreError;
use crate::engine::read::read_error;
use crate::engine::table::Table;
use crate::keys::{self, DueKind, Key};
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use domain::time::Timestamp;

/// Range key of an item in the index `due`: its due time, then its partition key.
pub type Place = String;

/// Range of due items to read.
#[derive(Clone, Copy, Debug)]
pub struct DuePage<'a> {
    /// Shard to read, below [`keys::DUE_SHARDS`].
    pub shard: u8,
    /// Lowest place to return; inclusive.
    pub from: &'a str,
    /// Latest due time to return; inclusive.
    pub until: Timestamp,
    /// Maximum number of items to return.
    pub limit: u16,
}

/// Area that has due items.
pub trait DueWork: Sync {
    /// Identifies a due item.
    type Item: Clone + Ord + std::fmt::Debug + Send + Sync;

    /// Returns some due items, earliest first, each with its place in the index.
    fn due(
        &self,
        page: DuePage<'_>,
    ) -> impl Future<Output = Result<Vec<(Self::Item, Place)>, StoreError>> + Send;

    /// Postpones an item that could not be processed: it is due again at `until`.
    fn postpone(
        &self,
        item: &Self::Item,
        until: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

impl Table {
    /// Returns the partition keys of due items, earliest first, each with its place.
    pub(crate) async fn due(
        &self,
        kind: DueKind,
        page: DuePage<'_>,
    ) -> Result<Vec<(String, Place)>, StoreError> {
        let DuePage { shard, from, until, limit } = page;
        let shard = keys::due_shard(kind, shard);
        self.with_retry(|| async {
            let request = self
                .client
                .query()
                .table_name(&self.name)
                .index_name(keys::DUE)
                .key_condition_expression("dpk = :shard AND dsk BETWEEN :from AND :until")
                .expression_attribute_values(":shard", text(&shard))
                .expression_attribute_values(":from", text(from))
                // `~` sorts after every key, so items that are due exactly at `until` are included.
                .expression_attribute_values(":until", text(keys::due(until, "~")))
                .limit(i32::from(limit));
            let output = request.send().await.map_err(|error| read_error(&error))?;
            let part = |item: &Item, name| item.get(name)?.as_s().ok().cloned();
            let place = |item: &Item| Some((part(item, keys::PK)?, part(item, keys::DUE_SK)?));
            Ok(output.items.unwrap_or_default().iter().filter_map(place).collect())
        })
        .await
    }

    /// Sets the due time of an item to `until`, if the item is in the index.
    pub(crate) async fn postpone(&self, key: Key, until: Timestamp) -> Result<(), StoreError> {
        let request = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key.attributes()))
            .update_expression("SET dsk = :due")
            .condition_expression("attribute_exists(dsk)")
            .expression_attribute_values(":due", text(keys::due(until, &key.pk)));
        ignore_stale(request.send().await)
    }

    /// Removes an item that needs no further processing from the index, unless its due time has
    /// changed since it was read.
    pub(crate) async fn remove_due(&self, key: Key, place: &str) -> Result<(), StoreError> {
        let request = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key.attributes()))
            .update_expression("REMOVE dpk, dsk")
            .condition_expression("dsk = :place")
            .expression_attribute_values(":place", text(place));
        ignore_stale(request.send().await)
    }
}

/// Ignores a failed condition: the item has changed since it was read, and is left as it is.
fn ignore_stale<T>(result: Result<T, SdkError<UpdateItemError, HttpResponse>>) -> Result<(), StoreError> {
    let changed = |error: &SdkError<UpdateItemError, HttpResponse>| {
        error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception)
    };
    match result {
        Ok(_) => Ok(()),
        Err(error) if changed(&error) => Ok(()),
        Err(error) => Err(read_error(&error)),
    }
}
