//! Brands, pools, cards and redemption codes over HTTP; stock, profit and alerts.
//!
//! **Invariant:** codes come in and are sealed before anything else is done with them; only minted redemption codes ever
//! go out, once.

mod alerts;
mod brands;
mod cards;
mod codes;
mod pools;
mod profit;
mod stock;

use axum::Router;
use axum::routing::{get, post};
use domain::budget::permit::BudgetAction;
use edge::routes::complete;
use edge::{ApiRequest, Problem};
use utoipa::OpenApi;
use vault::Vault;

/// What this function works with beside its app.
#[derive(Clone)]
pub struct InventoryTools {
    /// What seals cards.
    pub vault: Vault,
}

/// What this function is given.
pub(crate) type Services = edge::Services<InventoryTools>;

/// The routes of this function.
pub fn router(services: Services) -> Router {
    let cards = Router::new()
        .route("/brands", get(brands::list).post(brands::add))
        .route("/pools", get(pools::list).post(pools::add))
        .route("/pools/{pool_id}/cards", post(cards::import))
        .route("/campaigns/{campaign_id}/codes", post(codes::register))
        .route("/inventory", get(stock::inventory))
        .route("/profit", get(profit::profit));
    let alerts = Router::new()
        .route("/", get(alerts::list))
        .route("/{alert_id}/acknowledge", post(alerts::acknowledge));
    complete(Router::new().nest("/api/gift-cards", cards).nest("/api/alerts", alerts), services)
}

/// Permits what admins do with the catalogue.
pub(crate) fn permit_catalogue(request: &ApiRequest) -> Result<(), Problem> {
    request.permission(BudgetAction::Catalogue).map(|_| ())
}

#[derive(OpenApi)]
#[openapi(paths(
    brands::add,
    brands::list,
    pools::add,
    pools::list,
    cards::import,
    codes::register,
    stock::inventory,
    profit::profit,
    alerts::list,
    alerts::acknowledge
))]
struct Inventory;

/// This function's paths and schemas.
pub fn document() -> utoipa::openapi::OpenApi {
    Inventory::openapi()
}
