//! Tokens: issues them for developers, and verifies them like API Gateway's JWT authorizer.
//!
//! **Invariant:** only RS256 with this platform's own key is accepted. The key is never taken from
//! the token, and a header with any other field (such as `crit`, `jku`, `jwk`, `x5u`, `x5c`) is
//! refused.
//! **Invariant:** tokens expire by the machine's clock, never by the test clock.

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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Issuer of the tokens (`iss`).
pub const ISSUER: &str = "https://scrip.local";
/// Audience of the tokens (`aud`).
pub const AUDIENCE: &str = "scrip";

/// Claims of a token that is issued.
pub struct Grant {
    /// Role of the caller.
    pub role: String,
    /// Subject; `local-` and the role if `None`. Required for a customer.
    pub sub: Option<String>,
    /// Budget account of an agency or client.
    pub account: Option<String>,
    /// Scopes of a service, separated by spaces.
    pub scope: Option<String>,
    /// Validity; at least one second.
    pub ttl: Duration,
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl Grant {
    /// Signs the token; `names` are the names of its claims.
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

/// The largest number of tokens that are remembered, unless it is set.
const MOST_REMEMBERED: usize = 1_000;

/// The longest token that is remembered, in bytes.
const LONGEST_REMEMBERED: usize = 4_096;

/// Verifies tokens, and remembers those that it has verified until they expire, as API Gateway does: a signature
/// takes longer to verify than a balance to read.
pub struct Verifier {
    keys: Arc<Keys>,
    most: usize,
    verified: Mutex<HashMap<String, Verified>>,
}

#[derive(Clone)]
struct Verified {
    claims: HashMap<String, String>,
    expires: u64,
}

impl Verifier {
    /// Creates a verifier with these keys.
    pub fn new(keys: Arc<Keys>) -> Self {
        Self::remembering(keys, MOST_REMEMBERED)
    }

    /// Creates a verifier that remembers at most this number of tokens.
    pub fn remembering(keys: Arc<Keys>, most: usize) -> Self {
        Self { keys, most, verified: Mutex::default() }
    }

    /// Returns the claims of a valid token; see [`verify`].
    pub fn claims(&self, token: &str) -> Option<HashMap<String, String>> {
        self.claims_at(token, seconds())
    }

    /// The same at this time, in seconds since 1970.
    pub fn claims_at(&self, token: &str, now: u64) -> Option<HashMap<String, String>> {
        let known = self.verified().get(token).filter(|known| now < known.expires).cloned();
        if let Some(known) = known {
            return Some(known.claims);
        }
        let claims = verify(token, &self.keys)?;
        let expires = claims.get("exp").and_then(|expires| expires.parse().ok()).filter(|at| now < *at)?;
        self.remember(token, Verified { claims: claims.clone(), expires }, now);
        Some(claims)
    }

    /// Returns how many tokens are remembered.
    pub fn remembered(&self) -> usize {
        self.verified().len()
    }

    fn remember(&self, token: &str, new: Verified, now: u64) {
        let mut verified = self.verified();
        if verified.len() >= self.most {
            verified.retain(|_, known| now < known.expires);
        }
        if verified.len() >= self.most {
            verified.clear();
        }
        if token.len() <= LONGEST_REMEMBERED {
            verified.insert(token.to_owned(), new);
        }
    }

    fn verified(&self) -> MutexGuard<'_, HashMap<String, Verified>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the claims of a valid token in the form that API Gateway passes on: every value as text.
/// Returns `None` for an invalid token.
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
