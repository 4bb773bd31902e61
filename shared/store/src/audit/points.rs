//! Reads everything stored about a customer's points, for the audit.
//!
//! **Invariant:** the account is read first, then the entries, then the locks and purchases, so whatever is read later
//! is never older than the entries read before it.
//! **Invariant:** an item that cannot be read is reported as a difference; it never ends the audit.

use super::Audit;
use super::wallets::sort_key;
use crate::engine::attr::Item;
use crate::engine::error::StoreError;
use crate::keys::{self, Key};
use crate::ledger::items::{account, entry, hold, status};
use crate::loyalty::items::{purchase, standing};
use crate::loyalty::{report, rules};
use domain::ids::{AccountRef, CustomerId, PurchaseId};
use domain::ledger::account::{Account, StatusChange};
use domain::ledger::audit::{Books, Difference};
use domain::ledger::entry::Entry;
use domain::ledger::hold::Hold;
use domain::loyalty::audit::PointsBooks;
use domain::loyalty::record::PurchaseRecord;
use domain::loyalty::rules::StoredRules;
use domain::loyalty::tiers::{Standing, TierRecord};
use domain::time::parse_date;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Items of the partition of a customer's points.
#[derive(Default)]
struct OwnItems {
    account: Option<Account>,
    standing: Option<Standing>,
    holds: Vec<Hold>,
    statuses: Vec<(u64, StatusChange)>,
    records: Vec<(u64, u64, TierRecord)>,
    reported: u64,
}

/// Items that cannot be read, as differences.
struct Unreadable {
    account: AccountRef,
    bad: Vec<Difference>,
}

impl Unreadable {
    fn read<T>(&mut self, item: &Item, read: Result<T, StoreError>) -> Option<T> {
        read.map_err(|error| {
            let (account, at) = (self.account.to_string(), Some(sort_key(item).to_owned()));
            self.bad.push(Difference { account, at, detail: error.to_string() });
        })
        .ok()
    }
}

impl Audit {
    /// Reads the rules of now.
    pub async fn loyalty_rules(&self) -> Result<Arc<StoredRules>, StoreError> {
        let head = self.table.with_retry(|| self.table.get(keys::rules_head())).await?;
        rules::of_head(&self.table, head.as_ref()).await
    }

    /// Reads everything stored about a customer's points, and lists the items that cannot be read.
    pub async fn points_books(
        &self,
        user: &CustomerId,
        purchases: &BTreeSet<PurchaseId>,
    ) -> Result<(PointsBooks, Vec<Difference>), StoreError> {
        let id = AccountRef::points(user);
        let mut unreadable = Unreadable { account: id.clone(), bad: vec![] };
        let first = self.own_points(&id, &mut Unreadable { account: id.clone(), bad: vec![] }).await?;
        let mut entries = self.points_entries(&id, &mut unreadable).await?;
        let seen = entries.iter().map(|entry| entry.seq).max().unwrap_or(0);
        let again = self.own_points(&id, &mut unreadable).await?;
        if again.holds.iter().any(|hold| hold.seq > seen) {
            entries = self.points_entries(&id, &mut Unreadable { account: id.clone(), bad: vec![] }).await?;
        }
        let purchases = self.purchases_of(purchases, &mut unreadable).await?;
        let ledger = Books {
            id,
            named: !purchases.is_empty(),
            account: first.account,
            statuses: first.statuses,
            seen,
            account_seq: again.account.map_or(0, |account| account.seq),
            holds: again.holds,
            orders: vec![],
            owed: vec![],
            months: vec![],
            entries,
        };
        let (standing, records, reported) = (first.standing, first.records, first.reported);
        let listed = self.table.partition(&keys::unreported_days(user), "").await?;
        let listed = listed.iter().filter_map(|item| parse_date(sort_key(item)).ok()).collect();
        let books = PointsBooks { ledger, standing, records, purchases, reported, listed };
        Ok((books, unreadable.bad))
    }

    async fn own_points(&self, id: &AccountRef, bad: &mut Unreadable) -> Result<OwnItems, StoreError> {
        let mut own = OwnItems::default();
        for item in self.table.partition(&keys::account_partition(id), "").await? {
            match sort_key(&item) {
                "A" => {
                    own.account = bad.read(&item, account::from_item(&item));
                    own.standing = bad.read(&item, standing::from_item(&item));
                }
                "R" => own.reported = bad.read(&item, report::reported_from_item(&item)).unwrap_or_default(),
                key if key.starts_with("H#") => own.holds.extend(bad.read(&item, hold::from_item(&item))),
                key if key.starts_with("S#") => {
                    own.statuses.extend(bad.read(&item, status::from_item(&item)));
                }
                key if key.starts_with(keys::TIER_RECORDS) => {
                    own.records.extend(bad.read(&item, standing::record_from_item(&item)));
                }
                _ => {}
            }
        }
        Ok(own)
    }

    async fn points_entries(&self, id: &AccountRef, bad: &mut Unreadable) -> Result<Vec<Entry>, StoreError> {
        let items = self.table.partition(&keys::entry_partition(id), "").await?;
        Ok(items.iter().filter_map(|item| bad.read(item, entry::from_item(item))).collect())
    }

    async fn purchases_of(
        &self,
        ids: &BTreeSet<PurchaseId>,
        bad: &mut Unreadable,
    ) -> Result<Vec<PurchaseRecord>, StoreError> {
        let wanted: Vec<Key> = ids.iter().flat_map(|id| [keys::purchase(id), keys::earning(id)]).collect();
        let found = self.table.with_retry(|| self.table.batch(&wanted)).await?;
        let mut records = Vec::new();
        for id in ids {
            if let Some(item) = found.get(&keys::purchase(id)) {
                records.extend(bad.read(item, purchase::from_item(item, found.get(&keys::earning(id)))));
            }
        }
        Ok(records)
    }
}
