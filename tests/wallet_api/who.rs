//! Permissions of callers, through HTTP.

use tests::caller::role;
use tests::{World, admin, customer, service, staff};

const READS: [&str; 9] = [
    "",
    "/balance",
    "/transactions",
    "/transaction-summary",
    "/statistics",
    "/expiring",
    "/expiry-history",
    "/referral-code",
    "/tier-benefits",
];
const WRITES: [(&str, &str); 8] = [
    ("add-credits", r#"{"amount":1}"#),
    ("deduct-credits", r#"{"amount":1}"#),
    ("refund", r#"{"amount":1,"order_id":"o"}"#),
    ("holds", r#"{"amount":1}"#),
    ("transfer", r#"{"amount":1,"to_customer_id":"b"}"#),
    ("freeze", r#"{"reason":"r"}"#),
    ("unfreeze", r#"{"reason":"r"}"#),
    ("suspend", r#"{"reason":"r"}"#),
];

#[tokio::test]
async fn no_request_is_served_without_verified_claims() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    for read in READS {
        let request =
            http::Request::get(format!("/api/wallet/a{read}")).body(axum::body::Body::empty()).unwrap();
        world.send(None, request).await.expect_problem(401, "unauthenticated");
    }
    for (path, body) in WRITES {
        let path = format!("/api/wallet/a/{path}");
        let mut request = tests::world::request(http::Method::POST, &path, body, http::HeaderMap::new());
        // Behind API Gateway, a header that claims a token is ignored.
        request.headers_mut().insert("authorization", "Bearer x".parse().unwrap());
        world.send(None, request).await.expect_problem(401, "unauthenticated");
    }
    for bad in ["", "root", "system", "Admin"] {
        world.get(&role(bad), "/api/wallet/a").await.expect_problem(401, "unauthenticated");
    }
    assert_eq!(world.prove().await.entries, 1);
}

#[tokio::test]
async fn anothers_wallet_looks_like_none() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    world.open_wallet("b", "100").await;
    for id in ["a", "nobody"] {
        for read in READS {
            let answer = world.get(&customer("b"), &format!("/api/wallet/{id}{read}")).await;
            answer.expect_problem(404, "wallet_not_found");
        }
        for (path, body) in [WRITES[1], WRITES[3], WRITES[4]] {
            let answer = world.post(&customer("b"), &format!("/api/wallet/{id}/{path}"), body).await;
            answer.expect_problem(404, "wallet_not_found");
        }
    }
    world.prove().await;
}

#[tokio::test]
async fn a_customer_cannot_do_what_is_for_admins_not_even_to_their_own_wallet() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    for (path, body) in [WRITES[0], WRITES[2], WRITES[5], WRITES[6], WRITES[7]] {
        for caller in [customer("a"), staff()] {
            let answer = world.post(&caller, &format!("/api/wallet/a/{path}"), body).await;
            answer.expect_problem(403, "forbidden");
        }
    }
    let create = r#"{"customer_id":"c"}"#;
    for caller in [customer("c"), staff(), service("wallet:credit"), role("agency"), role("client")] {
        world.post(&caller, "/api/wallet/create", create).await.expect_problem(403, "forbidden");
    }
    world.prove().await;
}

#[tokio::test]
async fn staff_and_admins_read_everything_and_a_service_only_balances() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    for read in READS {
        for caller in [staff(), admin(), customer("a")] {
            world.get(&caller, &format!("/api/wallet/a{read}")).await.expect(200);
        }
        let answer = world.get(&service("wallet:read"), &format!("/api/wallet/a{read}")).await;
        assert_eq!(answer.status, if read == "/balance" { 200 } else { 403 }, "{read}");
    }
    world.get(&staff(), "/api/wallet/nobody").await.expect_problem(404, "wallet_not_found");
}
