//! The functions of the platform: which paths each serves.
//!
//! **Invariant:** the same routers serve the local gateway, `invoke` and the tests.

use axum::Router;
use edge::App;

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

impl Function {
    /// True if it serves this path.
    pub fn serves(&self, path: &str) -> bool {
        self.prefixes.iter().any(|prefix| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

/// Every HTTP function; where two serve a path, the first counts.
pub fn functions(app: &App) -> Vec<Function> {
    vec![
        Function {
            name: "wallet",
            prefixes: &["/api/wallet", "/health"],
            router: wallet::router(app.clone()),
        },
        Function {
            name: "refund",
            prefixes: &["/api/integration/order/refund-to-wallet"],
            router: refund::router(app.clone()),
        },
        Function {
            name: "order-payment",
            prefixes: &["/api/integration/order", "/api/integration/status", "/api/integration/health"],
            router: order_payment::router(app.clone()),
        },
    ]
}

/// The function that serves a path.
pub fn serving<'a>(functions: &'a [Function], path: &str) -> Option<&'a Function> {
    functions.iter().find(|function| function.serves(path))
}
