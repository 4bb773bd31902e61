//! The children of an account: their list, page by page, and their numbers.
//!
//! **Invariant:** the numbers of an account's children are changed in the transaction that opens or
//! closes a child.

use super::Budgets;
use crate::budgets::items::budget::{self, CHILDREN_OPEN, CHILDREN_TOTAL};
use crate::engine::attr::{Reader, number, text};
use crate::engine::error::StoreError;
use crate::engine::read::PageRange;
use crate::engine::sent::Sent;
use crate::keys::{self, Key};
use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use domain::budget::{BudgetAccount, BudgetStatus, ChildCount, MAX_OPEN_CHILDREN};
use domain::ids::budget::AccountId;
use domain::rejection::Rejection;

/// Children that are read at once where all of them are counted.
const CHILDREN_PER_READ: u16 = 1_000;

/// Some children of an account, in the order in which they were opened.
#[derive(Debug)]
pub struct ChildPage {
    /// The children that can be read.
    pub accounts: Vec<BudgetAccount>,
    /// Why others cannot be.
    pub unreadable: Vec<StoreError>,
    /// Place in the list from which to continue; None at its end.
    pub next: Option<String>,
}

impl ChildPage {
    /// Returns the page if all of its children can be read.
    pub fn complete(mut self) -> Result<Self, StoreError> {
        self.unreadable.pop().map_or(Ok(self), Err)
    }
}

impl Budgets {
    /// Returns children of an account after a place in their list, oldest first.
    pub async fn children(
        &self,
        id: &AccountId,
        after: Option<&str>,
        page: PageRange,
    ) -> Result<ChildPage, StoreError> {
        let (skip, limit) = (usize::from(page.skip), usize::from(page.limit));
        let listed = self.table.partition_page(&keys::children(id), after, skip + limit + 1).await?;
        let is_last = listed.len() <= skip + limit;
        let mut wanted: Vec<Key> = Vec::new();
        let mut last = None;
        for item in listed.iter().skip(skip).take(limit) {
            let listed = Reader::new(item, "child in a list");
            wanted.push(keys::slice(&listed.parse("account_id", AccountId::parse)?, 0));
            last = Some(listed.text(keys::SK)?.to_owned());
        }
        let found = self.table.with_retry(|| self.table.batch(&wanted)).await?;
        let mut page = ChildPage { accounts: vec![], unreadable: vec![], next: last.filter(|_| !is_last) };
        for item in wanted.iter().filter_map(|key| found.get(key)) {
            match budget::from_item(item) {
                Ok(account) => page.accounts.push(account),
                Err(error) => page.unreadable.push(error),
            }
        }
        Ok(page)
    }

    /// Returns the numbers of an account's children. Counts them first if an earlier version wrote the
    /// account.
    pub async fn child_count(&self, id: &AccountId) -> Result<ChildCount, StoreError> {
        let mut retry = self.table.retry();
        loop {
            let account = self.account(id).await?.ok_or(Rejection::AccountNotFound)?;
            if let Some(children) = account.children {
                return Ok(children);
            }
            let counted = self.count_children(id).await?;
            if self.store_count(&account, counted, "version = :was AND attribute_not_exists(#open)").await? {
                return Ok(counted);
            }
            // A child was opened meanwhile, or another request has counted them.
            if !retry.backoff().await {
                return Err(StoreError::Contention("the account is changed concurrently".to_owned()));
            }
        }
    }

    /// Returns true if a child of an account is not closed. This is looked up in the list: an earlier
    /// version opens and closes children without counting them.
    pub(super) async fn has_open_child(&self, id: &AccountId) -> Result<bool, StoreError> {
        Ok(self.count_children(id).await?.open > 0)
    }

    /// Counts the children of an account again if the stored numbers do not include the child that is
    /// about to be closed.
    pub(super) async fn count_for_closing(&self, id: &AccountId) -> Result<(), StoreError> {
        if self.child_count(id).await?.open > 0 {
            return Ok(());
        }
        let account = self.account(id).await?.ok_or(Rejection::AccountNotFound)?;
        let counted = self.count_children(id).await?;
        // If the account changes meanwhile, the closing is tried again.
        self.store_count(&account, counted, "version = :was").await.map(|_| ())
    }

    /// Stores the numbers of an account's children under a condition; returns false if it failed, or the
    /// outcome is unknown.
    async fn store_count(
        &self,
        account: &BudgetAccount,
        counted: ChildCount,
        condition: &str,
    ) -> Result<bool, StoreError> {
        let sent = self
            .table
            .update(&keys::slice(&account.id, 0), |update| {
                update
                    .update_expression("SET #open = :open, #total = :total, version = version + :one")
                    .condition_expression(condition)
                    .expression_attribute_names("#open", CHILDREN_OPEN)
                    .expression_attribute_names("#total", CHILDREN_TOTAL)
                    .expression_attribute_values(":open", number(counted.open))
                    .expression_attribute_values(":total", number(counted.total))
                    .expression_attribute_values(":one", number(1))
                    .expression_attribute_values(":was", number(account.version))
            })
            .await?;
        Ok(matches!(sent, Sent::Done(_)))
    }

    async fn count_children(&self, id: &AccountId) -> Result<ChildCount, StoreError> {
        let (mut counted, mut after) = (ChildCount::default(), None::<String>);
        loop {
            let range = PageRange { skip: 0, limit: CHILDREN_PER_READ };
            let page = self.children(id, after.as_deref(), range).await?.complete()?;
            for child in &page.accounts {
                counted.total += 1;
                counted.open += u32::from(child.status() != BudgetStatus::Closed);
            }
            after = page.next;
            if after.is_none() {
                return Ok(counted);
            }
        }
    }

    /// Returns the write that records a new child in its parent. It changes the parent's version, so
    /// that a concurrent closing of the parent is decided again.
    pub(super) fn child_opened(&self, parent: &AccountId) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .update_expression("SET version = version + :one, #open = #open + :one, #total = #total + :one")
            .condition_expression("#status IN (:active, :paused) AND #open < :most")
            .expression_attribute_names("#total", CHILDREN_TOTAL)
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":most", number(MAX_OPEN_CHILDREN))
            .expression_attribute_values(":active", text("active"))
            .expression_attribute_values(":paused", text("paused"));
        self.count_update(parent, update)
    }

    /// Returns the write that records in its parent that a child is closed.
    pub(super) fn child_closed(&self, parent: &AccountId) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .update_expression("SET version = version + :one, #open = #open - :one")
            .condition_expression("#open >= :one");
        self.count_update(parent, update)
    }

    fn count_update(
        &self,
        parent: &AccountId,
        update: aws_sdk_dynamodb::types::builders::UpdateBuilder,
    ) -> Result<TransactWriteItem, StoreError> {
        let update = update
            .table_name(&self.table.name)
            .set_key(Some(keys::slice(parent, 0).attributes()))
            .expression_attribute_names("#open", CHILDREN_OPEN)
            .expression_attribute_values(":one", number(1));
        Ok(TransactWriteItem::builder().update(update.build().map_err(StoreError::built)?).build())
    }
}
