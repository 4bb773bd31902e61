//! Known answers for every signature, made by other tools (tests/vectors/README.md), and deliveries that must
//! be refused.

use domain::time::Timestamp;
use gateways::{Endpoint, Forged, Gateways, VerifiedWebhook, VerifyError, WebhookDelivery};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use std::collections::BTreeMap;

/// 2026-01-15T10:00:00Z, the time of every vector.
const NOW: i64 = 1_768_471_200;

fn vectors(name: &str) -> Value {
    let text = std::fs::read_to_string(tests::process::root().join("tests/vectors/gateways.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    all[name].clone()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name}"))
}

fn gateways(pairs: &[(&str, &str)]) -> Gateways {
    let set: BTreeMap<&str, &str> = pairs.iter().copied().collect();
    Gateways::configure(&|name| set.get(name).map(|value| (*value).to_owned())).unwrap()
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

async fn verify(
    gateways: &Gateways,
    endpoint: Endpoint,
    pairs: &[(&str, &str)],
    body: &str,
    at: i64,
) -> Result<VerifiedWebhook, VerifyError> {
    let headers = headers(pairs);
    let now = Timestamp::from_millis(at * 1_000).unwrap();
    gateways.verify(endpoint, &WebhookDelivery { headers: &headers, body: body.as_bytes(), now }).await
}

fn forged(why: Forged) -> Result<VerifiedWebhook, VerifyError> {
    Err(VerifyError::Forged(why))
}

/// Returns the same JSON serialized again, as a proxy that parses and writes it would send it.
fn rewritten(body: &str) -> String {
    let value: Value = serde_json::from_str(body).unwrap();
    let rewritten = value.to_string();
    assert_ne!(rewritten, body);
    rewritten
}

/// Returns the text with its last hex digit changed by one bit.
fn one_bit_off(tag: &str) -> String {
    let (head, last) = tag.split_at(tag.len() - 1);
    format!("{head}{:x}", u8::from_str_radix(last, 16).unwrap() ^ 1)
}

fn razorpay(secrets: &str, key_secret: &str) -> Gateways {
    gateways(&[
        ("SCRIP_RAZORPAY_KEY_ID", "rzp_test"),
        ("SCRIP_RAZORPAY_KEY_SECRET", key_secret),
        ("SCRIP_RAZORPAY_WEBHOOK_SECRETS", secrets),
    ])
}

#[tokio::test]
async fn razorpays_webhook_signature_is_that_of_other_tools() {
    let vector = vectors("razorpay_webhook");
    let (secret, body, tag) = (text(&vector, "secret"), text(&vector, "body"), text(&vector, "signature"));
    let ours = razorpay(secret, "x");
    let check = async |ours: &Gateways, pairs: &[(&str, &str)], body: &str| {
        verify(ours, Endpoint::Razorpay, pairs, body, NOW).await
    };
    let report = check(&ours, &[("x-razorpay-signature", tag), ("x-razorpay-event-id", "ev1")], body).await;
    let report = report.unwrap();
    assert_eq!((report.id.as_str(), report.kind.as_str()), ("razorpay:ev1", "payment.captured"));
    // Without an event id, the same bytes are the same event.
    let unnamed = check(&ours, &[("x-razorpay-signature", tag)], body).await.unwrap();
    assert!(unnamed.id.as_str().starts_with("razorpay:sha256-"), "{:?}", unnamed.id);
    let off = one_bit_off(tag);
    assert_eq!(check(&ours, &[("x-razorpay-signature", &off)], body).await, forged(Forged::Signature));
    let other = rewritten(body);
    assert_eq!(check(&ours, &[("x-razorpay-signature", tag)], &other).await, forged(Forged::Signature));
    assert_eq!(check(&ours, &[("x-razorpay-signature", tag)], body.trim()).await, forged(Forged::Signature));
    let wrong = razorpay("another", "x");
    assert_eq!(check(&wrong, &[("x-razorpay-signature", tag)], body).await, forged(Forged::Signature));
    for bad in ["", "zz", &tag[..62], &format!("{tag}00"), &format!("sha256={tag}")] {
        let found = check(&ours, &[("x-razorpay-signature", bad)], body).await;
        assert_eq!(found, forged(Forged::Signature), "{bad}");
    }
    assert_eq!(check(&ours, &[], body).await, forged(Forged::Header));
    let twice = [("x-razorpay-signature", tag), ("x-razorpay-signature", tag)];
    assert_eq!(check(&ours, &twice, body).await, forged(Forged::Header));
    // Rotation: each of several secrets is valid; a secret that was removed is not.
    let rotated = razorpay(&format!("newer, {secret}"), "x");
    assert!(check(&rotated, &[("x-razorpay-signature", tag)], body).await.is_ok());
}

#[test]
fn razorpays_checkout_signature_is_that_of_other_tools() {
    let vector = vectors("razorpay_checkout");
    let id = |name| domain::ids::GatewayId::parse(text(&vector, name)).unwrap();
    let (order, payment, tag) = (id("order_id"), id("payment_id"), text(&vector, "signature"));
    let ours = razorpay("x", text(&vector, "key_secret"));
    assert_eq!(ours.checkout_signature(&order, &payment, tag), Ok(()));
    let wrong = Err(VerifyError::Forged(Forged::Signature));
    assert_eq!(ours.checkout_signature(&payment, &order, tag), wrong);
    assert_eq!(ours.checkout_signature(&order, &payment, &one_bit_off(tag)), wrong);
    assert_eq!(razorpay("x", "another").checkout_signature(&order, &payment, tag), wrong);
}

fn stripe(secrets: &str) -> Gateways {
    gateways(&[("SCRIP_STRIPE_SECRET_KEY", "sk_test"), ("SCRIP_STRIPE_WEBHOOK_SECRETS", secrets)])
}

#[tokio::test]
async fn stripes_signature_is_that_of_other_tools_within_five_minutes_either_way() {
    let vector = vectors("stripe_webhook");
    let (secret, body, tag) = (text(&vector, "secret"), text(&vector, "body"), text(&vector, "signature"));
    let (header, time) = (text(&vector, "header"), vector["timestamp"].as_i64().unwrap());
    assert_eq!(time, NOW);
    let ours = stripe(secret);
    let check = async |ours: &Gateways, header: &str, body: &str, at: i64| {
        verify(ours, Endpoint::Stripe, &[("stripe-signature", header)], body, at).await
    };
    assert!(check(&ours, header, body, NOW).await.is_ok());
    for apart in [300, -300] {
        assert!(check(&ours, header, body, NOW + apart).await.is_ok(), "{apart}");
    }
    for apart in [301, -301, 86_400] {
        assert_eq!(check(&ours, header, body, NOW + apart).await, forged(Forged::Time), "{apart}");
    }
    let off = one_bit_off(tag);
    let t = format!("t={time}");
    // Any one of several v1 signatures is enough.
    for good in [format!("{t},v1={off},v1={tag}"), format!("v1={tag},{t}"), format!("{t}, v1={tag}")] {
        assert!(check(&ours, &good, body, NOW).await.is_ok(), "{good}");
    }
    for bad in
        [format!("{t},v0={tag}"), t.clone(), format!("v1={tag}"), format!("{t},{t},v1={tag}"), String::new()]
    {
        assert_eq!(check(&ours, &bad, body, NOW).await, forged(Forged::Header), "{bad}");
    }
    for bad in [format!("{t},v1={off}"), format!("t={},v1={tag}", time + 1), format!("{t},v1=zz")] {
        assert_eq!(check(&ours, &bad, body, NOW).await, forged(Forged::Signature), "{bad}");
    }
    assert_eq!(check(&ours, &format!("t=-1,v1={tag}"), body, NOW).await, forged(Forged::Header));
    assert_eq!(check(&ours, header, &rewritten(body), NOW).await, forged(Forged::Signature));
    // The key is the whole text, including its prefix.
    let bare = secret.trim_start_matches("whsec_");
    assert_eq!(check(&stripe(bare), header, body, NOW).await, forged(Forged::Signature));
    assert!(check(&stripe(&format!("whsec_newer,{secret}")), header, body, NOW).await.is_ok());
    let twice = [("stripe-signature", header), ("stripe-signature", header)];
    assert_eq!(verify(&ours, Endpoint::Stripe, &twice, body, NOW).await, forged(Forged::Header));
    assert_eq!(verify(&ours, Endpoint::Stripe, &[], body, NOW).await, forged(Forged::Header));
}

fn google(vector: &Value, roots: &str, recipient: &str) -> Gateways {
    gateways(&[
        ("SCRIP_GOOGLE_PAY_RECIPIENT_ID", recipient),
        ("SCRIP_GOOGLE_PAY_ROOT_KEYS", text(vector, roots)),
    ])
}

#[tokio::test]
async fn a_google_envelope_is_accepted_only_with_valid_keys_and_for_our_recipient() {
    let vector = vectors("google_pay");
    let recipient = text(&vector, "recipient_id");
    let ours = google(&vector, "root_keys_json", recipient);
    let check = async |ours: &Gateways, body: &str| verify(ours, Endpoint::GooglePay, &[], body, NOW).await;
    let envelope = text(&vector, "envelope");
    let report = check(&ours, envelope).await.unwrap();
    assert_eq!(report.kind, "pass.save");
    assert_eq!(
        report.report.unwrap().fact,
        domain::payments::gateway_report::PaymentFact::Nothing,
        "a Google Pay message never credits"
    );
    let expired = [
        ("expired_intermediate_envelope", Forged::Expired),
        ("expired_message_envelope", Forged::Time),
        ("other_recipient_envelope", Forged::Signature),
    ];
    for (name, why) in expired {
        assert_eq!(check(&ours, text(&vector, name)).await, forged(why), "{name}");
    }
    let late = google(&vector, "expired_root_keys_json", recipient);
    assert_eq!(check(&late, envelope).await, forged(Forged::Expired), "an expired root key");
    let other = google(&vector, "root_keys_json", "somebody else");
    assert_eq!(check(&other, envelope).await, forged(Forged::Signature));
    let tampered = envelope.replacen("\\\"save\\\"", "\\\"del\\\"", 1).replacen("save", "del", 1);
    assert_ne!(tampered, envelope);
    assert_eq!(check(&ours, &tampered).await, forged(Forged::Signature));
    let other_protocol = envelope.replacen("ECv2SigningOnly", "ECv2", 1);
    assert_eq!(check(&ours, &other_protocol).await, forged(Forged::Algorithm));
    assert_eq!(check(&ours, r#"{"protocolVersion":"ECv2SigningOnly"}"#).await, forged(Forged::Shape));
}

#[tokio::test]
async fn a_gateway_that_is_not_configured_believes_nothing() {
    let none = gateways(&[]);
    for endpoint in [Endpoint::Razorpay, Endpoint::Stripe, Endpoint::PayPal, Endpoint::GooglePay] {
        let found = verify(&none, endpoint, &[], "{}", NOW).await;
        assert_eq!(found, Err(VerifyError::NotConfigured), "{endpoint:?}");
    }
    let half = Gateways::configure(&|name| (name == "SCRIP_RAZORPAY_KEY_ID").then(|| "x".to_owned()));
    assert!(half.unwrap_err().to_string().contains("SCRIP_RAZORPAY_KEY_SECRET"));
    let shown = format!("{:?}", razorpay("a-webhook-secret", "a-key-secret"));
    assert!(!shown.contains("a-webhook-secret") && !shown.contains("a-key-secret"), "{shown}");
}
