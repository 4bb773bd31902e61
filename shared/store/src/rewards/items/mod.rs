//! Items of rewards, claims and referrals.

use crate::engine::attr::{Attributes, Item, Reader};
use crate::engine::document::{document, read_document};
use crate::engine::error::StoreError;
use crate::engine::item::due;
use crate::engine::read::key_of;
use crate::keys::{self, DueKind};
use crate::wallet::items::order::reports_attributes;
use domain::ids::{CustomerId, OrderId, RequestId, RewardId, TransactionId};
use domain::ledger::entry::Entry;
use domain::money::Money;
use domain::rewards::delivery::OrderRecord;
use domain::rewards::program::ReferralProgram;
use domain::rewards::reward::{FreeUse, Reward};
use domain::rewards::state::{ReferralRecord, ReferralReversal, ReversedClaim};
use domain::time::Timestamp;

/// Converts a reward to its item.
pub(crate) fn reward_to_item(reward: &Reward) -> Result<Item, StoreError> {
    let attributes =
        Attributes::default().text("document", document(reward)?).number("version", reward.version);
    let mut item = attributes.0;
    item.extend(keys::reward(&reward.id).attributes());
    Ok(item)
}

/// Reads a reward from its item.
pub(crate) fn reward_from_item(item: &Item) -> Result<Reward, StoreError> {
    let reader = Reader::new(item, "reward");
    let reward: Option<Reward> = read_document(reader.text("document")?);
    let reward = reward.ok_or_else(|| reader.corrupt("document"))?;
    let is_own = key_of(item) == Some(keys::reward(&reward.id)) && reader.count("version")? == reward.version;
    if is_own { Ok(reward) } else { Err(reader.corrupt("document")) }
}

/// Converts a free use to its item.
pub(crate) fn free_to_item(free: &FreeUse) -> Item {
    keys::free_use(free).attributes()
}

/// Reads the number of a free use from its item.
pub(crate) fn free_number(item: &Item) -> Option<u64> {
    item.get(keys::SK)?.as_s().ok()?.parse().ok()
}

/// Converts a version of the referral program to its item.
pub(crate) fn program_to_item(program: &ReferralProgram, request: &RequestId) -> Result<Item, StoreError> {
    let attributes = Attributes::default().text("document", document(program)?).text("request", request);
    let mut item = attributes.0;
    item.extend(keys::referral_version(program.version).attributes());
    Ok(item)
}

/// Reads a version of the referral program.
pub(crate) fn program_from_item(item: &Item) -> Result<ReferralProgram, StoreError> {
    let reader = Reader::new(item, "version of the referral program");
    read_document(reader.text("document")?).ok_or_else(|| reader.corrupt("document"))
}

/// A claim, as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedClaim {
    /// Who claimed.
    pub customer: CustomerId,
    /// The credit.
    pub transaction: TransactionId,
    /// The order that proved a purchase.
    pub order: Option<OrderId>,
    /// What was credited.
    pub amount: Money,
    /// When.
    pub at: Timestamp,
    /// The least purchase for which the reward was then.
    pub least: Money,
}

/// Converts a claim to its item in the list of its reward.
pub(crate) fn claim_to_item(reward: &RewardId, entry: &Entry, least: Money) -> Item {
    let customer = entry.account.customer();
    let mut item = Attributes::default()
        .text("customer_id", customer)
        .text("transaction_id", entry.id())
        .maybe("order_id", entry.order_id.as_ref())
        .number("amount", entry.amount)
        .number("least", least)
        .text("at", entry.at)
        .0;
    item.extend(keys::listed_claim(reward, customer, entry.at).attributes());
    item
}

/// Reads a claim from the list of its reward.
pub(crate) fn claim_from_item(item: &Item) -> Result<ListedClaim, StoreError> {
    let reader = Reader::new(item, "claim");
    Ok(ListedClaim {
        customer: reader.parse("customer_id", CustomerId::parse)?,
        transaction: TransactionId::stored(reader.text("transaction_id")?),
        order: reader.maybe("order_id", OrderId::parse_stored)?,
        amount: reader.money("amount")?,
        at: reader.instant("at")?,
        least: reader.money("least")?,
    })
}

/// Converts the record of a reversed claim to its item.
pub(crate) fn reversed_to_item(reversed: &ReversedClaim) -> Item {
    let mut item = Attributes::default()
        .text("customer_id", &reversed.customer)
        .text("order_id", &reversed.order)
        .number("amount", reversed.amount)
        .text("at", reversed.at)
        .text("is_taken", reversed.is_taken)
        .number("number", reversed.number)
        .number("version", reversed.version)
        .0;
    item.extend(keys::reversed_claim(&reversed.customer, &reversed.reward).attributes());
    item
}

/// Reads the record of a reversed claim from its item.
pub(crate) fn reversed_from_item(item: &Item, reward: &RewardId) -> Result<ReversedClaim, StoreError> {
    let reader = Reader::new(item, "reversed claim");
    Ok(ReversedClaim {
        customer: reader.parse("customer_id", CustomerId::parse)?,
        reward: reward.clone(),
        order: reader.parse("order_id", OrderId::parse_stored)?,
        amount: reader.money("amount")?,
        at: reader.instant("at")?,
        is_taken: reader.text("is_taken")? == "true",
        number: u32::try_from(reader.count("number")?).unwrap_or(u32::MAX),
        version: reader.count("version")?,
    })
}

/// Converts the record of a referral to its item.
pub(crate) fn referral_to_item(record: &ReferralRecord) -> Item {
    let reversed = record.reversed.as_ref().map(|reversed| {
        Attributes::default()
            .text("at", reversed.at)
            .text("request", &reversed.request)
            .number("count", reversed.referral_count)
    });
    let mut item = Attributes::default()
        .text("customer_id", &record.referred)
        .text("referrer_id", &record.referrer)
        .text("at", record.at)
        .number("referrer_bonus", record.referrer_bonus)
        .number("referred_bonus", record.referred_bonus)
        .number("count", record.referral_count)
        .number("version", record.version)
        .maybe_map("reversed", reversed)
        .0;
    item.extend(keys::referral_record(&record.referred).attributes());
    item
}

/// Reads the record of a referral from its item.
pub(crate) fn referral_from_item(item: &Item) -> Result<ReferralRecord, StoreError> {
    let reader = Reader::new(item, "record of a referral");
    let reversed = match reader.map("reversed")? {
        Some(reversed) => Some(ReferralReversal {
            at: reversed.instant("at")?,
            request: RequestId::new(reversed.text("request")?),
            referral_count: reversed.count("count")?,
        }),
        None => None,
    };
    Ok(ReferralRecord {
        referred: reader.parse("customer_id", CustomerId::parse)?,
        referrer: reader.parse("referrer_id", CustomerId::parse)?,
        at: reader.instant("at")?,
        referrer_bonus: reader.money("referrer_bonus")?,
        referred_bonus: reader.money("referred_bonus")?,
        referral_count: reader.count("count")?,
        reversed,
        version: reader.count("version")?,
    })
}

/// Converts what was reported of an order to its item.
pub(crate) fn order_record_to_item(record: &OrderRecord) -> Result<Item, StoreError> {
    let mut attributes = reports_attributes(&record.reports()).text("document", document(record)?);
    // What is registered meanwhile leaves the index when the monitor looks at it.
    if let Some(at) = record.alert_at.filter(|_| record.delivered.is_none()) {
        attributes = due(attributes, DueKind::Parked, at, &keys::order_reports(&record.order).pk);
    }
    let mut item = attributes.maybe("customer_id", record.customer.as_ref()).0;
    item.extend(keys::order_reports(&record.order).attributes());
    Ok(item)
}

/// Reads what was reported of an order.
pub(crate) fn order_record_from_item(item: &Item) -> Result<OrderRecord, StoreError> {
    let reader = Reader::new(item, "reports of an order");
    let record: Option<OrderRecord> = read_document(reader.text("document")?);
    let record = record.ok_or_else(|| reader.corrupt("document"))?;
    let is_own = key_of(item) == Some(keys::order_reports(&record.order))
        && reader.count("version")? == record.version;
    if is_own { Ok(record) } else { Err(reader.corrupt("document")) }
}
