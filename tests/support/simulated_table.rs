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

/// An item: a slice, a card, a reward, a use of it, a partition of its uses, or an item that only one caller writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Item {
    Slice(u8),
    Card(u64),
    Reward,
    Use(u64),
    Uses(u8),
    Own(u64, u8),
}

/// The requests to a table: what they lock and use.
#[derive(Default)]
pub(crate) struct Requests {
    /// When the transaction that locks an item ends.
    pub held: HashMap<Item, Time>,
    /// The time up to which the write units of a partition key are used.
    pub served: HashMap<Item, Time>,
    pub billed: u64,
    pub wasted: u64,
    pub writes: u64,
    pub rejected: u64,
}

/// The table of budgets, with their cards.
pub(crate) struct Table {
    pub plan: Plan,
    pub requests: Requests,
    pub slices: Vec<(Money, HashSet<u64>)>,
    pub cards: HashSet<u64>,
    pub next_card: u64,
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
            requests: Requests::default(),
            slices: (0..slices).map(|_| (money(1_000_000_000), HashSet::new())).collect(),
            cards: (0..20_000).collect(),
            next_card: 20_000,
            most_pending: 0,
        }
    }
}

impl Requests {
    /// Processes a plain write that arrives at `now`; returns true if it is applied.
    ///
    /// A partition key receives one write unit per millisecond and accumulates at most 100 ms of unused
    /// units; a write that exceeds them is throttled. (DynamoDB accumulates units for minutes, so this model
    /// is stricter.)
    pub fn plain(&mut self, item: Item, units: u64, now: Time) -> bool {
        self.writes += 1;
        let is_locked = self.held.get(&item).is_some_and(|until| *until > now);
        if is_locked || !self.serve(item, units * 1_000, now) {
            self.rejected += 1;
            return false;
        }
        self.billed += units;
        true
    }

    /// Processes a strongly consistent read of an item or partition; returns false if it is throttled. A partition key
    /// serves three read units per millisecond.
    pub fn read(&mut self, item: Item, units: u64, now: Time) -> bool {
        self.serve(item, units * 333, now)
    }

    fn serve(&mut self, item: Item, takes: Time, now: Time) -> bool {
        const SAVED: Time = 100_000;
        let free = self.served.get(&item).copied().unwrap_or(0).max(now.saturating_sub(SAVED));
        let is_served = free + takes <= now.max(1_000);
        if is_served {
            self.served.insert(item, free + takes);
        }
        is_served
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

    /// Counts a transaction of which a condition fails.
    pub fn refuse(&mut self, items: &[(Item, u64)]) {
        let units: u64 = items.iter().map(|(_, units)| units).sum();
        self.writes += 1;
        self.rejected += 1;
        self.billed += units;
        self.wasted += units;
    }
}
