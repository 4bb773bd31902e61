//! Events of API Gateway through the real adapter: a path is decoded once, no event panics, and claims are
//! read as issuers write them.

use domain::ids::CustomerId;
use proptest::prelude::*;
use scrip::invoke::invoke;
use serde_json::{Value, json};
use tests::World;

/// Returns an event of the HTTP API with an admin's token.
fn event(method: &str, path: &str, query: &str, body: &str) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "ANY /api/wallet/{proxy+}",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"content-type": "application/json", "host": "abc.execute-api.eu-central-1.amazonaws.com"},
        "requestContext": {
            "requestId": "from-the-gateway", "stage": "$default", "domainName": "abc.execute-api.eu-central-1.amazonaws.com",
            "http": {"method": method, "path": path, "sourceIp": "203.0.113.7"},
            "authorizer": {"jwt": {"claims": {"sub": "admin-1", "role": "admin"}}},
        },
        "body": body,
        "isBase64Encoded": false,
    })
}

async fn status(world: &World, event: &Value) -> (u64, String) {
    let answer = invoke(&world.parts, "wallet", &event.to_string()).await.unwrap();
    (answer["statusCode"].as_u64().unwrap(), answer["body"].as_str().unwrap_or_default().to_owned())
}

async fn balance(world: &World, path: &str) -> (u64, String) {
    status(world, &event("GET", path, "", "")).await
}

/// Covers faults 26 and 33 and attack 54 of the requirements.
#[tokio::test]
async fn a_path_leads_to_the_id_between_its_slashes_or_to_nothing() {
    let world = World::new().await;
    world.open_wallet("ID", "100").await;
    world.open_wallet("cust_1", "100").await;
    assert_eq!(balance(&world, "/api/wallet/ID/balance").await.0, 200);
    for path in [
        "/api/wallet/ID#x",
        "/api/wallet/ID#x/balance",
        "/api/wallet/ID?x/balance",
        "/api/wallet/x/../ID/balance",
        "/api/wallet/./ID/balance",
        "/api/wallet/x\\..\\ID",
        "/api/wallet/x\\..\\ID/balance",
        "/api/wallet/cust%5F1/balance",
        "/api/wallet/cust%255F1/balance",
        "/api/wallet/I\tD/balance",
        "/api/wallet/ID\u{0}/balance",
        "/api/wallet/ID\n/balance",
        "/api/wallet/ ID/balance",
        "/api/wallet/ID;x/balance",
        "api/wallet/ID/balance",
        "//api/wallet/ID/balance",
        "/api/wallet//ID/balance",
        "/api/wallet/ID/balance/..",
        "/api/wallet/%2e%2e/ID/balance",
        "",
    ] {
        let (code, body) = balance(&world, path).await;
        assert!(code == 400 || code == 404, "{path:?} {code} {body}");
        assert!(body.contains("\"code\":") && body.contains("\"instance\":"), "a problem: {body}");
    }
    let debit = |path: &str| event("POST", path, "", r#"{"amount":10}"#);
    for path in [
        "/api/wallet/ID#/deduct-credits",
        "/api/wallet/x/../ID/deduct-credits",
        "/api/wallet/ID/deduct-credits/.",
    ] {
        assert!(matches!(status(&world, &debit(path)).await.0, 400 | 404), "{path}");
    }
    world.expect_available("ID", "100.00").await;
    assert_eq!(status(&world, &debit("/api/wallet/ID/deduct-credits")).await.0, 201);
    world.expect_available("ID", "90.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_stage_before_the_path_is_taken_off_and_only_there() {
    let world = World::new().await;
    world.open_wallet("prod", "100").await;
    let staged = |stage: &str, path: &str, route: &str| {
        let mut event = event("GET", path, "", "");
        event["requestContext"]["stage"] = stage.into();
        event["routeKey"] = route.into();
        event
    };
    for (stage, path, route, code) in [
        ("prod", "/prod/api/wallet/prod/balance", "ANY /api/wallet/{proxy+}", 200),
        ("prod", "/prod/api/wallet/prod/balance", "$default", 200),
        ("prod", "/api/wallet/prod/balance", "ANY /api/wallet/{proxy+}", 200),
        ("prod", "/prod", "$default", 404),
        ("prod", "/production/api/wallet/prod/balance", "$default", 404),
        ("prod", "/prod/prod/api/wallet/prod/balance", "$default", 404),
        // A custom domain omits the stage; this stage has the same name as the API's first path segment.
        ("api", "/api/wallet/prod/balance", "ANY /api/wallet/{proxy+}", 200),
        ("api", "/api/api/wallet/prod/balance", "ANY /api/wallet/{proxy+}", 200),
        ("$default", "/api/wallet/prod/balance", "ANY /api/wallet/{proxy+}", 200),
    ] {
        let (found, body) = status(&world, &staged(stage, path, route)).await;
        assert_eq!(found, code, "{stage} {path} {route} {body}");
    }
}

#[tokio::test]
async fn what_the_adapter_cannot_read_is_a_400() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    for query in [
        "type=a b",
        "x=\"{}\"",
        "type=%",
        "type=%zz",
        "type=%ff",
        "a#b",
        "x=<y>",
        "\u{e9}=1",
        &"a".repeat(20_000),
    ] {
        let (code, body) = status(&world, &event("GET", "/api/wallet/a/transactions", query, "")).await;
        assert_eq!(code, 400, "{query} {body}");
        assert!(body.contains("invalid_request"));
    }
    assert_eq!(
        status(&world, &event("GET", "/api/wallet/a/transactions", "type=DEBIT&limit=1", "")).await.0,
        200
    );
    for host in ["evil.example/api/wallet/a", "a b", "x@y", "[::1", "1.2.3.4.5", "xn--", "h\\x", ""] {
        let mut event = event("GET", "/api/wallet/a/balance", "", "");
        event["headers"]["host"] = host.into();
        let (code, body) = status(&world, &event).await;
        let is_host =
            !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:[]".contains(c));
        assert_eq!(code, if is_host { 200 } else { 400 }, "{host} {body}");
    }
    let mut broken = event("POST", "/api/wallet/a/deduct-credits", "", "not base64!");
    broken["isBase64Encoded"] = true.into();
    assert_eq!(status(&world, &broken).await.0, 400);
    let long = format!("/api/wallet/{}/balance", "é".repeat(5_000));
    assert_eq!(balance(&world, &long).await.0, 400);
    let mut proto = event("GET", "/api/wallet/a/balance", "", "");
    proto["headers"]["x-forwarded-proto"] = "a b".into();
    assert_eq!(status(&world, &proto).await.0, 200);
}

/// Covers fault 31 of the requirements.
#[tokio::test]
async fn claims_are_read_as_issuers_and_gateways_write_them() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    let as_caller = |claims: Value| {
        let mut event = event("GET", "/api/wallet/a/balance", "", "");
        event["requestContext"]["authorizer"]["jwt"]["claims"] = claims;
        event
    };
    let service = |scope: Value| {
        as_caller(json!({"sub": "s", "role": "service", "scope": scope, "exp": 1_999_999_999, "x": null}))
    };
    for (event, code) in [
        (service("wallet:read wallet:debit".into()), 200),
        (service("[wallet:debit wallet:read]".into()), 200),
        (service(json!(["wallet:debit", "wallet:read"])), 200),
        (service(" wallet:debit  wallet:read ".into()), 200),
        (service("wallet:debit".into()), 403),
        (service("[wallet:debit]".into()), 403),
        (service(json!([])), 403),
        (service("wallet:reader".into()), 403),
        (as_caller(json!({"sub": "x", "role": ["viewers", "staff"]})), 200),
        (as_caller(json!({"sub": "x", "role": "[viewers staff]"})), 200),
        (as_caller(json!({"sub": "x", "role": "viewers"})), 401),
        (as_caller(json!({"sub": "x", "role": "system"})), 401),
        (as_caller(json!({"role": "staff"})), 401),
    ] {
        assert_eq!(status(&world, &event).await.0, code, "{event}");
    }
}

#[tokio::test]
async fn claims_may_have_other_names() {
    let mut world = World::new().await;
    world.open_wallet("auth0|5f7c", "100").await;
    world.parts.app.claims = std::sync::Arc::new(edge::claims::ClaimNames {
        role: "https://shop.example/roles".to_owned(),
        account: "custom:account".to_owned(),
        scope: "permissions".to_owned(),
    });
    for (claims, code) in [
        (json!({"sub": "auth0|5f7c", "https://shop.example/roles": ["customer"]}), 200),
        (json!({"sub": "auth0|5f7d", "https://shop.example/roles": ["customer"]}), 404),
        (json!({"sub": "s", "https://shop.example/roles": "service", "permissions": ["wallet:read"]}), 200),
        (json!({"sub": "s", "https://shop.example/roles": "service", "scope": "wallet:read"}), 403),
        (json!({"sub": "s", "role": "admin"}), 401),
    ] {
        let mut event = event("GET", "/api/wallet/auth0|5f7c/balance", "", "");
        event["requestContext"]["authorizer"]["jwt"]["claims"] = claims;
        assert_eq!(status(&world, &event).await.0, code, "{event}");
    }
}

#[tokio::test]
async fn ids_that_people_have_are_customers_everywhere() {
    let world = World::new().await;
    for id in [
        "auth0|5f7c8ec7c33c6c004bbafe82",
        "google-oauth2|103547991597142817347",
        "ann+test@example.com",
        "+919812345678",
        "a=b~c",
    ] {
        let body = json!({"customer_id": id, "initial_balance": 100}).to_string();
        let answer =
            invoke(&world.parts, "wallet", &event("POST", "/api/wallet/create", "", &body).to_string())
                .await
                .unwrap();
        assert_eq!(answer["statusCode"], 201, "{answer}");
        let location = answer["headers"]["location"].as_str().unwrap();
        assert!(!location.contains('|') && location.parse::<http::Uri>().is_ok(), "{location}");
        let order = format!("{id}|order");
        let debit = json!({"amount": 10, "order_id": order}).to_string();
        let (code, body) =
            status(&world, &event("POST", &format!("/api/wallet/{id}/deduct-credits"), "", &debit)).await;
        assert_eq!(code, 201, "{body}");
        let transaction: Value = serde_json::from_str(&body).unwrap();
        let path = format!("/api/wallet/{id}/transactions/{}", transaction["id"].as_str().unwrap());
        assert_eq!(balance(&world, &path).await.0, 200);
        let (code, hold) =
            status(&world, &event("POST", &format!("/api/wallet/{id}/holds"), "", r#"{"amount":5}"#)).await;
        assert_eq!(code, 201, "{hold}");
        let hold: Value = serde_json::from_str(&hold).unwrap();
        let path = format!("/api/wallet/holds/{}/release", hold["hold_id"].as_str().unwrap());
        assert_eq!(status(&world, &event("POST", &path, "", "")).await.0, 200);
        let (code, body) = balance(&world, &format!("/api/wallet/{id}")).await;
        assert!(code == 200 && body.contains("\"available\":90.00"), "{body}");
    }
    world.prove().await;
}

#[tokio::test]
async fn any_spelling_of_utf_8_is_a_charset_and_no_other() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    for (kind, code) in [
        ("application/json; charset=utf8", 201),
        ("application/json;charset=UTF-8", 201),
        ("Application/JSON; Charset=\"utf-8\"", 201),
        ("application/json; charset=utf_8; q=1", 201),
        ("application/json; charset=latin1", 415),
        ("application/json; charset=utf-16", 415),
        ("text/json", 415),
    ] {
        let mut event = event("POST", "/api/wallet/a/deduct-credits", "", r#"{"amount":1}"#);
        event["headers"]["content-type"] = kind.into();
        assert_eq!(status(&world, &event).await.0, code, "{kind}");
    }
    world.prove().await;
}

/// Covers fault 32 of the requirements.
#[tokio::test]
async fn scheduled_functions_take_their_input_and_every_envelope_around_it() {
    let world = World::new().await;
    let envelope = |detail: Value| {
        json!({
            "version": "0", "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "detail-type": "Scheduled Event",
            "source": "aws.scheduler", "account": "123456789012", "time": "2026-01-15T10:00:00Z",
            "region": "eu-central-1", "resources": ["arn:aws:scheduler:…"], "detail": detail,
        })
    };
    for function in ["expire-credits", "monitor"] {
        for good in [
            json!({}),
            json!({"limit": 5}),
            envelope(json!({})),
            envelope(json!({"limit": 5})),
            envelope("{}".into()),
            envelope("{\"limit\": 5}".into()),
            envelope("".into()),
            envelope(Value::Null),
            json!({"detail": {"limit": 1}}),
        ] {
            let done = invoke(&world.parts, function, &good.to_string()).await;
            assert!(done.is_ok(), "{function} {good} {done:?}");
        }
        for bad in [
            json!({"limits": 5}),
            envelope(json!({"limit": "x"})),
            envelope("not JSON".into()),
            json!([]),
            json!("x"),
        ] {
            assert!(invoke(&world.parts, function, &bad.to_string()).await.is_err(), "{function} {bad}");
        }
    }
}

fn segments() -> impl Strategy<Value = String> {
    let nasty = prop::sample::select(vec![
        "..", ".", "", "ID", "#", "?", "\\", "%2e%2e", "%2F", "%", "ID#", "ID?x=1", "\u{0}", "\t", "é", "//",
        "@host", "ID;x", "*", "{x}", "ID%23", ":8080", " ",
    ]);
    let piece = prop_oneof![3 => nasty.prop_map(str::to_owned), 1 => any::<String>()];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_event_panics_and_none_leads_to_another_resource_than_its_path_names(
        customer in prop_oneof![1 => Just("ID".to_owned()), 6 => segments()],
        tail in prop::sample::select(vec!["", "/balance", "/", "/balance/", "#/balance", "?x=/balance"]),
        query in prop_oneof![2 => Just(String::new()), 3 => any::<String>(), 2 => "[ -~]{0,20}"],
        host in prop_oneof![2 => Just("example.com".to_owned()), 1 => any::<String>(), 1 => "[ -~]{0,12}"],
        stage in prop::sample::select(vec!["$default", "prod", ""]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let path = format!("/api/wallet/{customer}{tail}");
        let mut event = event("GET", &path, &query, "");
        event["requestContext"]["stage"] = stage.into();
        if http::HeaderValue::from_str(&host).is_ok() {
            event["headers"]["host"] = host.into();
        }
        let seen = runtime.block_on(routed(&event));
        // A handler receives the text between the slashes; everything else is answered with a problem.
        if let Some(seen) = seen {
            prop_assert_eq!(format!("/api/wallet/{seen}"), path.trim_end_matches("/balance"));
            prop_assert!(!seen.contains('/'));
            if seen == "ID" {
                prop_assert!(CustomerId::parse(&customer).is_ok_and(|id| id.as_str() == "ID"));
            }
        }
    }
}

/// Returns the customer that a handler behind the adapter receives, if the event reaches a handler.
async fn routed(event: &Value) -> Option<String> {
    use axum::extract::Path;
    use axum::{Router, routing::get};
    use edge::lambda::{HttpEvent, HttpFunction};
    use lambda_http::{Context, LambdaEvent, Service};
    let echo = |Path(customer): Path<String>| async move { customer };
    let router = Router::new()
        .route("/api/wallet/{customer_id}", get(echo))
        .route("/api/wallet/{customer_id}/balance", get(echo));
    let event: HttpEvent = serde_json::from_value(event.clone()).unwrap();
    let mut function = HttpFunction { router };
    let answer = function.call(LambdaEvent::new(event, Context::default())).await.unwrap();
    let answer = serde_json::to_value(&answer).unwrap();
    let text = |answer: &Value| match answer["isBase64Encoded"].as_bool() {
        Some(true) => String::new(),
        _ => answer["body"].as_str().unwrap_or_default().to_owned(),
    };
    (answer["statusCode"] == 200).then(|| text(&answer))
}
