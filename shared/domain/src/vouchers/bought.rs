//! A bought voucher, as stored.
//!
//! **Invariant:** its price and code never change; it is refunded at most once.

use crate::currency::Currency;
use crate::giftcard::redemption::Method;
use crate::ids::budget::CardId;
use crate::ids::{CustomerId, VoucherId, VoucherPurchaseId};
use crate::loyalty::numbers::Points;
use crate::money::Money;
use crate::text::FreeText;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Progress of a purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PurchaseStatus {
    /// The code is the customer's.
    Issued,
    /// The code was sent to the customer.
    Delivered,
    /// The points were given back, and the code is void.
    Refunded,
}

impl PurchaseStatus {
    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "ISSUED",
            Self::Delivered => "DELIVERED",
            Self::Refunded => "REFUNDED",
        }
    }
}

/// Where the code is sent, as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoucherDelivery {
    /// How.
    pub method: Method,
    /// The masked address.
    pub shown: String,
}

/// The refund of a purchase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoucherRefund {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: FreeText,
    /// The invocation that made it.
    pub request: String,
    /// True if the code had been sent.
    pub was_sent: bool,
}

/// A bought voucher.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoucherPurchase {
    /// Its id.
    pub id: VoucherPurchaseId,
    /// The voucher.
    pub voucher: VoucherId,
    /// What the voucher was called then.
    pub name: FreeText,
    /// Who bought it.
    pub user: CustomerId,
    /// Keyed digest of the code.
    pub card: CardId,
    /// The points that it cost.
    pub points: Points,
    /// What those points were worth then.
    pub points_value: Money,
    /// The currency of that value.
    pub currency: Currency,
    /// Progress.
    pub status: PurchaseStatus,
    /// Where the code is sent; `None` if it is not sent.
    pub delivery: Option<VoucherDelivery>,
    /// The cause of the entry that paid for it.
    pub cause: String,
    /// The transaction that paid for it.
    pub transaction: String,
    /// When it was bought.
    pub created_at: Timestamp,
    /// Its refund.
    pub refund: Option<VoucherRefund>,
    /// Incremented by each change.
    pub version: u64,
}

impl VoucherPurchase {
    /// Returns the purchase as it was before its code was sent or its points were given back.
    pub fn at_first(&self) -> Self {
        Self { status: PurchaseStatus::Issued, refund: None, version: 1, ..self.clone() }
    }
}
