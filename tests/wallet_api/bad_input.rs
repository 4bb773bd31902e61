//! Invalid input: each case has its exact status, and nothing is partly applied.

use axum::body::Body;
use http::{HeaderMap, Method, Request};
use std::io::Write;
use tests::{World, admin, customer, staff};

const DEBIT: &str = "/api/wallet/a/deduct-credits";

async fn world() -> World {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    world
}

async fn untouched(world: &World) {
    assert_eq!(world.prove().await.entries, 1);
    world.expect_available("a", "100.00").await;
}

#[tokio::test]
async fn amounts_that_are_none_are_refused() {
    let world = world().await;
    for amount in [
        "0",
        "-1",
        "0.00",
        "1e2",
        "1E400",
        "1.001",
        "10000000000001",
        "99999999999999999999999999",
        "\"NaN\"",
        "\"\"",
        "\"1e2\"",
        "\" 1\"",
        "\"-5\"",
        "null",
        "true",
        "[]",
        "{}",
        "\"ten\"",
        "-0",
        "\"0x10\"",
        "\"1,5\"",
    ] {
        let answer = world.post(&customer("a"), DEBIT, &format!(r#"{{"amount":{amount}}}"#)).await;
        let answer = answer.expect_problem(400, "invalid_request");
        assert_eq!(answer.offending(), ["/amount"], "{amount}");
    }
    for broken in [
        r#"{"amount":NaN}"#,
        r#"{"amount":01}"#,
        r#"{"amount":.5}"#,
        r#"{"amount":+1}"#,
        r#"{"amount":Infinity}"#,
    ] {
        world.post(&customer("a"), DEBIT, broken).await.expect_problem(400, "invalid_request");
    }
    untouched(&world).await;
}

#[tokio::test]
async fn every_offending_field_is_reported_at_once() {
    let world = world().await;
    let body = r#"{"amount":-1,"order_id":"a#b","balance":5,"reason":7,"reason":"x","version":1}"#;
    let answer = world.post(&staff(), DEBIT, body).await.expect_problem(400, "invalid_request");
    assert_eq!(answer.offending(), ["/amount", "/reason", "/order_id", "/balance", "/reason", "/version"]);
    let body = r#"{"customer_id":"holds","initial_balance":"x","currency":"inr","metadata":{"a":1},"tier":"GOLD","role":"admin"}"#;
    let answer =
        world.post(&admin(), "/api/wallet/create", body).await.expect_problem(400, "invalid_request");
    assert_eq!(
        answer.offending(),
        ["/customer_id", "/initial_balance", "/currency", "/metadata", "/tier", "/role"]
    );
    insta::assert_json_snapshot!(answer.json(), { ".instance" => "[id]" });
    let answer =
        world.post(&admin(), "/api/wallet/a/refund", "{}").await.expect_problem(400, "invalid_request");
    assert_eq!(answer.offending(), ["/amount", "/order_id"]);
    let body = r#"{"customer_id":"b","metadata":{"referral_code":"HACK"}}"#;
    assert_eq!(world.post(&admin(), "/api/wallet/create", body).await.expect(400).offending(), ["/metadata"]);
    for order in [".", ".."] {
        let body = format!(r#"{{"amount":1,"order_id":"{order}"}}"#);
        assert_eq!(world.post(&staff(), DEBIT, &body).await.expect(400).offending(), ["/order_id"]);
    }
    untouched(&world).await;
}

#[tokio::test]
async fn bodies_that_are_no_json_object_are_refused() {
    let world = world().await;
    let deep = format!("{{\"amount\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let deeper = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let nested = format!("{{\"amount\":1,\"metadata\":{}1{}}}", "{\"a\":".repeat(20_000), "}".repeat(20_000));
    for body in [
        "",
        "[]",
        "5",
        "\"x\"",
        "{",
        "{}{}",
        "{\"amount\":1,}",
        "\u{feff}{\"amount\":1}",
        &deep,
        &deeper,
        &nested,
    ] {
        world.post(&customer("a"), DEBIT, body).await.expect_problem(400, "invalid_request");
    }
    for bytes in [b"{\"amount\":1,\"reason\":\"\xff\"}".to_vec(), b"\xff\xfe{".to_vec(), vec![0; 100]] {
        let request =
            Request::post(DEBIT).header("content-type", "application/json").body(Body::from(bytes)).unwrap();
        world.send(Some(&customer("a")), request).await.expect_problem(400, "invalid_request");
    }
    untouched(&world).await;
}

#[tokio::test]
async fn only_json_is_taken() {
    let world = world().await;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "multipart/form-data",
        "application/json; charset=utf-16",
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", kind.parse().unwrap());
        let request = tests::world::request(Method::POST, DEBIT, r#"{"amount":1}"#, headers);
        world.send(Some(&customer("a")), request).await.expect_problem(415, "unsupported_media_type");
    }
    let request = Request::post(DEBIT).body(Body::from(r#"{"amount":1}"#)).unwrap();
    world.send(Some(&customer("a")), request).await.expect_problem(415, "unsupported_media_type");
    untouched(&world).await;
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "Application/JSON; charset=utf-8".parse().unwrap());
    let request = tests::world::request(Method::POST, DEBIT, r#"{"amount":1}"#, headers);
    world.send(Some(&customer("a")), request).await.expect(201);
}

fn compressed(encoding: &str, plain: &[u8]) -> Request<Body> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(plain).unwrap();
    let request =
        Request::post(DEBIT).header("content-type", "application/json").header("content-encoding", encoding);
    request.body(Body::from(gzip.finish().unwrap())).unwrap()
}

#[tokio::test]
async fn bodies_over_the_limit_and_compressed_bombs_are_refused() {
    let world = world().await;
    let query = world.post(&customer("a"), &format!("{DEBIT}?amount=1"), r#"{"amount":1}"#).await;
    assert_eq!(query.expect_problem(400, "invalid_request").offending(), ["/amount"]);
    let big = format!(r#"{{"amount":1,"reason":"{}"}}"#, "x".repeat(256 * 1024));
    world.post(&customer("a"), DEBIT, &big).await.expect_problem(413, "body_too_large");
    let bomb = vec![b' '; 64 * 1024 * 1024];
    world.send(Some(&customer("a")), compressed("gzip", &bomb)).await.expect_problem(413, "body_too_large");
    world
        .send(Some(&customer("a")), compressed("br", b"{}"))
        .await
        .expect_problem(415, "unsupported_media_type");
    world
        .send(Some(&customer("a")), compressed("deflate", b"{}"))
        .await
        .expect_problem(400, "invalid_request");
    untouched(&world).await;
    // Compression itself is accepted.
    world.send(Some(&customer("a")), compressed("gzip", br#"{"amount":1}"#)).await.expect(201);
}

#[tokio::test]
async fn ids_that_could_leave_their_place_are_refused() {
    let world = world().await;
    for id in ["a%23b", "a%22b", "a'b", "a%20b", "%3Apk%20OR%201=1%23", "create", "%C3%A9", &"x".repeat(129)]
    {
        let answer = world.get(&staff(), &format!("/api/wallet/{id}/balance")).await;
        let answer = answer.expect_problem(400, "invalid_request");
        assert_eq!(answer.offending(), ["/customer_id"], "{id}");
    }
    // These lead to other functions.
    world.get(&staff(), "/api/wallet/bulk/balance").await.expect_problem(404, "job_not_found");
    world.get(&staff(), "/api/wallet/rewards/balance").await.expect_problem(404, "reward_not_found");
    world.get(&staff(), "/api/wallet/referral/balance").await.expect_problem(404, "not_found");
    // API Gateway passes a decoded path on: an encoded slash becomes a slash.
    world.get(&staff(), "/api/wallet/a%2Fb/balance").await.expect_problem(404, "not_found");
    world.get(&staff(), "/api/wallet/a%00b/balance").await.expect_problem(400, "invalid_request");
    world.get(&staff(), "/api/wallet/%FF/balance").await.expect_problem(400, "invalid_request");
    // A path of the order API is no order.
    for order in ["pay-with-wallet", "refund-to-wallet", ".", ".."] {
        let debit = format!(r#"{{"amount":1,"order_id":"{order}"}}"#);
        let refused = world.post(&admin(), DEBIT, &debit).await.expect_problem(400, "invalid_request");
        assert_eq!(refused.offending(), ["/order_id"], "{order}");
    }
    // Words of DynamoDB's expressions are ids like any others.
    for id in ["attribute_exists", ":v", "pk", "A:w:a", "NULL", "@", "-", "..."] {
        world
            .get(&staff(), &format!("/api/wallet/{id}/balance"))
            .await
            .expect_problem(404, "wallet_not_found");
    }
    untouched(&world).await;
}

#[tokio::test]
async fn text_is_bounded_and_without_control_characters_and_shown_as_it_is() {
    let world = world().await;
    let body =
        |reason: &str| format!(r#"{{"amount":1,"reason":{}}}"#, serde_json::to_string(reason).unwrap());
    for bad in [
        "x".repeat(501),
        "a\nb".to_owned(),
        "a\u{0}b".to_owned(),
        "\u{7f}".to_owned(),
        "\u{9f}".to_owned(),
        "a\u{202e}b".to_owned(),
        "\u{2066}a".to_owned(),
    ] {
        let answer =
            world.post(&customer("a"), DEBIT, &body(&bad)).await.expect_problem(400, "invalid_request");
        assert_eq!(answer.offending(), ["/reason"]);
    }
    let html = "<script>alert('₹')</script> \"quoted\" \\ & ünïcode 😀";
    let answer = world.post(&customer("a"), DEBIT, &body(html)).await.expect(201);
    assert_eq!(answer.text("/reason"), html);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let listed = world.get(&staff(), "/api/wallet/a/transactions?limit=1").await;
    assert_eq!(listed.text("/transactions/0/reason"), html);
    world.prove().await;
}

#[tokio::test]
async fn metadata_is_bounded() {
    let world = world().await;
    let pairs = |count: usize, size: usize| {
        let pairs: Vec<String> = (0..count).map(|n| format!(r#""k{n}":"{}""#, "v".repeat(size))).collect();
        format!(r#"{{"amount":1,"metadata":{{{}}}}}"#, pairs.join(","))
    };
    let path = "/api/wallet/a/add-credits";
    for bad in [
        pairs(21, 1),
        pairs(2, 1_100),
        r#"{"amount":1,"metadata":{"a":"1","a":"2"}}"#.to_owned(),
        r#"{"amount":1,"metadata":{"a":{"b":"c"}}}"#.to_owned(),
        r#"{"amount":1,"metadata":[]}"#.to_owned(),
    ] {
        assert_eq!(world.post(&admin(), path, &bad).await.expect(400).offending(), ["/metadata"]);
    }
    world.post(&admin(), path, &pairs(20, 90)).await.expect(201);
    world.prove().await;
}

#[tokio::test]
async fn unknown_paths_and_methods_are_reported_as_problems() {
    let world = world().await;
    world.get(&staff(), "/api/wallet/a/nonsense").await.expect_problem(404, "not_found");
    world.get(&staff(), DEBIT).await.expect_problem(405, "method_not_allowed");
    world.post(&staff(), "/api/wallet/a/balance", "{}").await.expect_problem(405, "method_not_allowed");
    world.post(&admin(), "/api/wallet/a/add-credits", r#"{"amount":1,"source":"topup"}"#).await.expect(400);
    untouched(&world).await;
}
