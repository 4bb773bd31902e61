//! The API's own description.
//!
//! **Invariant:** the document is made from the wire types; the committed copy is held against it by a test.

use crate::Failure;
use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use domain::time::Date;
use edge::{Clock, schema};
use http::{StatusCode, header};
use std::sync::Arc;
use utoipa_swagger_ui::SwaggerUi;

/// The OpenAPI document of all functions.
pub fn document() -> utoipa::openapi::OpenApi {
    edge::openapi::document([
        wallet::document(),
        wallet_topup::document(),
        payment_webhook::document(),
        order_payment::document(),
        refund::document(),
        credit_accounts::document(),
        allocate_credit::document(),
        gift_card_inventory::document(),
        provision_gift_card::document(),
    ])
}

/// The last date before those that the committed document takes as later than today.
fn committed_today() -> Date {
    Date::from_ymd_opt(2026, 12, 31).unwrap_or_default()
}

/// The document as it is committed: pretty, in a stable order.
pub fn text() -> Result<String, Failure> {
    text_on(committed_today())
}

/// The document as it is true on this date: an expiry date is later.
fn text_on(today: Date) -> Result<String, Failure> {
    let sorted = serde_json::to_value(document())?;
    let pretty = serde_json::to_string_pretty(&sorted)?;
    Ok(format!("{}\n", pretty.replace(schema::LATER_THAN_TODAY, &schema::later_than(today))))
}

/// `/openapi.json`, and a page to read and try it at `/docs`.
pub fn router(clock: Arc<dyn Clock>) -> Result<Router, Failure> {
    // That it can be made is known before anything is served.
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
