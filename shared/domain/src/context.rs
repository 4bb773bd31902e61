//! What a decision knows about the invocation that it is part of.
//!
//! **Invariant:** a context is built once per invocation; every decision of that invocation sees
//! the same instant.

use crate::actor::Actor;
use crate::ids::RequestId;
use crate::policy::Policy;
use crate::time::Timestamp;
use std::sync::Arc;

/// The caller, the instant and the rules of an invocation.
#[derive(Clone, Debug)]
pub struct Context {
    /// The instant of the request. A decision uses the account's last change instead if that is
    /// later.
    pub now: Timestamp,
    /// The verified caller.
    pub actor: Actor,
    /// The id of this invocation.
    pub request: RequestId,
    /// The deployment's rules.
    pub policy: Arc<Policy>,
}
