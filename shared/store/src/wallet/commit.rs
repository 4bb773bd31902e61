//! One transaction: all writes of a decision under their conditions, and what became of it.
//!
//! **Invariant:** [`Sent::Unknown`] is answered whenever the writes may have been applied without our knowing;
//! every other answer is certain.
//! **Invariant:** of several reasons for a cancellation the decisive one is told: an entry or a wallet that is
//! already there, before a state that has moved, before a conflict or throttling.

use crate::Store;
use crate::alerts::items::alert;
use crate::engine::attr::{Attributes, Item, number};
use crate::engine::error::StoreError;
use crate::keys;
use crate::payments::items::{gateway_ref, topup, webhook_event};
use crate::wallet::items::{account, entry, hold, order, owed, status};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    CancellationReason, Delete, Put, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use domain::ledger::decision::{Refused, Write};
use domain::ledger::entry::Entry;

/// What became of a transaction.
#[derive(Debug)]
pub(crate) enum Sent {
    /// Applied.
    Committed,
    /// Not applied: a condition did not hold. For a cause, the entry that was found.
    Refused(Refused, Option<Box<Entry>>),
    /// Not applied: others were quicker, or the table throttles. Try again.
    Busy(String),
    /// Perhaps applied.
    Unknown(String),
}

impl Store {
    /// Sends the writes as one transaction, once.
    pub(crate) async fn send(&self, writes: &[Write]) -> Result<Sent, StoreError> {
        let items = writes.iter().map(|write| self.item(write)).collect::<Result<Vec<_>, _>>()?;
        let report = self.meter.as_ref().map(|_| ReturnConsumedCapacity::Total);
        let request = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .set_return_consumed_capacity(report);
        match request.send().await {
            Ok(output) => {
                if let Some(meter) = &self.meter {
                    meter.written(output.consumed_capacity());
                }
                Ok(Sent::Committed)
            }
            Err(error) => {
                if let Some(meter) = &self.meter {
                    meter.written(&[]);
                }
                classify(&error, writes)
            }
        }
    }

    fn item(&self, write: &Write) -> Result<TransactWriteItem, StoreError> {
        let table = &self.table;
        Ok(match write {
            Write::OpenAccount(opened) => put(self.new_item(account::to_item(opened), false)?),
            Write::Account { account, was } => change(account::to_update(table, account, *was)?),
            Write::Entry(posted) => put(self.new_item(entry::to_item(posted), true)?),
            Write::PlaceHold(placed) => put(self.new_item(hold::to_item(placed), false)?),
            Write::Hold { hold, was } => change(hold::to_update(table, hold, *was)?),
            Write::OpenOrder(opened) => put(self.new_item(order::to_item(opened), false)?),
            Write::Order { order, was } => change(order::to_update(table, order, *was)?),
            Write::OwedRecord { customer, version, at, change } => {
                put(self.new_item(owed::to_item(customer, *version, *at, change), false)?)
            }
            Write::OpenTopUp(opened) => put(self.new_item(topup::to_item(opened), false)?),
            Write::TopUp { topup, was } => change(topup::to_update(table, topup, *was)?),
            Write::Event { event, body, was: 0 } => {
                put(self.new_item(webhook_event::to_item(event, body), false)?)
            }
            Write::Event { event, was, .. } => change(webhook_event::to_update(table, event, *was)?),
            Write::Lead { lead, was: 0 } => put(self.new_item(gateway_ref::to_item(lead), false)?),
            Write::Lead { lead, was } => change(gateway_ref::to_update(table, lead, *was)?),
            Write::Alert(alert) => put(self.any_item(alert::to_item(alert))?),
            Write::List(listing) => put(self.any_item(keys::listing(listing).attributes())?),
            Write::DropTopUp { id, was } => self.delete(&keys::topup(id), Some(*was))?,
            Write::DropLead { handle, was } => self.delete(&keys::lead(handle), Some(*was))?,
            Write::Unlist(listing) => self.delete(&keys::listing(listing), None)?,
            Write::ListOrder { customer, order, at } => {
                let mut item = Attributes::default().text("customer_id", customer).text("order_id", order).0;
                item.extend(keys::listed_order(customer, *at, order).attributes());
                put(self.new_item(item, false)?)
            }
            Write::ReferralCode { code, customer } => {
                let mut item = Attributes::default().text("customer_id", customer).0;
                item.extend(keys::referral(code).attributes());
                put(self.new_item(item, false)?)
            }
            Write::StatusRecord { customer, version, change } => {
                put(self.new_item(status::to_item(customer, *version, change), false)?)
            }
        })
    }

    /// An item that is written whatever was there: what guards it is written with it.
    fn any_item(&self, item: Item) -> Result<Put, StoreError> {
        Put::builder().table_name(&self.table).set_item(Some(item)).build().map_err(StoreError::built)
    }

    /// Deletes an item, if it still has this version.
    fn delete(&self, key: &keys::Key, was: Option<u64>) -> Result<TransactWriteItem, StoreError> {
        let mut delete = Delete::builder().table_name(&self.table).set_key(Some(key.attributes()));
        if let Some(was) = was {
            delete = delete
                .condition_expression("#version = :was")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":was", number(was));
        }
        let delete = delete.build().map_err(StoreError::built)?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    fn new_item(&self, item: Item, show_found: bool) -> Result<Put, StoreError> {
        let show = show_found.then_some(ReturnValuesOnConditionCheckFailure::AllOld);
        Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .set_return_values_on_condition_check_failure(show)
            .build()
            .map_err(StoreError::built)
    }
}

fn put(put: Put) -> TransactWriteItem {
    TransactWriteItem::builder().put(put).build()
}

fn change(update: Update) -> TransactWriteItem {
    TransactWriteItem::builder().update(update).build()
}

type WriteError = SdkError<TransactWriteItemsError, HttpResponse>;

fn classify(error: &WriteError, writes: &[Write]) -> Result<Sent, StoreError> {
    if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() {
        return cancelled_by(cancelled.cancellation_reasons(), writes);
    }
    let (what, kind) = describe(error);
    match kind {
        Kind::Busy => Ok(Sent::Busy(what)),
        Kind::Unknown => Ok(Sent::Unknown(what)),
        Kind::Refused => Err(StoreError::Unavailable(what)),
    }
}

fn cancelled_by(reasons: &[CancellationReason], writes: &[Write]) -> Result<Sent, StoreError> {
    let mut decisive: Option<(u8, Refused, Option<Box<Entry>>)> = None;
    let mut busy = None;
    for (reason, write) in reasons.iter().zip(writes) {
        match reason.code().unwrap_or("None") {
            "None" => {}
            "ConditionalCheckFailed" => {
                let refused = write.refused();
                let rank = match refused {
                    Refused::Caused => 0,
                    Refused::Opened => 1,
                    Refused::Stale => 2,
                    Refused::CodeTaken => 3,
                };
                if decisive.as_ref().is_none_or(|(least, ..)| rank < *least) {
                    let found = reason.item().filter(|_| refused == Refused::Caused);
                    let found = found.map(entry::from_item).transpose()?.map(Box::new);
                    decisive = Some((rank, refused, found));
                }
            }
            "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded" => {
                busy = reason.code();
            }
            other => {
                let text = reason.message().unwrap_or_default();
                return Err(StoreError::Unavailable(format!("transaction cancelled: {other} {text}")));
            }
        }
    }
    Ok(match (decisive, busy) {
        (Some((_, refused, found)), _) => Sent::Refused(refused, found),
        (None, Some(code)) => Sent::Busy(code.to_owned()),
        (None, None) => Sent::Busy("cancelled without a reason".to_owned()),
    })
}

/// How to take a failed request.
pub(crate) enum Kind {
    /// Certainly not applied; try again.
    Busy,
    /// Perhaps applied (a read: not answered); try again.
    Unknown,
    /// Certainly not applied, and trying again would not help.
    Refused,
}

/// A failed request in words for the log, and how to take it.
pub(crate) fn describe<E>(error: &SdkError<E, HttpResponse>) -> (String, Kind)
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let what = |detail: &str| format!("{detail}: {}", innermost(error));
    match error {
        SdkError::ConstructionFailure(_) => (what("request not sent"), Kind::Refused),
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let code = service.err().code().unwrap_or("unknown");
            let kind = match code {
                "ThrottlingException"
                | "ProvisionedThroughputExceededException"
                | "RequestLimitExceeded"
                | "TransactionConflictException"
                | "TransactionCanceledException" => Kind::Busy,
                "TransactionInProgressException" => Kind::Unknown,
                // A 2xx that cannot be read was applied, for all we know.
                _ if !(300..500).contains(&status) => Kind::Unknown,
                _ => Kind::Refused,
            };
            (what(&format!("{status} {code}")), kind)
        }
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) | _ => {
            (what("no reply"), Kind::Unknown)
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
