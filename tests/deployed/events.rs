//! Every sample event as a request to the API, so that every route is called once.

use crate::running::{budget_events, events, job_events, loyalty_events};
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use serde_json::Value;
use std::collections::HashMap;
use tests::{Caller, Shop};

/// Returns the request that API Gateway made this event of, and the caller that its authorizer found.
fn request(name: &str) -> (Option<Caller>, Request<Body>) {
    let event: Value = serde_json::from_str(&events::event(name)).unwrap();
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let query = Some(text("/rawQueryString")).filter(|query| !query.is_empty());
    let path = text("/rawPath").to_owned() + &query.map(|query| format!("?{query}")).unwrap_or_default();
    let mut request = Request::builder().method(text("/requestContext/http/method")).uri(path);
    for header in ["content-type", "idempotency-key"] {
        if let Some(value) = event["headers"].get(header) {
            request = request.header(header, value.as_str().unwrap());
        }
    }
    let body = match event["isBase64Encoded"] == true {
        true => STANDARD.decode(text("/body")).unwrap(),
        false => text("/body").as_bytes().to_vec(),
    };
    let claims = event.pointer("/requestContext/authorizer/jwt/claims");
    let caller = claims.map(|claims| {
        let mut claims: HashMap<String, String> = serde_json::from_value(claims.clone()).unwrap();
        // The issuer and the validity are those of the token that carries the claims here.
        claims.retain(|name, _| ["role", "sub", "account_id", "scope"].contains(&name.as_str()));
        Caller(claims)
    });
    (caller, request.body(Body::from(body)).unwrap())
}

/// Returns the redemption of the samples. Its id is a digest under the deployment's key.
fn sample_redemption() -> String {
    let (_, request) = request("giftcard-redemption");
    request.uri().path().rsplit('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn every_sample_event_is_answered_through_the_api() {
    let shop = Shop::shared().await;
    let mut redemption: Option<String> = None;
    let wallets = events::STORY.iter().map(|(name, status)| (*name, *status));
    let payments = events::PAYMENTS.iter().map(|(name, _, status)| (*name, *status));
    let budgets = budget_events::STORY.iter().map(|(name, _, status)| (*name, *status));
    let loyalty = loyalty_events::LOYALTY
        .iter()
        .chain(&loyalty_events::VOUCHERS)
        .map(|(name, status)| (*name, *status));
    let rewards = loyalty_events::REWARDS.iter().map(|(name, status)| (*name, *status));
    // What a cancellation is answered depends on what the queue has done by then.
    let jobs = job_events::JOBS
        .iter()
        .filter(|(name, _)| *name != "jobs-cancel")
        .map(|(name, status)| (*name, *status));
    for (name, status) in wallets.chain(jobs).chain(loyalty).chain(rewards).chain(payments).chain(budgets) {
        if name == "alerts" {
            // It raises the alert that the next event acknowledges.
            shop.world.run("monitor").await;
        }
        let (caller, mut request) = request(name);
        if let Some(redemption) = redemption.as_ref().filter(|_| name.starts_with("giftcard-re")) {
            let path = request.uri().to_string().replace(&sample_redemption(), redemption);
            *request.uri_mut() = path.parse().unwrap();
        }
        let answer = shop.world.send(caller.as_ref(), request).await;
        assert_eq!(answer.status, status, "{name} {}", answer.body);
        if name == "giftcard-provision" {
            redemption = Some(answer.text("/redemption/redemption_id"));
        }
    }
    shop.world.run("expire-credits").await;
    shop.world.prove().await;
}
