//! The HTTP API of brands, pools, cards, redemption codes, stock, profit and alerts.
//!
//! **Invariant:** cards are sealed, and redemption codes are digested, before anything else is done
//! with them; the only codes in a response are newly minted redemption codes.

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

/// Services that this function needs in addition to [`edge::App`].
#[derive(Clone)]
pub struct InventoryTools {
    /// Seals cards and computes the keyed digests of codes.
    pub vault: Vault,
}

/// State of the router.
pub(crate) type Services = edge::Services<InventoryTools>;

/// Returns the routes of this function.
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

/// Checks that the caller may manage the catalogue, which only admins may.
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

/// Returns the OpenAPI paths and schemas of this function.
pub fn document() -> utoipa::openapi::OpenApi {
    Inventory::openapi()
}
