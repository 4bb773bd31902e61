//! Reports the stock of every pool, and sums by the source of the cards.
//!
//! **Invariant:** stock is counted from the free cards themselves; no counter is stored.

use crate::pools::{PoolBody, view};
use crate::{Services, permit_catalogue};
use axum::extract::State;
use axum::response::Response;
use domain::giftcard::CardSource;
use domain::giftcard::stock::StockSummary;
use edge::json::Number;
use edge::{ApiRequest, Problem, reply};
use serde::Serialize;
use utoipa::ToSchema;

/// Stock of all pools of one type.
#[derive(Serialize, ToSchema)]
pub struct PoolsInStock {
    pools: u64,
    /// Free cards that have not expired.
    available: u64,
    /// Sum of the face values of the free cards.
    value: Number,
    green: u64,
    yellow: u64,
    red: u64,
}

/// Delivery of cards on demand by suppliers.
#[derive(Serialize, ToSchema)]
pub struct OnDemand {
    /// Number of brands that have a supplier.
    brands: u64,
    /// Cards for buffer pools that are ordered and not delivered yet.
    open_refills: u64,
}

/// The stock of all pools.
#[derive(Serialize, ToSchema)]
pub struct InventoryBody {
    pools: Vec<PoolBody>,
    csv: PoolsInStock,
    buffer: PoolsInStock,
    api: OnDemand,
}

/// Returns the stock of every pool, and its sums by source.
#[utoipa::path(get, path = "/api/gift-cards/inventory", tag = "gift cards",
    responses((status = 200, body = InventoryBody)))]
pub(crate) async fn inventory(
    State(services): State<Services>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    request.actor()?;
    request.params().finish()?;
    permit_catalogue(&request)?;
    let (store, currency) = (&services.app.store, services.app.policy.currency());
    let mut counted = Vec::new();
    let mut open_refills = 0;
    for pool in store.gift_cards().pools().await? {
        let free = store.gift_cards().free_cards(&pool, services.app.clock.now().date(), None).await?;
        if pool.source == CardSource::Buffer {
            open_refills +=
                u64::try_from(store.gift_cards().open_refills(&pool.id).await?.len()).unwrap_or(0);
        }
        counted.push((pool, free));
    }
    let brands = store.gift_cards().brands().await?;
    let with_supplier = brands.iter().filter(|brand| brand.supplier.is_some()).count();
    let of = |source: CardSource| {
        let StockSummary { pools, available, value, green, yellow, red } = StockSummary::of(source, &counted);
        PoolsInStock { pools, available, value: Number::money(value, currency), green, yellow, red }
    };
    reply::ok(&InventoryBody {
        pools: counted.iter().map(|(pool, free)| view(pool, *free, currency)).collect(),
        csv: of(CardSource::Csv),
        buffer: of(CardSource::Buffer),
        api: OnDemand { brands: u64::try_from(with_supplier).unwrap_or(0), open_refills },
    })
}
