//! The API's own description.
//!
//! **Invariant:** the document is made from the wire types; the committed copy is held against it by a test.

use crate::Failure;
use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use http::header;
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

/// The document as it is committed: pretty, in a stable order.
pub fn text() -> Result<String, Failure> {
    let sorted = serde_json::to_value(document())?;
    Ok(format!("{}\n", serde_json::to_string_pretty(&sorted)?))
}

/// `/openapi.json`, and a page to read and try it at `/docs`.
pub fn router() -> Result<Router, Failure> {
    let text = text()?;
    let json = move || async move { ([(header::CONTENT_TYPE, "application/json")], text).into_response() };
    let page = SwaggerUi::new("/docs").config(utoipa_swagger_ui::Config::from("/openapi.json"));
    let home = || async { axum::response::Redirect::temporary("/docs/") };
    Ok(Router::new().route("/", get(home)).route("/openapi.json", get(json)).merge(page))
}
