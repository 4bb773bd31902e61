//! What falls due, by the sparse index `due`.
//!
//! **Invariant:** the index only names candidates; what is due is decided on the item itself.
//! **Invariant:** an item that keeps failing is pushed forward, so it cannot block those behind it.

use crate::engine::attr::{Item, text};
use crate::engine::error::StoreError;
use crate::engine::read::read_error;
use crate::engine::table::Table;
use crate::keys::{self, DueKind, Key};
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use domain::time::Timestamp;

/// The place of an item in the index: its time, then its key.
pub type Place = String;

/// One read of what is due.
#[derive(Clone, Copy, Debug)]
pub struct DuePage<'a> {
    /// Of which shard, below [`keys::DUE_SHARDS`].
    pub shard: u8,
    /// Items at this place and after.
    pub from: &'a str,
    /// Items that are due at this instant or earlier.
    pub until: Timestamp,
    /// How many at most.
    pub limit: u16,
}

/// An area whose items fall due.
pub trait DueWork: Sync {
    /// What falls due.
    type Item: Clone + Ord + std::fmt::Debug + Send + Sync;

    /// Some items that are due, soonest first, each with its place in the index.
    fn due(
        &self,
        page: DuePage<'_>,
    ) -> impl Future<Output = Result<Vec<(Self::Item, Place)>, StoreError>> + Send;

    /// Has an item that could not be dealt with looked at again at `until`.
    fn postpone(
        &self,
        item: &Self::Item,
        until: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

impl Table {
    /// The partitions of items that are due, soonest first, each with its place.
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
                // `~` sorts after every key, so that what is due at `until` itself is included.
                .expression_attribute_values(":until", text(keys::due(until, "~")))
                .limit(i32::from(limit));
            let output = request.send().await.map_err(|error| read_error(&error))?;
            let part = |item: &Item, name| item.get(name)?.as_s().ok().cloned();
            let place = |item: &Item| Some((part(item, keys::PK)?, part(item, keys::DUE_SK)?));
            Ok(output.items.unwrap_or_default().iter().filter_map(place).collect())
        })
        .await
    }

    /// Has an item looked at again at `until`, if it is in the index.
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

    /// Takes an item out of the index, unless another time was set meanwhile: nothing more is expected of it.
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

/// An item that was changed meanwhile is left as it is.
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
