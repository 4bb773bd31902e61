//! What causes entries of payments.
//!
//! **Invariant:** a captured payment has one cause, whichever report of it came first.

use crate::cause::Cause;
use crate::ids::{Gateway, GatewayId};

impl Cause {
    /// A captured payment of a gateway.
    pub fn topup(gateway: Gateway, payment: &GatewayId) -> Self {
        Self::composed(format!("topup:{}:{}", gateway.as_str(), Self::part(payment.as_str())))
    }
}
