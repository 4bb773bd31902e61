//! `trigger` and `supplier`: control the fake gateways and suppliers. `trigger` opens a wallet and
//! initiates a top-up if necessary.
//!
//! **Invariant:** the functions are called only like in production: through the API, with a token,
//! and by webhooks.

use crate::Failure;
use crate::data::DataDir;
use crate::fakes::Fakes;
use crate::fakes::send::Deliver;
use crate::fakes::supply::SupplyCommand;
use crate::fakes::trigger::{TriggerRequest, Triggered, begins, gateway_of, needs_payment};
use crate::keys::Keys;
use crate::token::Grant;
use serde_json::{Value, json};
use std::time::Duration;

/// Amount of a top-up if none is requested.
const AMOUNT: &str = "500";

/// Sends a request to trigger a webhook to the running platform in this directory; returns the
/// result as JSON.
pub async fn send(data: &DataDir, wanted: &TriggerRequest) -> Result<String, Failure> {
    handle(data, "trigger", &serde_json::to_string(wanted)?).await
}

/// Sends a command for a fake supplier to the running platform in this directory; returns the
/// result as JSON.
pub async fn supplier(data: &DataDir, command: &SupplyCommand) -> Result<String, Failure> {
    handle(data, "supplier", &serde_json::to_string(command)?).await
}

async fn handle(data: &DataDir, handle: &str, body: &str) -> Result<String, Failure> {
    let running = data.running().await.ok_or("no platform is running here; start one with: cargo run")?;
    let url = format!("{}/_local/{handle}", running.api);
    let request = gateways::client()?.post(url).body(body.to_owned());
    let reply = request.send().await?;
    let (status, text) = (reply.status(), reply.text().await?);
    if !status.is_success() {
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        return Err(body.get("detail").and_then(Value::as_str).unwrap_or(&text).to_owned().into());
    }
    let happened: Value = serde_json::from_str(&text)?;
    Ok(serde_json::to_string_pretty(&happened)?)
}

/// Triggers a webhook; first initiates a top-up, and pays it, if the webhook is about a payment
/// that does not exist yet.
pub async fn run(fakes: &Fakes, keys: &Keys, wanted: TriggerRequest) -> Result<Triggered, Failure> {
    let mut wanted = wanted;
    if begins(fakes, &wanted) {
        let gateway = gateway_of(&wanted.fixture).ok_or("the sample belongs to no known gateway")?;
        let reversal = needs_payment(&wanted.fixture);
        let amount = wanted.amount.clone().filter(|_| !reversal);
        let order = begin(fakes, keys, &wanted, gateway, amount.as_deref().unwrap_or(AMOUNT)).await?;
        if reversal {
            let fixture = match gateway {
                "stripe" => "stripe.checkout_session_completed",
                "paypal" => "paypal.payment_capture_completed",
                _ => "razorpay.payment_captured",
            };
            let paid = TriggerRequest {
                fixture: fixture.to_owned(),
                order: Some(order),
                deliver: Deliver::Once,
                ..wanted.clone()
            };
            wanted.payment = Some(fakes.trigger(&paid).await?.payment);
        } else {
            wanted.order = Some(order);
        }
    }
    fakes.trigger(&wanted).await
}

/// Opens the wallet if necessary and initiates a top-up; returns the id of the gateway's order.
async fn begin(
    fakes: &Fakes,
    keys: &Keys,
    wanted: &TriggerRequest,
    gateway: &str,
    amount: &str,
) -> Result<String, Failure> {
    let grant = Grant {
        role: "service".to_owned(),
        sub: Some("trigger".to_owned()),
        account: None,
        scope: Some("wallet:create wallet:topup".to_owned()),
        ttl: Duration::from_mins(1),
    };
    let token = grant.sign(keys, &edge::wiring::claim_names())?;
    let post = async |path: &str, body: Value| -> Result<(u16, Value), Failure> {
        let request = fakes.http.post(format!("{}{path}", fakes.api)).bearer_auth(&token);
        let reply = request.header("content-type", "application/json").body(body.to_string()).send().await?;
        let status = reply.status().as_u16();
        Ok((status, serde_json::from_str(&reply.text().await?).unwrap_or_default()))
    };
    let report = |body: &Value| body.get("detail").map_or_else(String::new, ToString::to_string);
    let (status, answer) = post("/api/wallet/create", json!({"customer_id": wanted.customer})).await?;
    if !matches!(status, 201 | 409) {
        return Err(format!("the wallet cannot be opened: {}", report(&answer)).into());
    }
    let page = (gateway == "stripe").then(|| format!("{}{}/checkout", fakes.url, crate::fakes::PREFIX));
    let body =
        json!({"customer_id": wanted.customer, "amount": amount, "gateway": gateway, "return_url": page});
    let (status, answer) = post("/api/integration/wallet/topup/initiate", body).await?;
    let order = answer.get("gateway_order_id").and_then(Value::as_str);
    match (status, order) {
        (201, Some(order)) => Ok(order.to_owned()),
        _ => Err(format!("the top-up cannot be initiated: {}", report(&answer)).into()),
    }
}
