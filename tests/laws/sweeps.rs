//! A sweep over due work: it is bounded, reads every shard, and takes each item once.

use domain::time::Timestamp;
use edge::sweep::{Bounds, Sweep};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use store::keys::DUE_SHARDS;
use store::{DuePage, DueWork, Place, StoreError};

const NOW: i64 = 1_800_000_000_000;

/// Due items by shard and place.
#[derive(Default)]
struct Due {
    items: BTreeMap<(u8, Place), u32>,
    reads: Mutex<Vec<u8>>,
    postponed: Mutex<Vec<(u32, Timestamp)>>,
}

impl Due {
    /// Creates this many items in each of these shards, numbered from 0.
    fn with(shards: &[(u8, u32)]) -> Self {
        let mut due = Self::default();
        for (shard, count) in shards {
            for _ in 0..*count {
                let item = u32::try_from(due.items.len()).unwrap();
                due.items.insert((*shard, format!("2027-01-15T08:00:00.000Z#{item:05}")), item);
            }
        }
        due
    }

    fn bounds(limit: u32, deadline: Option<Instant>) -> Bounds {
        let until = Timestamp::from_millis(NOW).unwrap();
        Bounds { until, interval: Duration::from_mins(1), limit, deadline }
    }

    /// Returns the items of one run in the order in which they were taken, and whether items were left.
    async fn run(&self, bounds: Bounds) -> (Vec<u32>, bool) {
        let (mut sweep, mut taken) = (Sweep::new(self, bounds), vec![]);
        while let Some((item, _)) = sweep.next().await.unwrap() {
            taken.push(item);
        }
        (taken, sweep.more())
    }
}

impl DueWork for Due {
    type Item = u32;

    async fn due(&self, page: DuePage<'_>) -> Result<Vec<(u32, Place)>, StoreError> {
        self.reads.lock().unwrap().push(page.shard);
        let from = (page.shard, page.from.to_owned())..(page.shard + 1, String::new());
        let found = self.items.range(from).map(|((_, place), item)| (*item, place.clone()));
        Ok(found.take(usize::from(page.limit)).collect())
    }

    async fn postpone(&self, item: &u32, until: Timestamp) -> Result<(), StoreError> {
        self.postponed.lock().unwrap().push((*item, until));
        Ok(())
    }
}

#[tokio::test]
async fn every_shard_is_read_to_its_end_and_each_item_is_taken_once() {
    let due = Due::with(&[(0, 3), (2, 60), (5, 1), (DUE_SHARDS - 1, 25)]);
    let (mut taken, more) = due.run(Due::bounds(1_000, None)).await;
    taken.sort_unstable();
    assert_eq!((taken, more), ((0..89).collect(), false));
    let mut shards = due.reads.lock().unwrap().clone();
    shards.sort_unstable();
    shards.dedup();
    assert_eq!(shards, (0..DUE_SHARDS).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_run_ends_at_its_limit_or_deadline_and_says_that_there_was_more() {
    let due = Due::with(&[(1, 40), (3, 40)]);
    let (taken, more) = due.run(Due::bounds(50, None)).await;
    assert_eq!((taken.len(), more), (50, true));
    let (taken, more) = due.run(Due::bounds(80, None)).await;
    assert_eq!((taken.len(), more), (80, false));
    let (taken, more) = due.run(Due::bounds(1_000, Some(Instant::now()))).await;
    assert_eq!((taken.len(), more), (0, true));
    let none = Due::default();
    assert_eq!(none.run(Due::bounds(1_000, Some(Instant::now()))).await, (vec![], false));
}

#[tokio::test]
async fn each_run_begins_with_the_next_shard() {
    let due = Due::with(&(0..DUE_SHARDS).map(|shard| (shard, 10)).collect::<Vec<_>>());
    let mut firsts = vec![];
    for run in 0..i64::from(DUE_SHARDS) {
        let until = Timestamp::from_millis(NOW + run * 60_000).unwrap();
        let (taken, _) = due.run(Bounds { until, ..Due::bounds(1, None) }).await;
        firsts.push(taken[0] / 10);
    }
    firsts.sort_unstable();
    assert_eq!(firsts, (0..u32::from(DUE_SHARDS)).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_not_wanted_does_not_count_and_what_failed_is_postponed() {
    let due = Due::with(&[(4, 60)]);
    let mut sweep = Sweep::new(&due, Due::bounds(10, None)).only(|item| item % 5 == 0);
    let mut taken = vec![];
    let later = Timestamp::from_millis(NOW + 900_000).unwrap();
    while let Some((item, place)) = sweep.next().await.unwrap() {
        assert!(place.ends_with(&format!("{item:05}")));
        sweep.postpone(&item, later).await.unwrap();
        taken.push(item);
    }
    assert_eq!(taken, (0..10).map(|n| n * 5).collect::<Vec<_>>());
    assert!(sweep.more(), "two matching items are left");
    assert_eq!(*due.postponed.lock().unwrap(), taken.iter().map(|item| (*item, later)).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_backlog_in_one_shard_does_not_delay_the_others_in_the_same_run() {
    let due = Due::with(&[(0, 400), (1, 3), (7, 3)]);
    // Whichever shard comes first, a page of each is taken before a second page of any.
    for run in 0..i64::from(DUE_SHARDS) {
        let until = Timestamp::from_millis(NOW + run * 60_000).unwrap();
        let (taken, more) = due.run(Bounds { until, ..Due::bounds(31, None) }).await;
        assert!(more && (400..406).all(|item| taken.contains(&item)), "{taken:?}");
    }
}

#[tokio::test]
async fn what_is_not_wanted_is_not_read_beyond_the_deadline() {
    let due = Due::with(&[(0, 1_000), (3, 1_000)]);
    let bounds = Due::bounds(1_000, Some(Instant::now()));
    let mut sweep = Sweep::new(&due, bounds).only(|_| false);
    assert!(sweep.next().await.unwrap().is_none() && sweep.more());
    assert_eq!(due.reads.lock().unwrap().len(), usize::from(DUE_SHARDS), "the first page of each shard");
}
