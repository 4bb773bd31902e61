//! Pools: added and listed.
//!
//! **Invariant:** how many cards a pool has is counted where they lie, at the moment of asking.

use crate::{Desk, permit_catalogue};
use axum::extract::State;
use axum::response::Response;
use domain::budget::ids::{BrandId, PoolId};
use domain::cause::{Cause, Operation};
use domain::currency::Currency;
use domain::fingerprint::Fingerprint;
use domain::giftcard::{Health, Pool, Source};
use domain::rejection::Rejection;
use edge::json::{Number, amount_schema};
use edge::reply::How;
use edge::{Ask, Problem, json, reply};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// Add a pool.
#[derive(ToSchema)]
#[allow(dead_code)] // describes what `add` reads
pub(crate) struct AddPoolRequest {
    brand_id: String,
    /// One of the brand's.
    #[schema(schema_with = amount_schema)]
    denomination: String,
    /// csv: filled from files; buffer: filled from the brand's supplier ahead of need
    #[schema(examples("csv"))]
    pool_type: String,
    /// What a card of it had cost.
    #[schema(schema_with = amount_schema)]
    cost_per_card: String,
    /// Below this, an alert is raised, and a buffer is refilled.
    #[schema(minimum = 0, maximum = 1_000_000)]
    low_stock_threshold: u32,
}

/// A pool.
#[derive(Serialize, ToSchema)]
pub struct PoolBody {
    pool_id: String,
    brand_id: String,
    denomination: Number,
    pool_type: &'static str,
    cost_per_card: Number,
    low_stock_threshold: u32,
    /// How many cards it has.
    available: u64,
    /// green, yellow (below its threshold) or red (empty)
    health: &'static str,
    #[schema(format = DateTime)]
    created_at: String,
}

pub(crate) fn shown(pool: &Pool, free: u64, currency: Currency) -> PoolBody {
    PoolBody {
        pool_id: pool.id.to_string(),
        brand_id: pool.brand.to_string(),
        denomination: Number::money(pool.denomination, currency),
        pool_type: pool.source.as_str(),
        cost_per_card: Number::money(pool.cost_per_card, currency),
        low_stock_threshold: pool.low_stock_threshold,
        available: free,
        health: Health::of(free, pool.low_stock_threshold).as_str(),
        created_at: pool.created_at.to_string(),
    }
}

/// Adds a pool of a brand and denomination.
#[utoipa::path(post, path = "/api/gift-cards/pools", tag = "gift cards",
    request_body = AddPoolRequest, responses((status = 201, body = PoolBody)))]
pub(crate) async fn add(State(desk): State<Desk>, ask: Ask) -> Result<Response, Problem> {
    let mut fields = ask.fields()?;
    let brand = fields.required("brand_id", json::of(BrandId::parse));
    let denomination = fields.required("denomination", json::amount);
    let source = fields.required("pool_type", json::of(Source::pool));
    let cost = fields.required("cost_per_card", json::amount);
    let detail = "must be a whole number from 0 to 1000000";
    let threshold = fields.required("low_stock_threshold", json::whole(0, 1_000_000, detail));
    let currency = desk.app.policy.currency();
    if cost.is_ok_and(|cost| cost.in_currency(currency).is_none()) {
        fields.offend("cost_per_card", "has more digits than the currency");
    }
    fields.finish()?;
    let key = ask.key()?;
    permit_catalogue(&ask)?;
    let (brand, denomination) = (brand?, denomination?);
    let known = desk.app.store.brand(&brand).await?.ok_or(Rejection::BrandNotFound)?;
    let exact = denomination.in_currency(currency).filter(|amount| known.price(*amount).is_some());
    let denomination = exact.ok_or(Rejection::NoSuchDenomination)?;
    let cost = cost?.in_currency(currency).ok_or_else(Problem::internal)?;
    let (source, threshold) = (source?, threshold?);
    let cause = Cause::of_request(Operation::AddPool, key.as_ref(), ask.request());
    let pool = Pool {
        id: PoolId::mint(&cause),
        brand,
        denomination,
        source,
        cost_per_card: cost,
        low_stock_threshold: threshold,
        shards: 1,
        stocked: 0,
        created_at: desk.app.clock.now(),
        fingerprint: Fingerprint::of(&[
            ("brand", Some(known.id.to_string())),
            ("denomination", Some(denomination.to_string())),
            ("source", Some(source.as_str().to_owned())),
            ("cost", Some(cost.to_string())),
            ("threshold", Some(threshold.to_string())),
        ]),
        request: ask.request().clone(),
    };
    let (pool, replayed) = desk.app.store.add_pool(pool).await?;
    let location = Some("/api/gift-cards/pools".to_owned());
    // As it was when it was added: empty.
    reply::answer(StatusCode::CREATED, How { location, replayed, retries: 0 }, &shown(&pool, 0, currency))
}

/// All pools.
#[derive(Serialize, ToSchema)]
pub struct Pools {
    pools: Vec<PoolBody>,
    total: Option<u64>,
    limit: u16,
    skip: u16,
    next_cursor: Option<String>,
}

/// Lists pools, oldest first, with how many cards each has.
#[utoipa::path(get, path = "/api/gift-cards/pools", tag = "gift cards",
    params(("limit" = Option<u16>, Query), ("skip" = Option<u16>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = Pools)))]
pub(crate) async fn list(State(desk): State<Desk>, ask: Ask) -> Result<Response, Problem> {
    let mut params = ask.params();
    let window = params.window();
    params.finish()?;
    permit_catalogue(&ask)?;
    let all = desk.app.store.pools().await?;
    let place = |pool: &Pool| format!("{}#{}", pool.created_at, pool.id);
    let page = edge::page::of(&desk.app, "pools", &window, all, place)?;
    let mut pools = Vec::new();
    for pool in &page.items {
        let free = desk.app.store.free_cards(pool, desk.app.clock.now().date(), None).await?;
        pools.push(shown(pool, free, desk.app.policy.currency()));
    }
    let (limit, skip) = (window.limit, window.skip);
    reply::ok(&Pools { pools, total: page.total, limit, skip, next_cursor: page.next_cursor })
}
