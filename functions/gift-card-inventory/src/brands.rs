//! Adds and lists brands.
//!
//! **Invariant:** a brand's denominations and prices never change; the entry of a sale contains the
//! price that was paid.

use crate::{Services, permit_catalogue};
use axum::extract::State;
use axum::response::Response;
use domain::cause::{Cause, Operation};
use domain::currency::Currency;
use domain::giftcard::catalogue::AddBrand;
use domain::giftcard::{Brand, Supplier};
use domain::ids::SupplierProductId;
use domain::money::{Amount, Money};
use domain::parse::ParseError;
use edge::input::{Input, NonBlankText};
use edge::json::{self, Number, RawJson};
use edge::params::WindowQuery;
use edge::reply::ReplyMeta;
use edge::{ApiRequest, Problem, reply, request, schema};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// Face values, each listed once; values are distinguished as JSON does: a number and a string are
/// different.
pub(crate) struct Denominations(Vec<Amount>);

impl Input for Denominations {
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
        let mut seen = BTreeSet::new();
        let mut amounts = Vec::new();
        for item in json::items(raw)? {
            let amount = json::amount(item)?;
            let text = item.get();
            let string = serde_json::from_str::<String>(text).ok();
            let json_value = string.map_or_else(|| amount.to_string(), |string| format!("\"{string}\""));
            if !seen.insert(json_value) {
                return Err(ParseError("must not list a denomination twice"));
            }
            amounts.push(amount);
        }
        if !(1..=MAX_DENOMINATIONS).contains(&amounts.len()) {
            return Err(ParseError("must list 1 to 50 denominations"));
        }
        Ok(Self(amounts))
    }

    fn schema() -> Value {
        json!({
            "type": "array",
            "items": Amount::schema(),
            "minItems": 1,
            "maxItems": MAX_DENOMINATIONS,
            "uniqueItems": true,
            "examples": [[25, 50]],
        })
    }
}

const TOO_PRECISE: &str = "has more digits than the currency";

/// Maximum number of denominations of a brand.
const MAX_DENOMINATIONS: usize = 50;

/// Prices by denomination.
pub(crate) struct Prices(Vec<(Amount, Amount)>);

impl Input for Prices {
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
        json::amounts(raw).map(Self)
    }

    fn schema() -> Value {
        json!({"type": "object", "propertyNames": schema::amount_text(), "additionalProperties": Amount::schema()})
    }
}

request! {
    /// A new brand.
    pub(crate) struct AddBrandRequest {
        /// Display name; must not be blank.
        name: NonBlankText,
        /// Face values of its cards, in the deployment's currency.
        denominations: Denominations,
        /// Price that a budget pays for a card, by denomination, such as `{"25": 24.5}`; defaults
        /// to the denomination.
        price: Option<Prices>,
        /// Supplier that delivers cards on demand.
        supplier: Option<Supplier>,
        /// Supplier's id of the product; required with a supplier.
        supplier_product_id: Option<SupplierProductId>,
    }
    check(fields, currency: Currency) {
        let exact = |amount: &Amount| amount.in_currency(currency).is_some();
        if denominations.as_ref().is_ok_and(|amounts| !amounts.0.iter().all(exact)) {
            fields.offend("denominations", TOO_PRECISE);
        }
        let priced = price.iter().flat_map(|price| &price.0);
        if !priced.flat_map(|(denomination, price)| [denomination, price]).all(exact) {
            fields.offend("price", TOO_PRECISE);
        }
        match (supplier, &supplier_product_id) {
            (Some(_), None) => fields.offend("supplier_product_id", "is required with a supplier"),
            (None, Some(_)) => fields.offend("supplier", "is required with a supplier_product_id"),
            (Some(Supplier::Reloadly), Some(product)) if !product.as_str().bytes().all(|b| b.is_ascii_digit()) => {
                fields.offend("supplier_product_id", "must be a number for the supplier reloadly");
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }
    rules [json!({"oneOf": [
        {"properties": {"supplier": schema::absent(), "supplier_product_id": schema::absent()}},
        schema::variant(
            &json!({"supplier": {"const": "reloadly"}, "supplier_product_id": schema::pattern("^[0-9]{1,128}$")}),
            &["supplier", "supplier_product_id"],
        ),
        schema::variant(
            &json!({"supplier": {"const": "tremendous"}, "supplier_product_id": {"type": "string"}}),
            &["supplier", "supplier_product_id"],
        ),
    ]})]
}

/// A brand.
#[derive(Serialize, ToSchema)]
pub struct BrandBody {
    brand_id: String,
    name: String,
    currency: &'static str,
    denominations: Vec<Number>,
    /// Price that a budget pays for a card, by denomination.
    price: BTreeMap<String, Number>,
    supplier: Option<&'static str>,
    supplier_product_id: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
}

pub(crate) fn view(brand: &Brand) -> BrandBody {
    let money = |amount: Money| Number::money(amount, brand.currency);
    let price = |(denomination, price): (&Money, &Money)| (denomination.to_string(), money(*price));
    BrandBody {
        brand_id: brand.id.to_string(),
        name: brand.name.as_str().to_owned(),
        currency: brand.currency.code(),
        denominations: brand.prices.keys().map(|amount| money(*amount)).collect(),
        price: brand.prices.iter().map(price).collect(),
        supplier: brand.supplier.as_ref().map(|product| product.supplier.as_str()),
        supplier_product_id: brand.supplier.as_ref().map(|product| product.product.clone()),
        created_at: brand.created_at.to_string(),
    }
}

/// Returns the price of each denomination: the sent price, or the denomination itself if none was
/// sent.
fn prices(
    denominations: &[Amount],
    sent: &[(Amount, Amount)],
    currency: Currency,
) -> Result<BTreeMap<Money, Money>, Problem> {
    let exact = |amount: Amount| amount.in_currency(currency).ok_or_else(Problem::internal);
    let mut prices = BTreeMap::new();
    for amount in denominations {
        let denomination = exact(*amount)?;
        prices.insert(denomination, denomination);
    }
    let mut named = BTreeSet::new();
    for (denomination, price) in sent {
        let denomination = exact(*denomination)?;
        if !named.insert(denomination) {
            return Err(Problem::field("/price", "must not list a denomination twice"));
        }
        let price = exact(*price)?;
        *prices.get_mut(&denomination).ok_or_else(no_such_denomination)? = price;
    }
    Ok(prices)
}

/// Returns 404, as for every other named resource that does not exist: the request itself is
/// well-formed.
fn no_such_denomination() -> Problem {
    let detail = "price contains a denomination that the brand does not have";
    Problem::new(StatusCode::NOT_FOUND, "denomination_not_found", detail).at("/price")
}

fn read(request: &ApiRequest, currency: Currency) -> Result<AddBrand, Problem> {
    let AddBrandRequest { name: NonBlankText(name), denominations, price, supplier, supplier_product_id } =
        AddBrandRequest::read(request.fields()?, currency)?;
    let product = supplier_product_id.map(|id| id.to_string());
    let sent = price.map_or_else(Vec::new, |price| price.0);
    let prices = prices(&denominations.0, &sent, currency)?;
    let cause = Cause::of_request(Operation::AddBrand, request.key()?.as_ref(), request.id());
    Ok(AddBrand { name, prices, supplier, product, cause })
}

/// Adds a brand of gift cards.
#[utoipa::path(post, path = "/api/gift-cards/brands", tag = "gift cards",
    request_body = AddBrandRequest, responses((status = 201, body = BrandBody)))]
pub(crate) async fn add(State(services): State<Services>, request: ApiRequest) -> Result<Response, Problem> {
    let command = read(&request, services.app.policy.currency())?;
    permit_catalogue(&request)?;
    let brand = command.decide(&request.context(&services.app)?);
    let (brand, replayed) = services.app.store.gift_cards().add_brand(brand).await?;
    let location = Some("/api/gift-cards/brands".to_owned());
    reply::answer(StatusCode::CREATED, ReplyMeta { location, replayed, retries: 0 }, &view(&brand))
}

/// Brands, oldest first.
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
    params(WindowQuery),
    responses((status = 200, body = Brands)))]
pub(crate) async fn list(State(services): State<Services>, request: ApiRequest) -> Result<Response, Problem> {
    let mut params = request.params();
    let window = params.window();
    params.finish()?;
    permit_catalogue(&request)?;
    let all = services.app.store.gift_cards().brands().await?;
    let place = |brand: &Brand| format!("{}#{}", brand.created_at, brand.id);
    let page = edge::page::of(&services.app, "brands", &window, all, place)?;
    reply::ok(&Brands {
        brands: page.items.iter().map(view).collect(),
        total: page.total,
        limit: window.limit,
        skip: window.skip,
        next_cursor: page.next_cursor,
    })
}
