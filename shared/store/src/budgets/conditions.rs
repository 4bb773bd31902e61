//! One request that changes budgets or gift cards, and what became of it.
//!
//! **Invariant:** [`Sent::Unknown`] is given whenever the change may have been made without our knowing; every other
//! answer is certain.

use crate::Store;
use crate::budgets::items::budget_entry;
use crate::budgets::items::budget_entry::STATE;
use crate::engine::attr::{Item, number, text};
use crate::engine::error::StoreError;
use crate::engine::retry::Effort;
use crate::giftcards::items::redemption;
use crate::keys::{self, Key};
use crate::wallet::commit::{Kind, describe};
use crate::wallet::load::unread;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    Delete, Get, Put, ReturnConsumedCapacity, ReturnValue, ReturnValuesOnConditionCheckFailure,
    TransactGetItem, TransactWriteItem, Update,
};
use domain::budget::entry::BudgetEntry;
use domain::budget::slice::Flow;
use domain::giftcard::card::FreeCard;
use domain::giftcard::redemption::Redemption;
use domain::ids::budget::{AccountId, AttemptId, BudgetKind};
use domain::money::Money;

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Sent<T> {
    /// Done.
    Done(T),
    /// Not done: a condition did not hold; what was found there.
    Refused(T),
    /// Not done: others were quicker, or the table throttles.
    Busy(String),
    /// Perhaps done.
    Unknown(String),
}

/// The item of each write of a refused transaction whose condition did not hold, by its place.
pub(crate) type Refusals = Vec<(usize, Option<Item>)>;

impl Store {
    fn wants_report(&self) -> Option<ReturnConsumedCapacity> {
        self.meter.as_ref().map(|_| ReturnConsumedCapacity::Total)
    }

    /// A plain conditional update; gives the item after it, or as it was found.
    pub(crate) async fn update(
        &self,
        key: &Key,
        change: impl FnOnce(UpdateItemFluentBuilder) -> UpdateItemFluentBuilder,
    ) -> Result<Sent<Option<Item>>, StoreError> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .set_return_consumed_capacity(self.wants_report());
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
            (what, Kind::Busy) => Ok(Sent::Busy(what)),
            (what, Kind::Unknown) => Ok(Sent::Unknown(what)),
            (what, Kind::Refused) => Err(StoreError::Unavailable(what)),
        }
    }

    /// A plain conditional update that may be repeated without effect, sent until it is known to have been done or to be
    /// refused; gives the item after it, or as it was found.
    pub(crate) async fn until_sent(
        &self,
        key: &Key,
        change: impl Fn(UpdateItemFluentBuilder) -> UpdateItemFluentBuilder,
    ) -> Result<Option<Item>, StoreError> {
        let mut effort = Effort::new(self.patience);
        let mut unsure = false;
        loop {
            let why = match self.update(key, &change).await? {
                Sent::Done(item) | Sent::Refused(item) => return Ok(item),
                Sent::Busy(why) => why,
                Sent::Unknown(why) => {
                    unsure = true;
                    why
                }
            };
            if !effort.again().await {
                return Err(if unsure { StoreError::Unavailable(why) } else { StoreError::Contention(why) });
            }
        }
    }

    /// Items of one instant, in the order asked for: none of them is half of a transaction.
    pub(crate) async fn together_items(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        let mut gets = Vec::new();
        for key in keys {
            let get = Get::builder().table_name(&self.table).set_key(Some(key.attributes()));
            gets.push(TransactGetItem::builder().get(get.build().map_err(StoreError::built)?).build());
        }
        let output = self
            .patiently(|| async {
                let request = self
                    .client
                    .transact_get_items()
                    .set_transact_items(Some(gets.clone()))
                    .set_return_consumed_capacity(self.wants_report());
                request.send().await.map_err(|error| unread(&error))
            })
            .await?;
        if let Some(meter) = &self.meter {
            meter.read(output.consumed_capacity());
        }
        Ok(output.responses.unwrap_or_default().into_iter().map(|response| response.item).collect())
    }

    /// One transaction.
    pub(crate) async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<Sent<Refusals>, StoreError> {
        let request = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .set_return_consumed_capacity(self.wants_report());
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
            (what, Kind::Busy) => Ok(Sent::Busy(what)),
            (what, Kind::Unknown) => Ok(Sent::Unknown(what)),
            (what, Kind::Refused) => Err(StoreError::Unavailable(what)),
        }
    }

    /// An item that must be new; what is there is shown, if it is not.
    pub(crate) fn new_put(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(TransactWriteItem::builder().put(put.build().map_err(StoreError::built)?).build())
    }

    /// An item that is written whatever was there.
    pub(crate) fn any_put(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        Ok(TransactWriteItem::builder().put(put.build().map_err(StoreError::built)?).build())
    }

    /// An item that goes away, if it is there.
    pub(crate) fn any_delete(&self, key: &Key) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder().table_name(&self.table).set_key(Some(key.attributes()));
        Ok(TransactWriteItem::builder().delete(delete.build().map_err(StoreError::built)?).build())
    }

    /// An entry: its key must be free, or void without fencing its attempt, or pending for its attempt.
    pub(crate) fn entry_put(&self, entry: &BudgetEntry) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(budget_entry::to_item(entry)))
            .condition_expression(FREE_FOR)
            .expression_attribute_names("#state", STATE)
            .expression_attribute_values(":void", text("VOID"))
            .expression_attribute_values(":pending", text("PENDING"))
            .expression_attribute_values(":attempt", text(&entry.attempt))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(TransactWriteItem::builder().put(put.build().map_err(StoreError::built)?).build())
    }

    /// A redemption: there must be none, or one that failed, or one that is pending for the same attempt.
    pub(crate) fn redemption_put(&self, written: &Redemption) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(redemption::to_item(written)))
            .condition_expression(
                "attribute_not_exists(pk) OR #status = :failed OR (#status = :pending AND attempt = :attempt)",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":failed", text("FAILED"))
            .expression_attribute_values(":pending", text("PENDING"))
            .expression_attribute_values(":attempt", text(&written.attempt))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(TransactWriteItem::builder().put(put.build().map_err(StoreError::built)?).build())
    }

    /// A free card is taken; it must still be there.
    pub(crate) fn card_delete(&self, card: &FreeCard) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(keys::free_card(card).attributes()))
            .condition_expression("attribute_exists(pk)");
        Ok(TransactWriteItem::builder().delete(delete.build().map_err(StoreError::built)?).build())
    }

    /// A slice is changed by a flow; there must be cover, and its status one of these.
    pub(crate) fn flow_update(
        &self,
        (account, slice): (&AccountId, u8),
        (flow, amount): (Flow, Money),
        statuses: &[&str],
    ) -> Result<TransactWriteItem, StoreError> {
        let limited = account.kind() != BudgetKind::Platform;
        let mut expression = "SET #flow = #flow + :amount".to_owned();
        let mut condition = "attribute_exists(pk)".to_owned();
        let mut update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(keys::slice(account, slice).attributes()))
            .expression_attribute_names("#flow", flow.as_str())
            .expression_attribute_values(":amount", number(amount));
        if limited {
            let sign = if flow.is_in() { '+' } else { '-' };
            expression = format!("{expression}, available = available {sign} :amount");
            if !flow.is_in() {
                condition.push_str(" AND available >= :amount");
            }
            let names: Vec<String> = (0..statuses.len()).map(|at| format!(":status{at}")).collect();
            for (name, status) in names.iter().zip(statuses) {
                update = update.expression_attribute_values(name, text(status));
            }
            condition = format!("{condition} AND #status IN ({})", names.join(", "));
            if flow == Flow::Received && slice == 0 && account.kind() == BudgetKind::Campaign {
                condition.push_str(" AND #mode = :isolated");
                update = update
                    .expression_attribute_names("#mode", "mode")
                    .expression_attribute_values(":isolated", text("isolated"));
            }
            update = update.expression_attribute_names("#status", "status");
        }
        let update = update.update_expression(expression).condition_expression(condition);
        Ok(TransactWriteItem::builder().update(update.build().map_err(StoreError::built)?).build())
    }

    /// A key that was pending for an attempt fences it: it can never be committed.
    pub(crate) fn void_update(
        &self,
        key: &Key,
        attempt: &AttemptId,
    ) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .update_expression("SET #state = :void REMOVE attempt ADD fenced :fenced")
            .condition_expression("#state = :pending AND attempt = :attempt")
            .expression_attribute_names("#state", STATE)
            .expression_attribute_values(":void", text("VOID"))
            .expression_attribute_values(":pending", text("PENDING"))
            .expression_attribute_values(":attempt", text(attempt))
            .expression_attribute_values(":fenced", fenced(attempt))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(TransactWriteItem::builder().update(update.build().map_err(StoreError::built)?).build())
    }

    /// A key is pending for an attempt from now on; it must be free, or void without fencing it.
    pub(crate) fn pending_update(
        &self,
        key: &Key,
        attempt: &AttemptId,
    ) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .update_expression("SET #state = :pending, attempt = :attempt")
            .condition_expression(FREE_FOR)
            .expression_attribute_names("#state", STATE)
            .expression_attribute_values(":void", text("VOID"))
            .expression_attribute_values(":pending", text("PENDING"))
            .expression_attribute_values(":attempt", text(attempt))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(TransactWriteItem::builder().update(update.build().map_err(StoreError::built)?).build())
    }
}

/// When a key can take the entry of an attempt.
const FREE_FOR: &str = "attribute_not_exists(pk) OR (#state = :void AND NOT contains(fenced, :attempt)) \
     OR (#state = :pending AND attempt = :attempt)";

/// An attempt as a set of fenced ones.
pub(crate) fn fenced(attempt: &AttemptId) -> aws_sdk_dynamodb::types::AttributeValue {
    aws_sdk_dynamodb::types::AttributeValue::Ss(vec![attempt.to_string()])
}
