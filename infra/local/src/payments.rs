//! Configuration of gateways, suppliers and seals: local fakes, unless the environment says
//! otherwise.
//!
//! **Invariant:** a variable that is set in the environment overrides the default; every default
//! works.

use crate::Failure;
use crate::data::DataDir;
use crate::fakes::paypal::PayPalKeys;
use crate::fakes::{Fakes, PREFIX, SharedSecrets};
use crate::keys::secret;
use edge::seal::SealKeys;
use edge::wiring::optional;
use gateways::Gateways;
use gateways::suppliers::Suppliers;
use std::collections::BTreeMap;
use std::sync::Arc;
use vault::Vault;

/// Configured gateways, suppliers and seals.
pub struct PaymentSetup {
    /// Clients of the payment gateways.
    pub gateways: Gateways,
    /// Keys that seal gateways' reports.
    pub seal: SealKeys,
    /// Seals and opens gift cards.
    pub vault: Vault,
    /// Clients of the suppliers of gift cards.
    pub suppliers: Suppliers,
    /// Secrets that the fakes share with this configuration.
    pub secrets: SharedSecrets,
}

/// Returns the defaults by name of the variable.
fn defaults(url: &str, secret: &str, seal: &str, paypal: &PayPalKeys) -> BTreeMap<&'static str, String> {
    let base = |gateway| Fakes::base_url(url, gateway);
    BTreeMap::from([
        ("SCRIP_RAZORPAY_KEY_ID", "rzp_test_local".to_owned()),
        ("SCRIP_RAZORPAY_KEY_SECRET", format!("razorpay-{secret}")),
        ("SCRIP_RAZORPAY_WEBHOOK_SECRETS", format!("razorpay-webhook-{secret}")),
        ("SCRIP_RAZORPAY_BASE_URL", base("razorpay")),
        ("SCRIP_CHECKOUT_PAGE", format!("{url}{PREFIX}/checkout")),
        ("SCRIP_STRIPE_SECRET_KEY", format!("sk_test_{secret}")),
        ("SCRIP_STRIPE_WEBHOOK_SECRETS", format!("whsec_{secret}")),
        ("SCRIP_STRIPE_BASE_URL", base("stripe")),
        ("SCRIP_PAYPAL_CLIENT_ID", "client-local".to_owned()),
        ("SCRIP_PAYPAL_CLIENT_SECRET", format!("paypal-{secret}")),
        ("SCRIP_PAYPAL_WEBHOOK_ID", "WH-local".to_owned()),
        ("SCRIP_PAYPAL_BASE_URL", base("paypal")),
        ("SCRIP_PAYPAL_ROOTS", paypal.root.clone()),
        ("SCRIP_SEAL_KEYS", seal.to_owned()),
        ("SCRIP_CARD_KEYS", seal.to_owned()),
        ("SCRIP_CODE_KEY", format!("codes-{secret}-{secret}")),
        ("SCRIP_RELOADLY_CLIENT_ID", "client-local".to_owned()),
        ("SCRIP_RELOADLY_CLIENT_SECRET", format!("reloadly-{secret}")),
        ("SCRIP_RELOADLY_WEBHOOK_SECRETS", format!("reloadly-webhook-{secret}")),
        ("SCRIP_RELOADLY_BASE_URL", base("reloadly")),
        ("SCRIP_RELOADLY_AUTH_URL", base("reloadly")),
        ("SCRIP_TREMENDOUS_API_KEY", format!("tremendous-{secret}")),
        ("SCRIP_TREMENDOUS_WEBHOOK_SECRETS", format!("tremendous-webhook-{secret}")),
        ("SCRIP_TREMENDOUS_BASE_URL", base("tremendous")),
    ])
}

impl PaymentSetup {
    /// Returns the configuration of a platform at this URL, with the secrets of its data directory.
    pub fn open(data: &DataDir, url: &str) -> Result<Self, Failure> {
        let paypal = Arc::new(PayPalKeys::open(data)?);
        let shared = data.read_or_make("gateway-secret", || Ok(secret()))?;
        let seal = data.read_or_make("seal-keys", || Ok(format!("local:{}", crate::keys::key_bytes())))?;
        Self::of(url, &shared, &seal, paypal, &optional)
    }

    /// Returns the configuration with these secrets; values from `environment` override the
    /// defaults.
    pub fn of(
        url: &str,
        secret: &str,
        seal: &str,
        paypal: Arc<PayPalKeys>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let defaults = defaults(url, secret, seal, &paypal);
        let look = |name: &str| environment(name).or_else(|| defaults.get(name).cloned());
        let first = |name| look(name).and_then(|list| Some(list.split(',').next()?.trim().to_owned()));
        let text = |name| first(name).unwrap_or_default();
        let seal = SealKeys::parse(&look("SCRIP_SEAL_KEYS").unwrap_or_default());
        Ok(Self {
            gateways: Gateways::configure(&look)?,
            seal: seal.ok_or("SCRIP_SEAL_KEYS is malformed")?,
            vault: Vault::new(
                SealKeys::parse(&look("SCRIP_CARD_KEYS").unwrap_or_default())
                    .ok_or("SCRIP_CARD_KEYS is malformed")?,
                look("SCRIP_CODE_KEY").unwrap_or_default(),
            ),
            suppliers: Suppliers::configure(&look)?,
            secrets: SharedSecrets {
                razorpay_key: (text("SCRIP_RAZORPAY_KEY_ID"), text("SCRIP_RAZORPAY_KEY_SECRET")),
                razorpay_webhook: text("SCRIP_RAZORPAY_WEBHOOK_SECRETS"),
                stripe_webhook: text("SCRIP_STRIPE_WEBHOOK_SECRETS"),
                paypal_webhook_id: text("SCRIP_PAYPAL_WEBHOOK_ID"),
                reloadly: (text("SCRIP_RELOADLY_CLIENT_SECRET"), text("SCRIP_RELOADLY_WEBHOOK_SECRETS")),
                tremendous: (text("SCRIP_TREMENDOUS_API_KEY"), text("SCRIP_TREMENDOUS_WEBHOOK_SECRETS")),
                paypal,
            },
        })
    }
}
