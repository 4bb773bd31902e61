//! The OpenAPI document of the API, and the page that shows it.
//!
//! **Invariant:** the document is generated from the wire types; a test compares the committed copy
//! with it.

use crate::Failure;
use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use domain::time::Date;
use edge::{Clock, schema};
use http::{StatusCode, header};
use std::sync::Arc;
use utoipa_swagger_ui::SwaggerUi;

/// Returns the OpenAPI document of each function.
pub fn documents() -> [utoipa::openapi::OpenApi; 12] {
    [
        wallet::document(),
        wallet_topup::document(),
        payment_webhook::document(),
        order_payment::document(),
        refund::document(),
        loyalty::document(),
        rewards::document(),
        jobs::document(),
        credit_accounts::document(),
        allocate_credit::document(),
        gift_card_inventory::document(),
        provision_gift_card::document(),
    ]
}

/// Returns the OpenAPI document of all functions.
pub fn document() -> utoipa::openapi::OpenApi {
    edge::openapi::document(documents())
}

/// Returns the date that the committed document takes as today.
fn committed_today() -> Date {
    Date::from_ymd_opt(2026, 12, 31).unwrap_or_default()
}

/// Returns the document as it is committed: formatted, in a stable order.
pub fn text() -> Result<String, Failure> {
    text_on(committed_today())
}

/// Returns the document as of a date: it requires expiry dates to be later.
fn text_on(today: Date) -> Result<String, Failure> {
    let sorted = serde_json::to_value(document())?;
    let pretty = serde_json::to_string_pretty(&sorted)?;
    Ok(format!("{}\n", pretty.replace(schema::LATER_THAN_TODAY, &schema::later_than(today))))
}

/// Returns the routes `/openapi.json` and `/docs`, a page to read the document and to send
/// requests.
pub fn router(clock: Arc<dyn Clock>) -> Result<Router, Failure> {
    // Fails at start if the document cannot be generated.
    text()?;
    let json = move || async move {
        match text_on(clock.now().date()) {
            Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    };
    let page = SwaggerUi::new("/docs").config(utoipa_swagger_ui::Config::from("/openapi.json"));
    let home = || async { axum::response::Redirect::temporary("/docs/") };
    Ok(Router::new().route("/", get(home)).route("/openapi.json", get(json)).merge(page))
}
