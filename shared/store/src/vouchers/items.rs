//! Items of vouchers, their codes, and purchases.
//!
//! **Invariant:** a document is read only under its own key and version.

use crate::engine::attr::{Attributes, Item, Reader, number};
use crate::engine::document::{document, read_document};
use crate::engine::error::StoreError;
use crate::engine::read::key_of;
use crate::giftcards::items::giftcard::{sealed, sealed_parts, to_parts};
use crate::keys::{self, DueKind};
use aws_sdk_dynamodb::types::{AttributeValue, Update};
use domain::giftcard::Sealed;
use domain::ids::budget::CardId;
use domain::ids::{CustomerId, VoucherId, VoucherPurchaseId};
use domain::vouchers::audit::StoredCount;
use domain::vouchers::bought::VoucherPurchase;
use domain::vouchers::code::{FreeCode, VoucherCode};
use domain::vouchers::voucher::Voucher;

/// Converts a new voucher to its item.
pub(crate) fn voucher_to_item(voucher: &Voucher) -> Result<Item, StoreError> {
    let attributes = Attributes::default()
        .text("document", document(voucher)?)
        .number("shards", voucher.shards)
        .number("version", voucher.version);
    let mut item = attributes.0;
    item.extend(keys::voucher(&voucher.id).attributes());
    Ok(item)
}

/// Returns the update of a changed voucher, which leaves the number of its partitions as it is.
pub(crate) fn voucher_update(table: &str, voucher: &Voucher, was: u64) -> Result<Update, StoreError> {
    let update = Update::builder()
        .table_name(table)
        .set_key(Some(keys::voucher(&voucher.id).attributes()))
        .update_expression("SET #document = :document, #version = :version")
        .condition_expression("#version = :was")
        .expression_attribute_names("#document", "document")
        .expression_attribute_names("#version", "version")
        .expression_attribute_values(":document", AttributeValue::S(document(voucher)?))
        .expression_attribute_values(":version", number(voucher.version))
        .expression_attribute_values(":was", number(was));
    update.build().map_err(StoreError::built)
}

/// Reads a voucher from its item.
pub(crate) fn voucher_from_item(item: &Item) -> Result<Voucher, StoreError> {
    let reader = Reader::new(item, "voucher");
    let voucher: Option<Voucher> = read_document(reader.text("document")?);
    let shards = u8::try_from(reader.count("shards")?).map_err(|_| reader.corrupt("shards"))?;
    let voucher = voucher.map(|voucher| Voucher { shards, ..voucher });
    let voucher = voucher.ok_or_else(|| reader.corrupt("document"))?;
    let version = reader.count("version")?;
    let is_own = key_of(item) == Some(keys::voucher(&voucher.id)) && version == voucher.version;
    if is_own { Ok(voucher) } else { Err(reader.corrupt("document")) }
}

/// Converts a code to its item.
pub(crate) fn code_to_item(code: &VoucherCode) -> Item {
    let mut item = Attributes::default()
        .text("card_id", &code.id)
        .text("voucher_id", &code.voucher)
        .with("parts", sealed_parts(&code.parts))
        .maybe("expires_on", code.expires_on)
        .text("created_at", code.created_at)
        .maybe("purchase_id", code.sold_to.as_ref())
        .0;
    item.extend(keys::card(&code.id).attributes());
    item
}

/// Reads a code from its item.
pub(crate) fn code_from_item(item: &Item) -> Result<VoucherCode, StoreError> {
    let reader = Reader::new(item, "code of a voucher");
    Ok(VoucherCode {
        id: CardId::of(reader.text("card_id")?),
        voucher: reader.parse("voucher_id", VoucherId::parse)?,
        parts: to_parts(&reader)?,
        expires_on: reader.date("expires_on")?,
        created_at: reader.instant("created_at")?,
        sold_to: reader.maybe("purchase_id", VoucherPurchaseId::parse)?,
    })
}

/// Converts a free code to its item.
pub(crate) fn free_to_item(free: &FreeCode) -> Item {
    keys::free_code(free).attributes()
}

/// Reads a free code from its item.
pub(crate) fn free_from_item(item: &Item, voucher: &VoucherId, shard: u8) -> Option<FreeCode> {
    let (card, expires_on) = keys::free_card_of(item.get(keys::SK)?.as_s().ok()?)?;
    Some(FreeCode { voucher: voucher.clone(), shard, card, expires_on })
}

/// Converts a purchase to its item.
pub(crate) fn purchase_to_item(purchase: &VoucherPurchase) -> Result<Item, StoreError> {
    let attributes =
        Attributes::default().text("document", document(purchase)?).number("version", purchase.version);
    let mut item = attributes.0;
    item.extend(keys::voucher_purchase(&purchase.id).attributes());
    Ok(item)
}

/// Reads a purchase from its item.
pub(crate) fn purchase_from_item(item: &Item) -> Result<VoucherPurchase, StoreError> {
    let reader = Reader::new(item, "bought voucher");
    let purchase: Option<VoucherPurchase> = read_document(reader.text("document")?);
    let purchase = purchase.ok_or_else(|| reader.corrupt("document"))?;
    let is_own = key_of(item) == Some(keys::voucher_purchase(&purchase.id))
        && reader.count("version")? == purchase.version;
    if is_own { Ok(purchase) } else { Err(reader.corrupt("document")) }
}

/// Converts a purchase to its item in the list of its customer.
pub(crate) fn listed_to_item(purchase: &VoucherPurchase) -> Item {
    let mut item =
        Attributes::default().text("purchase_id", &purchase.id).text("voucher_id", &purchase.voucher).0;
    item.extend(keys::bought_voucher(&purchase.user, purchase.created_at, &purchase.id).attributes());
    item
}

/// Reads the purchase and the voucher from an item of the list of a customer.
pub(crate) fn listed_from_item(item: &Item) -> Result<(VoucherPurchaseId, VoucherId), StoreError> {
    let reader = Reader::new(item, "bought voucher in a list");
    let purchase = reader.parse("purchase_id", VoucherPurchaseId::parse)?;
    Ok((purchase, reader.parse("voucher_id", VoucherId::parse)?))
}

/// Converts a count of what a customer has bought to its item.
pub(crate) fn count_to_item(count: &StoredCount, version: u64) -> Item {
    let mut item = Attributes::default()
        .text("user_id", &count.user)
        .text("voucher_id", &count.voucher)
        .number("limit_number", count.limit_number)
        .number("bought", count.bought)
        .number("version", version)
        .0;
    item.extend(keys::bought_count(&count.user, &count.voucher).attributes());
    item
}

/// Reads such a count, and its version.
pub(crate) fn count_from_item(item: &Item) -> Result<(StoredCount, u64), StoreError> {
    let reader = Reader::new(item, "count of bought vouchers");
    let small = |name: &str| u32::try_from(reader.count(name)?).map_err(|_| reader.corrupt(name));
    let count = StoredCount {
        user: reader.parse("user_id", CustomerId::parse)?,
        voucher: reader.parse("voucher_id", VoucherId::parse)?,
        limit_number: small("limit_number")?,
        bought: small("bought")?,
    };
    Ok((count, reader.count("version")?))
}

/// Returns the item of the queued message to the customer, if the code is sent.
pub(crate) fn outbox_to_item(purchase: &VoucherPurchase, address: &Sealed) -> Option<Item> {
    let delivery = purchase.delivery.as_ref()?;
    let key = keys::voucher_outbox(&purchase.id, delivery.method);
    let mut item = Attributes::default()
        .text("purchase_id", &purchase.id)
        .text("user_id", &purchase.user)
        .text("method", delivery.method.as_str())
        .with("address", sealed(address))
        .text("status", "QUEUED")
        .text("created_at", purchase.created_at)
        .text(keys::DUE_PK, keys::due_partition(DueKind::Notices, &key.pk))
        .text(keys::DUE_SK, keys::due(purchase.created_at, &key.pk))
        .0;
    item.extend(key.attributes());
    Some(item)
}
