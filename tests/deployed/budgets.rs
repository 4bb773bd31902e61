//! Budgets and gift cards through the API.

use serde_json::json;
use tests::{Agency, Shop, acts_for, admin, unique};

const ISOLATED: (&str, &str) = (r#""budget_mode":"isolated""#, "");
const SUPPLIED: (&str, &str) =
    (r#""budget_mode":"isolated""#, r#""supplier":"tremendous","supplier_product_id":"PRODUCT1""#);

#[tokio::test]
async fn a_code_results_in_one_card_and_the_budget_pays_once() {
    let agency = Agency::at(Shop::shared().await, "50", 3, ISOLATED).await;
    let code = unique("CODE");
    let first = agency.provision(&code).await.expect(201);
    let again = agency.provision(&code).await.expect(201);
    assert!(again.is_replay() && first.body == again.body);
    assert_eq!(agency.figures(&agency.campaign).await, ["25.00", "0.00", "25.00"]);
    let path = format!("/api/gift-cards/redemptions/{}", first.text("/redemption/redemption_id"));
    let card = agency.world().post(&admin(), &format!("{path}/reveal"), "").await.expect(200);
    assert_eq!(card.text("/card_code"), first.text("/card/card_code"));
    agency.provision(&unique("CODE")).await.expect(201);
    agency.provision(&unique("CODE")).await.expect_problem(402, "insufficient_funds");
    agency.world().prove().await;
}

#[tokio::test]
async fn a_minted_code_is_redeemed_without_a_token() {
    let agency = Agency::at(Shop::shared().await, "100", 2, ISOLATED).await;
    let codes = format!("/api/gift-cards/campaigns/{}/codes", agency.campaign);
    let mint = json!({"count": 1, "brand_id": agency.brand, "denomination": 25}).to_string();
    let code = agency.world().post(&admin(), &codes, &mint).await.expect(201).text("/codes/0");
    let file = format!("code,brand_id,denomination\n{},{},25\n", unique("spring"), agency.brand);
    assert_eq!(agency.world().post_csv(&admin(), &codes, &file).await.expect(200).raw("accepted"), "1");
    let body = json!({"redemption_code": code}).to_string();
    let request = http::Request::post("/api/gift-cards/redeem").header("content-type", "application/json");
    let request = request.body(axum::body::Body::from(body)).unwrap();
    agency.world().send(None, request).await.expect(201);
    assert_eq!(agency.figures(&agency.campaign).await, ["75.00", "0.00", "25.00"]);
    agency.world().prove().await;
}

#[tokio::test]
async fn a_supplier_delivers_on_demand_and_credit_returns_to_whom_it_came_from() {
    let agency = Agency::at(Shop::shared().await, "100", 0, SUPPLIED).await;
    let issued = agency.provision(&unique("CODE")).await.expect(201);
    assert_eq!(issued.text("/source"), "api");
    let client = acts_for("client", &agency.client);
    let back = json!({"account_id": agency.campaign, "amount": 70});
    agency.world().post(&client, "/api/credit/reclaim", &back.to_string()).await.expect(201);
    let tree = agency.world().get(&client, &format!("/api/credit/accounts/{}/tree", agency.client)).await;
    assert!(tree.expect(200).body.contains(&agency.campaign));
    agency.world().prove().await;
}
