//! Adds and lists pools.
//!
//! **Invariant:** the number of free cards of a pool is counted from the free cards themselves, at
//! the time of the request.

use crate::{Services, permit_catalogue};
use axum::extract::State;
use axum::response::Response;
use domain::cause::{Cause, Operation};
use domain::currency::Currency;
use domain::giftcard::catalogue::AddPool;
use domain::giftcard::{CardSource, Pool, StockHealth};
use domain::ids::budget::BrandId;
use domain::money::Amount;
use domain::parse::ParseError;
use domain::rejection::Rejection;
use edge::input::{CardCount, NumberInput, Text};
use edge::json;
use edge::params::WindowQuery;
use edge::reply::ReplyMeta;
use edge::{ApiRequest, Problem, reply, request, schema};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// How a pool is filled: `csv` or `buffer`.
pub(crate) struct PoolType(CardSource);

impl Text for PoolType {
    fn parse(text: &str) -> Result<Self, ParseError> {
        CardSource::pool(text).map(Self)
    }

    fn schema() -> Value {
        schema::words(["csv", "buffer"])
    }
}

request! {
    /// A new pool of cards.
    pub(crate) struct AddPoolRequest {
        /// Brand of the cards.
        brand_id: BrandId,
        /// Face value of the cards; one of the brand's denominations.
        denomination: Amount,
        /// csv: filled from files; buffer: filled in advance by the brand's supplier
        pool_type: PoolType,
        /// Purchase cost of one card, in the deployment's currency.
        cost_per_card: Amount,
        /// Free cards below which an alert is raised, and a buffer pool is refilled.
        low_stock_threshold: NumberInput<CardCount>,
    }
    check(fields, currency: Currency) {
        if cost_per_card.is_ok_and(|cost| cost.in_currency(currency).is_none()) {
            fields.offend("cost_per_card", "has more digits than the currency");
        }
        if denomination.is_ok_and(|amount| amount.in_currency(currency).is_none()) {
            fields.offend("denomination", "has more digits than the currency");
        }
    }
}

/// A pool of cards.
#[derive(Serialize, ToSchema)]
pub struct PoolBody {
    pool_id: String,
    brand_id: String,
    denomination: json::Number,
    pool_type: &'static str,
    cost_per_card: json::Number,
    low_stock_threshold: u32,
    /// Free cards that have not expired.
    available: u64,
    /// green, yellow (below the threshold) or red (empty)
    health: &'static str,
    #[schema(format = DateTime)]
    created_at: String,
}

pub(crate) fn view(pool: &Pool, free: u64, currency: Currency) -> PoolBody {
    PoolBody {
        pool_id: pool.id.to_string(),
        brand_id: pool.brand.to_string(),
        denomination: json::Number::money(pool.denomination, currency),
        pool_type: pool.source.as_str(),
        cost_per_card: json::Number::money(pool.cost_per_card, currency),
        low_stock_threshold: pool.low_stock_threshold,
        available: free,
        health: StockHealth::of(free, pool.low_stock_threshold).as_str(),
        created_at: pool.created_at.to_string(),
    }
}

/// Adds an empty pool for a brand and denomination.
#[utoipa::path(post, path = "/api/gift-cards/pools", tag = "gift cards",
    request_body = AddPoolRequest, responses((status = 201, body = PoolBody)))]
pub(crate) async fn add(State(services): State<Services>, request: ApiRequest) -> Result<Response, Problem> {
    let currency = services.app.policy.currency();
    let AddPoolRequest { brand_id: brand, denomination, pool_type, cost_per_card, low_stock_threshold } =
        AddPoolRequest::read(request.fields()?, currency)?;
    let (PoolType(source), NumberInput(CardCount(low_stock_threshold))) = (pool_type, low_stock_threshold);
    let key = request.key()?;
    permit_catalogue(&request)?;
    let known = services.app.store.gift_cards().brand(&brand).await?.ok_or(Rejection::BrandNotFound)?;
    let command = AddPool {
        brand,
        denomination: denomination.in_currency(currency).ok_or(Rejection::NoSuchDenomination)?,
        source,
        cost_per_card: cost_per_card.in_currency(currency).ok_or_else(Problem::internal)?,
        low_stock_threshold,
        cause: Cause::of_request(Operation::AddPool, key.as_ref(), request.id()),
    };
    let pool = command.decide(&known, &request.context(&services.app)?)?;
    let (pool, replayed) = services.app.store.gift_cards().add_pool(pool).await?;
    let location = Some("/api/gift-cards/pools".to_owned());
    // Shows the pool as it was when it was added: empty.
    reply::answer(
        StatusCode::CREATED,
        ReplyMeta { location, replayed, retries: 0 },
        &view(&pool, 0, currency),
    )
}

/// Pools, oldest first.
#[derive(Serialize, ToSchema)]
pub struct Pools {
    pools: Vec<PoolBody>,
    total: Option<u64>,
    limit: u16,
    skip: u16,
    next_cursor: Option<String>,
}

/// Lists pools, oldest first, with the number of free cards of each.
#[utoipa::path(get, path = "/api/gift-cards/pools", tag = "gift cards",
    params(WindowQuery),
    responses((status = 200, body = Pools)))]
pub(crate) async fn list(State(services): State<Services>, request: ApiRequest) -> Result<Response, Problem> {
    let mut params = request.params();
    let window = params.window();
    params.finish()?;
    permit_catalogue(&request)?;
    let all = services.app.store.gift_cards().pools().await?;
    let place = |pool: &Pool| format!("{}#{}", pool.created_at, pool.id);
    let page = edge::page::of(&services.app, "pools", &window, all, place)?;
    let mut pools = Vec::new();
    for pool in &page.items {
        let free =
            services.app.store.gift_cards().free_cards(pool, services.app.clock.now().date(), None).await?;
        pools.push(view(pool, free, services.app.policy.currency()));
    }
    let (limit, skip) = (window.limit, window.skip);
    reply::ok(&Pools { pools, total: page.total, limit, skip, next_cursor: page.next_cursor })
}
