//! Wiring: the only place that reads the environment and the machine's clock.
//!
//! **Invariant:** a function that is not configured does not start; nothing is guessed but the defaults named
//! here.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `SCRIP_TABLE` | the table | `scrip` |
//! | `SCRIP_CURRENCY` | the deployment's currency | `INR` |
//! | `SCRIP_CURSOR_KEY` | the secret that seals cursors | required |
//! | `SCRIP_ROLE_CLAIM`, `SCRIP_ACCOUNT_CLAIM`, `SCRIP_SCOPE_CLAIM` | what the issuer calls these claims | `role`, `account_id`, `scope` |
//! | `SCRIP_TIERS` | the ladder, as JSON: `[{"tier","from","expiry_days","benefits"}]` | the contract's |
//! | `SCRIP_REFUND_GRACE_DAYS` | life of refunds whose date has passed | 30 |
//! | `SCRIP_EXPIRY_HISTORY_DAYS` | how far past expiries are listed | for good |
//! | `SCRIP_SEAL_KEYS` | `id:key`, comma-separated (32 bytes in base64, or 32 random characters and more): seal gateways' reports; the first seals, all open | required by the functions that take them |
//! | `SCRIP_CARD_KEYS` | as `SCRIP_SEAL_KEYS`, or `id:kms:blob` with a data key that KMS has wrapped: seal gift cards | required by the functions that handle them |
//! | `SCRIP_CODE_KEY` | 32 characters and more, or `kms:blob`: makes the digests that codes are known by; for good | likewise |
//! | `SCRIP_REDEEM_WRONG_PER_ADDRESS`, `SCRIP_REDEEM_PER_CAMPAIGN` | wrong codes of an address in ten minutes, redemptions of a campaign in a minute | 30, 60000 |
//! | `AWS_REGION`, `AWS_ACCESS_KEY_ID`, … | as Lambda sets them | required |
//! | `AWS_ENDPOINT_URL_DYNAMODB` | another endpoint | AWS |

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

/// Why a function cannot start.
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

/// Builds what a Lambda function needs and opens the connection to the table (one priming read, so that the
/// first request does not pay for it).
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

/// Builds the parts that depend on configuration; the rest is given.
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

/// What callers' claims are called.
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

/// The keys that seal gateways' reports.
pub fn seal_keys() -> Result<SealKeys, ConfigError> {
    let keys = required("SCRIP_SEAL_KEYS")?;
    SealKeys::parse(&keys).ok_or_else(|| ConfigError("SCRIP_SEAL_KEYS is malformed".to_owned()))
}

/// The vault of gift cards; its keys are unwrapped by KMS if they are wrapped.
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

/// The vault, or a closed one where neither of its keys is set: a deployment without gift cards.
pub async fn vault_if_set() -> Result<Vault, ConfigError> {
    let names = ["SCRIP_CARD_KEYS", "SCRIP_CODE_KEY"];
    if names.into_iter().all(|name| optional(name).is_none()) { Ok(Vault::closed()) } else { vault().await }
}

/// The endpoint, region and credentials of the environment, where an endpoint is set.
pub fn other_endpoint() -> Option<(String, String, Credentials)> {
    let endpoint = optional("AWS_ENDPOINT_URL_DYNAMODB")?;
    let region = optional("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned());
    let credentials =
        credentials().unwrap_or_else(|_| Credentials::new("local", "local", None, None, "local"));
    Some((endpoint, region, credentials))
}

/// A variable, if it is set and not empty.
pub fn optional(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn required(name: &str) -> Result<String, ConfigError> {
    optional(name).ok_or_else(|| ConfigError(format!("{name} is not set")))
}

/// A whole number, if it is set.
pub fn number(name: &str) -> Result<Option<u32>, ConfigError> {
    let parse = |text: String| text.parse().map_err(|_| ConfigError(format!("{name} is not a whole number")));
    optional(name).map(parse).transpose()
}
