//! Reads what a decision about a voucher needs.
//!
//! **Invariant:** a free code is looked for while the points are read, if the voucher's partitions are known; that there
//! is none is only said after all its partitions were read with strong consistency.
//! **Invariant:** the voucher and the count are read after the account, whose version the commit checks.

use crate::engine::attr::Item;
use crate::engine::error::StoreError;
use crate::engine::table::Table;
use crate::giftcards::stock::some_free;
use crate::keys::{self, Key};
use crate::ledger::items::entry;
use crate::ledger::load::{Found, Load};
use crate::vouchers::items;
use domain::cause::Cause;
use domain::ids::{AccountRef, CustomerId, VoucherId};
use domain::ledger::account::AccountStatus;
use domain::loyalty::state::{LoyaltyNeeds, LoyaltyState};
use domain::time::Timestamp;
use domain::vouchers::bought::PurchaseStatus;
use domain::vouchers::code::FreeCode;
use domain::vouchers::state::{BoughtCount, VoucherNeeds, VoucherState};
use domain::vouchers::voucher::Voucher;
use std::collections::BTreeMap;

/// Free codes of a partition from which one is chosen at random, so that concurrent requests seldom choose the same.
const CHOICE: i32 = 50;

/// Free codes from which one is chosen even if they expire on different dates.
const FEW: usize = 10;

/// Returns a partition at random.
fn any_shard(shards: u8) -> u8 {
    fastrand::u8(0..shards.max(1))
}

/// Returns a free code of a partition that is valid after today: one of those that expire first.
pub(super) async fn free_in(
    table: &Table,
    voucher: &VoucherId,
    shard: u8,
    now: Timestamp,
) -> Result<Option<FreeCode>, StoreError> {
    let tomorrow = keys::sold_from(now.date());
    let found = some_free(table, &keys::free_codes(voucher, shard), &tomorrow, (CHOICE, true)).await?;
    let free = |item: &Item| items::free_from_item(item, voucher, shard);
    let mut codes: Vec<FreeCode> = found.iter().filter_map(free).collect();
    // Those of the first date, or a few that follow, so that concurrent requests have a choice.
    let first = codes.first().map(|code| code.expires_on);
    let same = codes.iter().take_while(|code| Some(code.expires_on) == first).count();
    codes.truncate(same.max(FEW));
    Ok(fastrand::choice(codes))
}

/// Returns a free code of a voucher; `seen` is one that was found in a partition.
pub(super) async fn draw(
    table: &Table,
    voucher: &Voucher,
    seen: Option<FreeCode>,
    now: Timestamp,
) -> Result<Option<FreeCode>, StoreError> {
    if seen.is_some() {
        return Ok(seen);
    }
    let first = any_shard(voucher.shards);
    for step in 0..u16::from(voucher.shards) {
        let shard = u8::try_from((u16::from(first) + step) % u16::from(voucher.shards)).unwrap_or(0);
        let found = free_in(table, &voucher.id, shard, now).await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Counts what a customer has bought of each voucher and not given back.
pub(super) async fn count_bought(
    table: &Table,
    user: &CustomerId,
    wanted: impl Fn(&VoucherId) -> bool,
) -> Result<BTreeMap<VoucherId, u32>, StoreError> {
    let listed = table.partition(&keys::bought_vouchers(user), "").await?;
    let listed = listed.iter().map(items::listed_from_item).collect::<Result<Vec<_>, _>>()?;
    let own = listed.into_iter().filter(|(_, voucher)| wanted(voucher));
    let keys: Vec<Key> = own.map(|(id, _)| keys::voucher_purchase(&id)).collect();
    let found = table.with_retry(|| table.batch(&keys)).await?;
    let mut counts = BTreeMap::new();
    for item in found.values() {
        let purchase = items::purchase_from_item(item)?;
        if purchase.status != PurchaseStatus::Refunded {
            *counts.entry(purchase.voucher).or_default() += 1;
        }
    }
    Ok(counts)
}

impl Load for VoucherState {
    async fn load(table: &Table, needs: &VoucherNeeds, now: Timestamp) -> Result<Self, StoreError> {
        let points_needs = LoyaltyNeeds::points(&needs.user);
        let points = LoyaltyState::load(table, &points_needs, now);
        let early = async {
            let Some(hint) = needs.hint else { return Ok(None) };
            free_in(table, &needs.voucher, any_shard(hint.shards), now).await
        };
        let (loyalty, early) = Box::pin(futures::future::try_join(points, early)).await?;
        // The voucher and the count are read after the account: what another purchase of this customer, or the beginning
        // of a limit before it, has changed is then seen, or the account's version has moved.
        let (voucher_key, count_key) =
            (keys::voucher(&needs.voucher), keys::bought_count(&needs.user, &needs.voucher));
        let mut wanted = vec![voucher_key.clone()];
        if needs.purchase.is_some() || needs.hint.is_some_and(|hint| hint.is_limited) {
            wanted.push(count_key.clone());
        }
        wanted.extend(needs.purchase.as_ref().map(keys::voucher_purchase));
        let mut found = Found::read(table, &wanted).await?;
        let voucher = found.item(&voucher_key).map(items::voucher_from_item).transpose()?;
        let mut state = Self { loyalty, voucher, ..Self::default() };
        let Some(voucher) = &state.voucher else { return Ok(state) };
        if let Some(id) = &needs.purchase {
            let item = found.item(&keys::voucher_purchase(id));
            state.purchase = item.map(items::purchase_from_item).transpose()?;
            if let Some(purchase) = &state.purchase {
                let cause = Cause::stored(purchase.cause.as_str());
                let burnt = table.get(keys::entry(&AccountRef::points(&needs.user), &cause)).await?;
                state.burnt = burnt.map(|item| entry::from_item(&item)).transpose()?;
            }
        }
        let stored = |found: &Found| found.item(&count_key).map(items::count_from_item).transpose();
        let mut count = stored(&found)?;
        if needs.purchase.is_none() && voucher.terms.per_user_limit.is_some() && !wanted.contains(&count_key)
        {
            found.read_more(table, vec![count_key.clone()]).await?;
            count = stored(&found)?;
        }
        state.count = match count {
            Some((count, was)) if count.limit_number == voucher.limit_number => {
                Some(BoughtCount { bought: count.bought, was })
            }
            stored if needs.purchase.is_none() && voucher.terms.per_user_limit.is_some() => {
                // The limit has begun after purchases without one.
                let counts = count_bought(table, &needs.user, |id| *id == voucher.id).await?;
                let bought = counts.get(&voucher.id).copied().unwrap_or(0);
                Some(BoughtCount { bought, was: stored.map_or(0, |(_, was)| was) })
            }
            Some(_) | None => None,
        };
        // A purchase that is rejected whatever is free looks for nothing. The instant is that of the decision.
        let account = state.loyalty.points.as_ref().map(|points| &points.loaded.account);
        let moved = [account.map(|account| account.updated_at), state.loyalty.rules.changed_at];
        let now = moved.into_iter().flatten().fold(now, Timestamp::max);
        let may_buy = account.is_some_and(|account| account.status == AccountStatus::Active);
        if needs.purchase.is_none() && may_buy && voucher.is_for_sale(now) {
            let early = early.filter(|code| code.expires_on.is_none_or(|date| date > now.date()));
            state.free = draw(table, voucher, early, now).await?;
        }
        Ok(state)
    }
}
