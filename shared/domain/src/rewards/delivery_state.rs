//! What decisions about delivered orders read.
//!
//! **Invariant:** a report is decided on the order, its record and the wallet as they are together.

use crate::ids::{AccountRef, CustomerId, OrderId};
use crate::ledger::command;
use crate::ledger::entry::Entry;
use crate::ledger::order::Order;
use crate::ledger::posting::LoadedAccount;
use crate::loyalty::rules::StoredRules;
use crate::rewards::delivery::OrderRecord;
use crate::wallet::profile::LoadedWallet;
use std::sync::Arc;

/// The items that a report of an order needs.
#[derive(Clone, Debug)]
pub struct DeliveryNeeds {
    /// Whose order it is, if that is known.
    pub customer: Option<CustomerId>,
    /// The order.
    pub order: OrderId,
}

/// What was loaded.
#[derive(Clone, Debug, Default)]
pub struct DeliveryState {
    /// True if it is known whose order it is.
    pub has_owner: bool,
    /// The wallet; `None` if it does not exist.
    pub wallet: Option<LoadedWallet>,
    /// The order, if it is registered.
    pub order: Option<Order>,
    /// What was reported of it.
    pub record: Option<OrderRecord>,
    /// Entries that took its credit back or gave it back.
    pub moved: Vec<Entry>,
    /// What has expired with the date of its credit.
    pub expired: Vec<Entry>,
    /// The rules.
    pub rules: Arc<StoredRules>,
}

impl command::State for DeliveryState {
    type Needs = DeliveryNeeds;

    fn accounts(needs: &DeliveryNeeds) -> Vec<AccountRef> {
        needs.customer.iter().map(AccountRef::wallet).collect()
    }

    fn loaded(&self) -> Vec<Option<&LoadedAccount>> {
        if self.has_owner { vec![self.wallet.as_ref().map(|wallet| &wallet.loaded)] } else { vec![] }
    }
}
