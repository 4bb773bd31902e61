//! The local gateway: which tokens it accepts, and what it does when a caller hangs up.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use edge::claims::ClaimNames;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use scrip::data::DataDir;
use scrip::functions::Function;
use scrip::gateway::{self, LocalGateway};
use scrip::keys::Keys;
use scrip::token::{AUDIENCE, Grant, ISSUER, Verifier, verify};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tests::process::Scratch;
use tokio::sync::Notify;

struct Forge {
    _scratch: Scratch,
    keys: Keys,
    now: u64,
}

impl Forge {
    fn new(name: &str) -> Self {
        let scratch = Scratch::new(name);
        let keys = Keys::open(&DataDir::open(&scratch.0).unwrap()).unwrap();
        // Tokens expire by the machine's clock.
        let now = edge::Clock::now(&edge::wiring::SystemClock).millis() / 1_000;
        Self { keys, now: now.try_into().unwrap(), _scratch: scratch }
    }

    fn claims(&self) -> Value {
        json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "s", "role": "admin", "exp": self.now + 600, "nbf": self.now - 5})
    }

    fn with(&self, name: &str, value: Value) -> Value {
        let mut claims = self.claims();
        claims[name] = value;
        claims
    }

    fn without(&self, name: &str) -> Value {
        let mut claims = self.claims();
        claims.as_object_mut().unwrap().remove(name);
        claims
    }

    /// Returns a correctly signed token with any header and claims.
    fn signed(&self, header: &Value, claims: &Value) -> String {
        let text = format!("{}.{}", B64.encode(header.to_string()), B64.encode(claims.to_string()));
        let signature =
            jsonwebtoken::crypto::sign(text.as_bytes(), &self.keys.encoding, Algorithm::RS256).unwrap();
        format!("{text}.{signature}")
    }

    fn header(&self) -> Value {
        json!({"alg": "RS256", "typ": "JWT", "kid": self.keys.kid})
    }

    fn header_with(&self, name: &str, value: Value) -> Value {
        let mut header = self.header();
        header[name] = value;
        header
    }

    fn passes(&self, token: &str) -> bool {
        verify(token, &self.keys).is_some()
    }
}

#[test]
fn a_minted_token_passes_with_every_claim_as_text() {
    let forge = Forge::new("minted");
    let grant = Grant {
        role: "service".into(),
        sub: None,
        account: Some("acct_1".into()),
        scope: Some("wallet:debit wallet:read".into()),
        ttl: Duration::from_secs(60),
    };
    let claims = verify(&grant.sign(&forge.keys, &ClaimNames::default()).unwrap(), &forge.keys).unwrap();
    assert_eq!((claims["sub"].as_str(), claims["account_id"].as_str()), ("local-service", "acct_1"));
    assert_eq!(claims["scope"], "wallet:debit wallet:read");
    assert!(claims["exp"].parse::<u64>().unwrap() >= forge.now);
    let bad = |role: &str, sub: Option<&str>| {
        let (role, sub) = (role.to_owned(), sub.map(str::to_owned));
        Grant { role, sub, account: None, scope: None, ttl: Duration::from_secs(60) }
            .sign(&forge.keys, &ClaimNames::default())
    };
    assert!(bad("root", None).is_err() && bad("system", None).is_err() && bad("customer", None).is_err());
}

#[test]
fn tokens_with_bad_claims_are_refused() {
    let forge = Forge::new("claims");
    let token = |claims: Value| forge.signed(&forge.header(), &claims);
    assert!(forge.passes(&token(forge.claims())));
    for bad in [
        forge.with("iss", json!("https://evil.example")),
        forge.with("aud", json!("other")),
        forge.with("exp", json!(forge.now - 1)),
        forge.with("nbf", json!(forge.now + 120)),
        forge.without("exp"),
        forge.without("iss"),
        forge.without("aud"),
        forge.without("sub"),
        forge.with("exp", json!("9999999999")),
        forge.with("exp", json!(null)),
        forge.with("iss", json!(7)),
        json!([]),
        json!("x"),
    ] {
        assert!(!forge.passes(&token(bad.clone())), "{bad}");
    }
}

#[test]
fn tokens_with_bad_headers_are_refused() {
    let forge = Forge::new("headers");
    let token = |header: Value| forge.signed(&header, &forge.claims());
    assert!(forge.passes(&token(forge.header())));
    let jwk = forge.keys.jwk.clone();
    for bad in [
        forge.header_with("alg", json!("none")),
        forge.header_with("alg", json!("HS256")),
        forge.header_with("alg", json!("RS512")),
        forge.header_with("alg", json!("rs256")),
        forge.header_with("kid", json!("../../../etc/passwd")),
        forge.header_with("kid", json!("")),
        forge.header_with("kid", json!(null)),
        json!({"alg": "RS256", "typ": "JWT"}),
        forge.header_with("crit", json!(["exp"])),
        forge.header_with("crit", json!([])),
        forge.header_with("jku", json!("http://127.0.0.1/jwks")),
        forge.header_with("jwk", jwk),
        forge.header_with("x5u", json!("http://127.0.0.1/cert")),
        forge.header_with("x5c", json!(["AA=="])),
        forge.header_with("b64", json!(false)),
        json!([]),
    ] {
        assert!(!forge.passes(&token(bad.clone())), "{bad}");
    }
}

#[test]
fn unsigned_forged_and_mangled_tokens_are_refused() {
    let forge = Forge::new("forged");
    let good = forge.signed(&forge.header(), &forge.claims());
    let parts: Vec<&str> = good.split('.').collect();
    let none = B64.encode(json!({"alg": "none", "kid": forge.keys.kid}).to_string());
    // The public key as the secret of an HMAC: algorithm confusion.
    let public = forge.keys.jwk.to_string();
    let header = Header { kid: Some(forge.keys.kid.clone()), ..Header::new(Algorithm::HS256) };
    let confused = encode(&header, &forge.claims(), &EncodingKey::from_secret(public.as_bytes())).unwrap();
    let stranger = Forge::new("stranger");
    let foreign = stranger.signed(&forge.header(), &forge.claims());
    let other = B64.encode(forge.with("sub", json!("someone else")).to_string());
    for bad in [
        String::new(),
        "x".into(),
        "a.b.c".into(),
        format!("{none}.{}.", parts[1]),
        format!("{none}.{}.x", parts[1]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{other}.{}", parts[0], parts[2]),
        confused,
        foreign,
        format!("{good}x"),
        format!("{good}."),
        format!(" {good}"),
        good[..good.len() - 4].to_owned(),
    ] {
        assert!(!forge.passes(&bad), "{bad}");
    }
}

#[test]
fn keys_are_made_once_readable_by_their_owner_alone_and_never_printed() {
    let scratch = Scratch::new("keys");
    let data = DataDir::open(&scratch.0).unwrap();
    let (one, two) = (Keys::open(&data).unwrap(), Keys::open(&data).unwrap());
    assert_eq!((&one.kid, &one.cursor), (&two.kid, &two.cursor));
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(data.file("jwt-key.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0);
    let cursors = edge::cursor::CursorKey::new("very secret");
    assert!(!format!("{cursors:?}").contains("secret"));
}

/// Covers fault 55 of the requirements.
#[tokio::test]
async fn a_request_whose_caller_hangs_up_is_completed_as_in_lambda() {
    let (begun, go_on, ended) = (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let signals = (begun.clone(), go_on.clone(), ended.clone());
    let slow = get(async move || {
        signals.0.notify_one();
        signals.1.notified().await;
        signals.2.notify_one();
    });
    let router = Router::new().route("/health", slow);
    let functions = vec![Function { name: "slow", prefixes: &["/health"], router }];
    let keys = Forge::new("hang-up").keys;
    let gateway = Arc::new(LocalGateway { functions, tokens: Verifier::new(Arc::new(keys)) });
    let request = http::Request::get("/health").body(Body::empty()).unwrap();
    let caller = tokio::spawn(gateway::handle(State(gateway), request));
    begun.notified().await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    go_on.notify_one();
    ended.notified().await;
}

#[test]
fn a_verified_token_is_remembered_until_it_expires_and_only_a_bounded_number_of_them() {
    let forge = Forge::new("remembered");
    let header = json!({"alg": "RS256", "kid": forge.keys.kid});
    let token = forge.signed(&header, &forge.claims());
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{signed}.{first}{}", &signature[1..]);
    let oldest = forge.signed(&header, &forge.with("exp", json!(forge.now + 60)));
    let now = forge.now;
    let many: Vec<String> =
        (0..20).map(|n| forge.signed(&header, &forge.with("sub", json!(format!("s{n}"))))).collect();
    let tokens = Verifier::new(Arc::new(Forge::new("remembered").keys));
    assert!(tokens.claims_at(&token, now).is_none(), "the key of another platform");
    let tokens = Verifier::remembering(Arc::new(forge.keys), 10);
    for _ in 0..2 {
        assert_eq!(tokens.claims_at(&token, now).unwrap()["role"], "admin");
        assert!(tokens.claims_at(&forged, now).is_none());
    }
    assert_eq!(tokens.remembered(), 1);
    assert!(tokens.claims_at(&token, now + 600).is_none(), "it has expired");
    assert!(tokens.claims_at(&oldest, now).is_some());
    for token in &many {
        assert!(tokens.claims_at(token, now).is_some());
        assert!(tokens.remembered() <= 10);
    }
}
