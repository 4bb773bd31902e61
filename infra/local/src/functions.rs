//! The functions of the platform: which paths each serves, and which a schedule calls.
//!
//! **Invariant:** the same routers and handlers serve the local gateway, `invoke` and the tests.

use axum::Router;
use edge::App;
use edge::seal::SealKeys;
use gateways::Gateways;
use gateways::suppliers::Suppliers;
use vault::Vault;

/// What functions are given.
#[derive(Clone)]
pub struct LocalServices {
    /// The table, the clock, the rules.
    pub app: App,
    /// The gateways.
    pub gateways: Gateways,
    /// What seals reports.
    pub seal: SealKeys,
    /// What opens and seals gift cards.
    pub vault: Vault,
    /// Who delivers gift cards on demand.
    pub suppliers: Suppliers,
}

/// A function behind the gateway.
#[derive(Clone)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// The paths it serves are these, or lie below one.
    pub prefixes: &'static [&'static str],
    /// Its routes.
    pub router: Router,
}

/// The functions that a schedule calls.
pub const SCHEDULED: [&str; 2] = ["expire-credits", "monitor"];

impl Function {
    /// True if it serves this path.
    pub fn serves(&self, path: &str) -> bool {
        self.prefixes.iter().any(|prefix| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

impl LocalServices {
    /// Every HTTP function; where two serve a path, the first counts.
    pub fn functions(&self) -> Vec<Function> {
        let Self { app, gateways, seal, vault, suppliers } = self.clone();
        let topup = edge::Services {
            app: app.clone(),
            tools: wallet_topup::TopUpTools { gateways: gateways.clone(), seal: seal.clone() },
        };
        let webhook =
            edge::Services { app: app.clone(), tools: payment_webhook::WebhookTools { gateways, seal } };
        let stock = edge::Services {
            app: app.clone(),
            tools: gift_card_inventory::InventoryTools { vault: vault.clone() },
        };
        let limits = provision_gift_card::Limits::usual(&suppliers);
        let cards = edge::Services {
            app: app.clone(),
            tools: provision_gift_card::ProvisionTools { issuer: self.issuer(), limits },
        };
        vec![
            Function {
                name: "allocate-credit",
                prefixes: &["/api/credit/allocate", "/api/credit/reclaim"],
                router: allocate_credit::router(app.clone()),
            },
            Function {
                name: "credit-accounts",
                prefixes: &["/api/credit"],
                router: credit_accounts::router(app.clone()),
            },
            Function {
                name: "provision-gift-card",
                prefixes: &[
                    "/api/gift-cards/provision",
                    "/api/gift-cards/redeem",
                    "/api/gift-cards/redemptions",
                    "/api/gift-cards/webhook",
                ],
                router: provision_gift_card::router(cards),
            },
            Function {
                name: "gift-card-inventory",
                prefixes: &["/api/gift-cards", "/api/alerts"],
                router: gift_card_inventory::router(stock),
            },
            Function {
                name: "wallet",
                prefixes: &["/api/wallet", "/health"],
                router: wallet::router(app.clone()),
            },
            Function {
                name: "wallet-topup",
                prefixes: &["/api/integration/wallet/topup"],
                router: wallet_topup::router(topup),
            },
            Function {
                name: "payment-webhook",
                prefixes: &["/api/integration/webhook"],
                router: payment_webhook::router(webhook),
            },
            Function {
                name: "refund",
                prefixes: &["/api/integration/order/refund-to-wallet"],
                router: refund::router(app.clone()),
            },
            Function {
                name: "order-payment",
                prefixes: &["/api/integration/order", "/api/integration/status", "/api/integration/health"],
                router: order_payment::router(app),
            },
        ]
    }

    fn issuer(&self) -> issuing::Issuer {
        let Self { app, vault, suppliers, .. } = self.clone();
        issuing::Issuer { store: app.store, vault, suppliers }
    }

    /// The monitor's part.
    pub fn monitor(&self) -> edge::Services<monitor::MonitorTools> {
        let Self { app, gateways, seal, .. } = self.clone();
        edge::Services { app, tools: monitor::MonitorTools { gateways, seal, issuer: self.issuer() } }
    }
}

/// The function that serves a path.
pub fn serving<'a>(functions: &'a [Function], path: &str) -> Option<&'a Function> {
    functions.iter().find(|function| function.serves(path))
}
