//! A fake Reloadly and a fake Tremendous: they deliver cards, or fail in the way that is set.
//!
//! **Invariant:** each of our references has one card, however often it is ordered: the card is a
//! function of the reference.

use super::state::{FakeCardOrder, GatewayState};
use super::supply::Switch;
use super::{Fakes, answer};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Accepts an order, or returns the one accepted before with the same reference.
fn take(state: &mut GatewayState, supplier: &str, order: FakeCardOrder) -> FakeCardOrder {
    let key = format!("{supplier}|{}", order.reference);
    if let Some(known) = state.cards.get(&key) {
        return known.clone();
    }
    let order = FakeCardOrder { number: state.number(), ..order };
    state.cards.insert(key, order.clone());
    order
}

/// Returns an order that is polled. A slow order is delivered when it is polled for the second
/// time.
fn nearer(state: &mut GatewayState, supplier: &str, reference: &str) -> Option<FakeCardOrder> {
    let order = state.cards.get_mut(&format!("{supplier}|{reference}"))?;
    order.status = match order.status.as_str() {
        "pending" => "pending again",
        "pending again" => "done",
        other => other,
    }
    .to_owned();
    Some(order.clone())
}

pub(super) fn reloadly() -> Router<Arc<Fakes>> {
    Router::new()
        .route("/oauth/token", post(token))
        .route("/orders", post(order))
        .route("/reports/transactions", get(report))
        .route("/orders/transactions/{id}/cards", get(cards))
}

async fn token(State(fakes): State<Arc<Fakes>>, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let secret = body.get("client_secret").and_then(Value::as_str);
    if secret != Some(fakes.secrets.reloadly.0.as_str()) {
        return answer(StatusCode::UNAUTHORIZED, &json!({"errorCode": "INVALID_CREDENTIALS"}));
    }
    answer(
        StatusCode::OK,
        &json!({"access_token": "reloadly-token", "expires_in": 3600, "token_type": "Bearer"}),
    )
}

fn allowed(headers: &HeaderMap, token: &str) -> bool {
    headers.get("authorization").is_some_and(|value| value == &format!("Bearer {token}"))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReloadlyOrder {
    product_id: u64,
    unit_price: Box<RawValue>,
    custom_identifier: String,
}

fn refused(code: &str) -> Response {
    answer(StatusCode::BAD_REQUEST, &json!({"errorCode": code, "message": "refused by the fake supplier"}))
}

/// Returns the code with which a supplier with this setting rejects an order, if it does.
fn refusal(switch: Switch) -> Option<&'static str> {
    match switch {
        Switch::OutOfStock => Some("PRODUCT_OUT_OF_STOCK"),
        Switch::OutOfFunds => Some("INSUFFICIENT_BALANCE"),
        Switch::Rejects | Switch::LateDelivery => Some("COULD_NOT_PROCESS"),
        Switch::Well
        | Switch::Slow
        | Switch::ReplyLost
        | Switch::Silent
        | Switch::Duplicate
        | Switch::Withheld => None,
    }
}

/// Returns the status of an accepted order.
fn taken_as(switch: Switch) -> String {
    let slow = switch == Switch::Slow;
    let late = if switch == Switch::LateDelivery { "hidden" } else { "done" };
    if slow { "pending" } else { late }.to_owned()
}

async fn order(State(fakes): State<Arc<Fakes>>, headers: HeaderMap, body: Bytes) -> Response {
    if !allowed(&headers, "reloadly-token") {
        return answer(StatusCode::UNAUTHORIZED, &json!({"errorCode": "INVALID_TOKEN"}));
    }
    let Ok(wanted) = serde_json::from_slice::<ReloadlyOrder>(&body) else { return refused("INVALID_BODY") };
    let switch = fakes.switch("reloadly");
    let known = fakes.read().cards.contains_key(&format!("reloadly|{}", wanted.custom_identifier));
    if known && switch != Switch::Slow {
        return refused("DUPLICATE_CUSTOM_IDENTIFIER");
    }
    if let (Some(code), true) = (refusal(switch), switch != Switch::LateDelivery) {
        return refused(code);
    }
    if switch == Switch::Silent {
        return std::future::pending().await;
    }
    let status = taken_as(switch);
    let (product, amount) = (wanted.product_id.to_string(), wanted.unit_price.get().to_owned());
    let order = FakeCardOrder {
        number: 0,
        reference: wanted.custom_identifier.clone(),
        product,
        amount,
        currency: "INR".to_owned(),
        status,
    };
    if switch == Switch::LateDelivery {
        // The order exists, but stays hidden until the setting changes.
        fakes.write(|state| take(state, "reloadly", order));
        return refused("COULD_NOT_PROCESS");
    }
    let order = fakes.write(|state| take(state, "reloadly", order));
    if switch == Switch::ReplyLost {
        return std::future::pending().await;
    }
    raw(&transaction(&order))
}

/// Returns an answer with JSON text, whose numbers stay exactly as written.
fn raw(text: &str) -> Response {
    use axum::response::IntoResponse;
    (StatusCode::OK, [(http::header::CONTENT_TYPE, "application/json")], text.to_owned()).into_response()
}

fn transaction(order: &FakeCardOrder) -> String {
    let status = if order.status == "done" { "SUCCESSFUL" } else { "PENDING" };
    format!(
        r#"{{"transactionId":{},"amount":{},"currencyCode":"{}","customIdentifier":"{}","status":"{status}","product":{{"productId":{}}}}}"#,
        order.number, order.amount, order.currency, order.reference, order.product
    )
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sought {
    #[serde(default)]
    custom_identifier: String,
}

async fn report(State(fakes): State<Arc<Fakes>>, Query(sought): Query<Sought>) -> Response {
    let revealed = fakes.switch("reloadly") != Switch::LateDelivery;
    let found = fakes.write(|state| {
        let key = format!("reloadly|{}", sought.custom_identifier);
        if let Some(order) = state.cards.get_mut(&key).filter(|order| order.status == "hidden" && revealed) {
            "done".clone_into(&mut order.status);
        }
        nearer(state, "reloadly", &sought.custom_identifier)
    });
    let found = found.filter(|order| order.status != "hidden");
    raw(&format!(r#"{{"content":[{}]}}"#, found.map_or_else(String::new, |order| transaction(&order))))
}

async fn cards(State(fakes): State<Arc<Fakes>>, Path(number): Path<u64>) -> Response {
    let order = fakes.read().cards.values().find(|order| order.number == number).cloned();
    let Some(order) = order else { return refused("NOT_FOUND") };
    if fakes.switch("reloadly") == Switch::Withheld {
        return answer(StatusCode::FORBIDDEN, &json!({"errorCode": "CARD_NOT_AVAILABLE"}));
    }
    // The card number is a JSON number on purpose: clients must not convert it to floating point.
    let code = fakes.code_of("reloadly", &order.reference);
    let pin = code.chars().rev().take(6).collect::<String>();
    raw(&format!(r#"[{{"cardNumber":9{code}00000001,"pinCode":"{pin}","redemptionUrl":null}}]"#))
}

pub(super) fn tremendous() -> Router<Arc<Fakes>> {
    Router::new()
        .route("/orders", post(tremendous_order).get(find))
        .route("/orders/{id}", get(read))
        .route("/rewards/{id}/generate_link", post(generate_link))
}

async fn tremendous_order(State(fakes): State<Arc<Fakes>>, headers: HeaderMap, body: Bytes) -> Response {
    if !allowed(&headers, &fakes.secrets.tremendous.0) {
        return answer(StatusCode::UNAUTHORIZED, &json!({"errors": {"message": "Unauthorized"}}));
    }
    let text = String::from_utf8_lossy(&body).into_owned();
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    let reference = body.get("external_id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let switch = fakes.switch("tremendous");
    let key = format!("tremendous|{reference}");
    if fakes.read().cards.contains_key(&key) {
        let order = fakes.write(|state| nearer(state, "tremendous", &reference));
        match order {
            Some(order) if switch != Switch::Silent && order.status != "hidden" => {
                return view(&fakes, StatusCode::CREATED, &order, true);
            }
            Some(_) | None => {}
        }
    }
    match switch {
        Switch::OutOfFunds => {
            return answer(StatusCode::PAYMENT_REQUIRED, &json!({"errors": {"message": "funds"}}));
        }
        Switch::OutOfStock | Switch::Rejects => {
            let code = refusal(switch).unwrap_or_default();
            return answer(StatusCode::UNPROCESSABLE_ENTITY, &json!({"errorCode": code}));
        }
        Switch::Silent => return std::future::pending().await,
        Switch::LateDelivery
        | Switch::Well
        | Switch::Slow
        | Switch::ReplyLost
        | Switch::Duplicate
        | Switch::Withheld => {}
    }
    // The amount exactly as written, without conversion to floating point.
    let amount = text.split(r#""denomination":"#).nth(1).unwrap_or_default();
    let amount: String = amount.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let word = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let order = FakeCardOrder {
        number: 0,
        reference,
        product: word("/rewards/0/products/0"),
        amount,
        currency: word("/rewards/0/value/currency_code"),
        status: taken_as(switch),
    };
    let order = fakes.write(|state| take(state, "tremendous", order));
    if switch == Switch::ReplyLost {
        return std::future::pending().await;
    }
    if switch == Switch::LateDelivery {
        // The order exists, but stays hidden until the setting changes.
        let code = refusal(switch).unwrap_or_default();
        return answer(StatusCode::UNPROCESSABLE_ENTITY, &json!({"errorCode": code}));
    }
    view(&fakes, StatusCode::CREATED, &order, true)
}

/// Returns the id of an order's reward; it is the same for all orders if duplicates are set.
fn reward(fakes: &Fakes, order: &FakeCardOrder) -> String {
    format!("R{}", fakes.code_of("tremendous", &order.reference))
}

fn link(fakes: &Fakes, order: &FakeCardOrder) -> String {
    format!("https://reward.example.com/{}", fakes.code_of("tremendous", &order.reference))
}

/// Returns an order as JSON; only the answer to the order itself contains the link.
fn order_text(fakes: &Fakes, order: &FakeCardOrder, with_link: bool) -> String {
    let done = order.status == "done";
    let status = if done { "EXECUTED" } else { "PENDING APPROVAL" };
    let shows = with_link && done && fakes.switch("tremendous") != Switch::Withheld;
    let link = if shows { format!(r#","link":"{}""#, link(fakes, order)) } else { String::new() };
    format!(
        r#"{{"id":"T{}","external_id":"{}","status":"{status}","payment":{{"subtotal":{amount},"total":{amount},"fees":0}},"rewards":[{{"id":"{}","value":{{"denomination":{amount},"currency_code":"{}"}},"delivery":{{"method":"LINK","status":"SUCCEEDED"{link}}}}}]}}"#,
        order.number,
        order.reference,
        reward(fakes, order),
        order.currency,
        amount = order.amount
    )
}

fn view(fakes: &Fakes, status: StatusCode, order: &FakeCardOrder, with_link: bool) -> Response {
    let mut response = raw(&format!(r#"{{"order":{}}}"#, order_text(fakes, order, with_link)));
    *response.status_mut() = status;
    response
}

async fn find(State(fakes): State<Arc<Fakes>>, Query(sought): Query<BTreeMap<String, String>>) -> Response {
    let reference = sought.get("external_id").cloned().unwrap_or_default();
    let revealed = fakes.switch("tremendous") != Switch::LateDelivery;
    let order = fakes.write(|state| {
        let order = state.cards.get_mut(&format!("tremendous|{reference}"))?;
        if order.status == "hidden" && revealed {
            "done".clone_into(&mut order.status);
        }
        Some(order.clone())
    });
    let order = order.filter(|order| order.status != "hidden");
    let orders = order.map_or_else(String::new, |order| order_text(&fakes, &order, false));
    raw(&format!(r#"{{"orders":[{orders}]}}"#))
}

async fn read(State(fakes): State<Arc<Fakes>>, Path(id): Path<String>) -> Response {
    let order = fakes.read().cards.values().find(|order| format!("T{}", order.number) == id).cloned();
    match order {
        Some(order) => view(&fakes, StatusCode::OK, &order, false),
        None => answer(StatusCode::NOT_FOUND, &json!({"errors": {"message": "not found"}})),
    }
}

async fn generate_link(State(fakes): State<Arc<Fakes>>, Path(id): Path<String>) -> Response {
    let orders: Vec<FakeCardOrder> = fakes.read().cards.values().cloned().collect();
    let order = orders.iter().find(|order| reward(&fakes, order) == id && order.status == "done");
    match order.filter(|_| fakes.switch("tremendous") != Switch::Withheld) {
        Some(order) => answer(
            StatusCode::OK,
            &json!({"reward": {"id": id, "delivery": {"method": "LINK", "link": link(&fakes, order)}}}),
        ),
        None => answer(StatusCode::FORBIDDEN, &json!({"errors": {"message": "no link"}})),
    }
}
