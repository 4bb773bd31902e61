//! What decisions about loyalty read and write.
//!
//! **Invariant:** an account of points is opened by the first write to it; until then it reads as empty.
//! **Invariant:** a change of the tier, its record and the list of the tier's members are written in one transaction.

use crate::ids::{AccountRef, CustomerId, HoldId, OrderId, PurchaseId, RequestId};
use crate::ledger::account::Account;
use crate::ledger::command;
use crate::ledger::decision::{Conditional, FailedCondition, Outcome, Write as LedgerWrite};
use crate::ledger::entry::Entry;
use crate::ledger::hold::Hold;
use crate::ledger::order::Order;
use crate::ledger::posting::LoadedAccount;
use crate::loyalty::record::PurchaseRecord;
use crate::loyalty::rules::StoredRules;
use crate::loyalty::tiers::{Standing, TierRecord};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An account of points with the tier that its owner holds.
#[derive(Clone, Debug)]
pub struct LoadedPoints {
    /// The account.
    pub loaded: LoadedAccount,
    /// The tier, as last written.
    pub standing: Standing,
}

/// The items that a command needs.
#[derive(Clone, Debug)]
pub struct LoyaltyNeeds {
    /// The owner of the points.
    pub user: CustomerId,
    /// The owner of other points, who receives a transfer.
    pub other: Option<CustomerId>,
    /// The purchases that the command names; the redemption of each is loaded with it.
    pub purchases: Vec<PurchaseId>,
    /// A redemption; its booking is loaded with it.
    pub lock: Option<HoldId>,
    /// A registered order.
    pub order: Option<OrderId>,
    /// True if the movements of the purchase are needed, because points may be given back to their lots.
    pub movements: bool,
}

impl LoyaltyNeeds {
    /// Returns the needs of a command that uses only a customer's points.
    pub fn points(user: &CustomerId) -> Self {
        let user = user.clone();
        Self { user, other: None, purchases: vec![], lock: None, order: None, movements: false }
    }
}

/// What was loaded.
#[derive(Clone, Debug, Default)]
pub struct LoyaltyState {
    /// The points; `None` if nothing was written to them yet.
    pub points: Option<LoadedPoints>,
    /// The points of the receiver of a transfer.
    pub other: Option<LoadedPoints>,
    /// The purchases that exist, by the ids that were named; two ids may lead to one purchase.
    pub purchases: BTreeMap<PurchaseId, PurchaseRecord>,
    /// The redemptions that were named, or that the purchases have.
    pub locks: BTreeMap<HoldId, Hold>,
    /// The registered order.
    pub order: Option<Order>,
    /// Movements of the purchase, in the order of their numbers.
    pub movements: Vec<Entry>,
    /// Expiries of the lot of the purchase.
    pub expired: Vec<Entry>,
    /// The rules.
    pub rules: Arc<StoredRules>,
}

impl command::State for LoyaltyState {
    type Needs = LoyaltyNeeds;

    fn accounts(needs: &LoyaltyNeeds) -> Vec<AccountRef> {
        std::iter::once(&needs.user).chain(&needs.other).map(AccountRef::points).collect()
    }

    fn loaded(&self) -> Vec<Option<&LoadedAccount>> {
        let all = [&self.points, &self.other];
        let known = if self.other.is_some() { &all[..] } else { &all[..1] };
        known.iter().map(|points| points.as_ref().map(|points| &points.loaded)).collect()
    }
}

/// A write of one item, with its condition.
#[derive(Clone, Debug)]
pub enum LoyaltyWrite {
    /// A write of the account's entries, holds and records.
    Ledger(Box<LedgerWrite>),
    /// A changed account of points; its stored version must still be `was`, 0 for one that does not exist.
    Points {
        /// The account.
        account: Box<Account>,
        /// The tier.
        standing: Box<Standing>,
        /// The version before.
        was: u64,
    },
    /// The record of a change of the tier; written together with the account.
    TierRecord {
        /// The account.
        account: AccountRef,
        /// The version of the account that the change created.
        version: u64,
        /// Index among the changes of that version.
        at: usize,
        /// The number of the account's last entry.
        seq: u64,
        /// What is recorded.
        record: Box<TierRecord>,
    },
    /// The customer's place in the list of a tier's members; it replaces that in the list of another tier.
    Member {
        /// The customer.
        user: CustomerId,
        /// The tier.
        tier: String,
        /// The tier before.
        left: Option<String>,
    },
    /// A changed purchase; its stored version must still be `was`, 0 for one that does not exist.
    Purchase {
        /// The purchase.
        record: Box<PurchaseRecord>,
        /// The version before.
        was: u64,
        /// True if it has earned just now: what was earned is written then, and never again.
        earns: bool,
    },
    /// Another id of a purchase; a record under this id must still have version `was`, 0 for none.
    Alias {
        /// The id.
        id: PurchaseId,
        /// The id under which the purchase is stored.
        leads_to: PurchaseId,
        /// The version of what it replaces.
        was: u64,
    },
}

impl From<LedgerWrite> for LoyaltyWrite {
    fn from(write: LedgerWrite) -> Self {
        Self::Ledger(Box::new(write))
    }
}

impl Conditional for LoyaltyWrite {
    fn failed(&self) -> FailedCondition {
        match self {
            Self::Ledger(write) => write.failed(),
            Self::Points { .. }
            | Self::TierRecord { .. }
            | Self::Member { .. }
            | Self::Purchase { .. }
            | Self::Alias { .. } => FailedCondition::Stale,
        }
    }

    fn entry(&self) -> Option<&Entry> {
        if let Self::Ledger(write) = self { write.entry() } else { None }
    }
}

/// What a command has moved: its entry, with the purchase if this invocation has decided it.
#[derive(Clone, Debug)]
pub struct Moved {
    /// The entry.
    pub entry: Entry,
    /// The purchase after the movement; a replay reads it.
    pub record: Option<Box<PurchaseRecord>>,
}

impl Outcome for Moved {
    fn of_entry(entry: Entry) -> Option<Self> {
        Some(Self { entry, record: None })
    }

    fn request(&self) -> Option<&RequestId> {
        self.entry.request.as_ref()
    }
}

/// An account of points after a command that moves none.
#[derive(Clone, Debug)]
pub struct PointsAfter {
    /// The account.
    pub account: Account,
    /// The tier.
    pub standing: Standing,
}

impl Outcome for PointsAfter {
    fn request(&self) -> Option<&RequestId> {
        None
    }
}
