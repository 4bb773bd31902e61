//! The table's side of the simulation: which writes it rejects, and what it bills.
//!
//! **Invariant:** a write that overlaps a transaction on the same item is rejected, a rejected transaction is
//! billed, and a partition key takes 1 000 write units per second.

use crate::plan::Plan;
use domain::money::Money;
use rust_decimal::Decimal;
use std::collections::{HashMap, HashSet};

/// Virtual time, in microseconds.
pub(crate) type Time = u64;

/// An item: a slice, a card, or an item that only one spend writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Item {
    Slice(u8),
    Card(u64),
    Own(u64, u8),
}

/// The simulated table.
pub(crate) struct Table {
    pub plan: Plan,
    pub slices: Vec<(Money, HashSet<u64>)>,
    /// When the transaction that locks an item ends.
    pub held: HashMap<Item, Time>,
    /// The time up to which the write units of a partition key are used.
    pub served: HashMap<Item, Time>,
    pub cards: HashSet<u64>,
    pub next_card: u64,
    pub billed: u64,
    pub wasted: u64,
    pub writes: u64,
    pub rejected: u64,
    pub most_pending: usize,
}

pub(crate) fn money(units: u64) -> Money {
    Money::try_new(Decimal::from(units)).unwrap()
}

impl Table {
    /// Creates slices with practically unlimited credit, and twenty thousand cards.
    pub fn new(slices: u8, plan: Plan) -> Self {
        Self {
            plan,
            slices: (0..slices).map(|_| (money(1_000_000_000), HashSet::new())).collect(),
            held: HashMap::new(),
            served: HashMap::new(),
            cards: (0..20_000).collect(),
            next_card: 20_000,
            billed: 0,
            wasted: 0,
            writes: 0,
            rejected: 0,
            most_pending: 0,
        }
    }

    /// Processes a plain write that arrives at `now`; returns true if it is applied.
    ///
    /// A partition key receives one write unit per millisecond and accumulates at most 100 ms of unused
    /// units; a write that exceeds them is throttled. (DynamoDB accumulates units for minutes, so this model
    /// is stricter.)
    pub fn plain(&mut self, item: Item, units: u64, now: Time) -> bool {
        const SAVED: Time = 100_000;
        self.writes += 1;
        if self.held.get(&item).is_some_and(|until| *until > now) {
            self.rejected += 1;
            return false;
        }
        let free = self.served.get(&item).copied().unwrap_or(0).max(now.saturating_sub(SAVED));
        if free + units * 1_000 > now.max(1_000) {
            self.rejected += 1;
            return false;
        }
        self.served.insert(item, free + units * 1_000);
        self.billed += units;
        true
    }

    /// Processes a transaction that arrives at `now` and takes this long; returns true if it conflicts with
    /// no other transaction.
    pub fn transaction(&mut self, items: &[(Item, u64)], now: Time, takes: Time) -> bool {
        self.writes += 1;
        let units: u64 = items.iter().map(|(_, units)| units).sum();
        self.billed += units;
        if items.iter().any(|(item, _)| self.held.get(item).is_some_and(|until| *until > now)) {
            self.rejected += 1;
            self.wasted += units;
            return false;
        }
        for (item, _) in items {
            self.held.insert(*item, now + takes);
        }
        true
    }
}
