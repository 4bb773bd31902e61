//! Audit of one budget account: compares its slices with its entries.
//!
//! **Invariant:** the audit trusts no stored sum: flows and spends are recomputed from entries, and
//! each difference names the account and, where possible, the slice or entry.

use super::allocate::SlicedAccount;
use super::entry::{BudgetEntry, MoveType};
use super::slice::{Flow, Slice};
use crate::ids::budget::{AttemptId, BudgetKind};
use crate::ledger::audit::Difference;
use crate::money::Money;
use std::collections::{BTreeMap, BTreeSet};

/// Everything stored about one account: its slices, and the entries read after them.
#[derive(Clone, Debug)]
pub struct BudgetBooks {
    /// Account and slices, read before the entries.
    pub sliced: SlicedAccount,
    /// Account and slices, read again after the entries.
    pub again: SlicedAccount,
    /// All entries of the account.
    pub entries: Vec<BudgetEntry>,
}

/// Result of the audit of one account.
#[derive(Clone, Debug, Default)]
pub struct BudgetProof {
    /// Available credit; zero for the platform.
    pub available: Money,
    /// Reserved credit without an entry.
    pub reserved: Money,
    /// Credit spent.
    pub spent: Money,
    /// Credit allocated to children, and credit returned from them.
    pub below: (Money, Money),
    /// Contradictions that were found.
    pub differences: Vec<Difference>,
}

/// Sums of an account's entries.
#[derive(Default)]
struct Folded {
    flows: BTreeMap<(u8, Flow), Money>,
    spent: BTreeMap<u8, Money>,
    done: BTreeSet<AttemptId>,
    /// Attempts of transfers, with the flow in which the reserved amount is counted.
    moved: BTreeMap<AttemptId, Flow>,
}

impl Folded {
    fn add(&mut self, entry: &BudgetEntry) {
        let (outward, inward) = entry.kind.flows();
        for (parts, flow) in [(&entry.takes, outward), (&entry.puts, inward)] {
            for (slice, amount) in parts {
                let place = match flow {
                    Some(flow) => self.flows.entry((*slice, flow)).or_default(),
                    None => self.spent.entry(*slice).or_default(),
                };
                *place = [*place, *amount].into_iter().sum();
            }
        }
        match outward {
            None if entry.kind == MoveType::Redemption => {
                self.done.insert(entry.attempt.clone());
            }
            Some(flow) => {
                self.moved.insert(entry.attempt.clone(), flow);
            }
            None => {}
        }
    }

    fn of(&self, slice: u8, flow: Flow) -> Money {
        self.flows.get(&(slice, flow)).copied().unwrap_or_default()
    }

    fn all(&self, wanted: Flow) -> Money {
        self.flows.iter().filter(|((_, flow), _)| *flow == wanted).map(|(_, amount)| *amount).sum()
    }

    fn slices(&self) -> BTreeSet<u8> {
        self.flows.keys().map(|(slice, _)| *slice).chain(self.spent.keys().copied()).collect()
    }

    /// Returns the credit reserved on a slice by attempts without an entry.
    fn open(&self, slice: &Slice) -> Money {
        let open = |id: &AttemptId| !self.done.contains(id) && !self.moved.contains_key(id);
        slice.attempts().filter(|(id, _)| open(id)).map(|(_, held)| held.amount).sum()
    }

    /// Returns the credit reserved on a slice by attempts that have an entry but are not counted in
    /// this flow yet.
    fn uncounted(&self, slice: &Slice, flow: Flow) -> Money {
        let so = |id: &AttemptId| self.moved.get(id) == Some(&flow);
        slice.attempts().filter(|(id, _)| so(id)).map(|(_, held)| held.amount).sum()
    }
}

/// Returns what is wrong with an entry by itself.
fn oddities(entry: &BudgetEntry, books: &BudgetBooks) -> Vec<&'static str> {
    let mut odd = Vec::new();
    if entry.digest() != entry.hash {
        odd.push("was changed: its hash does not match its content");
    }
    if entry.currency != books.sliced.account.currency {
        odd.push("has another currency than its account");
    }
    let sum = |part: &BTreeMap<u8, Money>| part.values().copied().sum::<Money>();
    let (took, put) = (sum(&entry.takes), sum(&entry.puts));
    let sliced = match entry.kind {
        MoveType::AllocationIn | MoveType::ReclaimIn => took.is_zero() && put == entry.amount,
        MoveType::Rebalance => took == entry.amount && put == entry.amount,
        MoveType::AllocationOut | MoveType::ReclaimOut | MoveType::Redemption => {
            put.is_zero() && took == entry.amount
        }
    };
    if !sliced {
        odd.push("its amounts by slice do not sum to its amount");
    }
    odd
}

/// Returns the differences between a slice and the sums of its entries.
fn slice_differences(slice: &Slice, folded: &Folded, limited: bool) -> Vec<String> {
    let mut differences = Vec::new();
    for flow in Flow::ALL {
        let stored = [slice.flows.of(flow), folded.uncounted(slice, flow)].into_iter().sum::<Money>();
        let entries = folded.of(slice.number, flow);
        if stored != entries {
            let what = flow.as_str();
            differences.push(format!("{what} is stored as {stored}, its entries sum to {entries}"));
        }
    }
    let spent = folded.spent.get(&slice.number).copied().unwrap_or_default();
    let uncounted: Money = Flow::ALL.into_iter().map(|flow| folded.uncounted(slice, flow)).sum();
    let gone: Money = [folded.open(slice), spent, uncounted].into_iter().sum();
    if limited && slice.used() != Some(gone) {
        let used = slice.used().map_or_else(|| "a negative amount".to_owned(), |used| used.to_string());
        differences.push(format!("{used} has left it, its entries and attempts sum to {gone}"));
    }
    differences
}

/// Recomputes one account. If it changes meanwhile, only slices that both reads agree on are
/// compared.
pub fn prove(books: &BudgetBooks) -> BudgetProof {
    let account = &books.sliced.account;
    let limited = account.kind() != BudgetKind::Platform;
    let mut differences = Vec::new();
    let mut record_difference = |at: String, detail: String| {
        differences.push(Difference { account: format!("b:{}", account.id), at: Some(at), detail });
    };
    let mut folded = Folded::default();
    for entry in &books.entries {
        for odd in oddities(entry, books) {
            record_difference(entry.id().to_string(), odd.to_owned());
        }
        folded.add(entry);
    }
    let known: BTreeSet<u8> = books.sliced.slices().map(|slice| slice.number).collect();
    for number in folded.slices().difference(&known) {
        record_difference(format!("slice {number}"), "is named by entries but does not exist".to_owned());
    }
    for (slice, again) in books.sliced.slices().zip(books.again.slices()) {
        if slice == again {
            for detail in slice_differences(slice, &folded, limited) {
                record_difference(format!("slice {}", slice.number), detail);
            }
        }
    }
    BudgetProof {
        available: if limited { books.sliced.available() } else { Money::ZERO },
        reserved: books.sliced.slices().map(|slice| folded.open(slice)).sum(),
        spent: folded.spent.values().copied().sum(),
        below: (folded.all(Flow::Allocated), folded.all(Flow::Returned)),
        differences,
    }
}
