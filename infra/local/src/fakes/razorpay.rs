//! A fake Razorpay.
//!
//! **Invariant:** a repeated receipt returns the order that was created with it (`unique_receipt`).

use super::state::{FakeOrder, FakePayment};
use super::{Fakes, answer, refusal};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn router() -> Router<Arc<Fakes>> {
    Router::new()
        .route("/v1/orders", post(create))
        .route("/v1/orders/{order}/payments", get(payments))
        .route("/v1/payments/{payment}", get(payment))
        .route("/v1/payments/{payment}/refunds", get(refunds))
}

fn known(fakes: &Fakes, headers: &HeaderMap) -> bool {
    let (id, secret) = &fakes.secrets.razorpay_key;
    let expected = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    headers.get("authorization").is_some_and(|value| value.as_bytes() == expected.as_bytes())
}

fn stranger() -> Response {
    refusal(StatusCode::UNAUTHORIZED, "BAD_REQUEST_ERROR", "Authentication failed")
}

async fn create(State(fakes): State<Arc<Fakes>>, headers: HeaderMap, body: Bytes) -> Response {
    if !known(&fakes, &headers) {
        return stranger();
    }
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| request.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let units = request.get("amount").and_then(Value::as_u64).unwrap_or(0);
    let (receipt, currency) = (text("receipt"), text("currency"));
    if units < 100 || receipt.len() > 40 {
        return refusal(
            StatusCode::BAD_REQUEST,
            "BAD_REQUEST_ERROR",
            "Order amount less than minimum amount allowed",
        );
    }
    let order = FakeOrder {
        gateway: "razorpay".to_owned(),
        id: String::new(),
        units,
        currency,
        topup: request.pointer("/notes/topup_id").and_then(Value::as_str).map(str::to_owned),
        key: receipt.clone(),
        return_url: None,
        status: "created".to_owned(),
    };
    let order = fakes.write(|state| state.order("order_", order));
    let notes = request.get("notes").cloned().unwrap_or(json!([]));
    answer(
        StatusCode::OK,
        &json!({
            "id": order.id, "entity": "order", "amount": order.units, "amount_paid": 0, "amount_due": order.units,
            "currency": order.currency, "receipt": receipt, "offer_id": null, "status": "created", "attempts": 0,
            "notes": notes, "created_at": fakes.now_seconds(),
        }),
    )
}

fn entity(payment: &FakePayment, order: &FakeOrder) -> Value {
    let captured = payment.status == "captured";
    json!({
        "id": payment.id, "entity": "payment", "amount": payment.units, "currency": order.currency,
        "status": payment.status, "order_id": order.id, "method": "upi", "captured": captured,
        "amount_refunded": payment.refunded, "notes": order.topup.as_ref().map_or(json!([]), |topup| json!({"topup_id": topup})),
        "fee": null, "tax": null, "error_code": null,
    })
}

async fn payment(State(fakes): State<Arc<Fakes>>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    if !known(&fakes, &headers) {
        return stranger();
    }
    let state = fakes.read();
    let found =
        state.payments.get(&id).and_then(|payment| Some((payment, state.orders.get(&payment.order)?)));
    match found {
        Some((payment, order)) => answer(StatusCode::OK, &entity(payment, order)),
        None => refusal(StatusCode::BAD_REQUEST, "BAD_REQUEST_ERROR", "The id provided does not exist"),
    }
}

async fn payments(State(fakes): State<Arc<Fakes>>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    if !known(&fakes, &headers) {
        return stranger();
    }
    let state = fakes.read();
    let Some(order) = state.orders.get(&id) else {
        return refusal(StatusCode::BAD_REQUEST, "BAD_REQUEST_ERROR", "The id provided does not exist");
    };
    let mine = state.payments.values().filter(|payment| payment.order == id);
    let items: Vec<Value> = mine.map(|payment| entity(payment, order)).collect();
    answer(StatusCode::OK, &json!({"entity": "collection", "count": items.len(), "items": items}))
}

async fn refunds(State(fakes): State<Arc<Fakes>>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    if !known(&fakes, &headers) {
        return stranger();
    }
    let state = fakes.read();
    let order = state.payments.get(&id).and_then(|payment| state.orders.get(&payment.order));
    let refunds = state.refunds.iter().filter(|refund| refund.payment == id).map(|refund| {
        json!({
            "id": refund.id, "entity": "refund", "amount": refund.units,
            "currency": order.map(|order| &order.currency), "payment_id": id, "status": "processed", "notes": [],
        })
    });
    let items: Vec<Value> = refunds.collect();
    answer(StatusCode::OK, &json!({"entity": "collection", "count": items.len(), "items": items}))
}
