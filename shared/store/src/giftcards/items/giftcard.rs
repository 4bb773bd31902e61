//! Items of brands, pools and cards.

use crate::engine::attr::{Attributes, Item, Reader, number};
use crate::engine::error::StoreError;
use crate::keys;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::currency::Currency;
use domain::fingerprint::Fingerprint;
use domain::giftcard::card::{Card, FreeCard, Part};
use domain::giftcard::{Brand, CardSource, Pool, Sealed, Supplier, SupplierProduct};
use domain::ids::RequestId;
use domain::ids::budget::{BrandId, CardId, PoolId};
use domain::money::Money;
use domain::text::FreeText;
use std::collections::BTreeMap;

/// Converts sealed bytes to an attribute.
pub(crate) fn sealed(sealed: &Sealed) -> AttributeValue {
    AttributeValue::B(Blob::new(sealed.0.clone()))
}

/// Converts a brand to its item.
pub(crate) fn brand_to_item(brand: &Brand) -> Item {
    let prices = brand.prices.iter().map(|(denomination, price)| (denomination.to_string(), number(price)));
    let mut set = Attributes::default()
        .text("brand_id", &brand.id)
        .text("name", brand.name.as_str())
        .text("currency", brand.currency)
        .with("prices", AttributeValue::M(prices.collect()))
        .text("created_at", brand.created_at)
        .text("fp", brand.fingerprint.as_str())
        .text("request", &brand.request);
    if let Some(SupplierProduct { supplier, product }) = &brand.supplier {
        set = set.text("supplier", supplier.as_str()).text("supplier_product_id", product);
    }
    let mut item = set.0;
    item.extend(keys::brand(&brand.id).attributes());
    item
}

/// Reads a brand from its item.
pub(crate) fn brand_from_item(item: &Item) -> Result<Brand, StoreError> {
    let reader = Reader::new(item, "brand");
    let map = reader.map("prices")?.ok_or_else(|| reader.corrupt("prices"))?;
    let price = |name: &str| -> Result<(Money, Money), StoreError> {
        let denomination = name.parse().ok().and_then(|value| Money::try_new(value).ok());
        Ok((denomination.ok_or_else(|| reader.corrupt("prices"))?, map.money(name)?))
    };
    let supplier = match reader.maybe("supplier", Supplier::parse)? {
        Some(supplier) => {
            let product = reader.text("supplier_product_id")?.to_owned();
            Some(SupplierProduct { supplier, product })
        }
        None => None,
    };
    Ok(Brand {
        id: reader.parse("brand_id", BrandId::parse)?,
        name: reader.parse("name", FreeText::parse_stored)?,
        currency: reader.parse("currency", Currency::parse)?,
        prices: map.names().map(price).collect::<Result<BTreeMap<_, _>, _>>()?,
        supplier,
        created_at: reader.instant("created_at")?,
        fingerprint: Fingerprint::stored(reader.text("fp")?),
        request: RequestId::new(reader.text("request")?),
    })
}

/// Converts a pool to its item.
pub(crate) fn pool_to_item(pool: &Pool) -> Item {
    let mut item = Attributes::default()
        .text("pool_id", &pool.id)
        .text("brand_id", &pool.brand)
        .number("denomination", pool.denomination)
        .text("pool_type", pool.source.as_str())
        .number("cost_per_card", pool.cost_per_card)
        .number("low_stock_threshold", pool.low_stock_threshold)
        .number("shards", pool.shards)
        .number("stocked", pool.stocked)
        .text("created_at", pool.created_at)
        .text("fp", pool.fingerprint.as_str())
        .text("request", &pool.request)
        .0;
    item.extend(keys::pool(&pool.id).attributes());
    item
}

/// Reads a pool from its item.
pub(crate) fn pool_from_item(item: &Item) -> Result<Pool, StoreError> {
    let reader = Reader::new(item, "pool");
    let threshold = reader.count("low_stock_threshold")?;
    let stocked = reader.count("stocked")?;
    Ok(Pool {
        id: reader.parse("pool_id", PoolId::parse)?,
        brand: reader.parse("brand_id", BrandId::parse)?,
        denomination: reader.money("denomination")?,
        source: reader.parse("pool_type", CardSource::pool)?,
        cost_per_card: reader.money("cost_per_card")?,
        low_stock_threshold: u32::try_from(threshold).map_err(|_| reader.corrupt("low_stock_threshold"))?,
        shards: u8::try_from(reader.count("shards")?).map_err(|_| reader.corrupt("shards"))?,
        stocked,
        created_at: reader.instant("created_at")?,
        fingerprint: Fingerprint::stored(reader.text("fp")?),
        request: RequestId::new(reader.text("request")?),
    })
}

/// Converts the sealed parts of a code to an attribute.
pub(crate) fn sealed_parts(parts: &BTreeMap<Part, Sealed>) -> AttributeValue {
    let parts = parts.iter().map(|(part, bytes)| (part.as_str().to_owned(), sealed(bytes)));
    AttributeValue::M(parts.collect())
}

/// Reads the sealed parts of a code.
pub(crate) fn to_parts(reader: &Reader<'_>) -> Result<BTreeMap<Part, Sealed>, StoreError> {
    let map = reader.map("parts")?.ok_or_else(|| reader.corrupt("parts"))?;
    let mut parts = BTreeMap::new();
    for part in Part::ALL {
        if let Some(bytes) = map.bytes(part.as_str())? {
            parts.insert(part, Sealed(bytes));
        }
    }
    Ok(parts)
}

/// Converts a card to its item.
pub(crate) fn card_to_item(card: &Card) -> Item {
    let mut item = Attributes::default()
        .text("card_id", &card.id)
        .text("brand_id", &card.brand)
        .number("denomination", card.denomination)
        .maybe("pool_id", card.pool.as_ref())
        .text("source", card.source.as_str())
        .with("parts", sealed_parts(&card.parts))
        .maybe("expires_on", card.expires_on)
        .text("created_at", card.created_at)
        .0;
    item.extend(keys::card(&card.id).attributes());
    item
}

/// Reads a card from its item.
pub(crate) fn card_from_item(item: &Item) -> Result<Card, StoreError> {
    let reader = Reader::new(item, "card");
    Ok(Card {
        id: CardId::of(reader.text("card_id")?),
        brand: reader.parse("brand_id", BrandId::parse)?,
        denomination: reader.money("denomination")?,
        pool: reader.maybe("pool_id", PoolId::parse)?,
        source: reader.parse("source", CardSource::stored)?,
        parts: to_parts(&reader)?,
        expires_on: reader.date("expires_on")?,
        created_at: reader.instant("created_at")?,
    })
}

/// Converts a free card to its item.
pub(crate) fn free_to_item(free: &FreeCard) -> Item {
    let mut item = Attributes::default().number("cost", free.cost).0;
    item.extend(keys::free_card(free).attributes());
    item
}
