//! Tokens: minting them for developers, verifying them as API Gateway's JWT authorizer does.
//!
//! **Invariant:** only RS256 by this platform's own key passes; the key is never taken from the token, and a
//! header that asks for anything unusual (`crit`, `jku`, `jwk`, `x5u`, `x5c`) is refused.
//! **Invariant:** tokens live by the machine's clock, never by the test clock.

use crate::Failure;
use crate::keys::Keys;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::actor::Role;
use domain::ids::CustomerId;
use edge::claims::ClaimNames;
use edge::lambda::claim_text;
use jsonwebtoken::{Algorithm, Header, Validation, decode, encode};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Who issues.
pub const ISSUER: &str = "https://scrip.local";
/// For whom.
pub const AUDIENCE: &str = "scrip";

/// What a token is to say.
pub struct Grant {
    /// The role.
    pub role: String,
    /// The subject; the role's name if left out.
    pub sub: Option<String>,
    /// The budget account.
    pub account: Option<String>,
    /// The scopes.
    pub scope: Option<String>,
    /// How long it is valid.
    pub ttl: Duration,
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl Grant {
    /// Signs the token; `names` are what its claims are called.
    pub fn sign(self, keys: &Keys, names: &ClaimNames) -> Result<String, Failure> {
        Role::parse(&self.role).map_err(|_| format!("{} is not a role", self.role))?;
        let sub = match (self.sub, self.role.as_str()) {
            (Some(sub), _) => sub,
            (None, "customer") => return Err("a customer's token needs --sub".into()),
            (None, role) => format!("local-{role}"),
        };
        if self.role == "customer" && CustomerId::parse(&sub).is_err() || sub.is_empty() {
            return Err("--sub is not a customer id".into());
        }
        if self.ttl.as_secs() == 0 {
            return Err("--ttl must be at least a second".into());
        }
        let now = seconds();
        let mut claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": sub,
            "iat": now, "nbf": now, "exp": now + self.ttl.as_secs(),
        });
        if let Some(claims) = claims.as_object_mut() {
            let names = names.clone();
            claims.insert(names.role, self.role.into());
            claims.extend(self.scope.map(|scope| (names.scope, scope.into())));
            claims.extend(self.account.map(|account| (names.account, account.into())));
        }
        let header = Header { kid: Some(keys.kid.clone()), ..Header::new(Algorithm::RS256) };
        Ok(encode(&header, &claims, &keys.encoding)?)
    }
}

/// The claims of a valid token, as API Gateway hands them on: every value as text. `None`: not valid.
pub fn verify(token: &str, keys: &Keys) -> Option<HashMap<String, String>> {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
    let header: Map<String, Value> = serde_json::from_slice(&header).ok()?;
    let usual = |name: &String| matches!(name.as_str(), "alg" | "typ" | "kid");
    if !header.keys().all(usual) || header.get("kid")?.as_str()? != keys.kid {
        return None;
    }
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_issuer(&[ISSUER]);
    rules.set_audience(&[AUDIENCE]);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    rules.validate_nbf = true;
    rules.leeway = 0;
    let claims = decode::<Map<String, Value>>(token, &keys.decoding, &rules).ok()?.claims;
    Some(claims.into_iter().map(|(name, value)| (name, claim_text(&value))).collect())
}
