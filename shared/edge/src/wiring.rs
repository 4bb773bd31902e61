//! Wiring: the only place that reads configuration from the environment, and business time from the
//! machine's clock.
//!
//! **Invariant:** a function whose configuration is incomplete does not start; the only defaults are
//! those listed here and, for settings of gateways and suppliers, in the `gateways` crate.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `SCRIP_TABLE` | name of the DynamoDB table | `scrip` |
//! | `SCRIP_CURRENCY` | the deployment's currency | `INR` |
//! | `SCRIP_CURSOR_KEY` | the secret that authenticates cursors | required |
//! | `SCRIP_ROLE_CLAIM` | token claim with the caller's role | `role` |
//! | `SCRIP_ACCOUNT_CLAIM` | token claim with the budget account of an agency or client | `account_id` |
//! | `SCRIP_SCOPE_CLAIM` | token claim with the scopes of a service | `scope` |
//! | `SCRIP_TIERS` | the tiers, as JSON: `[{"tier","from","expiry_days","benefits"}]` | the standard tiers |
//! | `SCRIP_REFUND_GRACE_DAYS` | days of validity for refunded credit whose expiry date has passed | 30 |
//! | `SCRIP_EXPIRY_HISTORY_DAYS` | days that the list of past expiries covers | unlimited |
//! | `SCRIP_SEAL_KEYS` | keys that seal gateways' reports | required by functions that handle reports |
//! | `SCRIP_CARD_KEYS` | keys that seal gift cards | required by functions that handle gift cards |
//! | `SCRIP_CODE_KEY` | key of the digests under which codes are stored | as `SCRIP_CARD_KEYS` |
//! | `SCRIP_REDEEM_WRONG_PER_ADDRESS` | limit of wrong codes per address in ten minutes | 30 |
//! | `SCRIP_REDEEM_PER_CAMPAIGN` | limit of redemptions per campaign in a minute | 60000 |
//! | `AWS_REGION`, `AWS_ACCESS_KEY_ID`, … | set by Lambda | required |
//! | `AWS_ENDPOINT_URL_DYNAMODB` | endpoint of DynamoDB | AWS |
//! | `AWS_ENDPOINT_URL_KMS` | endpoint of KMS | AWS |
//!
//! `SCRIP_SEAL_KEYS` is a comma-separated list of `id:key`. A key is 32 bytes in base64, or at least 32
//! random characters. The first key seals, all keys open. `SCRIP_CARD_KEYS` has the same format and also
//! accepts `id:kms:blob`, a data key that KMS has wrapped. `SCRIP_CODE_KEY` is at least 32 characters,
//! or `kms:blob`; it must never change.

#![allow(clippy::disallowed_methods)]

use crate::app::{App, Clock};
use crate::claims::ClaimNames;
use crate::cursor::CursorKey;
use crate::seal::SealKeys;
use domain::currency::Currency;
use domain::money::Money;
use domain::policy::{Policy, Tier, TierRule};
use domain::time::Timestamp;
use serde::Deserialize;
use std::env;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::{Credentials, HttpClient, Settings, Store, connect, https};
use vault::Vault;

/// A configuration error because of which a function cannot start.
#[derive(Debug, thiserror::Error)]
#[error("configuration: {0}")]
pub struct ConfigError(String);

/// The machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(millis).unwrap_or_else(|| Timestamp::end_of(domain::time::Date::MIN))
    }
}

/// Builds the app of a Lambda function and opens the connection to the table by one read, so that the
/// first request is not delayed by it.
pub async fn lambda_app() -> Result<App, ConfigError> {
    let region = required("AWS_REGION")?;
    let credentials = credentials()?;
    let endpoint = optional("AWS_ENDPOINT_URL_DYNAMODB");
    let settings = Settings { region, credentials, endpoint, attempt_timeout: Duration::from_secs(3) };
    let app = app(settings, https(), Arc::new(SystemClock), CursorKey::new(required("SCRIP_CURSOR_KEY")?))?;
    if let Err(error) = app.store.ping().await {
        tracing::warn!(%error, "the table does not answer yet");
    }
    Ok(app)
}

/// Builds an app from the environment and the given parts.
pub fn app(
    settings: Settings,
    http: HttpClient,
    clock: Arc<dyn Clock>,
    cursors: CursorKey,
) -> Result<App, ConfigError> {
    let table = optional("SCRIP_TABLE").unwrap_or_else(|| "scrip".to_owned());
    Ok(App {
        store: Store::new(connect(settings, http), table),
        clock,
        policy: Arc::new(policy()?),
        cursors,
        claims: Arc::new(claim_names()),
        expiry_history_days: number("SCRIP_EXPIRY_HISTORY_DAYS")?.filter(|days| *days > 0),
    })
}

/// Reads the names of the token claims.
pub fn claim_names() -> ClaimNames {
    let standard = ClaimNames::default();
    ClaimNames {
        role: optional("SCRIP_ROLE_CLAIM").unwrap_or(standard.role),
        account: optional("SCRIP_ACCOUNT_CLAIM").unwrap_or(standard.account),
        scope: optional("SCRIP_SCOPE_CLAIM").unwrap_or(standard.scope),
    }
}

fn policy() -> Result<Policy, ConfigError> {
    let code = optional("SCRIP_CURRENCY").unwrap_or_else(|| "INR".to_owned());
    let currency = Currency::parse(&code).map_err(|e| ConfigError(format!("SCRIP_CURRENCY {e}")))?;
    let standard = Policy::standard(currency).map_err(|e| ConfigError(e.to_string()))?;
    let grace = number("SCRIP_REFUND_GRACE_DAYS")?;
    match (optional("SCRIP_TIERS"), grace) {
        (None, None) => Ok(standard),
        (None, Some(grace)) => Ok(standard.with_refund_grace_days(grace)),
        (Some(tiers), grace) => {
            let tiers = tiers_of(&tiers).ok_or_else(|| ConfigError("SCRIP_TIERS is malformed".to_owned()))?;
            let policy = Policy::try_new(currency, tiers, grace.unwrap_or(30));
            policy.map_err(|e| ConfigError(format!("SCRIP_TIERS: {e}")))
        }
    }
}

fn tiers_of(text: &str) -> Option<Vec<TierRule>> {
    #[derive(Deserialize)]
    struct Rule {
        tier: String,
        from: String,
        expiry_days: Option<u32>,
        benefits: Vec<String>,
    }
    let rules: Vec<Rule> = serde_json::from_str(text).ok()?;
    let rule = |rule: Rule| {
        Some(TierRule {
            tier: [Tier::Bronze, Tier::Silver, Tier::Gold, Tier::Platinum]
                .into_iter()
                .find(|tier| tier.as_str() == rule.tier)?,
            from: Money::try_new(rule.from.parse().ok()?).ok()?,
            expiry_days: rule.expiry_days,
            benefits: rule.benefits,
        })
    };
    rules.into_iter().map(rule).collect()
}

fn credentials() -> Result<Credentials, ConfigError> {
    let (id, secret) = (required("AWS_ACCESS_KEY_ID")?, required("AWS_SECRET_ACCESS_KEY")?);
    Ok(Credentials::new(id, secret, optional("AWS_SESSION_TOKEN"), None, "environment"))
}

/// Reads the keys that seal gateways' reports.
pub fn seal_keys() -> Result<SealKeys, ConfigError> {
    let keys = required("SCRIP_SEAL_KEYS")?;
    SealKeys::parse(&keys).ok_or_else(|| ConfigError("SCRIP_SEAL_KEYS is malformed".to_owned()))
}

/// Opens the vault for gift cards; has KMS unwrap its keys if they are wrapped.
pub async fn vault() -> Result<Vault, ConfigError> {
    let (keys, digests) = (required("SCRIP_CARD_KEYS")?, required("SCRIP_CODE_KEY")?);
    let wrapped = [&keys, &digests].iter().any(|key| key.contains("kms:"));
    let kms = if wrapped {
        let (region, endpoint) = (required("AWS_REGION")?, optional("AWS_ENDPOINT_URL_KMS"));
        Some(vault::connect(region, endpoint, credentials()?, https()))
    } else {
        None
    };
    let opened = Vault::open(&keys, &digests, kms.as_ref()).await;
    opened.map_err(|error| ConfigError(format!("SCRIP_CARD_KEYS or SCRIP_CODE_KEY: {error}")))
}

/// Opens the vault, or returns a closed one if neither of its keys is set (a deployment without gift
/// cards).
pub async fn vault_if_set() -> Result<Vault, ConfigError> {
    let names = ["SCRIP_CARD_KEYS", "SCRIP_CODE_KEY"];
    if names.into_iter().all(|name| optional(name).is_none()) { Ok(Vault::closed()) } else { vault().await }
}

/// Reads endpoint, region and credentials from the environment, if a DynamoDB endpoint is set.
pub fn other_endpoint() -> Option<(String, String, Credentials)> {
    let endpoint = optional("AWS_ENDPOINT_URL_DYNAMODB")?;
    let region = optional("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned());
    let credentials =
        credentials().unwrap_or_else(|_| Credentials::new("local", "local", None, None, "local"));
    Some((endpoint, region, credentials))
}

/// Reads a variable; None if it is unset or empty.
pub fn optional(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn required(name: &str) -> Result<String, ConfigError> {
    optional(name).ok_or_else(|| ConfigError(format!("{name} is not set")))
}

/// Reads a whole number; None if the variable is unset or empty.
pub fn number(name: &str) -> Result<Option<u32>, ConfigError> {
    let parse = |text: String| text.parse().map_err(|_| ConfigError(format!("{name} is not a whole number")));
    optional(name).map(parse).transpose()
}
