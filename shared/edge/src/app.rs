//! What a function is given once, at start: the table, the clock, the rules.
//!
//! **Invariant:** business time comes from the [`Clock`] alone, so a test clock moves all of it.

use crate::claims::ClaimNames;
use crate::cursor::CursorKey;
use axum::extract::FromRef;
use domain::policy::Policy;
use domain::time::Timestamp;
use std::sync::Arc;
use store::Store;

/// The source of business time.
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// Everything a function needs.
#[derive(Clone)]
pub struct App {
    /// The table.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The rules.
    pub policy: Arc<Policy>,
    /// The key that seals cursors.
    pub cursors: CursorKey,
    /// What callers' claims are called.
    pub claims: Arc<ClaimNames>,
    /// How long the list of past expiries reaches back; `None` for good.
    pub expiry_history_days: Option<u32>,
}

/// What a function is given beside its app: gateways, what seals cards, and the like.
#[derive(Clone)]
pub struct Services<T> {
    /// The table, the clock, the rules.
    pub app: App,
    /// What this function works with beside.
    pub tools: T,
}

impl<T> FromRef<Services<T>> for App {
    fn from_ref(services: &Services<T>) -> Self {
        services.app.clone()
    }
}

/// The version that `/health` tells.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
