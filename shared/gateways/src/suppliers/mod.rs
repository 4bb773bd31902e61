//! Suppliers of gift cards, behind one trait.
//!
//! **Invariant:** an order is identified by our reference; repeating it with the same reference
//! never buys a second card.
//! **Invariant:** the reply is [`SupplierReply::Rejected`] only if no card was or will be delivered
//! for the reference; every unknown outcome is [`SupplierReply::Unresolved`].
//! **Invariant:** the secret parts of a card are returned to the caller and appear in no error.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `SCRIP_RELOADLY_CLIENT_ID`, `_CLIENT_SECRET` | API client | without them, Reloadly is off |
//! | `SCRIP_RELOADLY_WEBHOOK_SECRETS` | comma-separated; each verifies webhooks | webhooks are refused |
//! | `SCRIP_RELOADLY_BASE_URL` | base URL of the API | `https://giftcards.reloadly.com` |
//! | `SCRIP_RELOADLY_AUTH_URL` | base URL of the token endpoint | `https://auth.reloadly.com` |
//! | `SCRIP_RELOADLY_SENDER` | sender name on orders | `Scrip` |
//! | `SCRIP_TREMENDOUS_API_KEY` | API key | without it, Tremendous is off |
//! | `SCRIP_TREMENDOUS_WEBHOOK_SECRETS` | private keys of the webhook, comma-separated | webhooks are refused |
//! | `SCRIP_TREMENDOUS_BASE_URL` | base URL of the API | `https://api.tremendous.com/api/v2` |
//! | `SCRIP_TREMENDOUS_FUNDING_SOURCE` | id of the funding source that pays | `BALANCE` |

mod reloadly;
mod tremendous;

use crate::config::SetupError;
use crate::error::{Forged, GatewayError, VerifyError};
use crate::http_client::{client, once};
use domain::currency::Currency;
use domain::giftcard::Supplier;
use domain::giftcard::card::PlainCard;
use domain::money::Money;
use domain::time::Timestamp;
use futures::future::BoxFuture;
use http::HeaderMap;
use reloadly::Reloadly;
use secrecy::SecretString;
use std::sync::Arc;
use tremendous::Tremendous;

/// Order of one card.
#[derive(Clone, Debug)]
pub struct CardOrder {
    /// Our reference; unique per order.
    pub reference: String,
    /// Supplier's id of the product.
    pub product: String,
    /// Face value of the card.
    pub amount: Money,
    /// Currency of the face value.
    pub currency: Currency,
    /// Whether the order may have been sent before.
    pub intent: OrderIntent,
}

/// Whether an order may have been sent before, and whether one may be placed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderIntent {
    /// It was never sent: place it.
    Place,
    /// It may have been sent before: find it, or else place it.
    Retry {
        /// True if it was first sent so long ago that it cannot be in flight any more.
        late: bool,
    },
    /// Find it; place nothing.
    LookUp,
}

impl OrderIntent {
    /// Returns the intent to place an order that may have been sent before.
    pub fn of(sent_before: bool, late: bool) -> Self {
        if sent_before { Self::Retry { late } } else { Self::Place }
    }
}

/// Why a supplier rejects an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The supplier is out of stock.
    OutOfStock,
    /// Our balance at the supplier is too low.
    OutOfFunds,
    /// Any other reason: the supplier's code.
    Other(String),
}

/// Outcome of an order.
#[derive(Clone, Debug)]
pub enum SupplierReply {
    /// The card, and its cost, if the supplier states it in the order's currency.
    Delivered(PlainCard, Option<Money>),
    /// Unknown outcome, and why: ask this supplier again with the same reference, and no other
    /// supplier.
    Unresolved(String),
    /// No card was or will be delivered for this reference.
    Rejected(Refusal),
}

/// Client of a supplier.
pub trait Supply: Send + Sync {
    /// Orders a card, or asks for the outcome of the order.
    fn order<'a>(&'a self, order: &'a CardOrder) -> BoxFuture<'a, SupplierReply>;

    /// Verifies a webhook and returns our reference of its order; `None` if it names none.
    fn webhook_reference<'a>(
        &'a self,
        headers: &'a HeaderMap,
        body: &'a [u8],
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<String>, VerifyError>>;
}

/// The configured suppliers.
#[derive(Clone)]
pub struct Suppliers {
    reloadly: Option<Arc<dyn Supply>>,
    tremendous: Option<Arc<dyn Supply>>,
}

impl std::fmt::Debug for Suppliers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Suppliers")
    }
}

type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Suppliers {
    /// Reads the configuration; `environment` returns the value of a variable.
    pub fn configure(environment: Environment<'_>) -> Result<Self, SetupError> {
        let http = client()?;
        let base = |name: &str, default: &str| {
            environment(name).unwrap_or_else(|| default.to_owned()).trim_end_matches('/').to_owned()
        };
        let reloadly: Option<Arc<dyn Supply>> = match environment("SCRIP_RELOADLY_CLIENT_ID") {
            None => None,
            Some(client_id) => {
                let missing = SetupError::Missing("SCRIP_RELOADLY_CLIENT_SECRET");
                let secret = environment("SCRIP_RELOADLY_CLIENT_SECRET").ok_or(missing)?;
                Some(Arc::new(Reloadly {
                    http: http.clone(),
                    orders: once()?,
                    base_url: base("SCRIP_RELOADLY_BASE_URL", "https://giftcards.reloadly.com"),
                    auth_url: base("SCRIP_RELOADLY_AUTH_URL", "https://auth.reloadly.com"),
                    client_id,
                    client_secret: secret.into(),
                    webhook_secrets: secrets(environment("SCRIP_RELOADLY_WEBHOOK_SECRETS")),
                    sender: environment("SCRIP_RELOADLY_SENDER").unwrap_or_else(|| "Scrip".to_owned()),
                    token: tokio::sync::Mutex::default(),
                }))
            }
        };
        let orders = once()?;
        let tremendous: Option<Arc<dyn Supply>> = environment("SCRIP_TREMENDOUS_API_KEY").map(|key| {
            let funding = environment("SCRIP_TREMENDOUS_FUNDING_SOURCE");
            let supply: Arc<dyn Supply> = Arc::new(Tremendous {
                http,
                orders,
                base_url: base("SCRIP_TREMENDOUS_BASE_URL", "https://api.tremendous.com/api/v2"),
                api_key: key.into(),
                webhook_secrets: secrets(environment("SCRIP_TREMENDOUS_WEBHOOK_SECRETS")),
                funding_source: funding.unwrap_or_else(|| "BALANCE".to_owned()),
            });
            supply
        });
        Ok(Self { reloadly, tremendous })
    }

    /// Returns true if no supplier is configured.
    pub fn are_none(&self) -> bool {
        self.reloadly.is_none() && self.tremendous.is_none()
    }

    /// Returns a supplier's client, if it is configured.
    pub fn get(&self, supplier: Supplier) -> Option<Arc<dyn Supply>> {
        match supplier {
            Supplier::Reloadly => self.reloadly.clone(),
            Supplier::Tremendous => self.tremendous.clone(),
        }
    }
}

fn secrets(list: Option<String>) -> Vec<SecretString> {
    let list = list.unwrap_or_default();
    list.split(',').map(str::trim).filter(|secret| !secret.is_empty()).map(SecretString::from).collect()
}

/// Returns a header that must occur exactly once.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Forged> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(Forged::Header) };
    value.to_str().map_err(|_| Forged::Header)
}

/// Returns true if the status means that nothing was ordered: a 4xx, except those for a timeout, a
/// conflict with a concurrent request, a misdirected or too early request, and too many requests.
fn is_definite(status: u16) -> bool {
    (400..500).contains(&status) && ![408, 409, 421, 425, 429].contains(&status)
}

/// Turns an error of a call into an unknown outcome.
fn unresolved(error: &GatewayError) -> SupplierReply {
    SupplierReply::Unresolved(error.to_string())
}
