//! Brands: added and listed.
//!
//! **Invariant:** a brand's denominations and prices never change: what was sold was sold for what the entry says.

use crate::{Desk, permit_catalogue};
use axum::extract::State;
use axum::response::Response;
use domain::budget::ids::BrandId;
use domain::cause::{Cause, Operation};
use domain::currency::Currency;
use domain::fingerprint::Fingerprint;
use domain::giftcard::{Brand, Supplier};
use domain::ids::SupplierProductId;
use domain::money::{Amount, Money};
use domain::parse::ParseError;
use domain::text::FreeText;
use edge::json::{Number, amount_schema};
use edge::reply::How;
use edge::{Ask, Problem, json, reply};
use http::StatusCode;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// Add a brand.
#[derive(ToSchema)]
#[allow(dead_code)] // describes what `add` reads
pub(crate) struct AddBrandRequest {
    #[schema(min_length = 1, max_length = 500)]
    name: String,
    /// The face values that it has.
    #[schema(schema_with = denominations_schema)]
    denominations: Vec<String>,
    /// What a budget pays for a card, by denomination, such as `{"25": 24.5}`; the denomination itself, if left out.
    price: Option<BTreeMap<String, String>>,
    /// Who delivers on demand: reloadly or tremendous.
    #[schema(examples("reloadly"))]
    supplier: Option<String>,
    /// What the supplier calls the product.
    #[schema(min_length = 1, max_length = 128)]
    supplier_product_id: Option<String>,
}

fn denominations_schema() -> utoipa::openapi::schema::Schema {
    let items = utoipa::openapi::RefOr::T(amount_schema());
    utoipa::openapi::ArrayBuilder::new().items(items).build().into()
}

/// A brand.
#[derive(Serialize, ToSchema)]
pub struct BrandBody {
    brand_id: String,
    name: String,
    currency: &'static str,
    denominations: Vec<Number>,
    /// What a budget pays for a card, by denomination.
    price: BTreeMap<String, Number>,
    supplier: Option<&'static str>,
    supplier_product_id: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
}

pub(crate) fn shown(brand: &Brand) -> BrandBody {
    let money = |amount: Money| Number::money(amount, brand.currency);
    let price = |(denomination, price): (&Money, &Money)| (denomination.to_string(), money(*price));
    BrandBody {
        brand_id: brand.id.to_string(),
        name: brand.name.as_str().to_owned(),
        currency: brand.currency.code(),
        denominations: brand.prices.keys().map(|amount| money(*amount)).collect(),
        price: brand.prices.iter().map(price).collect(),
        supplier: brand.supplier.as_ref().map(|(supplier, _)| supplier.as_str()),
        supplier_product_id: brand.supplier.as_ref().map(|(_, product)| product.clone()),
        created_at: brand.created_at.to_string(),
    }
}

fn name(text: &str) -> Result<FreeText, ParseError> {
    if text.trim().is_empty() {
        return Err(ParseError("must not be empty"));
    }
    FreeText::parse(text)
}

fn prices(
    denominations: Option<&[Amount]>,
    asked: Option<&[(Amount, Amount)]>,
    currency: Currency,
) -> Result<BTreeMap<Money, Money>, (&'static str, &'static str)> {
    const DIGITS: &str = "has more digits than the currency";
    let mut prices = BTreeMap::new();
    for amount in denominations.unwrap_or_default() {
        let denomination = amount.in_currency(currency).ok_or(("denominations", DIGITS))?;
        if prices.insert(denomination, denomination).is_some() {
            return Err(("denominations", "names one twice"));
        }
    }
    if !(1..=50).contains(&prices.len()) && denominations.is_some() {
        return Err(("denominations", "must name 1 to 50"));
    }
    let mut named = BTreeSet::new();
    for (denomination, price) in asked.unwrap_or_default() {
        let denomination = denomination.in_currency(currency).ok_or(("price", DIGITS))?;
        if !named.insert(denomination) {
            return Err(("price", "names a denomination twice"));
        }
        let price = price.in_currency(currency).ok_or(("price", DIGITS))?;
        *prices
            .get_mut(&denomination)
            .ok_or(("price", "names a denomination that is not one of the brand"))? = price;
    }
    Ok(prices)
}

fn read(desk: &Desk, ask: &Ask) -> Result<Brand, Problem> {
    let currency = desk.app.policy.currency();
    let mut fields = ask.fields()?;
    let name = fields.required("name", json::of(name));
    let denominations = fields.required("denominations", json::list(json::amount));
    let asked = fields.optional("price", json::amounts);
    let supplier = fields.optional("supplier", json::of(Supplier::parse));
    let product =
        fields.optional("supplier_product_id", json::of(SupplierProductId::parse)).map(|id| id.to_string());
    let prices = prices(denominations.as_deref().ok(), asked.as_deref(), currency).unwrap_or_else(
        |(field, detail)| {
            fields.offend(field, detail);
            BTreeMap::new()
        },
    );
    match (supplier, &product) {
        (Some(_), None) => fields.offend("supplier_product_id", "is required with a supplier"),
        (None, Some(_)) => fields.offend("supplier", "is required with a supplier_product_id"),
        (Some(Supplier::Reloadly), Some(product)) if !product.bytes().all(|b| b.is_ascii_digit()) => {
            fields.offend("supplier_product_id", "must be a number, as Reloadly's are");
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
    fields.finish()?;
    let (name, _) = (name?, denominations?);
    let list = |prices: &BTreeMap<Money, Money>| {
        prices
            .iter()
            .map(|(denomination, price)| format!("{denomination}:{price}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    let fingerprint = Fingerprint::of(&[
        ("name", Some(name.as_str().to_owned())),
        ("prices", Some(list(&prices))),
        ("supplier", supplier.map(|supplier| supplier.as_str().to_owned())),
        ("product", product.clone()),
    ]);
    let cause = Cause::of_request(Operation::AddBrand, ask.key()?.as_ref(), ask.request());
    Ok(Brand {
        id: BrandId::mint(&cause),
        name,
        currency,
        prices,
        supplier: supplier.zip(product),
        created_at: desk.app.clock.now(),
        fingerprint,
        request: ask.request().clone(),
    })
}

/// Adds a brand.
#[utoipa::path(post, path = "/api/gift-cards/brands", tag = "gift cards",
    request_body = AddBrandRequest, responses((status = 201, body = BrandBody)))]
pub(crate) async fn add(State(desk): State<Desk>, ask: Ask) -> Result<Response, Problem> {
    let brand = read(&desk, &ask)?;
    permit_catalogue(&ask)?;
    let (brand, replayed) = desk.app.store.add_brand(brand).await?;
    let location = Some("/api/gift-cards/brands".to_owned());
    reply::answer(StatusCode::CREATED, How { location, replayed, retries: 0 }, &shown(&brand))
}

/// All brands.
#[derive(Serialize, ToSchema)]
pub struct Brands {
    brands: Vec<BrandBody>,
    total: Option<u64>,
    limit: u16,
    skip: u16,
    next_cursor: Option<String>,
}

/// Lists brands, oldest first.
#[utoipa::path(get, path = "/api/gift-cards/brands", tag = "gift cards",
    params(("limit" = Option<u16>, Query), ("skip" = Option<u16>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = Brands)))]
pub(crate) async fn list(State(desk): State<Desk>, ask: Ask) -> Result<Response, Problem> {
    let mut params = ask.params();
    let window = params.window();
    params.finish()?;
    permit_catalogue(&ask)?;
    let all = desk.app.store.brands().await?;
    let place = |brand: &Brand| format!("{}#{}", brand.created_at, brand.id);
    let page = edge::page::of(&desk.app, "brands", &window, all, place)?;
    reply::ok(&Brands {
        brands: page.items.iter().map(shown).collect(),
        total: page.total,
        limit: window.limit,
        skip: window.skip,
        next_cursor: page.next_cursor,
    })
}
