//! The state that a function receives once, at start-up: the table, the clock, the policy.
//!
//! **Invariant:** business time comes only from the [`Clock`], so a test clock controls all of it.

use crate::claims::ClaimNames;
use crate::cursor::CursorKey;
use axum::extract::FromRef;
use domain::language::Language;
use domain::policy::Policy;
use domain::time::Timestamp;
use std::sync::Arc;
use store::Store;

/// The source of business time.
pub trait Clock: Send + Sync + 'static {
    /// Returns the current instant.
    fn now(&self) -> Timestamp;
}

/// The state that every function needs.
#[derive(Clone)]
pub struct App {
    /// The DynamoDB table.
    pub store: Store,
    /// The source of business time.
    pub clock: Arc<dyn Clock>,
    /// Currency, tiers and other business rules of the deployment.
    pub policy: Arc<Policy>,
    /// The key that authenticates cursors.
    pub cursors: CursorKey,
    /// Names of the token claims to read.
    pub claims: Arc<ClaimNames>,
    /// Days that the list of past expiries covers; `None`: unlimited.
    pub expiry_history_days: Option<u32>,
    /// The language in which people are addressed who have not chosen one.
    pub language: Language,
}

/// The app together with a function's own services, such as gateways and the vault.
#[derive(Clone)]
pub struct Services<T> {
    /// Shared by every function.
    pub app: App,
    /// The services of this function.
    pub tools: T,
}

impl<T> FromRef<Services<T>> for App {
    fn from_ref(services: &Services<T>) -> Self {
        services.app.clone()
    }
}

/// The version that `/health` reports.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
