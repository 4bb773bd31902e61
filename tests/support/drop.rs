//! A drop in the simulated DynamoDB: many customers claim a reward with few uses at once.
//!
//! The reward, its uses and their partitions are those of the product (`domain::rewards::reward`). The write units of a
//! claim are measured on a real one.
//!
//! **Invariant:** a claim deletes the use that it drew, so as many claims are made as there are uses.

use crate::rewards::{claim, create_reward, open};
use crate::simulated_table::{Item, Requests, Time};
use crate::world::World;
use domain::ids::RewardId;
use domain::rewards::reward::{FreeUse, Reward};
use rust_decimal::prelude::ToPrimitive;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

/// Free uses that are read of a partition.
const PAGE: usize = 50;

/// Free uses of a partition below which a claim in four creates the next ones.
const FEW: usize = 25;

/// Write units of the deletion of a use.
const USE: u64 = 2;

/// The results of a drop.
#[derive(Clone, Copy, Debug)]
pub struct Drop {
    /// Number of claims that were made.
    pub made: u64,
    /// Claims per second until the last one.
    pub per_second: u64,
    /// Duration until the last caller was answered, in milliseconds.
    pub ended_ms: u64,
    /// Rejected transactions per thousand.
    pub rejected_per_mille: u64,
    /// Write units of rejected transactions, per thousand billed.
    pub wasted_per_mille: u64,
}

/// The next event of a caller.
#[derive(Clone, Debug)]
enum Next {
    /// Reads the reward and a partition.
    Read,
    /// Draws a use of a partition, as it was read; `empty` partitions before it were.
    Draw { shard: u8, page: Vec<u64>, empty: u8 },
    /// A transaction that was rejected is answered.
    Rejected,
    /// The transaction that deletes this use is answered.
    Claimed(u64),
}

/// The callers, the reward and the queue of events.
pub struct DropSimulation {
    reward: Reward,
    free: Vec<BTreeSet<u64>>,
    requests: Requests,
    queue: BinaryHeap<Reverse<(Time, u64, u64)>>,
    next: Vec<(Next, u32)>,
    chance: fastrand::Rng,
    sequence: u64,
    own: u64,
    found: Drop,
}

impl DropSimulation {
    /// Creates a reward with `uses`, and customers who begin to claim it within a second.
    pub async fn new(callers: u64, uses: u64) -> Self {
        let world = World::new().await;
        open(&world, "a").await;
        let id =
            create_reward(&world, &format!(r#""name":"Drop","credit_amount":10,"max_uses":{uses}"#)).await;
        let id = RewardId::parse(&id).unwrap();
        let reward = world.app.store.rewards().reward(&id).await.unwrap().unwrap();
        world.meter.take();
        claim(&world, "a", id.as_str(), "").await;
        let own = world.meter.take().write_units.to_u64().unwrap() - USE;
        world.prove().await;
        let mut this = Self {
            free: vec![BTreeSet::new(); usize::from(reward.shards)],
            reward,
            requests: Requests::default(),
            queue: BinaryHeap::new(),
            next: vec![(Next::Read, 0); usize::try_from(callers).unwrap()],
            chance: fastrand::Rng::with_seed(7),
            sequence: 0,
            own,
            found: Drop { made: 0, per_second: 0, ended_ms: 0, rejected_per_mille: 0, wasted_per_mille: 0 },
        };
        for number in 0..this.reward.minted {
            this.free[(number % u64::from(this.reward.shards)) as usize].insert(number);
        }
        for caller in 0..callers {
            let start = this.chance.u64(0..1_000_000);
            this.later(start, caller, Next::Read);
        }
        this
    }

    fn later(&mut self, at: Time, caller: u64, next: Next) {
        self.sequence += 1;
        self.next[caller as usize].0 = next;
        self.queue.push(Reverse((at, self.sequence, caller)));
    }

    /// Returns the duration of a plain request: 3 to 8 ms.
    fn request(&mut self) -> Time {
        self.chance.u64(3_000..8_000)
    }

    fn backoff(&mut self, caller: u64) -> Time {
        let tries = &mut self.next[caller as usize].1;
        *tries += 1;
        let longest = 8_000_u64.saturating_mul(1 << (*tries - 1).min(5)).min(250_000);
        self.chance.u64(0..longest)
    }

    /// Runs the simulation until every caller is answered.
    pub fn run(mut self) -> Drop {
        while let Some(Reverse((now, _, caller))) = self.queue.pop() {
            match self.next[caller as usize].0.clone() {
                Next::Read => self.read(now, caller),
                Next::Draw { shard, page, empty } => self.draw(now, caller, (shard, page, empty)),
                Next::Rejected => {
                    let wait = self.backoff(caller);
                    self.later(now + wait, caller, Next::Read);
                }
                Next::Claimed(number) => {
                    let shard = self.shard_of(number);
                    self.free[shard].remove(&number);
                    self.found.made += 1;
                    self.found.per_second = self.found.made * 1_000_000 / now;
                }
            }
            self.found.ended_ms = now / 1_000;
        }
        self.found.rejected_per_mille = self.requests.rejected * 1_000 / self.requests.writes.max(1);
        self.found.wasted_per_mille = self.requests.wasted * 1_000 / self.requests.billed.max(1);
        self.found
    }

    fn shard_of(&self, number: u64) -> usize {
        (number % u64::from(self.reward.shards)) as usize
    }

    /// Reads the reward and a partition at once.
    fn read(&mut self, now: Time, caller: u64) {
        let shard = self.chance.u8(0..self.reward.shards);
        let arrives = now + self.request() / 2;
        if self.requests.read(Item::Reward, 1, arrives) {
            self.look(arrives, caller, shard, 0);
        } else {
            self.later(arrives + 2_000, caller, Next::Rejected);
        }
    }

    /// Reads a partition.
    fn look(&mut self, arrives: Time, caller: u64, shard: u8, empty: u8) {
        let is_read = self.requests.read(Item::Uses(shard), 1, arrives);
        let page = self.free[usize::from(shard)].iter().take(PAGE).copied().collect();
        let next = if is_read { Next::Draw { shard, page, empty } } else { Next::Rejected };
        self.later(arrives + 2_000, caller, next);
    }

    /// Chooses a use of a partition, or creates the next ones, or looks at the next partition.
    fn draw(&mut self, now: Time, caller: u64, (shard, page, empty): (u8, Vec<u64>, u8)) {
        let creates = page.is_empty() && empty == 0 || page.len() < FEW && self.chance.u8(..) < 64;
        if creates && let Some((next, uses)) = self.reward.mint() {
            return self.create(now, caller, next, &uses);
        }
        let Some(number) = self.chance.choice(page) else {
            if empty + 1 < self.reward.shards {
                let arrives = now + self.request();
                self.look(arrives, caller, (shard + 1) % self.reward.shards, empty + 1);
            }
            return;
        };
        let takes = self.chance.u64(12_000..25_000);
        let writes = [(Item::Use(number), USE), (Item::Own(caller, 0), self.own)];
        let is_free = self.free[self.shard_of(number)].contains(&number);
        if !is_free {
            self.requests.refuse(&writes);
        } else if self.requests.transaction(&writes, now, takes) {
            return self.later(now + takes, caller, Next::Claimed(number));
        }
        self.later(now + 4_000, caller, Next::Rejected);
    }

    /// Creates the next uses, unless another caller is creating some, and claims again.
    fn create(&mut self, now: Time, caller: u64, next: Reward, uses: &[FreeUse]) {
        let writes = uses.iter().map(|free| (Item::Use(free.number), USE)).chain([(Item::Reward, USE)]);
        let takes = self.chance.u64(12_000..25_000);
        if self.requests.transaction(&writes.collect::<Vec<_>>(), now, takes) {
            self.reward = next;
            for free in uses {
                self.free[usize::from(free.shard)].insert(free.number);
            }
        }
        self.later(now + takes, caller, Next::Read);
    }
}
