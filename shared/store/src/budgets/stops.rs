//! Copying an account's status to its slices, and a shared campaign's stop to its client's.
//!
//! **Invariant:** copies are monotone: of two, the one with the higher version stays, in whatever order they arrive.
//! **Invariant:** the first slice is written first, so whoever adds slices sees what is being copied; a copy that is
//! interrupted is due, and goes on.

use super::write::Sent;
use crate::Store;
use crate::attr::{number, text};
use crate::effort::Effort;
use crate::error::StoreError;
use crate::items::budget;
use crate::keys::{self, Key};
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use domain::budget::change::{STOP_SECONDS, added, stop_of};
use domain::budget::ids::AccountId;
use domain::budget::slice::{Slice, Stop};
use domain::budget::{Account, Kind};
use domain::time::Timestamp;

const STATUS: &str = "SET #status = :status, status_version = :version";
const OLDER: &str = "attribute_exists(pk) AND status_version < :version";

impl Store {
    /// Copies an account's status to its other slices, and a shared campaign's stop to its client's.
    pub async fn copy_status(&self, id: &AccountId, now: Timestamp) -> Result<(), StoreError> {
        let Some(account) = self.account(id).await? else { return Ok(()) };
        let version = account.first.status_version;
        if account.copied >= version {
            return Ok(());
        }
        for slice in 1..account.slices {
            self.until_sent(&keys::slice(id, slice), OLDER, STATUS, &account).await?;
        }
        if account.kind() == Kind::Campaign
            && let Some(client) = &account.parent
        {
            self.copy_stop(client, &account, now).await?;
        }
        let condition = "status_version = :version";
        self.until_sent(&keys::slice(id, 0), condition, "SET copied = :version", &account).await?;
        self.forget_account(id);
        Ok(())
    }

    async fn until_sent(
        &self,
        key: &Key,
        condition: &str,
        expression: &str,
        account: &Account,
    ) -> Result<(), StoreError> {
        let mut effort = Effort::new(self.patience);
        loop {
            let sent = self
                .update(key, |update| {
                    let update = update
                        .update_expression(expression)
                        .condition_expression(condition)
                        .expression_attribute_values(":version", number(account.first.status_version));
                    if expression.contains("#status") {
                        update
                            .expression_attribute_names("#status", "status")
                            .expression_attribute_values(":status", text(account.status().as_str()))
                    } else {
                        update
                    }
                })
                .await?;
            match sent {
                Sent::Done(_) | Sent::Refused(_) => return Ok(()),
                Sent::Busy(why) if !effort.again().await => return Err(StoreError::Contention(why)),
                Sent::Unknown(why) if !effort.again().await => return Err(StoreError::Unavailable(why)),
                Sent::Busy(_) | Sent::Unknown(_) => {}
            }
        }
    }

    /// Puts a campaign's stop on every slice of its client.
    async fn copy_stop(
        &self,
        client: &AccountId,
        campaign: &Account,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let stop = stop_of(campaign, now);
        let first = self.put_stop(client, 0, (&campaign.id, &stop)).await?;
        for slice in 1..first.map_or(1, |account| account.slices) {
            self.put_stop(client, slice, (&campaign.id, &stop)).await?;
        }
        self.forget_account(client);
        Ok(())
    }

    /// Puts a stop on one slice, unless a newer one is there; of the first slice, gives the account as it is then.
    async fn put_stop(
        &self,
        account: &AccountId,
        slice: u8,
        (campaign, stop): (&AccountId, &Stop),
    ) -> Result<Option<Account>, StoreError> {
        let mut effort = Effort::new(self.patience);
        loop {
            let sent = self
                .update(&keys::slice(account, slice), |update| {
                    update
                        .update_expression(
                            "SET stops.#campaign = :stop, stops_version = stops_version + :one",
                        )
                        .condition_expression(
                            "attribute_exists(pk) AND \
                             (attribute_not_exists(stops.#campaign) OR stops.#campaign.v < :version)",
                        )
                        .expression_attribute_names("#campaign", campaign.as_str())
                        .expression_attribute_values(":stop", budget::stop_to_map(stop))
                        .expression_attribute_values(":version", number(stop.version))
                        .expression_attribute_values(":one", number(1))
                })
                .await?;
            match sent {
                Sent::Done(item) | Sent::Refused(item) => {
                    let item = item.filter(|_| slice == 0);
                    return item.map(|item| budget::from_item(&item)).transpose();
                }
                Sent::Busy(why) if !effort.again().await => return Err(StoreError::Contention(why)),
                Sent::Unknown(why) if !effort.again().await => return Err(StoreError::Unavailable(why)),
                Sent::Busy(_) | Sent::Unknown(_) => {}
            }
        }
    }

    /// Adds a slice: empty, with the status and stops of the first. One that was left by a change that was cut short, and
    /// was never used, is made anew.
    pub(crate) async fn add_slice(&self, account: &Account, slice: u8) -> Result<(), StoreError> {
        let item = budget::slice_to_item(&account.id, &added(account, slice));
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(
                "attribute_not_exists(pk) OR (received = :none AND returned = :none AND moved_in = :none)",
            )
            .expression_attribute_values(":none", number(0));
        let put = put.build().map_err(StoreError::built)?;
        let mut effort = Effort::new(self.patience);
        loop {
            let write = TransactWriteItem::builder().put(put.clone()).build();
            match self.transact(vec![write]).await? {
                Sent::Done(_) | Sent::Refused(_) => return Ok(()),
                Sent::Busy(why) if !effort.again().await => return Err(StoreError::Contention(why)),
                Sent::Unknown(why) if !effort.again().await => return Err(StoreError::Unavailable(why)),
                Sent::Busy(_) | Sent::Unknown(_) => {}
            }
        }
    }

    /// Brings the status and stops of every slice up to those of the first: others may have added slices at the same time.
    pub(crate) async fn renew_slices(&self, id: &AccountId) -> Result<(), StoreError> {
        let Some(account) = self.account(id).await? else { return Ok(()) };
        for slice in 1..account.slices {
            self.until_sent(&keys::slice(id, slice), OLDER, STATUS, &account).await?;
            for stop in &account.first.stops {
                self.put_stop(id, slice, stop).await?;
            }
        }
        Ok(())
    }

    /// Takes stops off a slice that every process has learnt of long since.
    pub(crate) async fn drop_old_stops(
        &self,
        account: &AccountId,
        slice: &Slice,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let old = |at: Timestamp| at.plus_seconds(STOP_SECONDS).is_some_and(|until| until <= now);
        for (campaign, stop) in slice.stops.iter().filter(|(_, stop)| old(stop.at)) {
            let sent = self
                .update(&keys::slice(account, slice.number), |update| {
                    update
                        .update_expression("REMOVE stops.#campaign")
                        .condition_expression("stops.#campaign.v = :version")
                        .expression_attribute_names("#campaign", campaign.as_str())
                        .expression_attribute_values(":version", number(stop.version))
                })
                .await?;
            if let Sent::Busy(why) | Sent::Unknown(why) = sent {
                return Err(StoreError::Contention(why));
            }
        }
        Ok(())
    }
}
