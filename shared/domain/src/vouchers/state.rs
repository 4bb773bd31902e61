//! What purchases of vouchers read and write.
//!
//! **Invariant:** a free code is removed, and marked as sold, in the transaction that burns the points for it.
//! **Invariant:** the number of vouchers that a customer has bought is only kept for vouchers with a limit.

use crate::giftcard::Sealed;
use crate::giftcard::redemption::Method;
use crate::ids::{AccountRef, CustomerId, VoucherId, VoucherPurchaseId};
use crate::ledger::command;
use crate::ledger::decision::{Conditional, FailedCondition};
use crate::ledger::entry::Entry;
use crate::ledger::posting::LoadedAccount;
use crate::loyalty::state::{LoyaltyNeeds, LoyaltyState, LoyaltyWrite};
use crate::vouchers::bought::VoucherPurchase;
use crate::vouchers::code::FreeCode;
use crate::vouchers::voucher::Voucher;

/// How many of a voucher a customer has bought and not returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoughtCount {
    /// The number.
    pub bought: u32,
    /// The version of the stored count; 0 if there is none of this limit.
    pub was: u64,
}

/// What is expected of a voucher that was read a moment ago, so that more can be read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoucherHint {
    /// The partitions of its free codes.
    pub shards: u8,
    /// True if it has a limit for each customer.
    pub is_limited: bool,
}

/// The items that a purchase needs.
#[derive(Clone, Debug)]
pub struct VoucherNeeds {
    /// Who buys.
    pub user: CustomerId,
    /// The voucher.
    pub voucher: VoucherId,
    /// What is expected of it.
    pub hint: Option<VoucherHint>,
    /// A purchase that is taken back.
    pub purchase: Option<VoucherPurchaseId>,
}

/// What a purchase is decided on.
#[derive(Clone, Debug, Default)]
pub struct VoucherState {
    /// The points and the rules.
    pub loyalty: LoyaltyState,
    /// The voucher; `None` if it does not exist.
    pub voucher: Option<Voucher>,
    /// How many the customer has bought; `None` if the voucher has no limit.
    pub count: Option<BoughtCount>,
    /// A free code; `None` if there is none.
    pub free: Option<FreeCode>,
    /// The purchase that is taken back.
    pub purchase: Option<VoucherPurchase>,
    /// The entry that paid for it.
    pub burnt: Option<Entry>,
}

impl command::State for VoucherState {
    type Needs = VoucherNeeds;

    fn accounts(needs: &VoucherNeeds) -> Vec<AccountRef> {
        LoyaltyState::accounts(&LoyaltyNeeds::points(&needs.user))
    }

    fn loaded(&self) -> Vec<Option<&LoadedAccount>> {
        self.loyalty.loaded()
    }
}

/// A write of one item, with its condition.
#[derive(Clone, Debug)]
pub enum VoucherWrite {
    /// A write of the points.
    Loyalty(Box<LoyaltyWrite>),
    /// A code that is sold; it must be free and unsold.
    Sell {
        /// The code.
        free: FreeCode,
        /// What it was bought by.
        purchase: VoucherPurchaseId,
    },
    /// A purchase; its stored version must still be `was`, 0 for one that does not exist.
    Purchase {
        /// The purchase.
        purchase: Box<VoucherPurchase>,
        /// The version before.
        was: u64,
    },
    /// The number that a customer has bought; the stored version must still be that of the count.
    Count {
        /// The customer.
        user: CustomerId,
        /// The voucher.
        voucher: VoucherId,
        /// The limit for which it is counted.
        limit_number: u32,
        /// The number after the change.
        bought: u32,
        /// The version before.
        was: u64,
    },
    /// The removal of the message to the customer, if it is still queued.
    DropMessage {
        /// The purchase.
        purchase: VoucherPurchaseId,
        /// How it would be sent.
        method: Method,
    },
    /// The queued message to the customer.
    Deliver {
        /// The purchase, with its method of delivery.
        purchase: Box<VoucherPurchase>,
        /// The address.
        address: Sealed,
    },
}

impl From<LoyaltyWrite> for VoucherWrite {
    fn from(write: LoyaltyWrite) -> Self {
        Self::Loyalty(Box::new(write))
    }
}

impl From<crate::ledger::decision::Write> for VoucherWrite {
    fn from(write: crate::ledger::decision::Write) -> Self {
        Self::from(LoyaltyWrite::from(write))
    }
}

impl Conditional for VoucherWrite {
    fn failed(&self) -> FailedCondition {
        match self {
            Self::Loyalty(write) => write.failed(),
            Self::Sell { .. }
            | Self::Purchase { .. }
            | Self::Count { .. }
            | Self::DropMessage { .. }
            | Self::Deliver { .. } => FailedCondition::Stale,
        }
    }

    fn entry(&self) -> Option<&Entry> {
        if let Self::Loyalty(write) = self { write.entry() } else { None }
    }
}
