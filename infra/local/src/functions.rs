//! The functions of the platform: which paths each serves, and which a schedule calls.
//!
//! **Invariant:** the same routers and handlers serve the local gateway, `invoke` and the tests.

use axum::Router;
use edge::App;
use edge::seal::SealKeys;
use gateways::Gateways;

/// What functions are given.
#[derive(Clone)]
pub struct Parts {
    /// The table, the clock, the rules.
    pub app: App,
    /// The gateways.
    pub gateways: Gateways,
    /// What seals reports.
    pub seal: SealKeys,
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

impl Parts {
    /// Every HTTP function; where two serve a path, the first counts.
    pub fn functions(&self) -> Vec<Function> {
        let Self { app, gateways, seal } = self.clone();
        let topup = wallet_topup::Desk { app: app.clone(), gateways: gateways.clone(), seal: seal.clone() };
        let webhook = payment_webhook::Desk { app: app.clone(), gateways, seal };
        vec![
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

    /// The monitor's part.
    pub fn monitor(&self) -> monitor::Desk {
        let Self { app, gateways, seal } = self.clone();
        monitor::Desk { app, gateways, seal }
    }
}

/// The function that serves a path.
pub fn serving<'a>(functions: &'a [Function], path: &str) -> Option<&'a Function> {
    functions.iter().find(|function| function.serves(path))
}
