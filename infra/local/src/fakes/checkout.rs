//! Payment page of the fake gateways: a customer pays or declines in the browser.
//!
//! **Invariant:** only the page itself can pay: a form sent by another site is refused.

use super::send::Deliver;
use super::state::FakeOrder;
use super::trigger::TriggerRequest;
use super::{Fakes, PREFIX};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use edge::Problem;
use http::{StatusCode, header};
use std::fmt::Write;
use std::sync::Arc;

pub(super) fn router() -> Router<Arc<Fakes>> {
    // Razorpay's checkout runs in the shop's own page, which receives the order's id in its query.
    Router::new().route("/", get(named)).route("/{order}", get(page).post(act))
}

fn missing() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "the fake gateways have no such order")
}

async fn named(State(fakes): State<Arc<Fakes>>, request: Request) -> Result<Response, Problem> {
    let query = request.uri().query().unwrap_or_default();
    let order = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "order_id");
    let order = order.map(|(_, id)| id.into_owned()).ok_or_else(missing)?;
    let state = fakes.read();
    let order = state.orders.get(&order).ok_or_else(missing)?;
    Ok(Html(view(order)).into_response())
}

async fn page(State(fakes): State<Arc<Fakes>>, Path(order): Path<String>) -> Result<Response, Problem> {
    let state = fakes.read();
    let order = state.orders.get(&order).ok_or_else(missing)?;
    Ok(Html(view(order)).into_response())
}

/// Returns the page of an order. It contains only ids, digits and codes, nothing that a customer
/// wrote.
fn view(order: &FakeOrder) -> String {
    let amount = super::paypal::value(order.units, &order.currency);
    let (gateway, currency, status) = (&order.gateway, &order.currency, &order.status);
    let mut html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>Pay {amount} {currency}</title>\
         <style>body{{font:16px system-ui;max-width:26rem;margin:12vh auto;padding:0 1rem}}\
         h1{{font-size:2rem;margin:.2rem 0 1.2rem}}button{{font:inherit;padding:.7rem 1.2rem;margin-right:.6rem;\
         border-radius:.5rem;border:1px solid #888;background:#fff;cursor:pointer}}\
         button.pay{{background:#175;color:#fff;border-color:#175}}small{{color:#666}}</style>\
         <small>fake {gateway}, on this machine</small><h1>{amount} {currency}</h1>"
    );
    if status == "paid" {
        html.push_str("<p>This order is paid.</p>");
    } else {
        let _ = write!(
            html,
            "<form method=post action=\"{PREFIX}/checkout/{}\"><button class=pay name=do value=pay>Pay</button>\
             <button name=do value=fail>Decline</button></form>",
            order.id
        );
    }
    html
}

async fn act(
    State(fakes): State<Arc<Fakes>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let foreign = headers.get(header::ORIGIN).is_some_and(|origin| origin.as_bytes() != fakes.url.as_bytes());
    if foreign {
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "only the payment page itself can pay"));
    }
    let order = fakes.read().orders.get(&id).cloned().ok_or_else(missing)?;
    let pays = form_urlencoded::parse(&body).any(|(name, value)| name == "do" && value == "pay");
    let fixture = match (order.gateway.as_str(), pays) {
        ("stripe", true) if id.starts_with("cs_") => "stripe.checkout_session_completed",
        ("stripe", true) => "stripe.payment_intent_succeeded",
        ("stripe", false) => "stripe.payment_intent_payment_failed",
        ("paypal", true) => "paypal.checkout_order_approved",
        ("paypal", false) => "paypal.payment_capture_declined",
        (_, true) => "razorpay.payment_captured",
        (_, false) => "razorpay.payment_failed",
    };
    let wanted = TriggerRequest {
        fixture: fixture.to_owned(),
        customer: String::new(),
        amount: None,
        order: Some(id.clone()),
        payment: None,
        id: None,
        deliver: Deliver::Once,
    };
    // Redirects like the real gateways: Stripe fills in its session id, PayPal appends its order
    // id.
    let back = order.return_url.as_ref().map(|url| match order.gateway.as_str() {
        "paypal" => {
            let glue = if url.contains('?') { '&' } else { '?' };
            format!("{url}{glue}token={id}&PayerID=PAYER00000001")
        }
        _ => url.replace("{CHECKOUT_SESSION_ID}", &id),
    });
    fakes
        .trigger(&wanted)
        .await
        .map_err(|error| Problem::new(StatusCode::BAD_GATEWAY, "unavailable", error.to_string()))?;
    Ok(Redirect::to(&back.unwrap_or_else(|| format!("{PREFIX}/checkout/{id}"))).into_response())
}
