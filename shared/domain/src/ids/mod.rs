//! Ids: those supplied by callers, and those created by Scrip.
//!
//! **Invariant:** a caller's id can be used in a key or a log line as it is; an id created by Scrip
//! is a function of its cause, so a retry creates the same id (except an attempt's, which is
//! unique).

mod account;
mod alert;
pub mod budget;
mod caller;
pub mod cause;
mod jobs;
mod ledger;
mod loyalty;
mod payment;
mod text;
mod wallet;

pub use account::{AccountKind, AccountRef};
pub use alert::AlertId;
pub use caller::{CustomerId, IdempotencyKey, OrderId, RecipientId, RequestId, SupplierProductId};
pub use jobs::{JobId, UploadId};
pub use ledger::{HoldId, TransactionId};
pub use loyalty::{
    BookingId, LineId, LoyaltyCampaignId, PaymentId, PurchaseId, RefundId, RewardId, VoucherId,
    VoucherPurchaseId,
};
pub use payment::{EventId, Gateway, GatewayId, GatewayKey, PaymentRef, ReversalId, TopUpId};
pub use text::{
    CALLER_ID_PATTERN, DOT_SEGMENTS, GATEWAY_ID_PATTERN, RESERVED_CUSTOMER_IDS, RESERVED_ORDER_IDS,
};
pub use wallet::{ReferralCode, WalletId};
