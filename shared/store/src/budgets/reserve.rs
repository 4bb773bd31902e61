//! Reserves credit for an attempt, releases it, and settles attempts.
//!
//! **Invariant:** one plain conditional update reserves credit; it requires that the amount is
//! available, that nothing is stopped, and that the slice has fewer attempts than the maximum.
//! **Invariant:** releasing requires that the attempt is still on the slice, so it happens once.

use super::Budgets;
use crate::budgets::items::budget;
use crate::engine::attr::{Attributes, Item, number, text};
use crate::engine::error::StoreError;
use crate::engine::sent::Sent;
use crate::keys::{self, DueKind};
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::budget::key::LIMIT_SECONDS;
use domain::budget::slice::{Flow, MAX_PENDING, MAX_WAITING, Reserved, Slice};
use domain::cause::Cause;
use domain::ids::budget::{AccountId, AttemptId};
use domain::money::Money;
use domain::time::Timestamp;
use std::collections::BTreeMap;

/// Reservation to make for an attempt.
#[derive(Clone, Debug)]
pub struct Reservation {
    /// Account whose credit is reserved.
    pub account: AccountId,
    /// Campaign that spends the credit.
    pub campaign: AccountId,
    /// Idempotency cause of the spend or transfer.
    pub cause: Cause,
    /// Attempt that owns the reservation.
    pub attempt: AttemptId,
    /// Time of the reservation; it times out after [`LIMIT_SECONDS`].
    pub at: Timestamp,
}

/// Outcome of reserving credit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserve {
    /// Reserved; with the amount that the slice still has available.
    Held(Money),
    /// The slice has too little available, or the maximum number of attempts.
    Short,
    /// The account or the campaign is stopped.
    Stopped,
    /// Not reserved: another request won, or the table throttles.
    Busy(String),
    /// The outcome is unknown; the attempt must not be committed.
    Unknown(String),
}

/// Outcome of moving an attempt to the attempts that wait for a supplier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The attempt is among the waiting ones.
    Set,
    /// The slice has the maximum number of waiting attempts.
    TooMany,
    /// The attempt is no longer on the slice.
    Gone,
}

impl Budgets {
    /// Reserves an amount on a slice; in the same update, settles attempts that this process has
    /// committed there.
    pub async fn reserve(&self, what: &Reservation, slice: u8, amount: Money) -> Result<Reserve, StoreError> {
        let done = self.settlements.take(&what.account, slice);
        let key = keys::slice(&what.account, slice);
        let until = what.at.plus_seconds(LIMIT_SECONDS).unwrap_or(what.at);
        let reserved =
            Reserved { cause: what.cause.clone(), campaign: what.campaign.clone(), amount, at: what.at };
        let reserving = self.table.update(&key, |update| {
            let mut expression = "SET available = available - :amount, pending.#attempt = :reserved, \
                     dpk = if_not_exists(dpk, :dpk), dsk = if_not_exists(dsk, :dsk)"
                .to_owned();
            let mut update = update;
            for (at, attempt) in done.iter().enumerate() {
                expression.push_str(if at == 0 { " REMOVE " } else { ", " });
                expression.push_str("pending.#done");
                expression.push_str(&at.to_string());
                update = update.expression_attribute_names(format!("#done{at}"), attempt.as_str());
            }
            update
                .update_expression(expression)
                .condition_expression(
                    "available >= :amount AND #status = :active AND size(pending) < :most \
                         AND attribute_not_exists(pending.#attempt) \
                         AND (attribute_not_exists(stops.#campaign) OR stops.#campaign.#on = :off)",
                )
                .expression_attribute_names("#attempt", what.attempt.as_str())
                .expression_attribute_names("#status", "status")
                .expression_attribute_names("#campaign", what.campaign.as_str())
                .expression_attribute_names("#on", "on")
                .expression_attribute_values(":amount", number(amount))
                .expression_attribute_values(":reserved", budget::reserved_to_map(&reserved))
                .expression_attribute_values(":dpk", text(keys::due_partition(DueKind::Budgets, &key.pk)))
                .expression_attribute_values(":dsk", text(keys::due(until, &key.pk)))
                .expression_attribute_values(":active", text("active"))
                .expression_attribute_values(":most", number(MAX_PENDING))
                .expression_attribute_values(":off", AttributeValue::Bool(false))
        });
        let (sent, ()) = tokio::join!(reserving, self.settle_elsewhere(&what.account, slice));
        let sent = match sent {
            Ok(Sent::Done(item)) => {
                let left = item.map(|item| budget::slice_from_item(&item, slice)).transpose()?;
                return Ok(Reserve::Held(left.map_or(Money::ZERO, |slice| slice.available)));
            }
            other => other,
        };
        self.settlements.put_back(&what.account, slice, done);
        let sent = sent?;
        let is_full = |found: &Slice| found.pending.len() >= MAX_PENDING;
        Ok(match sent {
            Sent::Refused(None) | Sent::Done(_) => Reserve::Stopped,
            Sent::Refused(Some(item)) => {
                let found = budget::slice_from_item(&item, slice)?;
                if is_full(&found) {
                    self.heat.add(&what.account);
                }
                if found.stops(&what.campaign) { Reserve::Stopped } else { Reserve::Short }
            }
            Sent::Busy(why) => {
                self.heat.add(&what.account);
                Reserve::Busy(why)
            }
            Sent::Unsent(why) => Reserve::Busy(why),
            Sent::Unknown(what) => Reserve::Unknown(what),
        })
    }

    /// Settles attempts that this process has committed on other slices; failed ones are kept for a
    /// later reservation.
    async fn settle_elsewhere(&self, account: &AccountId, slice: u8) {
        let others = self.settlements.take_elsewhere(account, slice);
        let settle = |(account, slice, attempt): (AccountId, u8, AttemptId)| async move {
            let sent = self
                .table
                .update(&keys::slice(&account, slice), |update| {
                    named(update, &attempt)
                        .update_expression("REMOVE pending.#attempt")
                        .condition_expression("attribute_exists(pending.#attempt)")
                })
                .await;
            if !matches!(sent, Ok(Sent::Done(_) | Sent::Refused(_))) {
                self.settlements.put_back(&account, slice, vec![attempt]);
            }
        };
        futures::future::join_all(others.into_iter().map(settle)).await;
    }

    /// Moves an attempt from `pending` to `waiting`, before its supplier order is opened, so that
    /// it does not count against [`MAX_PENDING`].
    pub async fn set_waiting(
        &self,
        account: &AccountId,
        slice: u8,
        attempt: &AttemptId,
    ) -> Result<Waiting, StoreError> {
        let after = self
            .table
            .until_sent(&keys::slice(account, slice), |update| {
                named(update, attempt)
                    .update_expression("SET waiting.#attempt = pending.#attempt REMOVE pending.#attempt")
                    .condition_expression("attribute_exists(pending.#attempt) AND size(waiting) < :most")
                    .expression_attribute_values(":most", number(MAX_WAITING))
            })
            .await?;
        let after = after.map(|item| budget::slice_from_item(&item, slice)).transpose()?;
        Ok(match after {
            Some(slice) if slice.waiting.contains_key(attempt) => Waiting::Set,
            Some(slice) if slice.pending.contains_key(attempt) => Waiting::TooMany,
            // The attempt was fenced, and its reservation released by another request.
            Some(_) | None => Waiting::Gone,
        })
    }

    /// Releases what an attempt has reserved. The attempt must be fenced, must never have been sent
    /// to commit, or its commit must have failed for certain.
    pub async fn release_reservation(
        &self,
        account: &AccountId,
        held: &BTreeMap<u8, Money>,
        attempt: &AttemptId,
    ) -> Result<(), StoreError> {
        for (slice, amount) in held {
            self.clear_attempt(account, *slice, attempt, Some(*amount)).await?;
        }
        Ok(())
    }

    /// Settles a committed attempt: removes it from its slices now.
    pub async fn settle(
        &self,
        account: &AccountId,
        slices: impl IntoIterator<Item = u8>,
        attempt: &AttemptId,
    ) -> Result<(), StoreError> {
        for slice in slices {
            self.clear_attempt(account, slice, attempt, None).await?;
        }
        Ok(())
    }

    /// Removes the committed attempt of a transfer from a slice, and adds the amount to its flow.
    pub(super) async fn count_flow(
        &self,
        account: &AccountId,
        slice: u8,
        attempt: &AttemptId,
        flow: Flow,
        amount: Money,
    ) -> Result<(), StoreError> {
        self.table
            .until_sent(&keys::slice(account, slice), |update| {
                named(update, attempt)
                    .update_expression("SET #flow = #flow + :amount REMOVE pending.#attempt")
                    .condition_expression("attribute_exists(pending.#attempt)")
                    .expression_attribute_names("#flow", flow.as_str())
                    .expression_attribute_values(":amount", number(amount))
            })
            .await
            .map(|_| ())
    }

    /// Queues a committed attempt: the next reservations of this process remove it from its slices.
    pub fn settle_later(
        &self,
        account: &AccountId,
        slices: impl IntoIterator<Item = u8>,
        attempt: &AttemptId,
    ) {
        for slice in slices {
            self.settlements.add(account, slice, attempt.clone());
        }
    }

    /// Removes an attempt, pending or waiting, and makes the amount available again, if one is
    /// given.
    async fn clear_attempt(
        &self,
        account: &AccountId,
        slice: u8,
        attempt: &AttemptId,
        amount: Option<Money>,
    ) -> Result<(), StoreError> {
        for place in ["pending", "waiting"] {
            let after = self.clear_attempt_in(place, account, slice, attempt, amount).await?;
            let after = after.map(|item| budget::slice_from_item(&item, slice)).transpose()?;
            if after.is_none_or(|slice| !slice.waiting.contains_key(attempt)) {
                break;
            }
        }
        Ok(())
    }

    async fn clear_attempt_in(
        &self,
        place: &str,
        account: &AccountId,
        slice: u8,
        attempt: &AttemptId,
        amount: Option<Money>,
    ) -> Result<Option<Item>, StoreError> {
        self.table
            .until_sent(&keys::slice(account, slice), |update| {
                let update = named(update, attempt)
                    .condition_expression("attribute_exists(#place.#attempt)")
                    .expression_attribute_names("#place", place);
                match amount {
                    Some(amount) => update
                        .update_expression("SET available = available + :amount REMOVE #place.#attempt")
                        .expression_attribute_values(":amount", number(amount)),
                    None => update.update_expression("REMOVE #place.#attempt"),
                }
            })
            .await
    }

    /// Schedules the next check of a slice, or removes it from the index `due`.
    pub(crate) async fn schedule_slice_check(
        &self,
        account: &AccountId,
        slice: &Slice,
        next_check_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let key = keys::slice(account, slice.number);
        // An attempt that was added meanwhile has kept the old due time and set none of its own,
        // and a change of status has set a new one; both make this condition fail.
        let (same, was) = match slice.next_check_at {
            Some(at) => (" AND dsk = :was", keys::due(at, &key.pk)),
            None => (" AND attribute_not_exists(dsk)", String::new()),
        };
        let condition = format!(
            "#pending = :pending AND #waiting = :waiting AND status_version = :version AND stops_version = :stops{same}"
        );
        self.table
            .until_sent(&key, |update| {
                let update = update
                    .condition_expression(&condition)
                    .expression_attribute_names("#pending", "pending")
                    .expression_attribute_names("#waiting", "waiting")
                    .expression_attribute_values(":pending", attempts(slice, "pending"))
                    .expression_attribute_values(":waiting", attempts(slice, "waiting"))
                    .expression_attribute_values(":version", number(slice.status_version))
                    .expression_attribute_values(":stops", number(slice.stops_version));
                let update = if was.is_empty() {
                    update
                } else {
                    update.expression_attribute_values(":was", text(&was))
                };
                match next_check_at {
                    Some(at) => update
                        .update_expression("SET dpk = :dpk, dsk = :dsk")
                        .expression_attribute_values(
                            ":dpk",
                            text(keys::due_partition(DueKind::Budgets, &key.pk)),
                        )
                        .expression_attribute_values(":dsk", text(keys::due(at, &key.pk))),
                    None => update.update_expression("REMOVE dpk, dsk"),
                }
            })
            .await
            .map(|_| ())
    }
}

fn named(update: UpdateItemFluentBuilder, attempt: &AttemptId) -> UpdateItemFluentBuilder {
    update.expression_attribute_names("#attempt", attempt.as_str())
}

fn attempts(slice: &Slice, which: &str) -> AttributeValue {
    let of = if which == "pending" { &slice.pending } else { &slice.waiting };
    let maps = of.iter().map(|(id, held)| (id.to_string(), budget::reserved_to_map(held)));
    AttributeValue::M(maps.collect::<Item>())
}

/// Returns the attributes that make an item due at this instant.
pub(crate) fn scheduled_check(pk: &str, at: Timestamp) -> Item {
    Attributes::default()
        .text(keys::DUE_PK, keys::due_partition(DueKind::Budgets, pk))
        .text(keys::DUE_SK, keys::due(at, pk))
        .0
}
