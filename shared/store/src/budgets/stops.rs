//! Copies an account's status to its slices, and a shared campaign's stop to its client's slices.
//!
//! **Invariant:** copies are monotonic: the higher version is kept, in whatever order the copies
//! arrive.
//! **Invariant:** the first slice is written first, so a request that adds slices sees what is
//! being copied. A copy that is interrupted is due, and is resumed.

use super::Budgets;
use crate::budgets::items::budget;
use crate::engine::attr::{number, text};
use crate::engine::error::StoreError;
use crate::keys::{self, DueKind};
use domain::budget::change::{dropped_at, stop_of};
use domain::budget::slice::{Slice, Stop};
use domain::budget::{BudgetAccount, BudgetStatus};
use domain::ids::budget::AccountId;
use domain::time::Timestamp;

impl Budgets {
    /// Copies an account's status to its other slices, and a shared campaign's stop to its client's
    /// slices.
    pub async fn copy_status(&self, id: &AccountId, now: Timestamp) -> Result<(), StoreError> {
        let Some(account) = self.account(id).await? else { return Ok(()) };
        let version = account.first.status_version;
        if account.copied_status_version >= version {
            return Ok(());
        }
        for slice in 1..account.slices {
            self.copy_to(slice, &account).await?;
        }
        // No process can treat a campaign that was never shared as a spender of its client's
        // credit, so the client's slices need no stop for it.
        if account.was_shared
            && let Some(client) = &account.parent
        {
            self.copy_stop(client, &account, now).await?;
        }
        if !self.finish_copying(&account).await? {
            self.table
                .until_sent(&keys::slice(id, 0), |update| {
                    update
                        .update_expression("SET copied = :version")
                        .condition_expression("status_version = :version")
                        .expression_attribute_values(":version", number(version))
                })
                .await?;
        }
        self.invalidate_account(id);
        Ok(())
    }

    /// Records that the status is copied, and removes the account from the index `due` if the copy was all
    /// that it was due for. Returns false if something else remains to be done, or it has changed.
    async fn finish_copying(&self, account: &BudgetAccount) -> Result<bool, StoreError> {
        let is_idle = account.first.attempts().next().is_none() && account.first.stops.is_empty();
        if !is_idle || account.status() == BudgetStatus::Closing {
            return Ok(false);
        }
        let version = account.first.status_version;
        let unchanged = "status_version = :version AND version = :was AND stops_version = :stops \
                         AND size(pending) = :none AND size(waiting) = :none";
        let item = self
            .table
            .until_sent(&keys::slice(&account.id, 0), |update| {
                update
                    .update_expression("SET copied = :version REMOVE dpk, dsk")
                    .condition_expression(unchanged)
                    .expression_attribute_values(":version", number(version))
                    .expression_attribute_values(":was", number(account.version))
                    .expression_attribute_values(":stops", number(account.first.stops_version))
                    .expression_attribute_values(":none", number(0))
            })
            .await?;
        let stored = item.map(|item| budget::from_item(&item)).transpose()?;
        Ok(stored.is_some_and(|stored| stored.copied_status_version >= version))
    }

    /// Updates the status of a slice to that of the first slice.
    async fn copy_to(&self, slice: u8, account: &BudgetAccount) -> Result<(), StoreError> {
        self.table
            .until_sent(&keys::slice(&account.id, slice), |update| {
                update
                    .update_expression("SET #status = :status, status_version = :version")
                    .condition_expression("attribute_exists(pk) AND status_version < :version")
                    .expression_attribute_names("#status", "status")
                    .expression_attribute_values(":status", text(account.status().as_str()))
                    .expression_attribute_values(":version", number(account.first.status_version))
            })
            .await
            .map(|_| ())
    }

    /// Writes a campaign's stop on every slice of its client.
    async fn copy_stop(
        &self,
        client: &AccountId,
        campaign: &BudgetAccount,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let stop = stop_of(campaign, now);
        let first = self.put_stop(client, 0, &campaign.id, &stop).await?;
        for slice in 1..first.map_or(1, |account| account.slices) {
            self.put_stop(client, slice, &campaign.id, &stop).await?;
        }
        self.invalidate_account(client);
        Ok(())
    }

    /// Writes a stop on one slice, unless a newer one is there; for the first slice, returns the
    /// resulting account.
    async fn put_stop(
        &self,
        account: &AccountId,
        slice: u8,
        campaign: &AccountId,
        stop: &Stop,
    ) -> Result<Option<BudgetAccount>, StoreError> {
        let key = keys::slice(account, slice);
        let until = dropped_at(stop);
        let item = self
            .table
            .until_sent(&key, |update| {
                update
                    .update_expression(
                        "SET stops.#campaign = :stop, stops_version = stops_version + :one, \
                         dpk = if_not_exists(dpk, :dpk), dsk = if_not_exists(dsk, :dsk)",
                    )
                    .condition_expression(
                        "attribute_exists(pk) AND \
                         (attribute_not_exists(stops.#campaign) OR stops.#campaign.v < :version)",
                    )
                    .expression_attribute_names("#campaign", campaign.as_str())
                    .expression_attribute_values(":stop", budget::stop_to_map(stop))
                    .expression_attribute_values(":version", number(stop.version))
                    .expression_attribute_values(":one", number(1))
                    .expression_attribute_values(":dpk", text(keys::due_partition(DueKind::Budgets, &key.pk)))
                    .expression_attribute_values(":dsk", text(keys::due(until, &key.pk)))
            })
            .await?;
        let item = item.filter(|_| slice == 0);
        item.map(|item| budget::from_item(&item)).transpose()
    }

    /// Removes stops from a slice that are so old that every process has seen them.
    pub(crate) async fn drop_old_stops(
        &self,
        account: &AccountId,
        slice: &Slice,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for (campaign, stop) in slice.stops.iter().filter(|(_, stop)| dropped_at(stop) <= now) {
            self.table
                .until_sent(&keys::slice(account, slice.number), |update| {
                    update
                        .update_expression("REMOVE stops.#campaign")
                        .condition_expression("stops.#campaign.v = :version")
                        .expression_attribute_names("#campaign", campaign.as_str())
                        .expression_attribute_values(":version", number(stop.version))
                })
                .await?;
        }
        Ok(())
    }
}
