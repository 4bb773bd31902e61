//! The configuration of a function: the only place that reads the environment.
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
//! | `SCRIP_LANGUAGE` | language of statements that are printed: `en` or `hi` | `en` |
//! | `SCRIP_EXPIRY_HISTORY_DAYS` | days that the list of past expiries covers | unlimited |
//! | `SCRIP_SEAL_KEYS` | keys that seal gateways' reports | required by functions that handle reports |
//! | `SCRIP_CARD_KEYS` | keys that seal gift cards and codes of vouchers | required by functions that handle gift cards |
//! | `SCRIP_CODE_KEY` | key of the digests under which codes are stored | as `SCRIP_CARD_KEYS` |
//! | `SCRIP_REDEEM_WRONG_PER_ADDRESS` | limit of wrong codes per address in ten minutes | 30 |
//! | `SCRIP_REDEEM_PER_CAMPAIGN` | limit of redemptions per campaign in a minute | 60000 |
//! | `SCRIP_SECRETS` | ids of secrets in Secrets Manager, comma-separated | none |
//! | `SCRIP_SECRETS_SECONDS` | seconds after which secrets are read again | 300 |
//! | `SCRIP_HOT_BUDGET_CONFLICTS` | spends of an account that meet contention in five minutes, above which its slices are doubled | 60 |
//! | `SCRIP_MAX_SLICES` | the most slices that the monitor gives an account | 64 |
//! | `SCRIP_JOBS_QUEUE_URL`, `SCRIP_BOOKS_QUEUE_URL` | the queues of parts and steps of jobs | required by functions that send to them |
//! | `SCRIP_DEAD_QUEUE_URLS` | queues of dead letters that the monitor looks at, comma-separated | none |
//! | `SCRIP_FILES_BUCKET` | the bucket of uploads and exports | required by functions that use files |
//! | `AWS_REGION`, `AWS_ACCESS_KEY_ID`, … | set by Lambda | required |
//! | `AWS_ENDPOINT_URL_DYNAMODB`, `…_KMS`, `…_S3`, `…_SECRETSMANAGER`, `…_SQS` | endpoints of these services | AWS |
//!
//! A secret is a JSON object of texts. Its field `cursor_key` has the meaning of the variable
//! `SCRIP_CURSOR_KEY`, and so on; a variable that is set takes precedence.
//!
//! `SCRIP_SEAL_KEYS` is a comma-separated list of `id:key`. A key is 32 bytes in base64, or at least 32
//! random characters. The first key seals, all keys open. A secret may instead have the fields
//! `seal_key_id`, `seal_key` and `older_seal_keys` (a list that may be empty). `SCRIP_CARD_KEYS` has the
//! same format as `SCRIP_SEAL_KEYS` and also accepts `id:kms:blob`, a data key that KMS has wrapped.
//! `SCRIP_CODE_KEY` is at least 32 characters, or `kms:blob`; it must never change.

#![allow(clippy::disallowed_methods)]

use crate::claims::ClaimNames;
use crate::cursor::CursorKey;
use crate::seal::SealKeys;
use domain::currency::Currency;
use domain::language::Language;
use domain::money::Money;
use domain::policy::{Policy, Tier, TierRule};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::env;
use std::sync::Arc;
use store::{Credentials, https};
use vault::Vault;

/// A configuration error because of which a function cannot start.
#[derive(Debug, thiserror::Error)]
#[error("configuration: {0}")]
pub struct ConfigError(String);

impl ConfigError {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// The values of the variables: those of the environment, and those of the secrets.
#[derive(Clone, Debug, Default)]
pub struct Configuration(Arc<BTreeMap<String, SecretString>>);

impl Configuration {
    pub(crate) fn with_secrets(values: BTreeMap<String, SecretString>) -> Self {
        Self(Arc::new(values))
    }

    /// Returns true if all secrets have the same values.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let pair =
            |((name, value), (other, changed)): ((&String, &SecretString), (&String, &SecretString))| {
                name == other && value.expose_secret() == changed.expose_secret()
            };
        self.0.len() == other.0.len() && self.0.iter().zip(other.0.iter()).all(pair)
    }

    /// Reads a variable; None if it is unset or empty.
    pub fn optional(&self, name: &str) -> Option<String> {
        let secret = || self.0.get(name).map(|value| value.expose_secret().to_owned());
        optional(name).or_else(secret).filter(|value| !value.is_empty())
    }

    fn required(&self, name: &str) -> Result<String, ConfigError> {
        self.optional(name).ok_or_else(|| not_set(name))
    }

    /// Reads the key that authenticates cursors.
    pub fn cursor_key(&self) -> Result<CursorKey, ConfigError> {
        self.required("SCRIP_CURSOR_KEY").map(CursorKey::new)
    }

    /// Reads the keys that seal gateways' reports.
    pub fn seal_keys(&self) -> Result<SealKeys, ConfigError> {
        let composed = || {
            let (id, key) = (self.optional("SCRIP_SEAL_KEY_ID")?, self.optional("SCRIP_SEAL_KEY")?);
            let older = self.optional("SCRIP_OLDER_SEAL_KEYS");
            Some(format!("{id}:{key}{}", older.map(|older| format!(",{older}")).unwrap_or_default()))
        };
        let keys = self.optional("SCRIP_SEAL_KEYS").or_else(composed);
        let keys = keys.ok_or_else(|| not_set("SCRIP_SEAL_KEYS"))?;
        SealKeys::parse(&keys).ok_or_else(|| ConfigError::new("SCRIP_SEAL_KEYS is malformed"))
    }

    /// Opens the vault for gift cards; has KMS unwrap its keys if they are wrapped.
    pub async fn vault(&self) -> Result<Vault, ConfigError> {
        let (keys, digests) = (self.required("SCRIP_CARD_KEYS")?, self.required("SCRIP_CODE_KEY")?);
        let wrapped = [&keys, &digests].iter().any(|key| key.contains("kms:"));
        let kms = if wrapped {
            let (region, endpoint) = (required("AWS_REGION")?, optional("AWS_ENDPOINT_URL_KMS"));
            let http = https().map_err(|error| ConfigError(format!("TLS: {error}")))?;
            Some(vault::connect(region, endpoint, credentials()?, http))
        } else {
            None
        };
        let opened = Vault::open(&keys, &digests, kms.as_ref()).await;
        opened.map_err(|error| ConfigError(format!("SCRIP_CARD_KEYS or SCRIP_CODE_KEY: {error}")))
    }

    /// Opens the vault, or returns a closed one if neither of its keys is set (a deployment without gift
    /// cards).
    pub async fn vault_if_set(&self) -> Result<Vault, ConfigError> {
        let is_unset = |name: &str| self.optional(name).is_none();
        if is_unset("SCRIP_CARD_KEYS") && is_unset("SCRIP_CODE_KEY") {
            Ok(Vault::closed())
        } else {
            self.vault().await
        }
    }
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

/// Reads the deployment's currency, tiers and days of grace.
pub(crate) fn policy() -> Result<Policy, ConfigError> {
    let code = optional("SCRIP_CURRENCY").unwrap_or_else(|| "INR".to_owned());
    let currency = Currency::parse(&code).map_err(|e| ConfigError(format!("SCRIP_CURRENCY {e}")))?;
    let standard = Policy::standard(currency).map_err(|e| ConfigError(e.to_string()))?;
    let grace = number("SCRIP_REFUND_GRACE_DAYS")?;
    match (optional("SCRIP_TIERS"), grace) {
        (None, None) => Ok(standard),
        (None, Some(grace)) => Ok(standard.with_refund_grace_days(grace)),
        (Some(tiers), grace) => {
            let tiers = tiers_of(&tiers).ok_or_else(|| ConfigError::new("SCRIP_TIERS is malformed"))?;
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

/// Reads the language in which people are addressed who have not chosen one.
pub(crate) fn language() -> Result<Language, ConfigError> {
    let parse = |text: String| {
        Language::parse(&text).map_err(|_| ConfigError::new("SCRIP_LANGUAGE must be en or hi"))
    };
    optional("SCRIP_LANGUAGE").map_or(Ok(Language::default()), parse)
}

/// Reads the credentials of AWS from the environment.
pub fn credentials() -> Result<Credentials, ConfigError> {
    let (id, secret) = (required("AWS_ACCESS_KEY_ID")?, required("AWS_SECRET_ACCESS_KEY")?);
    Ok(Credentials::new(id, secret, optional("AWS_SESSION_TOKEN"), None, "environment"))
}

/// Reads endpoint, region and credentials from the environment, if a DynamoDB endpoint is set.
pub fn other_endpoint() -> Option<(String, String, Credentials)> {
    let endpoint = optional("AWS_ENDPOINT_URL_DYNAMODB")?;
    let region = optional("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned());
    let credentials =
        credentials().unwrap_or_else(|_| Credentials::new("local", "local", None, None, "local"));
    Some((endpoint, region, credentials))
}

/// Reads a variable of the environment; None if it is unset or empty.
pub fn optional(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Reads a variable of the environment that must be set.
pub fn required(name: &str) -> Result<String, ConfigError> {
    optional(name).ok_or_else(|| not_set(name))
}

fn not_set(name: &str) -> ConfigError {
    ConfigError(format!("{name} is not set"))
}

/// Reads a whole number; None if the variable is unset or empty.
pub fn number(name: &str) -> Result<Option<u32>, ConfigError> {
    let parse = |text: String| text.parse().map_err(|_| ConfigError(format!("{name} is not a whole number")));
    optional(name).map(parse).transpose()
}
