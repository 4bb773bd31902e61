//! Changes an account's settings, its status, and the number of its slices.
//!
//! **Invariant:** a change is written under the condition that the versions it was decided on are
//! current, and is acknowledged once every slice has it.
//! **Invariant:** slices are added in the transaction of the change that adds them. A change of a
//! campaign's mode is one transaction as well, under the condition that the campaign has no credit
//! of its own.

use super::Budgets;
use super::reserve::scheduled_check;
use crate::budgets::items::budget;
use crate::engine::attr::{Item, number, text};
use crate::engine::error::StoreError;
use crate::engine::sent::Sent;
use crate::keys;
use aws_sdk_dynamodb::types::{ConditionCheck, TransactWriteItem, Update};
use domain::budget::allocate::SlicedAccount;
use domain::budget::change::{ChangeAccount, ChangePreconditions, added};
use domain::budget::{BudgetAccount, BudgetStatus};
use domain::context::Context;
use domain::ids::budget::AccountId;
use domain::rejection::Rejection;
use std::collections::HashMap;

/// Condition that a slice is empty: nothing available and no attempts.
const EMPTY: &str = "available = :none AND size(pending) = :none AND size(waiting) = :none";

/// Outcome of a change.
#[derive(Debug)]
pub(super) enum Rewritten {
    /// The change was written.
    Done,
    /// The change was not written: the account has changed since it was read, or another request
    /// won.
    Not,
    /// The outcome is unknown: the change may have been written.
    Unknown(String),
}

impl Rewritten {
    fn of<T>(sent: Sent<T>) -> Self {
        match sent {
            Sent::Done(_) => Self::Done,
            Sent::Refused(_) | Sent::Busy(_) | Sent::Unsent(_) => Self::Not,
            Sent::Unknown(why) => Self::Unknown(why),
        }
    }
}

impl Budgets {
    /// Changes an account; when it returns, every slice has the change.
    pub async fn change_account(
        &self,
        id: &AccountId,
        change: &ChangeAccount,
        context: &Context,
    ) -> Result<BudgetAccount, StoreError> {
        let mut retry = self.table.retry();
        // A change names the target values, so deciding it again on its own result leads to the
        // same result.
        let mut outcome_unknown = false;
        loop {
            let why = match self.change_once(id, change, context).await {
                Ok(Rewritten::Done) => break,
                Ok(Rewritten::Not) => "the account is changed concurrently".to_owned(),
                Ok(Rewritten::Unknown(why)) => {
                    outcome_unknown = true;
                    why
                }
                Err(error) => return Err(if outcome_unknown { error.after_effect() } else { error }),
            };
            if !retry.backoff().await {
                return Err(if outcome_unknown {
                    StoreError::Unavailable(why)
                } else {
                    StoreError::Contention(why)
                });
            }
        }
        self.invalidate_account(id);
        // The change is written. The steps that follow may be interrupted; the account is due, so
        // they are resumed.
        let finish = async {
            self.copy_status(id, context.now).await?;
            self.finish_closing(id, context).await?;
            self.account(id).await?.ok_or_else(|| Rejection::AccountNotFound.into())
        };
        finish.await.map_err(StoreError::after_effect)
    }

    async fn change_once(
        &self,
        id: &AccountId,
        change: &ChangeAccount,
        context: &Context,
    ) -> Result<Rewritten, StoreError> {
        let mut account = self.account(id).await?.ok_or(Rejection::AccountNotFound)?;
        if change.mode.is_some_and(|mode| mode != account.mode) {
            // Committed and abandoned attempts are still on the slices, which must be empty:
            // resolve them first.
            self.resolve(account.charged(), context.now).await?;
            account = self.account(id).await?.ok_or(Rejection::AccountNotFound)?;
        }
        let sliced = self.with_slices(vec![account]).await?.remove(id).ok_or(Rejection::AccountNotFound)?;
        let preconditions = self.preconditions(&sliced, change).await?;
        let account = change.decide(&sliced, preconditions, context.now)?;
        self.rewrite(&sliced.account, &account).await
    }

    async fn preconditions(
        &self,
        sliced: &SlicedAccount,
        change: &ChangeAccount,
    ) -> Result<ChangePreconditions, StoreError> {
        let account = &sliced.account;
        let mut preconditions = ChangePreconditions { reserved: false, children: false };
        if change.mode.is_some_and(|mode| mode != account.mode) {
            preconditions.reserved = self.is_reserved(account).await?;
        }
        if change.status == Some(BudgetStatus::Closing) {
            preconditions.children = self.has_open_child(&account.id).await?;
        }
        Ok(preconditions)
    }

    /// Writes the settings and the status of an account, unless it has changed since `was` was
    /// read. New slices are written in the same transaction. If the mode changes, the transaction
    /// requires that every slice is empty.
    pub(super) async fn rewrite(
        &self,
        was: &BudgetAccount,
        account: &BudgetAccount,
    ) -> Result<Rewritten, StoreError> {
        let key = keys::slice(&account.id, 0);
        let mut set = budget::changing(account).0;
        set.insert("status".to_owned(), text(account.first.status.as_str()));
        set.insert("status_version".to_owned(), number(account.first.status_version));
        if was.first.status_version != account.first.status_version {
            set.extend(scheduled_check(&key.pk, account.updated_at));
        }
        let switched = was.mode != account.mode;
        let mut condition =
            "version = :was AND status_version = :status AND stops_version = :stops".to_owned();
        let mut values = Item::from([
            (":was".to_owned(), number(was.version)),
            (":status".to_owned(), number(was.first.status_version)),
            (":stops".to_owned(), number(was.first.stops_version)),
        ]);
        if switched {
            condition = format!("{condition} AND {EMPTY}");
            values.insert(":none".to_owned(), number(0));
        }
        // Optional attributes: they are removed if the account has no value for them.
        let may_go = ["low_credit_threshold", "brands"];
        let gone: Vec<&str> = may_go.into_iter().filter(|name| !set.contains_key(*name)).collect();
        let (mut parts, mut names) = (Vec::new(), HashMap::new());
        for (at, (name, value)) in set.into_iter().enumerate() {
            parts.push(format!("#s{at} = :s{at}"));
            names.insert(format!("#s{at}"), name);
            values.insert(format!(":s{at}"), value);
        }
        let mut expression = format!("SET {}", parts.join(", "));
        if !gone.is_empty() {
            expression = format!("{expression} REMOVE {}", gone.join(", "));
        }
        // The account that counts this one among its open children, if it is closed now.
        let is_closed = |account: &BudgetAccount| account.status() == BudgetStatus::Closed;
        let counts = account.parent.as_ref().filter(|_| is_closed(account) && !is_closed(was));
        // A plain update is enough if only one item changes. It is serialized with concurrent
        // spends, whereas a transaction would be rejected.
        if !switched && was.slices == account.slices && counts.is_none() {
            let done = self
                .table
                .update(&key, |update| {
                    let update = update.update_expression(expression).condition_expression(condition);
                    update
                        .set_expression_attribute_names(Some(names))
                        .set_expression_attribute_values(Some(values))
                })
                .await?;
            return Ok(Rewritten::of(done));
        }
        let update = Update::builder()
            .table_name(&self.table.name)
            .set_key(Some(key.attributes()))
            .update_expression(expression)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values));
        let update = update.build().map_err(StoreError::built)?;
        let mut writes = vec![TransactWriteItem::builder().update(update).build()];
        writes.extend(counts.map(|parent| self.child_closed(parent)).transpose()?);
        for number in (1..was.slices).filter(|_| switched) {
            writes.push(self.empty_check(&account.id, number)?);
        }
        for number in was.slices..account.slices {
            writes.push(self.table.new_put(budget::slice_to_item(&account.id, &added(account, number)))?);
        }
        Ok(Rewritten::of(self.table.transact(writes).await?))
    }

    /// Returns the check that a slice has nothing available and nothing reserved.
    fn empty_check(&self, account: &AccountId, slice: u8) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.table.name)
            .set_key(Some(keys::slice(account, slice).attributes()))
            .condition_expression(EMPTY)
            .expression_attribute_values(":none", number(0));
        let check = check.build().map_err(StoreError::built)?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }
}
