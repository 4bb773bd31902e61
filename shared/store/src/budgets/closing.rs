//! Closes accounts, and schedules the next check of an account.
//!
//! **Invariant:** an account is closed only when nothing is available and no attempt is undecided;
//! its remaining credit has been returned to its parent.

use super::Budgets;
use super::change::Rewritten;
use super::reserve::scheduled_check;
use crate::engine::error::StoreError;
use crate::keys;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::budget::allocate::{BudgetTransfer, Direction};
use domain::budget::key::LIMIT_SECONDS;
use domain::budget::{BudgetAccount, BudgetStatus};
use domain::cause::Cause;
use domain::context::Context;
use domain::ids::budget::AccountId;
use domain::rejection::Rejection;
use domain::time::Timestamp;

impl Budgets {
    /// Returns the remaining credit of a closing account to its parent and closes it. If attempts
    /// are still undecided, schedules another check.
    pub async fn finish_closing(&self, id: &AccountId, context: &Context) -> Result<(), StoreError> {
        let Some(account) =
            self.account(id).await?.filter(|account| account.status() == BudgetStatus::Closing)
        else {
            return Ok(());
        };
        self.resolve(account.charged(), context.now).await?;
        if self.is_reserved(&account).await? {
            let later = context.now.plus_seconds(LIMIT_SECONDS).unwrap_or(context.now);
            return self.schedule_check(id, later).await;
        }
        let sliced = self.load_sliced(id).await?.ok_or(Rejection::AccountNotFound)?;
        if let (false, Some(parent)) = (sliced.available().is_zero(), &account.parent) {
            let cause = Cause::closing(account.first.status_version);
            let transfer = BudgetTransfer {
                direction: Direction::Closing,
                from: id.clone(),
                to: parent.clone(),
                amount: None,
                notes: None,
                cause,
            };
            self.transfer(&transfer, context).await?;
        }
        if let Some(parent) = &account.parent {
            self.count_for_closing(parent).await?;
        }
        let mut closed = account.clone();
        closed.first.status = BudgetStatus::Closed;
        closed.first.status_version += 1;
        closed.version += 1;
        closed.updated_at = context.now.max(closed.updated_at);
        match self.rewrite(&account, &closed).await? {
            Rewritten::Done => self.copy_status(id, context.now).await,
            // The account has changed since it was read: the next check closes it.
            Rewritten::Not | Rewritten::Unknown(_) => self.schedule_check(id, context.now).await,
        }
    }

    /// Schedules a check of an account at this instant.
    pub(crate) async fn schedule_check(&self, id: &AccountId, at: Timestamp) -> Result<(), StoreError> {
        let key = keys::slice(id, 0);
        let set = scheduled_check(&key.pk, at);
        let schedule_check = |update: UpdateItemFluentBuilder| {
            update
                .update_expression("SET dpk = :dpk, dsk = :dsk")
                .condition_expression("attribute_exists(pk)")
                .expression_attribute_values(":dpk", value(&set, keys::DUE_PK))
                .expression_attribute_values(":dsk", value(&set, keys::DUE_SK))
        };
        self.table.until_sent(&key, schedule_check).await.map(|_| ())
    }

    /// Returns true if an undecided attempt of the account is on the slices that it spends from.
    pub(super) async fn is_reserved(&self, account: &BudgetAccount) -> Result<bool, StoreError> {
        let Some(charged) = self.load_sliced(account.charged()).await? else { return Ok(false) };
        let undecided = self.undecided(account.charged(), &charged).await?;
        let own = account.is_shared().then_some(&account.id);
        Ok(!undecided.total(own).is_zero())
    }
}

fn value(set: &crate::engine::attr::Item, name: &str) -> AttributeValue {
    set.get(name).cloned().unwrap_or(AttributeValue::Null(true))
}
