//! Writes: one conditional update or one transaction, and its outcome.
//!
//! **Invariant:** [`Sent::Unknown`] is returned whenever the change may have been applied without
//! confirmation; every other outcome is certain.

use crate::engine::attr::{Item, number, text};
use crate::engine::error::StoreError;
use crate::engine::retry::Certain;
use crate::engine::sent::Sent;
use crate::engine::table::Table;
use crate::keys::Key;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    ConditionCheck, Delete, Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

/// Writes of a refused transaction whose condition failed: the index of the write, and the item
/// that was found.
pub(crate) type Refusals = Vec<(usize, Option<Item>)>;

impl Table {
    /// Sends a conditional update, without retry; returns the item after the update, or as it was
    /// found if the condition failed.
    pub(crate) async fn update(
        &self,
        key: &Key,
        change: impl FnOnce(UpdateItemFluentBuilder) -> UpdateItemFluentBuilder,
    ) -> Result<Sent<Option<Item>>, StoreError> {
        let request = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key.attributes()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .set_return_consumed_capacity(self.capacity_report());
        let error = match change(request).send().await {
            Ok(output) => {
                if let Some(meter) = &self.meter {
                    meter.written(output.consumed_capacity.as_slice());
                }
                return Ok(Sent::Done(output.attributes));
            }
            Err(error) => error,
        };
        if let Some(meter) = &self.meter {
            meter.written(&[]);
        }
        if let Some(UpdateItemError::ConditionalCheckFailedException(refused)) = error.as_service_error() {
            return Ok(Sent::Refused(refused.item.clone()));
        }
        match describe(&error) {
            (what, Failure::Busy) => Ok(Sent::Busy(what)),
            (what, Failure::Unsent) => Ok(Sent::Unsent(what)),
            (what, Failure::Unknown) => Ok(Sent::Unknown(what)),
            (what, Failure::Refused) => Err(StoreError::Unavailable(what)),
        }
    }

    /// Sends a conditional update that is harmless to repeat, until it is known to have been
    /// applied or refused. Returns the item after the update, or as it was found if the condition
    /// failed.
    pub(crate) async fn until_sent(
        &self,
        key: &Key,
        change: impl Fn(UpdateItemFluentBuilder) -> UpdateItemFluentBuilder,
    ) -> Result<Option<Item>, StoreError> {
        let mut retry = self.retry();
        loop {
            let sent = self.update(key, &change).await?;
            if let Some(Certain::Done(item) | Certain::Refused(item)) = retry.settled(sent).await? {
                return Ok(item);
            }
        }
    }

    /// Sends an item that must not exist yet, without retry.
    pub(crate) async fn put_new(&self, item: Item) -> Result<Sent<()>, StoreError> {
        let request = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .set_return_consumed_capacity(self.capacity_report());
        let sent = request.send().await;
        if let Some(meter) = &self.meter {
            meter.written(sent.as_ref().map_or(&[], |output| output.consumed_capacity.as_slice()));
        }
        let Err(error) = sent else { return Ok(Sent::Done(())) };
        if error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception) {
            return Ok(Sent::Refused(()));
        }
        match describe(&error) {
            (what, Failure::Busy) => Ok(Sent::Busy(what)),
            (what, Failure::Unsent) => Ok(Sent::Unsent(what)),
            (what, Failure::Unknown) => Ok(Sent::Unknown(what)),
            (what, Failure::Refused) => Err(StoreError::Unavailable(what)),
        }
    }

    /// Sends one transaction, without retry.
    pub(crate) async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<Sent<Refusals>, StoreError> {
        let request = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .set_return_consumed_capacity(self.capacity_report());
        let error = match request.send().await {
            Ok(output) => {
                if let Some(meter) = &self.meter {
                    meter.written(output.consumed_capacity());
                }
                return Ok(Sent::Done(vec![]));
            }
            Err(error) => error,
        };
        if let Some(meter) = &self.meter {
            meter.written(&[]);
        }
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
            error.as_service_error()
        {
            let (mut refused, mut busy) = (vec![], None);
            for (at, reason) in cancelled.cancellation_reasons().iter().enumerate() {
                match reason.code().unwrap_or("None") {
                    "None" => {}
                    "ConditionalCheckFailed" => refused.push((at, reason.item.clone())),
                    code @ ("TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded") => {
                        busy = Some(code.to_owned());
                    }
                    other => {
                        let text = reason.message().unwrap_or_default();
                        return Err(StoreError::Unavailable(format!("cancelled: {other} {text}")));
                    }
                }
            }
            let why = || busy.unwrap_or_else(|| "cancelled without a reason".to_owned());
            return Ok(if refused.is_empty() { Sent::Busy(why()) } else { Sent::Refused(refused) });
        }
        match describe(&error) {
            (what, Failure::Busy) => Ok(Sent::Busy(what)),
            (what, Failure::Unsent) => Ok(Sent::Unsent(what)),
            (what, Failure::Unknown) => Ok(Sent::Unknown(what)),
            (what, Failure::Refused) => Err(StoreError::Unavailable(what)),
        }
    }

    /// Writes an item that replaces any existing one, until it is known to be written.
    pub(crate) async fn put_record(&self, item: Item) -> Result<(), StoreError> {
        let mut retry = self.retry();
        loop {
            let sent = self.transact(vec![self.any_put(item.clone())?]).await?;
            if retry.settled(sent).await?.is_some() {
                return Ok(());
            }
        }
    }

    /// Returns the write of an item that must not exist yet; a refusal returns the item that was
    /// found.
    pub(crate) fn new_put(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(TransactWriteItem::builder().put(put.build().map_err(StoreError::built)?).build())
    }

    /// Returns the write of an item that replaces any existing one.
    pub(crate) fn any_put(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.name).set_item(Some(item));
        Ok(TransactWriteItem::builder().put(put.build().map_err(StoreError::built)?).build())
    }

    /// Returns the deletion of an item, whether or not it exists.
    pub(crate) fn any_delete(&self, key: &Key) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder().table_name(&self.name).set_key(Some(key.attributes()));
        Ok(TransactWriteItem::builder().delete(delete.build().map_err(StoreError::built)?).build())
    }

    /// Returns the deletion of an item that must exist.
    pub(crate) fn existing_delete(&self, key: &Key) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder()
            .table_name(&self.name)
            .set_key(Some(key.attributes()))
            .condition_expression("attribute_exists(pk)");
        Ok(TransactWriteItem::builder().delete(delete.build().map_err(StoreError::built)?).build())
    }

    /// Returns the check that an item does not exist.
    pub(crate) fn absent(&self, key: &Key) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.name)
            .set_key(Some(key.attributes()))
            .condition_expression("attribute_not_exists(pk)");
        let check = check.build().map_err(StoreError::built)?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    /// Returns the check that an item still has this version.
    pub(crate) fn unchanged(&self, key: &Key, version: u64) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.name)
            .set_key(Some(key.attributes()))
            .condition_expression("#version = :version")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", number(version));
        let check = check.build().map_err(StoreError::built)?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    /// Returns the check that an item has this status.
    pub(crate) fn has_status(&self, key: &Key, status: &str) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.name)
            .set_key(Some(key.attributes()))
            .condition_expression("#status = :status")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":status", text(status));
        let check = check.build().map_err(StoreError::built)?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    /// Returns the deletion of an item, under the condition that it still has this version.
    pub(crate) fn versioned_delete(&self, key: &Key, was: u64) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder()
            .table_name(&self.name)
            .set_key(Some(key.attributes()))
            .condition_expression("#version = :was")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":was", number(was));
        Ok(TransactWriteItem::builder().delete(delete.build().map_err(StoreError::built)?).build())
    }
}

/// Wraps an update as a write of a transaction.
pub(crate) fn change(update: Update) -> TransactWriteItem {
    TransactWriteItem::builder().update(update).build()
}

/// Effect that a failed request may have had.
pub(crate) enum Failure {
    /// Certainly not applied; a retry may succeed.
    Busy,
    /// Possibly applied (a read: no response); retry.
    Unknown,
    /// Certainly not applied, because there is no connection.
    Unsent,
    /// Certainly not applied; a retry would not help.
    Refused,
}

/// Returns a description of a failed request for the log, and its effect.
pub(crate) fn describe<E>(error: &SdkError<E, HttpResponse>) -> (String, Failure)
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let what = |detail: &str| format!("{detail}: {}", innermost(error));
    match error {
        SdkError::ConstructionFailure(_) => (what("request not sent"), Failure::Refused),
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let code = service.err().code().unwrap_or("unknown");
            let kind = match code {
                "ThrottlingException"
                | "ProvisionedThroughputExceededException"
                | "RequestLimitExceeded"
                | "TransactionConflictException"
                | "TransactionCanceledException" => Failure::Busy,
                "TransactionInProgressException" => Failure::Unknown,
                // A 2xx response that cannot be parsed may have been applied.
                _ if !(300..500).contains(&status) => Failure::Unknown,
                _ => Failure::Refused,
            };
            (what(&format!("{status} {code}")), kind)
        }
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) if transport::is_unsent(error) => {
            (what("no connection"), Failure::Unsent)
        }
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) | _ => {
            (what("no reply"), Failure::Unknown)
        }
    }
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
