//! A fake Stripe.
//!
//! **Invariant:** a repeated idempotency key returns the session or payment intent that was created
//! with it.

use super::state::{FakeOrder, FakePayment};
use super::{Fakes, PREFIX, answer, refusal};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn router() -> Router<Arc<Fakes>> {
    Router::new()
        .route("/v1/checkout/sessions", post(session))
        .route("/v1/payment_intents", post(intent))
        .route("/v1/{kind}/{id}", get(read))
        .route("/v1/checkout/sessions/{id}", get(read_session))
}

fn form(body: &[u8]) -> BTreeMap<String, String> {
    form_urlencoded::parse(body).into_owned().collect()
}

fn key_of(headers: &HeaderMap) -> String {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    key.unwrap_or_default().to_owned()
}

fn make(
    fakes: &Fakes,
    headers: &HeaderMap,
    form: &BTreeMap<String, String>,
    names: [&str; 2],
    prefix: &str,
) -> FakeOrder {
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    let order = FakeOrder {
        gateway: "stripe".to_owned(),
        id: String::new(),
        units: field(names[0]).parse().unwrap_or(0),
        currency: field(names[1]).to_ascii_uppercase(),
        topup: form.get("metadata[topup_id]").cloned(),
        key: format!("{prefix}{}", key_of(headers)),
        return_url: form.get("success_url").cloned(),
        status: "created".to_owned(),
    };
    fakes.write(|state| state.order(prefix, order))
}

async fn session(State(fakes): State<Arc<Fakes>>, headers: HeaderMap, body: Bytes) -> Response {
    let form = form(&body);
    let names = ["line_items[0][price_data][unit_amount]", "line_items[0][price_data][currency]"];
    let order = make(&fakes, &headers, &form, names, "cs_test_");
    answer(StatusCode::OK, &session_body(&fakes, &order, None))
}

async fn intent(State(fakes): State<Arc<Fakes>>, headers: HeaderMap, body: Bytes) -> Response {
    let order = make(&fakes, &headers, &form(&body), ["amount", "currency"], "pi_");
    answer(StatusCode::OK, &intent_body(&order, None))
}

fn session_body(fakes: &Fakes, order: &FakeOrder, paid: Option<&FakePayment>) -> Value {
    json!({
        "id": order.id, "object": "checkout.session", "amount_total": order.units,
        "currency": order.currency.to_ascii_lowercase(), "client_reference_id": order.topup,
        "metadata": {"topup_id": order.topup}, "mode": "payment",
        "payment_intent": paid.map(|payment| intent_body(&FakeOrder { id: payment.id.clone(), ..order.clone() }, paid)),
        "payment_status": if paid.is_some() { "paid" } else { "unpaid" },
        "status": if paid.is_some() { "complete" } else { "open" },
        "url": format!("{}{PREFIX}/checkout/{}", fakes.url, order.id),
    })
}

fn intent_body(order: &FakeOrder, paid: Option<&FakePayment>) -> Value {
    json!({
        "id": order.id, "object": "payment_intent", "amount": order.units,
        "amount_received": paid.map_or(0, |payment| payment.units),
        "currency": order.currency.to_ascii_lowercase(), "metadata": {"topup_id": order.topup},
        "client_secret": format!("{}_secret_local", order.id),
        "latest_charge": paid.map(|payment| json!({
            "id": payment.charge, "object": "charge", "amount_refunded": payment.refunded,
            "currency": order.currency.to_ascii_lowercase(), "payment_intent": payment.id,
        })),
        "status": if paid.is_some() { "succeeded" } else { "requires_payment_method" },
    })
}

async fn read_session(State(fakes): State<Arc<Fakes>>, Path(id): Path<String>) -> Response {
    let state = fakes.read();
    let Some(order) = state.orders.get(&id) else { return missing() };
    let paid = state.payments.values().find(|payment| payment.order == id && payment.status == "captured");
    answer(StatusCode::OK, &session_body(&fakes, order, paid))
}

async fn read(State(fakes): State<Arc<Fakes>>, Path((_, id)): Path<(String, String)>) -> Response {
    let state = fakes.read();
    let paid = state.payments.get(&id).filter(|payment| payment.status == "captured");
    let order = paid.map_or(&id, |payment| &payment.order);
    let Some(order) = state.orders.get(order) else { return missing() };
    // The payment intent of a session has an id of its own.
    answer(StatusCode::OK, &intent_body(&FakeOrder { id, ..order.clone() }, paid))
}

fn missing() -> Response {
    refusal(StatusCode::NOT_FOUND, "resource_missing", "No such payment_intent")
}
