//! Repeated requests, with and without idempotency keys.

use tests::{World, admin, customer, service, staff};

#[tokio::test]
async fn every_operation_that_moves_value_is_replayed_byte_for_byte() {
    let world = World::new().await;
    let opened = r#"{"customer_id":"a","initial_balance":500}"#;
    let mut answers = vec![(
        "/api/wallet/create".to_owned(),
        opened.to_owned(),
        world.post_keyed(&admin(), "k", "/api/wallet/create", opened).await.expect(201),
    )];
    world.open_wallet("b", "5").await;
    for (path, body) in [
        ("a/add-credits", r#"{"amount":50}"#),
        ("a/deduct-credits", r#"{"amount":10,"order_id":"o"}"#),
        ("a/refund", r#"{"amount":5,"order_id":"o"}"#),
        ("a/holds", r#"{"amount":100}"#),
        ("a/transfer", r#"{"amount":5,"to_customer_id":"b"}"#),
    ] {
        let path = format!("/api/wallet/{path}");
        let answer = world.post_keyed(&admin(), "k", &path, body).await.expect(201);
        assert!(!answer.is_replay());
        answers.push((path, body.to_owned(), answer));
    }
    let hold = answers[4].2.text("/hold_id");
    let other = world.post(&admin(), "/api/wallet/a/holds", r#"{"amount":1}"#).await.text("/hold_id");
    for (hold, verb, body) in [(&hold, "capture", r#"{"amount":60,"final":false}"#), (&other, "release", "")]
    {
        let path = format!("/api/wallet/holds/{hold}/{verb}");
        let answer = world.post_keyed(&admin(), "k", &path, body).await.expect(200);
        answers.push((path, body.to_owned(), answer));
    }
    let before = world.get(&staff(), "/api/wallet/a").await.body;
    // Whether the wallet is suspended, spent or a year older, each answer is the first one, byte for byte.
    world.post(&admin(), "/api/wallet/a/suspend", r#"{"reason":"r"}"#).await.expect(200);
    for (path, body, first) in &answers {
        let again = world.post_keyed(&admin(), "k", path, body).await;
        assert_eq!((again.status, &again.body), (first.status, &first.body), "{path}");
        assert!(again.is_replay(), "{path}");
        assert_eq!(again.header("location"), first.header("location"));
    }
    let after = world.get(&staff(), "/api/wallet/a").await.body;
    assert_eq!(before.replace("ACTIVE", "SUSPENDED"), after, "replays changed something");
    world.clock.advance_days(366);
    for (path, body, first) in &answers {
        let again = world.post_keyed(&admin(), "k", path, body).await;
        assert_eq!(
            (again.status, &again.body, again.is_replay()),
            (first.status, &first.body, true),
            "{path}"
        );
    }
    world.prove().await;
}

#[tokio::test]
async fn the_same_key_with_another_request_is_refused_and_equal_values_are_the_same_request() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    let path = "/api/wallet/a/deduct-credits";
    let first = world.post_keyed(&customer("a"), "k", path, r#"{"amount":10}"#).await.expect(201);
    for same in [r#"{"amount":10.00}"#, r#"{"amount":"10"}"#, r#" { "amount" : 10.0 , "reason" : null } "#] {
        // The caller does not matter.
        let again = world.post_keyed(&service("wallet:debit"), "k", path, same).await.expect(201);
        assert!(again.is_replay() && again.body == first.body);
    }
    for other in [r#"{"amount":10.01}"#, r#"{"amount":10,"reason":"x"}"#, r#"{"amount":1000000}"#] {
        let refused = world.post_keyed(&customer("a"), "k", path, other).await;
        refused.expect_problem(422, "idempotency_key_reused");
    }
    // A quoted key is the same key (the structured form of the draft for the header).
    assert!(
        world.post_keyed(&customer("a"), "\"k\"", path, r#"{"amount":10}"#).await.expect(201).is_replay()
    );
    world.expect_available("a", "90.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_key_counts_for_one_wallet_and_one_operation() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    world.open_wallet("b", "100").await;
    for id in ["a", "b"] {
        for path in ["deduct-credits", "holds"] {
            let path = format!("/api/wallet/{id}/{path}");
            let answer = world.post_keyed(&customer(id), "k", &path, r#"{"amount":10}"#).await;
            assert!(!answer.expect(201).is_replay());
        }
    }
    // Captures of two holds of one wallet are different requests.
    let hold = world.post(&customer("a"), "/api/wallet/a/holds", r#"{"amount":1}"#).await.text("/hold_id");
    let other = world.post(&customer("a"), "/api/wallet/a/holds", r#"{"amount":1}"#).await.text("/hold_id");
    world.post_keyed(&customer("a"), "c", &format!("/api/wallet/holds/{hold}/capture"), "").await.expect(200);
    world
        .post_keyed(&customer("a"), "c", &format!("/api/wallet/holds/{other}/capture"), "")
        .await
        .expect_problem(422, "idempotency_key_reused");
    world.prove().await;
}

#[tokio::test]
async fn without_a_key_each_request_is_new() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    for _ in 0..3 {
        let debit =
            world.post(&customer("a"), "/api/wallet/a/deduct-credits", r#"{"amount":10}"#).await.expect(201);
        assert!(!debit.is_replay());
    }
    world.expect_available("a", "70.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_key_that_is_no_key_is_refused_and_moves_nothing() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    let (path, body) = ("/api/wallet/a/deduct-credits", r#"{"amount":10}"#);
    let long = "x".repeat(10_240);
    let mut bad: Vec<http::HeaderMap> = [b"".as_slice(), b"\"\"", long.as_bytes(), b"a\tb", b"\xc3\xa9"]
        .map(|key| {
            [(http::HeaderName::from_static("idempotency-key"), http::HeaderValue::from_bytes(key).unwrap())]
                .into_iter()
                .collect()
        })
        .to_vec();
    let mut twice = http::HeaderMap::new();
    twice.append("idempotency-key", "a".parse().unwrap());
    twice.append("idempotency-key", "b".parse().unwrap());
    bad.push(twice);
    for headers in bad {
        let request = tests::world::request(http::Method::POST, path, body, headers);
        let answer = world.send(Some(&customer("a")), request).await.expect_problem(400, "invalid_request");
        assert_eq!(answer.offending(), ["/Idempotency-Key"]);
    }
    world.expect_available("a", "100.00").await;
}
