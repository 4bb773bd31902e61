//! Wrong codes at the public redemption endpoint are counted by address, by campaign and in all.

use axum::Router;
use edge::Services;
use http::{HeaderMap, Method};
use provision_gift_card::{Limits, ProvisionTools, router};
use serde_json::json;
use std::time::Duration;
use tests::{Agency, Answer, admin};
use tower::ServiceExt;

/// Returns a process of the function with these limits.
fn process(agency: &Agency, change: impl FnOnce(Limits) -> Limits) -> Router {
    let parts = &agency.world().parts;
    let limits = change(Limits { refusal: Duration::ZERO, ..Limits::usual(&parts.suppliers) });
    let issuer = issuing::Issuer {
        store: parts.app.store.clone(),
        vault: parts.vault.clone(),
        suppliers: parts.suppliers.clone(),
    };
    router(Services { app: parts.app.clone(), tools: ProvisionTools::new(issuer, limits) })
}

/// Tries a code from an address.
async fn redeem(process: &Router, address: &str, code: &str, campaign: Option<&str>) -> Answer {
    let body = json!({"redemption_code": code, "campaign_id": campaign}).to_string();
    let request = tests::world::request(Method::POST, "/api/gift-cards/redeem", &body, HeaderMap::new());
    let request = tests::world::event_from(address, request).await;
    Answer::read(process.clone().oneshot(request).await.unwrap()).await
}

/// Mints a code of the campaign.
async fn mint(agency: &Agency) -> String {
    let codes = format!("/api/gift-cards/campaigns/{}/codes", agency.campaign);
    let body = format!(r#"{{"count":1,"brand_id":"{}","denomination":25}}"#, agency.brand);
    agency.world().post(&admin(), &codes, &body).await.expect(201).text("/codes/0")
}

async fn guessing_alerts(agency: &Agency) -> Vec<String> {
    let alerts = agency.world().get(&admin(), "/api/alerts?status=open").await.expect(200).json();
    let alerts = alerts["alerts"].as_array().unwrap().clone();
    let guessing = alerts.iter().filter(|alert| alert["kind"] == "code_guessing");
    guessing.map(|alert| alert["subject"].as_str().unwrap().to_owned()).collect()
}

/// Covers fault 50 of the requirements.
#[tokio::test]
async fn the_addresses_of_one_ipv6_network_of_64_bits_are_one_address() {
    let agency = Agency::new("100", 2).await;
    let process = process(&agency, |limits| Limits { wrong_per_address: 3, ..limits });
    for n in 1..=3 {
        let address = format!("2001:db8:0:1::{n:x}");
        redeem(&process, &address, "GUESS-1", None).await.expect_problem(404, "code_not_found");
    }
    let code = mint(&agency).await;
    let other = "2001:db8:0:1:ffff:ffff:ffff:ffff";
    redeem(&process, other, &code, None).await.expect_problem(429, "rate_limited");
    assert_eq!(guessing_alerts(&agency).await.len(), 1);
    // A neighbouring network, and an IPv4 address written as IPv6, are others.
    redeem(&process, "2001:db8:0:2::1", &code, None).await.expect(201);
    for _ in 0..3 {
        redeem(&process, "::ffff:192.0.2.1", "GUESS-1", None).await.expect_problem(404, "code_not_found");
    }
    redeem(&process, "192.0.2.1", &code, None).await.expect_problem(429, "rate_limited");
    redeem(&process, "192.0.2.2", &code, None).await.expect(201);
    agency.world().prove().await;
}

/// Covers fault 50 of the requirements.
#[tokio::test]
async fn wrong_codes_of_a_campaign_from_many_addresses_are_limited_and_raise_an_alert() {
    let agency = Agency::new("100", 2).await;
    let process = process(&agency, |limits| Limits { wrong_per_campaign: 5, ..limits });
    let campaign = Some(agency.campaign.as_str());
    for n in 0..5 {
        let address = format!("192.0.2.{n}");
        redeem(&process, &address, "GUESS-1", campaign).await.expect_problem(404, "code_not_found");
    }
    let limited = redeem(&process, "192.0.2.9", "GUESS-1", campaign).await;
    assert!(limited.header("retry-after").is_some());
    limited.expect_problem(429, "rate_limited");
    assert_eq!(guessing_alerts(&agency).await, [format!("campaign {}", agency.campaign)]);
    // Other campaigns, and minted codes without a campaign, are not affected.
    let code = mint(&agency).await;
    redeem(&process, "192.0.2.9", &code, None).await.expect(201);
    // The next window begins anew.
    agency.world().clock.advance(Duration::from_secs(600));
    redeem(&process, "192.0.2.9", &code, campaign).await.expect(201);
    agency.world().prove().await;
}

#[tokio::test]
async fn the_customers_of_a_campaign_without_credit_do_not_count_as_guessing_for_others() {
    let agency = Agency::new("", 2).await;
    let process = process(&agency, |limits| Limits { wrong_per_campaign: 2, wrong_in_all: 2, ..limits });
    let code = mint(&agency).await;
    for n in 0..5 {
        let campaign = (n % 2 == 0).then_some(agency.campaign.as_str());
        let address = format!("192.0.2.{n}");
        redeem(&process, &address, &code, campaign).await.expect_problem(404, "code_not_found");
    }
    assert_eq!(guessing_alerts(&agency).await, Vec::<String>::new());
    agency.fund("25").await;
    redeem(&process, "192.0.2.9", &code, None).await.expect(201);
    agency.world().prove().await;
}

/// Covers fault 50 of the requirements.
#[tokio::test]
async fn wrong_codes_of_all_callers_are_limited_and_raise_an_alert() {
    let agency = Agency::new("100", 2).await;
    let process = process(&agency, |limits| Limits { wrong_in_all: 5, ..limits });
    for n in 0..5 {
        // Whether they name a campaign, or which, does not matter.
        let campaign = (n % 2 == 0).then_some(agency.campaign.as_str());
        let address = format!("192.0.2.{n}");
        redeem(&process, &address, "GUESS-1", campaign).await.expect_problem(404, "code_not_found");
    }
    let code = mint(&agency).await;
    redeem(&process, "192.0.2.9", &code, None).await.expect_problem(429, "rate_limited");
    assert_eq!(guessing_alerts(&agency).await, ["all callers"]);
    agency.world().clock.advance(Duration::from_secs(600));
    redeem(&process, "192.0.2.9", &code, None).await.expect(201);
    agency.world().prove().await;
}

#[tokio::test]
async fn naming_a_campaign_does_not_evade_the_limit_over_all_callers() {
    let agency = Agency::new("100", 2).await;
    let process = process(&agency, |limits| Limits { wrong_in_all: 5, wrong_per_campaign: 20, ..limits });
    let campaign = Some(agency.campaign.as_str());
    let code = mint(&agency).await;
    // Campaigns that do not exist count for all callers only.
    let unknown = format!("acct_m{}", "0".repeat(20));
    for n in 0..5 {
        let address = format!("192.0.2.{n}");
        redeem(&process, &address, "GUESS-1", Some(&unknown)).await.expect_problem(404, "code_not_found");
    }
    assert_eq!(guessing_alerts(&agency).await, ["all callers"]);
    // Within a campaign, a tenth of its own limit is left.
    for n in 5..7 {
        let address = format!("192.0.2.{n}");
        redeem(&process, &address, "GUESS-1", campaign).await.expect_problem(404, "code_not_found");
    }
    redeem(&process, "192.0.2.9", &code, campaign).await.expect_problem(429, "rate_limited");
    agency.world().clock.advance(Duration::from_secs(600));
    redeem(&process, "192.0.2.9", &code, campaign).await.expect(201);
    agency.world().prove().await;
}

/// Covers fault 55 of the requirements.
#[tokio::test]
async fn tries_that_never_ended_lock_nobody_out() {
    let agency = Agency::new("100", 2).await;
    let process = process(&agency, |limits| Limits { open_per_address: 2, ..limits });
    let code = mint(&agency).await;
    // Two processes stop in the middle of a try.
    for _ in 0..2 {
        let arrived = std::sync::Arc::new(tokio::sync::Notify::new());
        agency.world().faults.plan("GetItem", 1, tests::Fault::StopBefore(arrived.clone()));
        let process = process.clone();
        let stopped = tokio::spawn(async move { redeem(&process, "192.0.2.1", "GUESS-1", None).await });
        arrived.notified().await;
        stopped.abort();
        assert!(stopped.await.unwrap_err().is_cancelled());
    }
    redeem(&process, "192.0.2.1", &code, None).await.expect_problem(429, "rate_limited");
    agency.world().clock.advance(Duration::from_secs(30));
    redeem(&process, "192.0.2.1", &code, None).await.expect(201);
    agency.world().prove().await;
}
