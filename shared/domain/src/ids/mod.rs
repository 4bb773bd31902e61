//! Identifiers: those that callers bring, and those that we mint.
//!
//! **Invariant:** an id of a caller can stand in a key or a log line as it is; one of ours is a function of what
//! caused it, so a retry mints the same one.

mod account;
mod alert;
pub mod budget;
mod caller;
pub mod cause;
mod ledger;
mod payment;
mod text;
mod wallet;

pub use account::{AccountKind, AccountRef};
pub use alert::AlertId;
pub use caller::{CustomerId, IdempotencyKey, OrderId, RecipientId, RequestId, SupplierProductId};
pub use ledger::{HoldId, TransactionId};
pub use payment::{EventId, Gateway, GatewayId, GatewayKey, PaymentRef, ReversalId, TopUpId};
pub use text::{CALLER_ID_PATTERN, DOT_SEGMENTS, GATEWAY_ID_PATTERN, RESERVED_CUSTOMER_IDS};
pub use wallet::{ReferralCode, WalletId};
