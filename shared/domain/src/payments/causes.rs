//! Causes of payment entries.
//!
//! **Invariant:** a captured payment has one cause, whichever report of it arrives first.

use crate::cause::Cause;
use crate::ids::{Gateway, GatewayId};

impl Cause {
    /// Returns the cause of crediting a captured payment: `topup:<gateway>:<payment>`.
    pub fn topup(gateway: Gateway, payment: &GatewayId) -> Self {
        Self::composed(format!("topup:{}:{}", gateway.as_str(), Self::part(payment.as_str())))
    }
}
