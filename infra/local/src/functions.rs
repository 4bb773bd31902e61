//! The functions of the platform: the paths that each serves, and the scheduled ones.
//!
//! **Invariant:** the same routers and handlers serve the local gateway, `invoke` and the tests.

use aws::Bucket;
use axum::Router;
use edge::App;
use edge::seal::SealKeys;
use gateways::Gateways;
use gateways::suppliers::Suppliers;
use queues::Queues;
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
    /// Queues of jobs.
    pub queues: Queues,
    /// Uploads of jobs.
    pub files: Bucket,
}

/// An HTTP function behind the local gateway.
#[derive(Clone)]
pub struct Function {
    /// Name, as in `functions/`.
    pub name: &'static str,
    /// Path prefixes, in which `*` is any segment; the function serves these paths and all paths below them.
    pub prefixes: &'static [&'static str],
    /// Routes of the function.
    pub router: Router,
}

/// Names of the functions that are called on a schedule.
pub const SCHEDULED: [&str; 3] = ["evaluate-tiers", "expire-credits", "monitor"];

/// Paths of jobs.
const JOBS: [&str; 6] =
    ["/api/wallet/bulk", "/api/loyalty/bulk", "/api/jobs", "/api/uploads", "/api/imports", "/api/exports"];

/// Names of the functions that are called with messages.
pub const WITH_MESSAGES: [&str; 3] = ["bulk-credit", "move-books", "purchase-events"];

impl Function {
    /// Returns true if the function serves the path.
    pub fn serves(&self, path: &str) -> bool {
        let begins_with = |prefix: &str| {
            let mut segments = path.split('/');
            prefix.split('/').all(|wanted| segments.next().is_some_and(|is| wanted == "*" || wanted == is))
        };
        self.prefixes.iter().any(|prefix| begins_with(prefix))
    }
}

impl Function {
    fn new(name: &'static str, prefixes: &'static [&'static str], router: Router) -> Self {
        Self { name, prefixes, router }
    }
}

impl LocalServices {
    /// Returns every HTTP function; if two serve a path, the first one in the list handles it.
    pub fn functions(&self) -> Vec<Function> {
        let Self { app, gateways, seal, vault, suppliers, queues, files } = self.clone();
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
        let points = edge::Services { app: app.clone(), tools: loyalty::LoyaltyTools { vault } };
        let bulk = edge::Services { app: app.clone(), tools: jobs::JobsTools { queues, files } };
        vec![
            Function::new("jobs", &JOBS, jobs::router(bulk)),
            Function::new(
                "allocate-credit",
                &["/api/credit/allocate", "/api/credit/reclaim"],
                allocate_credit::router(app.clone()),
            ),
            Function::new("credit-accounts", &["/api/credit"], credit_accounts::router(app.clone())),
            Function::new(
                "provision-gift-card",
                &[
                    "/api/gift-cards/provision",
                    "/api/gift-cards/redeem",
                    "/api/gift-cards/redemptions",
                    "/api/gift-cards/webhook",
                ],
                provision_gift_card::router(cards),
            ),
            Function::new(
                "gift-card-inventory",
                &["/api/gift-cards", "/api/alerts"],
                gift_card_inventory::router(stock),
            ),
            Function::new(
                "rewards",
                &["/api/wallet/rewards", "/api/wallet/referral", "/api/wallet/*/rewards"],
                rewards::router(app.clone()),
            ),
            Function::new("wallet", &["/api/wallet", "/health"], wallet::router(app.clone())),
            Function::new("wallet-topup", &["/api/integration/wallet/topup"], wallet_topup::router(topup)),
            Function::new("payment-webhook", &["/api/integration/webhook"], payment_webhook::router(webhook)),
            Function::new("loyalty", &["/api/loyalty"], loyalty::router(points)),
            Function::new(
                "refund",
                &["/api/integration/order/refund-to-wallet"],
                refund::router(app.clone()),
            ),
            Function::new(
                "order-payment",
                &["/api/integration/order", "/api/integration/status", "/api/integration/health"],
                order_payment::router(app),
            ),
        ]
    }

    fn issuer(&self) -> issuing::Issuer {
        let Self { app, vault, suppliers, .. } = self.clone();
        issuing::Issuer { store: app.store, vault, suppliers }
    }

    /// Returns the services that the function uses that does the steps of jobs with files.
    pub fn move_books(&self) -> edge::Services<move_books::MoveTools> {
        let Self { app, queues, files, .. } = self.clone();
        edge::Services { app, tools: move_books::MoveTools { queues, files } }
    }

    /// Returns the services that the monitor uses.
    pub fn monitor(&self) -> edge::Services<monitor::MonitorTools> {
        let Self { app, gateways, seal, queues, .. } = self.clone();
        let hot = monitor::HotRules::new(None, None);
        let tools = monitor::MonitorTools { gateways, seal, issuer: self.issuer(), queues, hot };
        edge::Services { app, tools }
    }
}

/// Returns the function that serves a path.
pub fn serving<'a>(functions: &'a [Function], path: &str) -> Option<&'a Function> {
    functions.iter().find(|function| function.serves(path))
}
