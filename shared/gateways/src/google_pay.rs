//! Google Pay and Wallet: callbacks signed with `ECv2SigningOnly`.
//!
//! Source: developers.google.com/pay/api/web/guides/resources/payment-data-cryptography.
//!
//! **Invariant:** Google Pay sends merchants no payments: an envelope is recorded, and never
//! credits anything.
//! **Invariant:** an unexpired root key must sign the intermediate key, and the unexpired
//! intermediate key must sign the message for our recipient id. Signatures are verified over the
//! texts exactly as they were sent.

use crate::delivery::{Endpoint, VerifiedWebhook, WebhookDelivery};
use crate::error::{Forged, VerifyError};
use crate::read::Doc;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::hash::Hash;
use domain::ids::{EventId, Gateway};
use domain::payments::gateway_report::GatewayReport;
use domain::time::Timestamp;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::Value;

const PROTOCOL: &str = "ECv2SigningOnly";

/// Sender id in the signatures of callbacks of Wallet passes.
const SENDER: &str = "GooglePayPasses";

/// DER prefix of a P-256 public key in SPKI format; the point follows it.
const SPKI_P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Our recipient id, and Google's root keys.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    recipient_id: String,
    roots: Vec<Root>,
}

#[derive(Clone, Debug)]
struct Root {
    point: Vec<u8>,
    expires_millis: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    protocol_version: String,
    signature: String,
    intermediate_signing_key: Intermediate,
    signed_message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Intermediate {
    signed_key: String,
    signatures: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    key_value: String,
    key_expiration: Option<String>,
    protocol_version: Option<String>,
}

/// Returns true if the body has the form of an envelope.
pub(crate) fn is_envelope(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|body| body.get("protocolVersion").is_some())
}

fn point(spki: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(spki).ok()?;
    let point = bytes.strip_prefix(&SPKI_P256)?;
    (point.len() == 65).then(|| point.to_vec())
}

/// Concatenates the texts, each preceded by its length in bytes as four bytes, little-endian.
fn framed(texts: &[&str]) -> Option<Vec<u8>> {
    let mut framed = Vec::new();
    for text in texts {
        framed.extend_from_slice(&u32::try_from(text.len()).ok()?.to_le_bytes());
        framed.extend_from_slice(text.as_bytes());
    }
    Some(framed)
}

fn verifies(point: &[u8], message: &[u8], signature: &str) -> bool {
    let Ok(signature) = STANDARD.decode(signature) else { return false };
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, &signature).is_ok()
}

fn expired(expires_millis: Option<i64>, now: Timestamp) -> bool {
    expires_millis.is_some_and(|expires| expires <= now.millis())
}

impl Tokens {
    /// Parses Google's root keys: `{"keys": [{"keyValue", "protocolVersion", "keyExpiration"}]}`,
    /// or only the list.
    pub fn parse(recipient_id: &str, keys: &str) -> Option<Self> {
        let keys: Value = serde_json::from_str(keys).ok()?;
        let list = keys.get("keys").cloned().unwrap_or(keys);
        let keys: Vec<Key> = serde_json::from_value(list).ok()?;
        let ours = |key: &Key| key.protocol_version.as_deref().is_none_or(|version| version == PROTOCOL);
        let root = |key: Key| {
            let expires = key.key_expiration.map(|millis| millis.parse::<i64>());
            Some(Root { point: point(&key.key_value)?, expires_millis: expires.transpose().ok()? })
        };
        let roots: Option<Vec<Root>> = keys.into_iter().filter(ours).map(root).collect();
        let roots = roots.filter(|roots| !roots.is_empty())?;
        Some(Self { recipient_id: recipient_id.to_owned(), roots })
    }

    /// Verifies an envelope; the report it returns moves no value.
    pub fn verify(
        &self,
        delivery: &WebhookDelivery<'_>,
        psp: Gateway,
    ) -> Result<VerifiedWebhook, VerifyError> {
        let envelope: Envelope = serde_json::from_slice(delivery.body).map_err(|_| Forged::Shape)?;
        if envelope.protocol_version != PROTOCOL {
            return Err(Forged::Algorithm.into());
        }
        let signed_key = &envelope.intermediate_signing_key.signed_key;
        let message = framed(&[SENDER, PROTOCOL, signed_key]).ok_or(Forged::Shape)?;
        let signatures = &envelope.intermediate_signing_key.signatures;
        let by = |root: &&Root| signatures.iter().any(|tag| verifies(&root.point, &message, tag));
        // The signature of one unexpired root is enough, even if an expired root has signed too.
        let alive = self
            .roots
            .iter()
            .filter(|root| !expired(root.expires_millis, delivery.now))
            .any(|root| by(&root));
        if !alive {
            let late = self.roots.iter().any(|root| by(&root));
            return Err(if late { Forged::Expired } else { Forged::Signature }.into());
        }
        let key: Key = serde_json::from_str(signed_key).map_err(|_| Forged::Shape)?;
        let expires = key.key_expiration.as_deref().ok_or(Forged::Shape)?;
        let expires: i64 = expires.parse().map_err(|_| Forged::Shape)?;
        if expired(Some(expires), delivery.now) {
            return Err(Forged::Expired.into());
        }
        let signed = &envelope.signed_message;
        let texts = [SENDER, &self.recipient_id, PROTOCOL, signed];
        let message = framed(&texts).ok_or(Forged::Shape)?;
        let point = point(&key.key_value).ok_or(Forged::Shape)?;
        if !verifies(&point, &message, &envelope.signature) {
            return Err(Forged::Signature.into());
        }
        let message: Value = serde_json::from_str(signed).map_err(|_| Forged::Shape)?;
        let message = Doc(&message);
        if let Some(until) = message.units("/expTimeMillis")
            && expired(i64::try_from(until).ok(), delivery.now)
        {
            return Err(Forged::Time.into());
        }
        let digest = || format!("sha256-{}", Hash::of(signed).prefix(16));
        let nonce = message.text("/nonce").map_or_else(digest, str::to_owned);
        let report = GatewayReport { method: Some("google_pay".to_owned()), ..GatewayReport::nothing(psp) };
        let id = EventId::of(Endpoint::GooglePay.as_str(), &nonce);
        let kind = format!("pass.{}", message.text("/eventType").unwrap_or("unknown"));
        Ok(VerifiedWebhook::new(id, Some(&kind), Some(report)))
    }
}
