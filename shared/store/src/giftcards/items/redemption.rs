//! Item of a redemption.
//!
//! Stored names: `asked` is the supplier's order (`order`).

use crate::budgets::items::budget::{parts_from_map, parts_to_map};
use crate::engine::attr::{Attributes, Item, Reader};
use crate::engine::error::StoreError;
use crate::engine::item::{due, next_check_at};
use crate::giftcards::items::giftcard;
use crate::keys;
use domain::actor::{PerformedBy, Role};
use domain::currency::Currency;
use domain::giftcard::redemption::{CardDelivery, Method, Redemption, RedemptionStatus, SupplierOrder};
use domain::giftcard::{CardSource, Sealed, Supplier};
use domain::ids::budget::{AccountId, AttemptId, BrandId, CardId, RedemptionId};
use domain::ids::{RecipientId, RequestId};
use domain::time::Timestamp;

/// Converts a redemption to its item.
pub(crate) fn to_item(redemption: &Redemption) -> Item {
    let mut set = Attributes::default()
        .text("redemption_id", &redemption.id)
        .text("campaign_id", &redemption.campaign)
        .text("charged", &redemption.charged)
        .text("brand_id", &redemption.brand)
        .number("denomination", redemption.denomination)
        .text("currency", redemption.currency)
        .text("status", redemption.status.as_str())
        .maybe("source", redemption.source.map(CardSource::as_str))
        .number("amount", redemption.amount)
        .number("credit_remaining", redemption.credit_remaining)
        .maybe("recipient_id", redemption.recipient.as_ref())
        .maybe("card_id", redemption.card.as_ref())
        .text("attempt", &redemption.attempt)
        .with("takes", parts_to_map(&redemption.takes))
        .maybe("failure", redemption.failure.as_ref())
        .text("role", redemption.by.role.as_str())
        .text("sub", &redemption.by.sub)
        .text("request", &redemption.request)
        .maybe("ip", redemption.ip.as_ref())
        .maybe("user_agent", redemption.user_agent.as_ref())
        .text("created_at", redemption.created_at)
        .maybe("issued_at", redemption.issued_at);
    if let Some(cost) = redemption.cost {
        set = set.number("cost", cost);
    }
    if let Some(delivery) = &redemption.delivery {
        let map = Attributes::default()
            .text("method", delivery.method.as_str())
            .text("shown", &delivery.shown)
            .with("address", giftcard::sealed(&delivery.address));
        set = set.map(map, "delivery");
    }
    if let Some(order) = &redemption.order {
        let map = Attributes::default()
            .text("supplier", order.supplier.as_str())
            .text("product", &order.product)
            .text("at", order.at)
            .number("tries", order.tries);
        set = set.map(map, "asked");
    }
    let key = keys::redemption(&redemption.id);
    if let Some(next_check_at) = redemption.next_check_at {
        set = due(set, keys::DueKind::Budgets, next_check_at, &key.pk);
    }
    let mut item = set.0;
    item.extend(key.attributes());
    item
}

/// Reads a redemption from its item.
pub(crate) fn from_item(item: &Item) -> Result<Redemption, StoreError> {
    let reader = Reader::new(item, "redemption");
    let delivery = match reader.map("delivery")? {
        Some(map) => Some(CardDelivery {
            method: map.parse("method", Method::parse)?.ok_or_else(|| reader.corrupt("delivery"))?,
            shown: map.text("shown")?.to_owned(),
            address: Sealed(map.bytes("address")?.unwrap_or_default()),
        }),
        None => None,
    };
    let order = match reader.map("asked")? {
        Some(map) => Some(SupplierOrder {
            supplier: map.parse("supplier", Supplier::parse)?,
            product: map.text("product")?.to_owned(),
            at: map.instant("at")?,
            tries: u32::try_from(map.count("tries")?).unwrap_or(u32::MAX),
        }),
        None => None,
    };
    Ok(Redemption {
        id: reader.parse("redemption_id", RedemptionId::parse)?,
        campaign: reader.parse("campaign_id", AccountId::parse)?,
        charged: reader.parse("charged", AccountId::parse)?,
        brand: reader.parse("brand_id", BrandId::parse)?,
        denomination: reader.money("denomination")?,
        currency: reader.parse("currency", Currency::parse)?,
        status: reader.parse("status", RedemptionStatus::parse)?,
        source: reader.maybe("source", CardSource::stored)?,
        cost: if reader.has("cost") { Some(reader.money("cost")?) } else { None },
        amount: reader.money("amount")?,
        credit_remaining: reader.money("credit_remaining")?,
        recipient: reader.maybe("recipient_id", RecipientId::parse)?,
        delivery,
        card: reader.maybe_text("card_id")?.map(CardId::of),
        attempt: AttemptId::stored(reader.text("attempt")?),
        takes: parts_from_map(&reader, "takes")?,
        order,
        failure: reader.maybe_text("failure")?.map(str::to_owned),
        by: PerformedBy { role: reader.parse("role", Role::stored)?, sub: reader.text("sub")?.to_owned() },
        request: RequestId::new(reader.text("request")?),
        ip: reader.maybe_text("ip")?.map(str::to_owned),
        user_agent: reader.maybe_text("user_agent")?.map(str::to_owned),
        created_at: reader.instant("created_at")?,
        issued_at: reader.maybe("issued_at", Timestamp::parse)?,
        next_check_at: next_check_at(&reader)?,
    })
}
