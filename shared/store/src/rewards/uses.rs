//! Free uses of rewards: creates, finds and removes them.
//!
//! **Invariant:** a use is created or removed with the reward's count, so minted uses are free or claimed at any
//! instant.
//! **Invariant:** a reward is exhausted only if no use can be created, no partition has a free one, and the reward has
//! not changed while they were read: a use is never returned, so that answer is final.

use crate::engine::error::StoreError;
use crate::engine::retry::Certain;
use crate::engine::table::Table;
use crate::keys;
use crate::rewards::items;
use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::ids::RewardId;
use domain::rewards::reward::{FreeUse, Reward};
use domain::rewards::state::Drawn;

/// Free uses of a partition of which one is chosen at random, so that concurrent claims seldom choose the same.
const CHOICE: usize = 50;

/// Free uses of a partition below which the next ones are created.
const FEW: usize = 25;

/// A quarter of the values of a byte.
const ONE_IN_FOUR: u8 = 64;

/// Reads some free uses of a partition.
pub(crate) async fn some_free(
    table: &Table,
    reward: &RewardId,
    shard: u8,
) -> Result<Vec<FreeUse>, StoreError> {
    let found = table.partition_page(&keys::free_uses(reward, shard), None, CHOICE).await?;
    let free = |number: u64| FreeUse { reward: reward.clone(), shard, number };
    Ok(found.iter().filter_map(items::free_number).map(free).collect())
}

/// Returns a partition at random.
pub(crate) fn any_shard(shards: u8) -> u8 {
    fastrand::u8(0..shards.max(1))
}

/// Reads a reward.
pub(crate) async fn reward(table: &Table, id: &RewardId) -> Result<Option<Reward>, StoreError> {
    let item = table.with_retry(|| table.get(keys::reward(id))).await?;
    item.map(|item| items::reward_from_item(&item)).transpose()
}

/// Looks for a free use. `seen` are those of a partition that was read with the reward.
pub(crate) async fn draw(
    table: &Table,
    reward: &Reward,
    seen: Option<(u8, Vec<FreeUse>)>,
) -> Result<Drawn, StoreError> {
    let changed = || StoreError::Contention("the uses of the reward have changed".to_owned());
    if reward.minted > reward.limit() {
        // The limit was lowered, and not all uses beyond it were removed yet.
        trim(table, &reward.id).await?;
        return Err(changed());
    }
    // An empty one may have been read before the reward, and its last uses created in between.
    let seen = seen.filter(|(shard, page)| *shard < reward.shards && !page.is_empty());
    let (first, mut page) = if let Some(seen) = seen {
        seen
    } else {
        let shard = any_shard(reward.shards);
        (shard, some_free(table, &reward.id, shard).await?)
    };
    if page.is_empty() {
        if mint(table, reward).await? {
            page = some_free(table, &reward.id, first).await?;
        }
    } else if page.len() < FEW && fastrand::u8(..) < ONE_IN_FOUR {
        // A few claims create the next ones in time, and do not fail if they cannot.
        if let Some(writes) = minting(table, reward)? {
            drop(table.transact(writes).await);
        }
    }
    for step in 1..=u16::from(reward.shards) {
        if let Some(free) = fastrand::choice(page) {
            return Ok(Drawn::Free(free));
        }
        let shard = u8::try_from((u16::from(first) + step) % u16::from(reward.shards)).unwrap_or(0);
        page =
            if step < u16::from(reward.shards) { some_free(table, &reward.id, shard).await? } else { vec![] };
    }
    let now = self::reward(table, &reward.id).await?.ok_or_else(changed)?;
    let is_final = now.version == reward.version && now.minted >= now.limit();
    if is_final { Ok(Drawn::Exhausted) } else { Err(changed()) }
}

/// Returns the writes that create the next block of uses.
fn minting(table: &Table, reward: &Reward) -> Result<Option<Vec<TransactWriteItem>>, StoreError> {
    let Some((next, uses)) = reward.mint() else { return Ok(None) };
    let mut writes = vec![table.versioned_put(items::reward_to_item(&next)?, reward.version)?];
    for free in &uses {
        writes.push(table.any_put(items::free_to_item(free))?);
    }
    Ok(Some(writes))
}

/// Creates the next block of uses; returns false if there can be no more. If another invocation has changed the reward
/// meanwhile, nothing is created.
pub(crate) async fn mint(table: &Table, reward: &Reward) -> Result<bool, StoreError> {
    let Some(writes) = minting(table, reward)? else { return Ok(false) };
    let mut retry = table.retry();
    loop {
        // A send that was applied unseen is refused when it is repeated: the reward has changed.
        if retry.settled(table.transact(writes.clone()).await?).await?.is_some() {
            return Ok(true);
        }
    }
}

/// Removes free uses until there are no more than the reward's limit; returns the reward then.
pub(crate) async fn trim(table: &Table, id: &RewardId) -> Result<Reward, StoreError> {
    let mut retry = table.retry();
    loop {
        let missing = || StoreError::Corrupt(format!("reward {id} is missing"));
        let reward = self::reward(table, id).await?.ok_or_else(missing)?;
        if reward.minted <= reward.limit() {
            return Ok(reward);
        }
        let mut free = vec![];
        for shard in 0..reward.shards {
            free.extend(some_free(table, id, shard).await?);
        }
        let Some((next, gone)) = reward.trim(&free) else { return Ok(reward) };
        let mut writes = vec![table.versioned_put(items::reward_to_item(&next)?, reward.version)?];
        for removed in &gone {
            writes.push(table.existing_delete(&keys::free_use(removed))?);
        }
        if let Some(Certain::Refused(_)) = retry.settled(table.transact(writes).await?).await?
            && !retry.backoff().await
        {
            return Err(retry.certain(StoreError::Contention("the reward is being claimed".to_owned())));
        }
    }
}

/// Counts the free uses of a reward.
pub(crate) async fn count_free(table: &Table, reward: &Reward) -> Result<u64, StoreError> {
    let partitions: Vec<String> =
        (0..reward.shards).map(|shard| keys::free_uses(&reward.id, shard)).collect();
    let counts = partitions.iter().map(|partition| table.count_partition(partition));
    Ok(futures::future::try_join_all(counts).await?.into_iter().sum())
}
