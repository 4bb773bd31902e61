//! State of an entry's key, and fencing attempts there.
//!
//! **Invariant:** once an attempt is fenced, none of its commits can succeed, however late they
//! arrive.

use super::Budgets;
use super::conditions::fenced;
use crate::budgets::items::budget_entry::{self, STATE};
use crate::engine::attr::text;
use crate::engine::error::StoreError;
use crate::keys::{self, Key};
use domain::budget::key::KeyState;
use domain::cause::Cause;
use domain::ids::budget::{AccountId, AttemptId};

impl Budgets {
    /// Reads the state of the key of a cause, with strong consistency.
    pub async fn key_state(&self, account: &AccountId, cause: &Cause) -> Result<KeyState, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::budget_entry(account, cause))).await?;
        budget_entry::state_of(item.as_ref())
    }

    /// Reads the states of the keys of several causes of one account.
    pub(crate) async fn key_states(
        &self,
        account: &AccountId,
        causes: &[Cause],
    ) -> Result<Vec<KeyState>, StoreError> {
        let keys: Vec<Key> = causes.iter().map(|cause| keys::budget_entry(account, cause)).collect();
        let mut wanted = keys.clone();
        wanted.sort();
        wanted.dedup();
        let found = self.table.with_retry(|| self.table.batch(&wanted)).await?;
        keys.iter().map(|key| budget_entry::state_of(found.get(key))).collect()
    }

    /// Fences an attempt, unless its cause has an entry or a supplier order was opened for it;
    /// returns the resulting state of the key.
    pub(crate) async fn fence(
        &self,
        account: &AccountId,
        cause: &Cause,
        attempt: &AttemptId,
    ) -> Result<KeyState, StoreError> {
        let key = keys::budget_entry(account, cause);
        let after = self
            .table
            .until_sent(&key, |update| {
                update
                    .update_expression("SET #state = if_not_exists(#state, :void) ADD fenced :fenced")
                    .condition_expression(
                        "attribute_not_exists(pk) OR (attribute_exists(#state) AND \
                         NOT (#state = :pending AND attempt = :attempt))",
                    )
                    .expression_attribute_names("#state", STATE)
                    .expression_attribute_values(":void", text("VOID"))
                    .expression_attribute_values(":pending", text("PENDING"))
                    .expression_attribute_values(":attempt", text(attempt))
                    .expression_attribute_values(":fenced", fenced(attempt))
            })
            .await?;
        budget_entry::state_of(after.as_ref())
    }
}
