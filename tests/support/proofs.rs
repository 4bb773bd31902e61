//! The proof of the ledger in memory.
//!
//! **Invariant:** beyond what the audit proves, each hold lists its entries, each capture names its
//! order, and each top-up names the entries of its reversals.

use crate::memory::Memory;
use domain::audit::prove;
use domain::ids::PaymentRef;
use domain::ledger::audit::{Difference, fold};
use domain::ledger::entry::{Entry, EntryType};
use std::collections::BTreeMap;

impl Memory {
    /// Proves the books of every account.
    pub fn prove(&self) {
        for id in self.accounts.keys() {
            let differences: Vec<Difference> = match id.wallet_customer() {
                Some(customer) => prove(&self.wallet_books(customer)).differences,
                None => fold(&self.books(id)).proof.differences,
            };
            assert!(differences.is_empty(), "{differences:?}");
        }
        self.prove_holds();
        self.prove_topups();
        for entry in self.entries.values().filter(|entry| entry.kind == EntryType::Capture) {
            let order = entry.after.order.as_ref();
            assert_eq!(order.is_some(), entry.order_id.is_some(), "{entry:?}");
            assert!(order.is_none_or(|order| order.transactions.contains(&entry.id())), "{entry:?}");
        }
    }

    /// Asserts that each hold lists its entries, and that the last of them shows the hold as stored.
    fn prove_holds(&self) {
        for (id, hold) in &self.holds {
            let entries = self.entries.values().filter(|entry| entry.hold_id.as_ref() == Some(id));
            let entries: BTreeMap<u64, &Entry> = entries.map(|entry| (entry.seq, entry)).collect();
            let ids: Vec<_> = entries.values().map(|entry| entry.id()).collect();
            let listed = &hold.view.transactions;
            assert_eq!(listed.first(), ids.first(), "{hold:?}");
            assert_eq!(listed[1..], ids[ids.len() + 1 - listed.len()..], "{hold:?}");
            assert!(listed.len() == ids.len() || listed.len() == 100, "{hold:?}");
            let (_, last) = entries.last_key_value().unwrap();
            assert_eq!(last.after.hold.as_ref(), Some(&hold.view), "{last:?}");
        }
    }

    /// Asserts that each top-up names the entries that its reversals posted, at least the newest 99.
    fn prove_topups(&self) {
        for topup in self.topups.values() {
            let payment = PaymentRef::topup(&topup.id);
            let of_payment = |entry: &&Entry| {
                entry.after.reversal.as_ref().is_some_and(|reversed| reversed.payment == payment)
            };
            let posted = self.entries.values().filter(of_payment);
            let posted = posted.filter(|e| matches!(e.kind, EntryType::Clawback | EntryType::Adjustment));
            let posted: BTreeMap<u64, &Entry> = posted.map(|entry| (entry.seq, entry)).collect();
            for entry in posted.values().rev().take(99) {
                assert!(topup.transactions.contains(&entry.id()), "{} does not name {entry:?}", topup.id);
            }
        }
    }
}
