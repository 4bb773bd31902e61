//! Reads loyalty for callers.
//!
//! **Invariant:** points, purchases and redemptions are read with strong consistency; lists of entries come from an
//! index.

use super::Loyalty;
use crate::engine::attr::{number, text};
use crate::engine::due::{DuePage, DueWork, Place};
use crate::engine::error::StoreError;
use crate::keys::{self, DueKind, Key};
use crate::ledger::history::EntryPage;
use crate::ledger::items::entry;
use crate::ledger::load::{Found, Load, due_holds};
use crate::loyalty::load::read_points;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::cause::Cause;
use domain::ids::{AccountKind, AccountRef, CustomerId, HoldId, OrderId, PurchaseId};
use domain::ledger::entry::Entry;
use domain::ledger::hold::Hold;
use domain::loyalty::record::PurchaseRecord;
use domain::loyalty::state::{LoadedPoints, LoyaltyNeeds, LoyaltyState};
use domain::loyalty::tiers::TierRecord;
use domain::time::Timestamp;
use std::collections::BTreeMap;

impl Loyalty {
    /// Reads what a command would decide on.
    pub async fn state(&self, needs: &LoyaltyNeeds, now: Timestamp) -> Result<LoyaltyState, StoreError> {
        self.table.with_retry(|| LoyaltyState::load(&self.table, needs, now)).await
    }

    /// Reads a purchase by any of its ids.
    pub async fn purchase(&self, id: &PurchaseId) -> Result<Option<PurchaseRecord>, StoreError> {
        let read = |id: PurchaseId| async move {
            let wanted = [keys::purchase(&id), keys::earning(&id)];
            let found = self.table.with_retry(|| self.table.batch(&wanted)).await?;
            Ok::<_, StoreError>((found.get(&wanted[0]).cloned(), found.get(&wanted[1]).cloned()))
        };
        let (Some(mut item), mut earning) = read(id.clone()).await? else { return Ok(None) };
        if let Some(other) = super::items::purchase::leads_to(&item)? {
            let (Some(found), found_earning) = read(other).await? else { return Ok(None) };
            (item, earning) = (found, found_earning);
        }
        super::items::purchase::from_item(&item, earning.as_ref()).map(Some)
    }

    /// Returns up to `limit` entries with numbers below `before`, newest first.
    pub async fn history(&self, user: &CustomerId, before: u64, limit: u16) -> Result<EntryPage, StoreError> {
        self.table.history(&AccountRef::points(user), before, limit).await
    }

    /// Returns the entry with this number, from the index.
    pub async fn entry(&self, user: &CustomerId, seq: u64) -> Result<Option<Entry>, StoreError> {
        let page = self.history(user, seq.saturating_add(1), 1).await?;
        Ok(page.entries.into_iter().next().filter(|entry| entry.seq == seq))
    }

    /// Reads the entries of these causes with strong consistency, in the order of their numbers.
    pub async fn entries(&self, user: &CustomerId, causes: &[Cause]) -> Result<Vec<Entry>, StoreError> {
        let account = AccountRef::points(user);
        let wanted: Vec<_> = causes.iter().map(|cause| keys::entry(&account, cause)).collect();
        let found = self.table.with_retry(|| self.table.batch(&wanted)).await?;
        let entries: Result<Vec<Entry>, _> = found.values().map(entry::from_item).collect();
        let mut entries = entries?;
        entries.sort_by_key(|entry| entry.seq);
        Ok(entries)
    }

    /// Reads a redemption as stored.
    pub async fn lock(&self, token: &HoldId) -> Result<Option<Hold>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::hold(token))).await?;
        item.map(|item| crate::ledger::items::hold::from_item(&item)).transpose()
    }

    /// Reads the records of a customer's tier, oldest first.
    pub async fn tier_records(&self, user: &CustomerId) -> Result<Vec<(u64, u64, TierRecord)>, StoreError> {
        let partition = keys::account_partition(&AccountRef::points(user));
        let items = self.table.partition(&partition, keys::TIER_RECORDS).await?;
        items.iter().map(super::items::standing::record_from_item).collect()
    }
}

/// What refunds were reported of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refunded {
    /// A purchase.
    Purchase(PurchaseId),
    /// An order.
    Order(OrderId),
}

impl Refunded {
    fn of(pk: &str) -> Option<Self> {
        let order = keys::order_reports_of(pk).map(Self::Order);
        order.or_else(|| keys::purchase_of(pk).map(Self::Purchase))
    }

    fn key(&self) -> keys::Key {
        match self {
            Self::Purchase(id) => keys::purchase(id),
            Self::Order(id) => keys::order_reports(id),
        }
    }
}

/// Purchases and orders of which only refunds were reported when they were put into the index.
#[derive(Clone, Debug)]
pub struct Parked<'a>(pub &'a Loyalty);

impl DueWork for Parked<'_> {
    type Item = Refunded;

    async fn due(&self, page: DuePage<'_>) -> Result<Vec<(Refunded, Place)>, StoreError> {
        let found = self.0.table.due(DueKind::Parked, page).await?;
        Ok(found.into_iter().filter_map(|(pk, at)| Some((Refunded::of(&pk)?, at))).collect())
    }

    async fn postpone(&self, id: &Refunded, until: Timestamp) -> Result<(), StoreError> {
        self.0.table.postpone(id.key(), until).await
    }
}

impl Parked<'_> {
    /// Removes something at which somebody has been asked to look, or need not look.
    pub async fn done(&self, id: &Refunded, place: &str) -> Result<(), StoreError> {
        self.0.table.remove_due(id.key(), place).await
    }
}

/// How far every member has been looked at since a version of the program began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierWalk {
    /// The version of the program.
    pub version: u32,
    /// The place in the lists of members after which it goes on.
    pub place: String,
    /// True if every member was looked at.
    pub is_done: bool,
}

/// A page of the list of members.
#[derive(Clone, Debug)]
pub struct MemberPage {
    /// The members, each with the place after which the list goes on.
    pub members: Vec<(CustomerId, String)>,
    /// The place after which the list goes on if the page has no members.
    pub end: String,
    /// True if there may be more.
    pub more: bool,
}

impl Loyalty {
    /// Returns members of these tiers that follow a place; one query, so a page may have few members or none.
    pub async fn members(&self, tiers: &[&str], place: &str, limit: usize) -> Result<MemberPage, StoreError> {
        let (list, after) = place.split_once('#').unwrap_or(("0", place));
        let list: usize = list.parse().unwrap_or(0);
        let shards = usize::from(keys::MEMBER_SHARDS);
        let (tier, shard) = (tiers.get(list / shards), list % shards);
        let Some(tier) = tier else {
            return Ok(MemberPage { members: vec![], end: place.to_owned(), more: false });
        };
        let pk = keys::members(tier, u8::try_from(shard).unwrap_or(0));
        let after = Some(after).filter(|after| !after.is_empty());
        let items = self.table.partition_page(&pk, after, limit).await?;
        let is_full = items.len() >= limit;
        let user = |item: &crate::engine::attr::Item| {
            CustomerId::parse(item.get(keys::SK)?.as_s().ok()?)
                .ok()
                .map(|user| (format!("{list}#{user}"), user))
        };
        let mut members: Vec<(CustomerId, String)> =
            items.iter().filter_map(user).map(|(place, user)| (user, place)).collect();
        let end = format!("{}#", list + 1);
        if let (false, Some(last)) = (is_full, members.last_mut()) {
            last.1.clone_from(&end);
        }
        Ok(MemberPage { members, end, more: is_full || list + 1 < tiers.len() * shards })
    }

    /// Reads how far every member has been looked at.
    pub async fn tier_walk(&self) -> Result<Option<TierWalk>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::tier_walk())).await?;
        let read = |item| {
            let reader = crate::engine::attr::Reader::new(item, "place in the lists of members");
            Ok(TierWalk {
                version: u32::try_from(reader.count("version")?).map_err(|_| reader.corrupt("version"))?,
                place: reader.text("place")?.to_owned(),
                is_done: reader.flag("done")?,
            })
        };
        item.as_ref().map(read).transpose()
    }

    /// Stores how far every member has been looked at. Of two runs the last one stands: a member who is looked at
    /// twice is not changed twice.
    pub async fn put_tier_walk(&self, walk: &TierWalk) -> Result<(), StoreError> {
        let change = |update: UpdateItemFluentBuilder| {
            update
                .update_expression("SET version = :version, place = :place, done = :done")
                .expression_attribute_values(":version", number(walk.version))
                .expression_attribute_values(":place", text(&walk.place))
                .expression_attribute_values(":done", AttributeValue::Bool(walk.is_done))
        };
        self.table.until_sent(&keys::tier_walk(), change).await.map(|_| ())
    }

    /// Reads the points of several customers, with the locks that are due at `now`.
    pub async fn points_of(
        &self,
        users: &[CustomerId],
        now: Timestamp,
    ) -> Result<BTreeMap<CustomerId, LoadedPoints>, StoreError> {
        let accounts: Vec<AccountRef> = users.iter().map(AccountRef::points).collect();
        let wanted: Vec<Key> = accounts.iter().map(keys::account).collect();
        let mut found = Found::read(&self.table, &wanted).await?;
        let mut holds = Vec::new();
        for account in &accounts {
            if let Some(account) = found.account(account)? {
                holds.extend(due_holds(&account, now).iter().map(keys::hold));
            }
        }
        found.read_more(&self.table, holds).await?;
        let mut points = BTreeMap::new();
        for account in &accounts {
            if let Some(loaded) = read_points(&found, account, now)? {
                points.insert(account.id.clone(), loaded);
            }
        }
        Ok(points)
    }
}

impl DueWork for Loyalty {
    type Item = CustomerId;

    async fn due(&self, page: DuePage<'_>) -> Result<Vec<(CustomerId, Place)>, StoreError> {
        let found = self.table.due(DueKind::Points, page).await?;
        let user = |pk: &str| {
            keys::account_of(pk)
                .filter(|account| account.kind == AccountKind::Points)
                .map(|account| account.id)
        };
        Ok(found.into_iter().filter_map(|(pk, at)| Some((user(&pk)?, at))).collect())
    }

    async fn postpone(&self, user: &CustomerId, until: Timestamp) -> Result<(), StoreError> {
        self.table.postpone(keys::account(&AccountRef::points(user)), until).await
    }
}
