//! Sweeps over due items: bounded in number and time, a page of each shard in turn, each item once.
//!
//! **Invariant:** a backlog in one shard does not starve the others: shards take turns, and each run begins
//! with another one.
//! **Invariant:** an item is returned once in a run, although the index may still show an item that was
//! just handled.

use domain::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};
use store::{DuePage, DueWork, Place, StoreError, keys};

/// The place before every item of a shard.
const BEGINNING: &str = "0";

/// Items per query of the index.
const PAGE: u16 = 25;

/// The bounds of a run.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Items that are due at this instant or earlier are returned.
    pub until: Timestamp,
    /// The interval between runs; it determines the shard with which this run begins.
    pub interval: Duration,
    /// The maximum number of items.
    pub limit: u32,
    /// The instant from which no further item is returned; None: unlimited.
    pub deadline: Option<Instant>,
}

/// A run over due items.
#[derive(Debug)]
pub struct Sweep<'a, W: DueWork> {
    work: &'a W,
    bounds: Bounds,
    wanted: fn(&W::Item) -> bool,
    /// The shards that have not been read to their ends, with the place at which the next read begins.
    shards: VecDeque<(u8, Place)>,
    page: VecDeque<(W::Item, Place)>,
    seen: BTreeSet<W::Item>,
    taken: u32,
    more: bool,
}

impl<'a, W: DueWork> Sweep<'a, W> {
    /// Begins a run over all due items.
    pub fn new(work: &'a W, bounds: Bounds) -> Self {
        let interval = i64::try_from(bounds.interval.as_millis()).unwrap_or(i64::MAX).max(1);
        let first = (bounds.until.millis() / interval).rem_euclid(i64::from(keys::DUE_SHARDS));
        let first = u8::try_from(first).unwrap_or(0);
        Self {
            work,
            bounds,
            wanted: |_| true,
            shards: (first..keys::DUE_SHARDS)
                .chain(0..first)
                .map(|shard| (shard, Place::from(BEGINNING)))
                .collect(),
            page: VecDeque::new(),
            seen: BTreeSet::new(),
            taken: 0,
            more: false,
        }
    }

    /// Skips items that are not wanted; they do not count towards the limit.
    #[must_use]
    pub fn only(self, wanted: fn(&W::Item) -> bool) -> Self {
        Self { wanted, ..self }
    }

    /// Returns the next item with its place in the index; `None` at the end, or when the run has reached
    /// its bounds.
    pub async fn next(&mut self) -> Result<Option<(W::Item, Place)>, StoreError> {
        loop {
            while let Some((item, place)) = self.page.pop_front() {
                if !(self.wanted)(&item) || self.seen.contains(&item) {
                    continue;
                }
                if self.taken >= self.bounds.limit || self.is_late() {
                    self.end();
                    return Ok(None);
                }
                self.taken += 1;
                self.seen.insert(item.clone());
                return Ok(Some((item, place)));
            }
            if !self.read().await? {
                return Ok(None);
            }
        }
    }

    /// Returns all items of the run.
    pub async fn all(&mut self) -> Result<Vec<(W::Item, Place)>, StoreError> {
        let mut items = Vec::new();
        while let Some(item) = self.next().await? {
            items.push(item);
        }
        Ok(items)
    }

    /// True if the run ended at its bounds while more items were due.
    pub fn more(&self) -> bool {
        self.more
    }

    /// Postpones an item that could not be handled to `until`, so that it does not block the items
    /// behind it.
    pub async fn postpone(&self, item: &W::Item, until: Timestamp) -> Result<(), StoreError> {
        self.work.postpone(item, until).await
    }

    fn is_late(&self) -> bool {
        self.bounds.deadline.is_some_and(|at| Instant::now() >= at)
    }

    /// Ends the run although more items may be due.
    fn end(&mut self) {
        self.more = true;
        self.shards.clear();
        self.page.clear();
    }

    /// Reads the next page; false when all shards have been read.
    async fn read(&mut self) -> Result<bool, StoreError> {
        let Some((shard, from)) = self.shards.pop_front() else { return Ok(false) };
        // Pages may contain nothing that is wanted, so the time is also checked here.
        if from != BEGINNING && self.is_late() {
            self.end();
            return Ok(false);
        }
        let page = DuePage { shard, from: &from, until: self.bounds.until, limit: PAGE };
        let due = self.work.due(page).await?;
        let is_full = due.len() >= usize::from(PAGE);
        let last = due.last().map(|(_, place)| place.clone()).filter(|last| *last != from);
        self.page = due.into();
        if let Some(last) = last.filter(|_| is_full) {
            self.shards.push_back((shard, last));
        }
        Ok(true)
    }
}

/// Orders items in turns: the first of each owner, then the second of each, and so on, so that the items
/// of one owner do not delay another's.
pub fn in_turns<T, K: Ord>(items: Vec<T>, owner: impl Fn(&T) -> K) -> Vec<T> {
    let mut taken: BTreeMap<K, u32> = BTreeMap::new();
    let mut turns: BTreeMap<u32, Vec<T>> = BTreeMap::new();
    for item in items {
        let turn = taken.entry(owner(&item)).or_default();
        turns.entry(*turn).or_default().push(item);
        *turn += 1;
    }
    turns.into_values().flatten().collect()
}
