//! What a decision knows about the invocation it serves.
//!
//! **Invariant:** built once per invocation; every decision of that invocation sees the same instant.

use crate::actor::Actor;
use crate::ids::RequestId;
use crate::policy::Policy;
use crate::time::Timestamp;
use std::sync::Arc;

/// Who asks, when, and under which rules.
#[derive(Clone, Debug)]
pub struct Context {
    /// The instant of the request; an account never sees one before its own last change.
    pub now: Timestamp,
    /// The verified caller.
    pub actor: Actor,
    /// This invocation.
    pub request: RequestId,
    /// The deployment's rules.
    pub policy: Arc<Policy>,
}
