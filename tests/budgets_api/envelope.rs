//! Keys that KMS has wrapped: unwrapped at start, rotated, and refused if KMS refuses.

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::cause::Cause;
use domain::giftcard::CardSource;
use domain::giftcard::card::{Part, PlainCard};
use domain::giftcard::code::RedemptionCode;
use domain::ids::budget::BrandId;
use domain::money::Money;
use domain::time::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use store::{Credentials, https};
use vault::{Kms, Vault, VaultError};

/// The requests that a KMS on loopback received.
type ReceivedRequests = Arc<Mutex<Vec<Value>>>;

/// Starts a KMS that unwraps `wrapped <text>` to 32 bytes of the text's first letter, for this product only.
async fn kms() -> (Kms, ReceivedRequests) {
    let requests = ReceivedRequests::default();
    let seen = requests.clone();
    let answer = move |headers: HeaderMap, body: String| async move {
        let body: Value = serde_json::from_str(&body).unwrap();
        seen.lock().unwrap().push(body.clone());
        let blob = STANDARD.decode(body["CiphertextBlob"].as_str().unwrap_or_default()).unwrap();
        let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
        let ours = target == "TrentService.Decrypt"
            && body["EncryptionContext"] == json!({"product": "scrip"})
            && headers.contains_key("authorization");
        match (ours, blob.strip_prefix(b"wrapped ")) {
            (true, Some(text)) => {
                let plain = STANDARD.encode([text[0]; 32]);
                (StatusCode::OK, Json(json!({"KeyId": "arn:aws:kms:x:1:key/2", "Plaintext": plain})))
            }
            _ => (StatusCode::BAD_REQUEST, Json(json!({"__type": "InvalidCiphertextException"}))),
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = axum::Router::new().route("/", post(answer));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let credentials = Credentials::new("AKIAX", "secret", None, None, "test");
    (vault::connect("eu-central-1".to_owned(), Some(url), credentials, https().unwrap()), requests)
}

fn wrapped(text: &str) -> String {
    format!("kms:{}", STANDARD.encode(format!("wrapped {text}")))
}

fn plain() -> PlainCard {
    let parts = [(Part::Code, "GIFT-1234".to_owned()), (Part::Pin, "7788".to_owned())];
    PlainCard { parts: BTreeMap::from(parts), expires_on: None }
}

fn seal(vault: &Vault) -> domain::giftcard::card::Card {
    let brand = BrandId::mint(&Cause::stored("brand"));
    let worth = Money::try_new(25.into()).unwrap();
    let now = Timestamp::parse("2026-01-15T10:00:00Z").unwrap();
    vault.seal_card(&plain(), &brand, worth, CardSource::Csv, now).unwrap()
}

#[tokio::test]
async fn keys_that_kms_has_wrapped_seal_and_open_and_can_be_rotated() {
    let (kms, requests) = kms().await;
    let codes = wrapped("codes");
    let old = Vault::open(&format!("k1:{}", wrapped("one")), &codes, Some(&kms)).await.unwrap();
    assert_eq!(requests.lock().unwrap().len(), 2, "each key is unwrapped once, at start");
    let card = seal(&old);
    for sealed in card.parts.values() {
        assert!(sealed.0.starts_with(b"k1:"), "a sealed part names the key that opens it");
        assert!(!sealed.0.windows(4).any(|window| window == b"GIFT" || window == b"7788"));
    }
    // The new key seals, and the old key still opens.
    let rotated = format!("k2:{},k1:{}", wrapped("two"), wrapped("one"));
    let new = Vault::open(&rotated, &codes, Some(&kms)).await.unwrap();
    assert_eq!(new.open_card(&card).unwrap().parts, plain().parts);
    let again = seal(&new);
    assert!(again.parts.values().all(|sealed| sealed.0.starts_with(b"k2:")));
    assert_eq!(again.id, card.id, "a card has the same id whichever key seals it");
    assert!(old.open_card(&again).is_none());
    // Another key with the same name opens nothing, and a card does not open under another card's id.
    let other = Vault::open(&format!("k1:{}", wrapped("else")), &codes, Some(&kms)).await.unwrap();
    assert!(other.open_card(&card).is_none());
    let mut moved = card.clone();
    moved.id = old.card_id(&PlainCard { parts: [(Part::Code, "X-1".to_owned())].into(), ..plain() }).unwrap();
    assert!(old.open_card(&moved).is_none());
}

#[tokio::test]
async fn a_key_that_kms_does_not_unwrap_opens_no_vault_and_is_in_no_error() {
    let (kms, _) = kms().await;
    let stranger = format!("k1:kms:{}", STANDARD.encode("someone else's"));
    let refused = Vault::open(&stranger, &wrapped("codes"), Some(&kms)).await.unwrap_err();
    assert_eq!(refused, VaultError::Unwrap("InvalidCiphertextException".to_owned()));
    for (keys, codes, kms) in [
        (format!("k1:{}", wrapped("one")), "short".to_owned(), Some(&kms)),
        (format!("k1:{}", wrapped("one")), wrapped("codes"), None),
        ("k1:kms:not base64!".to_owned(), wrapped("codes"), Some(&kms)),
        ("no key at all".to_owned(), wrapped("codes"), Some(&kms)),
    ] {
        let refused = Vault::open(&keys, &codes, kms).await.unwrap_err().to_string();
        assert!(refused.ends_with("is malformed"), "{refused}");
        assert!(!refused.contains("short") && !refused.contains("not base64"), "{refused}");
    }
}

#[test]
fn a_closed_vault_seals_opens_and_knows_nothing() {
    let closed = Vault::closed();
    let open = Vault::new(vault::SealKeys::parse(&format!("k1:{}", "x".repeat(32))).unwrap(), [7; 32]);
    assert!(
        closed.card_id(&plain()).is_none()
            && closed.minted_code_id(&RedemptionCode::parse("CODE-1").unwrap()).is_none()
    );
    assert!(closed.address_id("203.0.113.7").is_none());
    let brand = BrandId::mint(&Cause::stored("brand"));
    let (worth, now) =
        (Money::try_new(25.into()).unwrap(), Timestamp::parse("2026-01-15T10:00:00Z").unwrap());
    assert!(closed.seal_card(&plain(), &brand, worth, CardSource::Csv, now).is_none());
    assert!(closed.open_card(&seal(&open)).is_none());
}
