//! Suppliers of gift cards, behind one trait.
//!
//! **Invariant:** an order is known by our reference; asking again under it never buys a second card.
//! **Invariant:** [`SupplierReply::Rejected`] is only said when no card was or will be delivered for the reference; whatever
//! is not certain is [`SupplierReply::Unresolved`].
//! **Invariant:** what is secret about a card is handed on and stands in no error.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `SCRIP_RELOADLY_CLIENT_ID`, `_CLIENT_SECRET` | API client | without them, Reloadly is off |
//! | `SCRIP_RELOADLY_WEBHOOK_SECRETS` | comma-separated, each valid | webhooks are refused |
//! | `SCRIP_RELOADLY_BASE_URL`, `_AUTH_URL` | other hosts | `https://giftcards.reloadly.com`, `https://auth.reloadly.com` |
//! | `SCRIP_RELOADLY_SENDER` | the sender's name on an order | `Scrip` |
//! | `SCRIP_TREMENDOUS_API_KEY` | API key | without it, Tremendous is off |
//! | `SCRIP_TREMENDOUS_WEBHOOK_SECRETS` | the webhook's private keys, comma-separated | webhooks are refused |
//! | `SCRIP_TREMENDOUS_BASE_URL` | another host | `https://api.tremendous.com/api/v2` |
//! | `SCRIP_TREMENDOUS_FUNDING_SOURCE` | what pays | `BALANCE` |

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

/// An order of one card.
#[derive(Clone, Debug)]
pub struct CardOrder {
    /// Ours; unique.
    pub reference: String,
    /// What the supplier calls the product.
    pub product: String,
    /// The card's face value.
    pub amount: Money,
    /// In which currency.
    pub currency: Currency,
    /// Whether it may have been sent before.
    pub intent: OrderIntent,
}

/// Whether an order may have been sent before, and whether one may be placed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderIntent {
    /// The first time: place it.
    Place,
    /// It may have been sent before: find it, or place it.
    Retry {
        /// True if it was first sent so long ago that it can no longer be in flight.
        late: bool,
    },
    /// Find it; nothing is placed.
    LookUp,
}

impl OrderIntent {
    /// To place an order, again if it may have been sent before.
    pub fn of(sent_before: bool, late: bool) -> Self {
        if sent_before { Self::Retry { late } } else { Self::Place }
    }
}

/// Why there will be no card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The supplier has none.
    OutOfStock,
    /// We have too little money there.
    OutOfFunds,
    /// Anything else; the supplier's own code.
    Other(String),
}

/// What became of an order.
#[derive(Clone, Debug)]
pub enum SupplierReply {
    /// The card, and what it had cost us, if that is said in the order's currency.
    Delivered(PlainCard, Option<Money>),
    /// Not known: ask again under the same reference, and nobody else.
    Unresolved(String),
    /// There will be no card for this reference.
    Rejected(Refusal),
}

/// A supplier.
pub trait Supply: Send + Sync {
    /// Orders a card, or asks what became of the order.
    fn order<'a>(&'a self, order: &'a CardOrder) -> BoxFuture<'a, SupplierReply>;

    /// Verifies a webhook and gives our reference that it is about; none if it is about nothing of ours.
    fn webhook_reference<'a>(
        &'a self,
        headers: &'a HeaderMap,
        body: &'a [u8],
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<String>, VerifyError>>;
}

/// The suppliers that are configured.
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
    /// Reads the configuration by name.
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

    /// True if no supplier is configured.
    pub fn are_none(&self) -> bool {
        self.reloadly.is_none() && self.tremendous.is_none()
    }

    /// A supplier, if it is configured.
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

/// A header that must be there once.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Forged> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(Forged::Header) };
    value.to_str().map_err(|_| Forged::Header)
}

/// True if a 4xx says that nothing was made: it was not cut short, redirected, or met by another that is under way.
fn is_definite(status: u16) -> bool {
    (400..500).contains(&status) && ![408, 409, 421, 425, 429].contains(&status)
}

/// A call that was not answered as documented.
fn unresolved(error: &GatewayError) -> SupplierReply {
    SupplierReply::Unresolved(error.to_string())
}
