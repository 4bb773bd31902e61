//! Secrets of a function: read at start-up, read again while it runs, and never lost by a failure.

use axum::extract::State;
use axum::{Json, Router};
use edge::secrets::Secrets;
use edge::wiring::{Function, Parts};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::{Credentials, https};
use tests::World;

type Stored = Arc<Mutex<BTreeMap<String, Value>>>;

/// A Secrets Manager that has these secrets; a number is a status with which it fails, and a Boolean is never
/// answered.
async fn manager(secrets: Value) -> (Secrets, Stored) {
    let stored: Stored = Arc::new(Mutex::new(serde_json::from_value(secrets).unwrap()));
    let answer = async |State(stored): State<Stored>, headers: HeaderMap, body: String| {
        assert_eq!(headers["x-amz-target"], "secretsmanager.GetSecretValue");
        let signature = headers["authorization"].to_str().unwrap();
        assert!(signature.contains("/us-east-1/secretsmanager/aws4_request"), "{signature}");
        assert!(signature.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-target"), "{signature}");
        let asked: Value = serde_json::from_str(&body).unwrap();
        let found = stored.lock().unwrap().get(asked["SecretId"].as_str().unwrap()).cloned();
        match found {
            Some(Value::String(text)) => (StatusCode::OK, Json(json!({"SecretString": text}))),
            Some(Value::Bool(_)) => std::future::pending().await,
            Some(Value::Number(status)) => {
                let status = StatusCode::from_u16(status.as_u64().unwrap() as u16).unwrap();
                (status, Json(json!({"__type": "com.amazonaws#InternalServiceError"})))
            }
            _ => (StatusCode::BAD_REQUEST, Json(json!({"__type": "ResourceNotFoundException"}))),
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Some(format!("http://{}", listener.local_addr().unwrap()));
    let routes = Router::new().fallback(answer).with_state(stored.clone());
    tokio::spawn(async { axum::serve(listener, routes).await });
    let credentials = Credentials::new("id", "secret", None, None, "test");
    let region = "us-east-1".to_owned();
    let settings = aws::Settings { service: "secretsmanager", region, endpoint, credentials };
    let ids = stored.lock().unwrap().keys().cloned().collect();
    (Secrets::new(aws::Service::new(settings, https().unwrap()), ids), stored)
}

/// Builds a function that shows what it was built from.
async fn shown(parts: Parts) -> Result<String, lambda_http::Error> {
    let seal = parts.configuration.seal_keys()?;
    let key = parts.configuration.optional("SCRIP_RAZORPAY_KEY_ID").unwrap_or_default();
    Ok(format!("{seal:?} {key}"))
}

const SEAL: &str =
    r#"{"seal_key_id":"k1","older_seal_keys":"","seal_key":"0123456789abcdef0123456789abcdef"}"#;
const ROTATED: &str = r#"{"seal_key_id":"k2","seal_key":"fedcba9876543210fedcba9876543210",
    "older_seal_keys":"k1:0123456789abcdef0123456789abcdef"}"#;

#[tokio::test]
async fn a_function_in_use_takes_up_changed_secrets_and_survives_those_it_cannot_use() {
    let world = World::new().await;
    let (secrets, stored) = manager(
        json!({"cursor": r#"{"cursor_key":"c"}"#, "seal": SEAL, "keys": r#"{"razorpay_key_id":"one"}"#}),
    )
    .await;
    let set = |name: &str, value: Value| stored.lock().unwrap().insert(name.to_owned(), value);
    let configuration = secrets.read().await.unwrap();
    let store = world.app.store.clone();
    let build = Function::with(shown, store, Some(secrets), Duration::ZERO, configuration).await;
    let function = build.map_err(|error| error.to_string()).unwrap();
    assert_eq!(function.current().await, "SealKeys(k1) one");
    set("seal", json!(ROTATED));
    set("keys", json!(r#"{"razorpay_key_id":"two"}"#));
    assert_eq!(function.current().await, "SealKeys(k2, k1) two");
    for unusable in [
        json!(503),
        json!("not JSON"),
        json!(r#"{"seal_key_id":"k3","seal_key":"short"}"#),
        json!(true),
        json!(null),
    ] {
        set("seal", unusable);
        set("keys", json!(r#"{"razorpay_key_id":"three"}"#));
        assert_eq!(function.current().await, "SealKeys(k2, k1) two");
    }
    set("seal", json!(SEAL));
    assert_eq!(function.current().await, "SealKeys(k1) three");
}

#[tokio::test]
async fn secrets_are_read_again_only_after_the_interval() {
    let world = World::new().await;
    let (secrets, stored) = manager(json!({"seal": SEAL, "cursor": r#"{"cursor_key":"c"}"#})).await;
    let configuration = secrets.read().await.unwrap();
    let store = world.app.store.clone();
    let interval = Duration::from_secs(3_600);
    let build = Function::with(shown, store, Some(secrets), interval, configuration).await;
    let function = build.map_err(|error| error.to_string()).unwrap();
    stored.lock().unwrap().insert("seal".to_owned(), json!(ROTATED));
    assert_eq!(function.current().await, "SealKeys(k1) ");
}

#[tokio::test]
async fn a_secret_that_is_missing_or_malformed_is_named_and_its_value_is_not() {
    for (value, why) in [
        (json!(null), "the secret keys: refused: ResourceNotFoundException"),
        (json!(500), "the secret keys: refused: InternalServiceError"),
        (json!("hush"), "the secret keys: is not a JSON object"),
        (
            json!(r#"{"stripe_secret_key":["hush"]}"#),
            "the secret keys: its field stripe_secret_key is not text",
        ),
    ] {
        let (secrets, _) = manager(json!({"keys": value})).await;
        let error = secrets.read().await.unwrap_err().to_string();
        assert_eq!(error, format!("configuration: {why}"));
    }
    let (secrets, _) = manager(json!({"keys": r#"{"stripe_secret_key":"hush"}"#})).await;
    assert!(!format!("{:?}", secrets.read().await.unwrap()).contains("hush"));
}
