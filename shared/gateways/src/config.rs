//! Configuration of the payment gateways, read once at start.
//!
//! **Invariant:** if the key of a gateway is set, each missing variable that it requires is an
//! error at start.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `SCRIP_RAZORPAY_KEY_ID`, `_KEY_SECRET` | API key | without them, Razorpay is off |
//! | `SCRIP_RAZORPAY_WEBHOOK_SECRETS` | comma-separated; each verifies webhooks | required with the key |
//! | `SCRIP_RAZORPAY_BASE_URL` | base URL of the API | `https://api.razorpay.com` |
//! | `SCRIP_CHECKOUT_PAGE` | the shop's page that runs Razorpay's checkout | none: no `checkout_url` |
//! | `SCRIP_STRIPE_SECRET_KEY` | API key | without it, Stripe is off |
//! | `SCRIP_STRIPE_WEBHOOK_SECRETS` | comma-separated `whsec_…`; each verifies webhooks | required with the key |
//! | `SCRIP_STRIPE_BASE_URL` | base URL of the API | `https://api.stripe.com` |
//! | `SCRIP_PAYPAL_CLIENT_ID`, `_CLIENT_SECRET`, `_WEBHOOK_ID` | REST app and webhook | without them, PayPal is off |
//! | `SCRIP_PAYPAL_BASE_URL` | base URL of the API: live, sandbox or another | `https://api-m.paypal.com` |
//! | `SCRIP_PAYPAL_ROOTS` | trusted roots of webhook certificates, PEM | the machine's |
//! | `SCRIP_GOOGLE_PAY_PSP` | gateway behind Google Pay: `razorpay` or `stripe` | `razorpay` |
//! | `SCRIP_GOOGLE_PAY_RECIPIENT_ID`, `_ROOT_KEYS` | verification of Wallet callbacks | off |

use crate::certificates::Certificates;
use crate::error::GatewayError;
use crate::google_pay::Tokens;
use crate::http_client::client;
use crate::paypal::PayPal;
use crate::razorpay::Razorpay;
use crate::stripe::Stripe;
use domain::ids::Gateway;
use secrecy::SecretString;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The configured payment gateways.
#[derive(Clone, Debug)]
pub struct Gateways {
    pub(crate) razorpay: Option<Razorpay>,
    pub(crate) stripe: Option<Stripe>,
    pub(crate) paypal: Option<PayPal>,
    pub(crate) google_pay: Option<Tokens>,
    /// Gateway behind Google Pay: Razorpay or Stripe.
    pub(crate) psp: Gateway,
}

/// Error in the configuration of gateways or suppliers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// A variable is missing that other variables require.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// A variable cannot be parsed.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// The HTTP client cannot be built.
    #[error(transparent)]
    Http(#[from] GatewayError),
}

type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Gateways {
    /// Reads the configuration; `environment` returns the value of a variable.
    pub fn configure(environment: Environment<'_>) -> Result<Self, SetupError> {
        let http = client()?;
        let psp = environment("SCRIP_GOOGLE_PAY_PSP").unwrap_or_else(|| "razorpay".to_owned());
        let psp = Gateway::parse(&psp).ok().filter(|psp| *psp != Gateway::PayPal);
        let recipient = environment("SCRIP_GOOGLE_PAY_RECIPIENT_ID");
        let keys = environment("SCRIP_GOOGLE_PAY_ROOT_KEYS");
        let google_pay = match (recipient, keys) {
            (Some(recipient), Some(keys)) => {
                let malformed = SetupError::Malformed("SCRIP_GOOGLE_PAY_ROOT_KEYS");
                Some(Tokens::parse(&recipient, &keys).ok_or(malformed)?)
            }
            (None, None) => None,
            (Some(_), None) => return Err(SetupError::Missing("SCRIP_GOOGLE_PAY_ROOT_KEYS")),
            (None, Some(_)) => return Err(SetupError::Missing("SCRIP_GOOGLE_PAY_RECIPIENT_ID")),
        };
        Ok(Self {
            razorpay: razorpay(environment, &http)?,
            stripe: stripe(environment, &http)?,
            paypal: paypal(environment, &http)?,
            google_pay,
            psp: psp.ok_or(SetupError::Malformed("SCRIP_GOOGLE_PAY_PSP"))?,
        })
    }
}

fn required(environment: Environment<'_>, name: &'static str) -> Result<String, SetupError> {
    environment(name).ok_or(SetupError::Missing(name))
}

fn base_url(environment: Environment<'_>, name: &str, default: &str) -> String {
    environment(name).unwrap_or_else(|| default.to_owned()).trim_end_matches('/').to_owned()
}

fn secrets(environment: Environment<'_>, name: &'static str) -> Result<Vec<SecretString>, SetupError> {
    let list = required(environment, name)?;
    let secrets = list.split(',').map(str::trim).filter(|secret| !secret.is_empty());
    let secrets: Vec<SecretString> = secrets.map(SecretString::from).collect();
    if secrets.is_empty() { Err(SetupError::Malformed(name)) } else { Ok(secrets) }
}

fn razorpay(environment: Environment<'_>, http: &reqwest::Client) -> Result<Option<Razorpay>, SetupError> {
    let Some(key_id) = environment("SCRIP_RAZORPAY_KEY_ID") else { return Ok(None) };
    Ok(Some(Razorpay {
        http: http.clone(),
        base_url: base_url(environment, "SCRIP_RAZORPAY_BASE_URL", "https://api.razorpay.com"),
        key_id,
        key_secret: required(environment, "SCRIP_RAZORPAY_KEY_SECRET")?.into(),
        webhook_secrets: secrets(environment, "SCRIP_RAZORPAY_WEBHOOK_SECRETS")?,
        checkout_page: environment("SCRIP_CHECKOUT_PAGE"),
    }))
}

fn stripe(environment: Environment<'_>, http: &reqwest::Client) -> Result<Option<Stripe>, SetupError> {
    let Some(secret_key) = environment("SCRIP_STRIPE_SECRET_KEY") else { return Ok(None) };
    Ok(Some(Stripe {
        http: http.clone(),
        base_url: base_url(environment, "SCRIP_STRIPE_BASE_URL", "https://api.stripe.com"),
        secret_key: secret_key.into(),
        webhook_secrets: secrets(environment, "SCRIP_STRIPE_WEBHOOK_SECRETS")?,
    }))
}

fn paypal(environment: Environment<'_>, http: &reqwest::Client) -> Result<Option<PayPal>, SetupError> {
    let Some(client_id) = environment("SCRIP_PAYPAL_CLIENT_ID") else { return Ok(None) };
    let base_url = base_url(environment, "SCRIP_PAYPAL_BASE_URL", "https://api-m.paypal.com");
    let roots = environment("SCRIP_PAYPAL_ROOTS");
    Ok(Some(PayPal {
        http: http.clone(),
        certificates: Arc::new(Certificates::new(&base_url, roots.as_deref())),
        base_url,
        client_id,
        client_secret: required(environment, "SCRIP_PAYPAL_CLIENT_SECRET")?.into(),
        webhook_id: required(environment, "SCRIP_PAYPAL_WEBHOOK_ID")?,
        token: Arc::new(Mutex::new(None)),
    }))
}
