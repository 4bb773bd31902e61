//! What an account of points, its entries and its locks have beyond those of wallets.
//!
//! Stored names: `pending` are lots with `on`, the date on which they become available; `spend` maps `YYDDD` (year and
//! day of the year) to an amount.

use crate::engine::attr::{Attributes, Reader, number, text};
use crate::engine::error::StoreError;
use crate::ledger::items::{lot, owed};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::currency::Currency;
use domain::ids::{BookingId, HoldId, LoyaltyCampaignId, PaymentId, RefundId, VoucherPurchaseId};
use domain::ledger::points::{
    LockTerms, Pending, PendingLot, PointsMove, PointsPart, RulesUsed, SpendMove, Worth,
};
use domain::ledger::spend::SpendMap;
use domain::parse::ParseError;
use domain::text::FreeText;
use domain::time::{Date, parse_date};
use rust_decimal::Decimal;

fn pending_list<'a>(pending: impl Iterator<Item = &'a PendingLot>) -> AttributeValue {
    let map = |pending: &PendingLot| {
        AttributeValue::M(lot::to_map(&pending.lot).text("on", pending.available_on).0)
    };
    AttributeValue::L(pending.map(map).collect())
}

fn pending_from(reader: &Reader<'_>) -> Result<Vec<PendingLot>, StoreError> {
    let pending = |map: Reader<'_>| {
        Ok(PendingLot { available_on: map.parse("on", parse_date)?, lot: lot::from_map(&map)? })
    };
    reader.readers("pending")?.into_iter().map(pending).collect()
}

/// Writes a date as its year of the century and day: `26333`.
fn day_text(date: Date) -> String {
    date.format("%y%j").to_string()
}

fn parse_day(text: &str) -> Result<Date, ParseError> {
    Date::parse_from_str(&format!("20{text}"), "%Y%j").map_err(|_| ParseError("is not a day"))
}

/// Adds what only an account of points has.
pub(crate) fn add_part(attributes: Attributes, part: &PointsPart) -> Attributes {
    let spend = part.spend.dates().map(|(date, amount)| (day_text(date), number(amount)));
    let attributes = attributes
        .with("pending", pending_list(part.pending.iter()))
        .number("pending_sum", part.pending.total())
        .with("spend", AttributeValue::M(spend.collect()))
        .number("lifetime", part.lifetime);
    match part.earned_on {
        Some((date, sum)) => {
            attributes.map(Attributes::default().text("on", date).number("sum", sum), "earned_on")
        }
        None => attributes,
    }
}

/// Reads what only an account of points has.
pub(crate) fn part_from(reader: &Reader<'_>) -> Result<PointsPart, StoreError> {
    let amounts = reader.map("spend")?.ok_or_else(|| reader.corrupt("spend"))?;
    let spend = amounts.names().map(|day| {
        let date = parse_day(day).map_err(|_| reader.corrupt("spend"))?;
        Ok((date, amounts.money(day)?))
    });
    let earned_on = reader.map("earned_on")?;
    let earned_on =
        earned_on.map(|map| Ok::<_, StoreError>((map.parse("on", parse_date)?, map.money("sum")?)));
    let part = PointsPart {
        pending: Pending::new(pending_from(reader)?).ok_or_else(|| reader.corrupt("pending"))?,
        spend: SpendMap::stored(spend.collect::<Result<_, StoreError>>()?),
        lifetime: reader.money("lifetime")?,
        earned_on: earned_on.transpose()?,
    };
    let sum = reader.money("pending_sum")?;
    if sum == part.pending.total() {
        Ok(part)
    } else {
        Err(reader.corrupt("pending_sum: not the sum of its lots"))
    }
}

/// Converts what a movement of points changes to attributes.
pub(crate) fn move_to_map(moved: &PointsMove) -> Attributes {
    let mut map = Attributes::default()
        .number("pending_after", moved.pending_after)
        .number("lifetime", moved.lifetime)
        .maybe("available_on", moved.available_on)
        .maybe("booking_id", moved.booking_id.as_ref())
        .maybe("payment_id", moved.payment_id.as_ref())
        .maybe("refund_id", moved.refund_id.as_ref())
        .maybe("redemption", moved.redemption.as_ref())
        .maybe("voucher_purchase_id", moved.voucher_purchase_id.as_ref())
        .maybe("description", moved.description.as_ref().map(FreeText::as_str));
    if let Some(worth) = moved.worth {
        map = map.number("point_value", worth.each).text("currency", worth.currency);
    }
    if !moved.pending.is_empty() {
        map = map.with("pending", pending_list(moved.pending.iter()));
    }
    if let Some(spend) = moved.spend {
        map = map.map(Attributes::default().number("amount", spend.amount).text("on", spend.on), "spend");
    }
    if let Some(change) = &moved.owed {
        map = map.map(owed::change_to_map(change), "owed");
    }
    if let Some(rules) = &moved.rules {
        let campaigns = rules.campaigns.iter().map(|(id, version)| (id.clone(), number(version)));
        let rules = Attributes::default()
            .number("program", rules.program_version)
            .text("tier", &rules.tier)
            .with("campaigns", AttributeValue::M(campaigns.collect()))
            .with("order", AttributeValue::L(rules.campaigns.iter().map(|(id, _)| text(id)).collect()));
        map = map.map(rules, "rules");
    }
    if let Some((from, to)) = &moved.tier_change {
        map = map.map(Attributes::default().text("from", from).text("to", to), "tier_change");
    }
    match moved.step {
        Some(step) => map.number("step", step),
        None => map,
    }
}

fn small(reader: &Reader<'_>, name: &str) -> Result<u32, StoreError> {
    u32::try_from(reader.count(name)?).map_err(|_| reader.corrupt(name))
}

fn rules_from(map: &Reader<'_>) -> Result<RulesUsed, StoreError> {
    let versions = map.map("campaigns")?.ok_or_else(|| map.corrupt("campaigns"))?;
    let campaigns = map.texts("order")?.into_iter().map(|id| Ok((id.to_owned(), small(&versions, id)?)));
    Ok(RulesUsed {
        program_version: small(map, "program")?,
        tier: map.text("tier")?.to_owned(),
        campaigns: campaigns.collect::<Result<_, StoreError>>()?,
    })
}

/// Reads what a movement of points changes.
pub(crate) fn move_from(map: &Reader<'_>) -> Result<PointsMove, StoreError> {
    let worth = match map.maybe("currency", Currency::parse)? {
        Some(currency) => Some(Worth { each: map.money("point_value")?.value(), currency }),
        None => None,
    };
    let spend = map.map("spend")?;
    let spend = spend.map(|spend| {
        Ok::<_, StoreError>(SpendMove { amount: spend.money("amount")?, on: spend.parse("on", parse_date)? })
    });
    let change = map.map("tier_change")?;
    let change = change.map(|c| Ok::<_, StoreError>((c.text("from")?.to_owned(), c.text("to")?.to_owned())));
    let pending = if map.has("pending") { pending_from(map)? } else { vec![] };
    Ok(PointsMove {
        worth,
        pending,
        pending_after: map.money("pending_after")?,
        available_on: map.date("available_on")?,
        spend: spend.transpose()?,
        lifetime: map.money("lifetime")?,
        owed: map.map("owed")?.map(|owed| owed::change_from_map(&owed)).transpose()?,
        booking_id: map.maybe("booking_id", BookingId::parse)?,
        payment_id: map.maybe("payment_id", PaymentId::parse)?,
        refund_id: map.maybe("refund_id", RefundId::parse)?,
        redemption: map.maybe("redemption", HoldId::parse_stored)?,
        voucher_purchase_id: map.maybe("voucher_purchase_id", VoucherPurchaseId::parse)?,
        description: map.maybe("description", FreeText::parse_stored)?,
        rules: map.map("rules")?.map(|rules| rules_from(&rules)).transpose()?,
        tier_change: change.transpose()?,
        step: if map.has("step") { Some(small(map, "step")?) } else { None },
    })
}

/// Converts what points were locked for to attributes.
pub(crate) fn lock_to_map(lock: &LockTerms) -> Attributes {
    let map = Attributes::default()
        .text("booking_id", &lock.booking_id)
        .text("currency", lock.currency)
        .number("point_value", lock.point_value)
        .number("charge", lock.charge)
        .number("coupon_discount", lock.coupon_discount)
        .maybe("campaign_id", lock.campaign_id.as_ref())
        .number("program", lock.program_version)
        .number("returned", lock.returned)
        .number("owed", lock.owed);
    let map = map.text("created_at", lock.created_at);
    let flags = [("late", lock.late), ("revocable", lock.revocable)];
    flags
        .into_iter()
        .filter(|(_, is_set)| *is_set)
        .fold(map, |map, (name, _)| map.with(name, AttributeValue::Bool(true)))
}

/// Reads what points were locked for.
pub(crate) fn lock_from(map: &Reader<'_>) -> Result<LockTerms, StoreError> {
    let decimal = |name: &str| -> Result<Decimal, StoreError> { Ok(map.money(name)?.value()) };
    Ok(LockTerms {
        booking_id: map.parse("booking_id", BookingId::parse)?,
        currency: map.parse("currency", Currency::parse)?,
        point_value: decimal("point_value")?,
        charge: map.money("charge")?,
        coupon_discount: map.money("coupon_discount")?,
        campaign_id: map.maybe("campaign_id", LoyaltyCampaignId::parse)?,
        program_version: small(map, "program")?,
        returned: map.money("returned")?,
        owed: map.money("owed")?,
        late: map.has("late"),
        created_at: map.instant("created_at")?,
        revocable: map.has("revocable"),
    })
}
