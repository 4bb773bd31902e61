//! A simulated DynamoDB in virtual time: how concurrent spends slow each other down.
//!
//! The decisions are the product's own (`domain::giftcard::provision`). The items that a spend writes, and
//! their write units, are measured on a real spend against the embedded DynamoDB ([`crate::plan::Plan`]).
//!
//! **Invariant:** the model follows the documented limits: a write that overlaps a transaction on the same
//! item is rejected, a rejected transaction is billed, and a partition key takes 1 000 write units per
//! second.

use crate::plan::Plan;
use crate::simulated_table::{Item, Table, Time, money};
use domain::budget::slice::MAX_PENDING;
use domain::budget::spend::{self, SliceView, Spend};
use domain::cause::Cause;
use domain::giftcard::CardSource;
use domain::giftcard::card::FreeCard;
use domain::giftcard::provision::{Provision, ProvisionStep};
use domain::ids::budget::{CardId, PoolId};
use domain::money::Money;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// How a spend charges the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpendMethod {
    /// A plain update reserves the credit; the transaction does not touch the balance.
    Reserved,
    /// Balance, entry, redemption and card in one transaction.
    OneTransaction,
}

/// The parameters of a simulation.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Number of slices of the account.
    pub slices: u8,
    /// Number of callers; each begins a spend when its last one has ended.
    pub callers: usize,
    /// Simulated duration, in seconds.
    pub seconds: u64,
    /// How a spend charges the account.
    pub way: SpendMethod,
}

/// The results of a simulation.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Spends per second.
    pub per_second: u64,
    /// Rejected write requests per thousand.
    pub rejected_per_mille: u64,
    /// Write units of rejected transactions, per thousand billed.
    pub wasted_per_mille: u64,
    /// Median duration of a spend, in milliseconds.
    pub p50_ms: u64,
    /// 99th percentile of the duration of a spend, in milliseconds.
    pub p99_ms: u64,
    /// Largest number of pending attempts on one slice.
    pub most_pending: usize,
}

/// The next event of a caller.
#[derive(Clone, Debug)]
enum Next {
    Begin,
    /// The reservation and the card lookup are answered; `held` is None if the write was rejected.
    MonitorSummary {
        held: Option<bool>,
        card: Option<u64>,
    },
    Surveyed,
    Committed(bool),
}

struct Caller {
    cause: u64,
    machine: Option<Provision>,
    began: Time,
    tries: u32,
    /// Slices on which an attempt is still pending although it is committed.
    unsettled: Vec<(u8, u64)>,
}

/// The callers, the table and the queue of events.
pub struct Simulation {
    setting: Setting,
    table: Table,
    callers: Vec<Caller>,
    queue: BinaryHeap<Reverse<(Time, u64, usize)>>,
    pending: HashMap<u64, Next>,
    chance: fastrand::Rng,
    sequence: u64,
    took: Vec<Time>,
}

impl Simulation {
    /// Creates a table with unlimited credit and cards, and callers that are about to begin.
    pub fn new(setting: Setting, plan: Plan) -> Self {
        let mut this = Self {
            setting,
            table: Table::new(setting.slices, plan),
            callers: Vec::new(),
            queue: BinaryHeap::new(),
            pending: HashMap::new(),
            chance: fastrand::Rng::with_seed(7),
            sequence: 0,
            took: Vec::new(),
        };
        for at in 0..setting.callers {
            this.callers.push(Caller { cause: 0, machine: None, began: 0, tries: 0, unsettled: vec![] });
            let start = this.chance.u64(0..30_000);
            this.later(start, at, Next::Begin);
        }
        this
    }

    fn later(&mut self, at: Time, caller: usize, next: Next) {
        self.sequence += 1;
        self.pending.insert(self.sequence, next);
        self.queue.push(Reverse((at, self.sequence, caller)));
    }

    /// Returns the duration of a plain request: 3 to 8 ms.
    fn request(&mut self) -> Time {
        self.chance.u64(3_000..8_000)
    }

    /// Returns the duration of a transaction: 12 to 25 ms.
    fn transaction_time(&mut self) -> Time {
        self.chance.u64(12_000..25_000)
    }

    fn backoff(&mut self, tries: u32) -> Time {
        let longest = 8_000_u64.saturating_mul(1 << tries.min(5)).min(250_000);
        self.chance.u64(0..longest)
    }

    /// Runs the simulation and returns its results.
    pub fn run(mut self) -> Measured {
        let end = self.setting.seconds * 1_000_000;
        while let Some(Reverse((now, sequence, caller))) = self.queue.pop() {
            if now >= end {
                break;
            }
            let Some(next) = self.pending.remove(&sequence) else { continue };
            match self.setting.way {
                SpendMethod::Reserved => self.reserved(now, caller, next),
                SpendMethod::OneTransaction => self.one_transaction(now, caller, next),
            }
        }
        self.took.sort_unstable();
        let at =
            |share: usize| self.took.get((self.took.len().max(1) - 1) * share / 100).map_or(0, |t| t / 1_000);
        let requests = &self.table.requests;
        Measured {
            per_second: self.took.len() as u64 / self.setting.seconds,
            rejected_per_mille: requests.rejected * 1_000 / requests.writes.max(1),
            wasted_per_mille: requests.wasted * 1_000 / requests.billed.max(1),
            p50_ms: at(50),
            p99_ms: at(99),
            most_pending: self.table.most_pending,
        }
    }

    fn begin(&mut self, now: Time, caller: usize) {
        self.sequence += 1;
        let cause = self.sequence;
        let spend = Spend::new(money(25), &Cause::stored(format!("redemption:{cause}")), self.setting.slices);
        let pool = PoolId::mint(&Cause::stored("pool"));
        let state = &mut self.callers[caller];
        state.cause = cause;
        state.machine = Some(Provision::new(spend, &[(pool, CardSource::Csv)], false));
        state.began = now;
        state.tries = 0;
    }

    fn done(&mut self, now: Time, caller: usize) {
        let began = self.callers[caller].began;
        self.took.push(now - began);
        self.later(now, caller, Next::Begin);
    }

    /// Returns a random free card; sold cards are replaced.
    fn random_free_card(&mut self) -> u64 {
        let lowest = self.table.next_card - 20_000;
        loop {
            let card = self.chance.u64(lowest..self.table.next_card);
            if self.table.cards.contains(&card) {
                return card;
            }
        }
    }

    fn reserved(&mut self, now: Time, caller: usize, next: Next) {
        match next {
            Next::Begin => self.begin(now, caller),
            Next::MonitorSummary { held, card } => {
                let pool = PoolId::mint(&Cause::stored("pool"));
                let state = &mut self.callers[caller];
                let machine = state.machine.as_mut().unwrap();
                let step = machine.spend.next().clone();
                match (held, step) {
                    (Some(true), spend::SpendStep::Reserve { slice, amount }) => {
                        machine.spend.reserved(slice, amount)
                    }
                    (Some(false), _) => machine.spend.refused(),
                    _ => {}
                }
                if let Some(card) = card {
                    let (source, cost) = (CardSource::Csv, money(20));
                    let card = FreeCard {
                        expires_on: None,
                        card: CardId::of(card.to_string()),
                        pool: pool.clone(),
                        shard: 0,
                        cost,
                        source,
                    };
                    machine.found(&pool, Some(card));
                }
                // Rejected because of another write: retry after a backoff.
                if held.is_none() {
                    let tries = state.tries;
                    state.tries += 1;
                    let wait = self.backoff(tries);
                    return self.step(now + wait, caller);
                }
            }
            Next::Surveyed => {
                let seen: Vec<SliceView> = self
                    .table
                    .slices
                    .iter()
                    .enumerate()
                    .map(|(n, (available, pending))| SliceView {
                        slice: n as u8,
                        available: *available,
                        undecided: Money::ZERO,
                        full: pending.len() >= MAX_PENDING,
                    })
                    .collect();
                self.callers[caller].machine.as_mut().unwrap().spend.surveyed(&seen);
            }
            Next::Committed(true) => {
                let state = &mut self.callers[caller];
                let held = state.machine.as_mut().unwrap().spend.take_held();
                let cause = state.cause;
                state.unsettled.extend(held.keys().map(|slice| (*slice, cause)));
                return self.done(now, caller);
            }
            Next::Committed(false) => self.callers[caller].machine.as_mut().unwrap().card_is_gone(),
        }
        self.step(now, caller);
    }

    /// Carries out the next step of the decision and schedules its answer.
    fn step(&mut self, now: Time, caller: usize) {
        let steps = self.callers[caller].machine.as_ref().unwrap().next();
        let looks = steps.iter().any(|step| matches!(step, ProvisionStep::FindCard(_)));
        let card = if looks { Some(self.random_free_card()) } else { None };
        match steps.into_iter().next() {
            Some(ProvisionStep::Credit(spend::SpendStep::Reserve { slice, amount })) => {
                let arrives = now + self.request() / 2;
                let held = self.reserve(caller, slice, amount, arrives);
                let answered = arrives + self.request() / 2 + 1_000;
                self.later(answered, caller, Next::MonitorSummary { held, card });
            }
            Some(ProvisionStep::FindCard(_)) => {
                let answered = now + self.request();
                self.later(answered, caller, Next::MonitorSummary { held: Some(true), card });
            }
            Some(ProvisionStep::Commit(card)) => {
                let card: u64 = card.card.as_str().parse().unwrap();
                let (arrives, takes) = (now + 1_500, self.transaction_time());
                let cause = self.callers[caller].cause;
                let plan = self.table.plan;
                let items = [
                    (Item::Own(cause, 0), plan.entry),
                    (Item::Own(cause, 1), plan.redemption),
                    (Item::Card(card), plan.card),
                ];
                let free = self.table.requests.transaction(&items, arrives, takes);
                let sold = free && self.table.cards.remove(&card);
                if sold {
                    self.table.cards.insert(self.table.next_card);
                    self.table.next_card += 1;
                }
                self.later(arrives + takes, caller, Next::Committed(sold));
            }
            Some(ProvisionStep::Credit(spend::SpendStep::Survey)) => {
                let answered = now + self.request();
                self.later(answered, caller, Next::Surveyed);
            }
            other => panic!("{other:?}: unexpected, because credit and stock are unlimited"),
        }
    }

    /// Reserves credit with one plain update. The same update settles this caller's committed attempts on
    /// that slice; those on other slices are settled by updates of their own. Returns None if the write is
    /// rejected.
    fn reserve(&mut self, caller: usize, slice: u8, amount: Money, now: Time) -> Option<bool> {
        let unsettled = std::mem::take(&mut self.callers[caller].unsettled);
        let cause = self.callers[caller].cause;
        let (here, elsewhere): (Vec<_>, Vec<_>) = unsettled.into_iter().partition(|(on, _)| *on == slice);
        for (on, attempt) in elsewhere {
            if self.table.requests.plain(Item::Slice(on), self.table.plan.settle, now) {
                self.table.slices[usize::from(on)].1.remove(&attempt);
            } else {
                self.callers[caller].unsettled.push((on, attempt));
            }
        }
        if !self.table.requests.plain(Item::Slice(slice), self.table.plan.reserve, now) {
            self.callers[caller].unsettled.extend(here);
            return None;
        }
        let (available, pending) = &mut self.table.slices[usize::from(slice)];
        if *available < amount || pending.len() >= MAX_PENDING {
            self.callers[caller].unsettled.extend(here);
            return Some(false);
        }
        *available = available.saturating_sub(amount);
        for (_, attempt) in here {
            pending.remove(&attempt);
        }
        pending.insert(cause);
        self.table.most_pending = self.table.most_pending.max(pending.len());
        Some(true)
    }

    /// The naive spend: the balance is part of the transaction.
    fn one_transaction(&mut self, now: Time, caller: usize, next: Next) {
        match next {
            Next::Begin => self.begin(now, caller),
            Next::Committed(true) => return self.done(now, caller),
            Next::Committed(false) => self.callers[caller].tries += 1,
            Next::MonitorSummary { .. } | Next::Surveyed => {}
        }
        let tries = self.callers[caller].tries;
        let wait = if tries == 0 { self.request() } else { self.backoff(tries) };
        let (arrives, takes) = (now + wait, self.transaction_time());
        let cause = self.callers[caller].cause;
        let slice = (cause % u64::from(self.setting.slices)) as u8;
        let plan = self.table.plan;
        let items = [
            (Item::Slice(slice), 2 * plan.reserve),
            (Item::Own(cause, 0), plan.entry),
            (Item::Own(cause, 1), plan.redemption),
            (Item::Own(cause, 2), plan.card),
        ];
        let done = self.table.requests.transaction(&items, arrives, takes);
        // A rejection is answered early.
        let answered = arrives + if done { takes } else { 4_000 };
        self.later(answered, caller, Next::Committed(done));
    }
}
