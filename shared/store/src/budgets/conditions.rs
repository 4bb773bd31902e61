//! Conditional writes of entries, keys and slices, for use in a transaction.
//!
//! **Invariant:** a key accepts an entry only if it is free, if it is void without fencing the
//! entry's attempt, or if it is pending for that attempt.

use crate::budgets::Budgets;
use crate::budgets::items::budget_entry::{self, STATE};
use crate::engine::attr::{number, text};
use crate::engine::error::StoreError;
use crate::keys::{self, Key};
use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update};
use domain::budget::entry::BudgetEntry;
use domain::budget::slice::Flow;
use domain::ids::budget::{AccountId, AttemptId, BudgetKind};
use domain::money::Money;

impl Budgets {
    /// Returns the write of an entry; its key must be free, void without fencing its attempt, or
    /// pending for its attempt.
    pub(crate) fn entry_put(&self, entry: &BudgetEntry) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.table.name)
            .set_item(Some(budget_entry::to_item(entry)))
            .condition_expression(FREE_FOR)
            .expression_attribute_names("#state", STATE)
            .expression_attribute_values(":void", text("VOID"))
            .expression_attribute_values(":pending", text("PENDING"))
            .expression_attribute_values(":attempt", text(&entry.attempt))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(TransactWriteItem::builder().put(put.build().map_err(StoreError::built)?).build())
    }

    /// Returns the write of a flow on a slice; the slice must have the amount available, and one of
    /// these statuses.
    pub(crate) fn flow_update(
        &self,
        account: &AccountId,
        slice: u8,
        flow: Flow,
        amount: Money,
        statuses: &[&str],
    ) -> Result<TransactWriteItem, StoreError> {
        let limited = account.kind() != BudgetKind::Platform;
        let mut expression = "SET #flow = #flow + :amount".to_owned();
        let mut condition = "attribute_exists(pk)".to_owned();
        let mut update = Update::builder()
            .table_name(&self.table.name)
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

    /// Returns the write that fences an attempt for which the key is pending: the attempt can never
    /// be committed.
    pub(crate) fn void_update(
        &self,
        key: &Key,
        attempt: &AttemptId,
    ) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table.name)
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

    /// Returns the write that makes a key pending for an attempt; the key must be free, void
    /// without fencing the attempt, or already pending for it.
    pub(crate) fn pending_update(
        &self,
        key: &Key,
        attempt: &AttemptId,
    ) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table.name)
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

/// Condition under which a key accepts the entry of an attempt.
const FREE_FOR: &str = "attribute_not_exists(pk) OR (#state = :void AND NOT contains(fenced, :attempt)) \
     OR (#state = :pending AND attempt = :attempt)";

/// Returns an attempt as a one-element set, to be added to the fenced attempts.
pub(crate) fn fenced(attempt: &AttemptId) -> aws_sdk_dynamodb::types::AttributeValue {
    aws_sdk_dynamodb::types::AttributeValue::Ss(vec![attempt.to_string()])
}
