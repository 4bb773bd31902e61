//! What falls due, by the sparse index `due`.
//!
//! **Invariant:** the index only names candidates; what is due is decided on the item itself.
//! **Invariant:** an item that keeps failing is pushed forward, so it cannot block those behind it.

use crate::Store;
use crate::engine::attr::{Item, text};
use crate::engine::error::StoreError;
use crate::keys::{self, DueKind, Key};
use crate::wallet::load::unread;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use domain::ids::budget::{AccountId, RedemptionId};
use domain::ids::{CustomerId, EventId, TopUpId};
use domain::time::Timestamp;

/// A top-up or a report that is due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DuePayment {
    /// The gateway is to be asked once more.
    TopUp(TopUpId),
    /// It waits.
    Event(EventId),
}

impl DuePayment {
    fn of(pk: &str) -> Option<Self> {
        keys::topup_of(pk).map(Self::TopUp).or_else(|| keys::event_of(pk).map(Self::Event))
    }

    fn key(&self) -> Key {
        match self {
            Self::TopUp(id) => keys::topup(id),
            Self::Event(id) => keys::event(id),
        }
    }
}

/// A slice or a redemption that is due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DueBudget {
    /// Attempts stand on it, or a status is being copied.
    Slice(AccountId, u8),
    /// Its supplier is to be asked again.
    Redemption(RedemptionId),
}

impl DueBudget {
    fn of(pk: &str) -> Option<Self> {
        let slice = keys::slice_of(pk).map(|(account, slice)| Self::Slice(account, slice));
        slice.or_else(|| keys::redemption_of(pk).map(Self::Redemption))
    }

    fn key(&self) -> Key {
        match self {
            Self::Slice(account, slice) => keys::slice(account, *slice),
            Self::Redemption(id) => keys::redemption(id),
        }
    }
}

impl Store {
    /// As [`Store::due_wallets`], of slices and redemptions.
    pub async fn due_budgets(
        &self,
        shard: u8,
        (from, until): (&str, Timestamp),
        limit: u16,
    ) -> Result<Vec<(DueBudget, String)>, StoreError> {
        let shard = keys::due_shard(DueKind::Budgets, shard);
        let found = self.due(shard, (from, until), limit).await?;
        Ok(found.into_iter().filter_map(|(pk, at)| Some((DueBudget::of(&pk)?, at))).collect())
    }

    /// Appoints another visit for a slice or redemption that could not be dealt with.
    pub async fn postpone_budget(&self, due: &DueBudget, until: Timestamp) -> Result<(), StoreError> {
        self.put_off(due.key(), until).await
    }

    /// Up to `limit` wallets of a shard whose visit was appointed for `until` or earlier, soonest first, each with
    /// its place in the index; those at `from` and after.
    pub async fn due_wallets(
        &self,
        shard: u8,
        (from, until): (&str, Timestamp),
        limit: u16,
    ) -> Result<Vec<(CustomerId, String)>, StoreError> {
        let shard = keys::due_shard(DueKind::Wallets, shard);
        let found = self.due(shard, (from, until), limit).await?;
        Ok(found.into_iter().filter_map(|(pk, at)| Some((keys::wallet_customer(&pk)?, at))).collect())
    }

    /// As [`Store::due_wallets`], of top-ups and reports.
    pub async fn due_payments(
        &self,
        shard: u8,
        (from, until): (&str, Timestamp),
        limit: u16,
    ) -> Result<Vec<(DuePayment, String)>, StoreError> {
        let shard = keys::due_shard(DueKind::Payments, shard);
        let found = self.due(shard, (from, until), limit).await?;
        Ok(found.into_iter().filter_map(|(pk, at)| Some((DuePayment::of(&pk)?, at))).collect())
    }

    async fn due(
        &self,
        shard: String,
        (from, until): (&str, Timestamp),
        limit: u16,
    ) -> Result<Vec<(String, String)>, StoreError> {
        self.patiently(|| async {
            let request = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(keys::DUE)
                .key_condition_expression("dpk = :shard AND dsk BETWEEN :from AND :until")
                .expression_attribute_values(":shard", text(&shard))
                .expression_attribute_values(":from", text(from))
                // `~` sorts after every key, so that what is due at `until` itself is included.
                .expression_attribute_values(":until", text(keys::due(until, "~")))
                .limit(i32::from(limit));
            let output = request.send().await.map_err(|error| unread(&error))?;
            let part = |item: &Item, name| item.get(name)?.as_s().ok().cloned();
            let place = |item: &Item| Some((part(item, keys::PK)?, part(item, keys::DUE_SK)?));
            Ok(output.items.unwrap_or_default().iter().filter_map(place).collect())
        })
        .await
    }

    /// Appoints another visit for a wallet that could not be settled.
    pub async fn postpone(&self, customer: &CustomerId, until: Timestamp) -> Result<(), StoreError> {
        self.put_off(keys::wallet(customer), until).await
    }

    /// Appoints another visit for a top-up or report that could not be dealt with.
    pub async fn postpone_payment(&self, due: &DuePayment, until: Timestamp) -> Result<(), StoreError> {
        self.put_off(due.key(), until).await
    }

    /// Takes a top-up or report out of the index, unless another visit was appointed meanwhile: nothing more is expected
    /// of it by itself.
    pub async fn forget_payment(&self, due: &DuePayment, place: &str) -> Result<(), StoreError> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(due.key().attributes()))
            .update_expression("REMOVE dpk, dsk")
            .condition_expression("dsk = :place")
            .expression_attribute_values(":place", text(place));
        unless_changed(request.send().await)
    }

    async fn put_off(&self, key: Key, until: Timestamp) -> Result<(), StoreError> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .update_expression("SET dsk = :due")
            .condition_expression("attribute_exists(dsk)")
            .expression_attribute_values(":due", AttributeValue::S(keys::due(until, &key.pk)));
        unless_changed(request.send().await)
    }
}

/// An item that was changed meanwhile is left as it is.
fn unless_changed<T>(result: Result<T, SdkError<UpdateItemError, HttpResponse>>) -> Result<(), StoreError> {
    let changed = |error: &SdkError<UpdateItemError, HttpResponse>| {
        error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception)
    };
    match result {
        Ok(_) => Ok(()),
        Err(error) if changed(&error) => Ok(()),
        Err(error) => Err(unread(&error)),
    }
}
