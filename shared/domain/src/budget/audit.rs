//! The proof of one budget account: its slices against its entries.
//!
//! **Invariant:** the audit trusts no stored sum: flows and spends are recomputed from entries, and each difference
//! names the account and, where there is one, the slice or entry.

use super::allocate::SlicedAccount;
use super::entry::{BudgetEntry, MoveType};
use super::slice::{Flow, Slice};
use crate::ids::budget::{AttemptId, BudgetKind};
use crate::ledger::audit::Difference;
use crate::money::Money;
use std::collections::{BTreeMap, BTreeSet};

/// Everything stored about one account: the slices, and the entries read after them.
#[derive(Clone, Debug)]
pub struct BudgetBooks {
    /// What is known of it, and its slices.
    pub sliced: SlicedAccount,
    /// The same slices, read again after the entries.
    pub again: SlicedAccount,
    /// Its entries.
    pub entries: Vec<BudgetEntry>,
}

/// What one account proved to be.
#[derive(Clone, Debug, Default)]
pub struct BudgetProof {
    /// What it has available.
    pub available: Money,
    /// What is set aside and has no entry.
    pub reserved: Money,
    /// What was spent.
    pub spent: Money,
    /// What was given to children, and came back from them.
    pub below: (Money, Money),
    /// What came from the parent, and went back.
    pub above: (Money, Money),
    /// What does not add up.
    pub differences: Vec<Difference>,
}

/// What the entries of an account add up to.
#[derive(Default)]
struct Folded {
    flows: BTreeMap<(u8, Flow), Money>,
    spent: BTreeMap<u8, Money>,
    done: BTreeSet<AttemptId>,
    /// Attempts of movements that set aside what they took.
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

    /// What is set aside on a slice and has no entry.
    fn open(&self, slice: &Slice) -> Money {
        let open = |id: &AttemptId| !self.done.contains(id) && !self.moved.contains_key(id);
        slice.attempts().filter(|(id, _)| open(id)).map(|(_, held)| held.amount).sum()
    }

    /// What is set aside on a slice and has its entry, but is not counted in its flow yet.
    fn uncounted(&self, slice: &Slice, flow: Flow) -> Money {
        let so = |id: &AttemptId| self.moved.get(id) == Some(&flow);
        slice.attempts().filter(|(id, _)| so(id)).map(|(_, held)| held.amount).sum()
    }
}

/// What is wrong with an entry by itself.
fn oddities(entry: &BudgetEntry, books: &BudgetBooks) -> Vec<&'static str> {
    let mut odd = Vec::new();
    if entry.digest() != entry.hash {
        odd.push("was changed: its hash is not that of its content");
    }
    if entry.currency != books.sliced.account.currency {
        odd.push("is in another currency than its account");
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
        odd.push("names slices that do not sum to its amount");
    }
    odd
}

/// What is wrong with a slice, by what its entries add up to.
fn slice_differences(slice: &Slice, folded: &Folded, limited: bool) -> Vec<String> {
    let mut differences = Vec::new();
    for flow in Flow::ALL {
        let stored = [slice.flows.of(flow), folded.uncounted(slice, flow)].into_iter().sum::<Money>();
        let entries = folded.of(slice.number, flow);
        if stored != entries {
            let what = flow.as_str();
            differences.push(format!("{what} is stored as {stored}, its entries give {entries}"));
        }
    }
    let spent = folded.spent.get(&slice.number).copied().unwrap_or_default();
    let uncounted: Money = Flow::ALL.into_iter().map(|flow| folded.uncounted(slice, flow)).sum();
    let gone: Money = [folded.open(slice), spent, uncounted].into_iter().sum();
    if limited && slice.used() != Some(gone) {
        let used = slice.used().map_or_else(|| "less than nothing".to_owned(), |used| used.to_string());
        differences.push(format!("{used} has left it, its entries and attempts give {gone}"));
    }
    differences
}

/// Recomputes one account. While it is being written, only what both readings agree on is compared.
pub fn prove(books: &BudgetBooks) -> BudgetProof {
    let account = &books.sliced.account;
    let limited = account.kind() != BudgetKind::Platform;
    let mut differences = Vec::new();
    let mut differ = |at: String, detail: String| {
        differences.push(Difference { account: format!("b:{}", account.id), at: Some(at), detail });
    };
    let mut folded = Folded::default();
    for entry in &books.entries {
        for odd in oddities(entry, books) {
            differ(entry.id().to_string(), odd.to_owned());
        }
        folded.add(entry);
    }
    let known: BTreeSet<u8> = books.sliced.slices().map(|slice| slice.number).collect();
    for number in folded.slices().difference(&known) {
        differ(format!("slice {number}"), "is named by entries and is not there".to_owned());
    }
    for (slice, again) in books.sliced.slices().zip(books.again.slices()) {
        if slice == again {
            for detail in slice_differences(slice, &folded, limited) {
                differ(format!("slice {}", slice.number), detail);
            }
        }
    }
    BudgetProof {
        available: if limited { books.sliced.available() } else { Money::ZERO },
        reserved: books.sliced.slices().map(|slice| folded.open(slice)).sum(),
        spent: folded.spent.values().copied().sum(),
        below: (folded.all(Flow::Allocated), folded.all(Flow::Returned)),
        above: (folded.all(Flow::Received), folded.all(Flow::Reclaimed)),
        differences,
    }
}
