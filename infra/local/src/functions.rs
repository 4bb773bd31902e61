//! The functions of the platform: the paths that each serves, and the scheduled ones.
//!
//! **Invariant:** the same routers and handlers serve the local gateway, `invoke` and the tests.

use axum::Router;
use edge::App;
use edge::seal::SealKeys;
use gateways::Gateways;
use gateways::suppliers::Suppliers;
use vault::Vault;

/// Services that the functions use.
#[derive(Clone)]
pub struct LocalServices {
    /// Table, clock and business rules.
    pub app: App,
    /// Payment gateways.
    pub gateways: Gateways,
    /// Keys that seal gateways' reports.
    pub seal: SealKeys,
    /// Seals and opens gift cards.
    pub vault: Vault,
    /// Suppliers that deliver gift cards on demand.
    pub suppliers: Suppliers,
}

/// An HTTP function behind the local gateway.
#[derive(Clone)]
pub struct Function {
    /// Name, as in `functions/`.
    pub name: &'static str,
    /// Path prefixes; the function serves these paths and all paths below them.
    pub prefixes: &'static [&'static str],
    /// Routes of the function.
    pub router: Router,
}

/// Names of the functions that are called on a schedule.
pub const SCHEDULED: [&str; 2] = ["expire-credits", "monitor"];

impl Function {
    /// Returns true if the function serves the path.
    pub fn serves(&self, path: &str) -> bool {
        self.prefixes.iter().any(|prefix| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

impl LocalServices {
    /// Returns every HTTP function; if two serve a path, the first one in the list handles it.
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
            tools: provision_gift_card::ProvisionTools::new(self.issuer(), limits),
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

    /// Returns the services that the monitor uses.
    pub fn monitor(&self) -> edge::Services<monitor::MonitorTools> {
        let Self { app, gateways, seal, .. } = self.clone();
        edge::Services { app, tools: monitor::MonitorTools { gateways, seal, issuer: self.issuer() } }
    }
}

/// Returns the function that serves a path.
pub fn serving<'a>(functions: &'a [Function], path: &str) -> Option<&'a Function> {
    functions.iter().find(|function| function.serves(path))
}
