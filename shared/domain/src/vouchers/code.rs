//! The codes of vouchers.
//!
//! **Invariant:** a code is only held sealed here, and is known by its keyed digest.

use crate::giftcard::card::Part;
use crate::giftcard::{MAX_SHARDS, Sealed};
use crate::hash::Hash;
use crate::ids::budget::CardId;
use crate::ids::{VoucherId, VoucherPurchaseId};
use crate::time::{Date, Timestamp};
use std::collections::BTreeMap;

/// A code of a voucher, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoucherCode {
    /// Keyed digest of the code.
    pub id: CardId,
    /// The voucher.
    pub voucher: VoucherId,
    /// The sealed parts.
    pub parts: BTreeMap<Part, Sealed>,
    /// Last date on which it is valid; `None` if it does not expire.
    pub expires_on: Option<Date>,
    /// When it was added.
    pub created_at: Timestamp,
    /// By which it was bought, if it is sold.
    pub sold_to: Option<VoucherPurchaseId>,
}

impl VoucherCode {
    /// Returns the code's place among the free ones.
    pub fn free(&self, shards: u8) -> FreeCode {
        let byte = Hash::of(self.id.as_str()).bytes().first().copied().unwrap_or(0);
        FreeCode {
            voucher: self.voucher.clone(),
            shard: byte % shards.clamp(1, MAX_SHARDS),
            card: self.id.clone(),
            expires_on: self.expires_on,
        }
    }
}

/// A code that can be sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreeCode {
    /// The voucher.
    pub voucher: VoucherId,
    /// The partition in which it lies.
    pub shard: u8,
    /// Keyed digest of the code.
    pub card: CardId,
    /// Last date on which it is valid; `None` if it does not expire.
    pub expires_on: Option<Date>,
}
