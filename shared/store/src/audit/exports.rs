//! Reads the table in segments, for exports.
//!
//! **Invariant:** every item is read once, by one segment; a wallet is read as of one instant, with its holds.

use super::Audit;
use crate::budgets::TreePlace;
use crate::budgets::items::budget_entry;
use crate::engine::attr::Item;
use crate::engine::error::StoreError;
use crate::engine::read::read_error;
use crate::giftcards::items::redemption;
use crate::keys::{self, Key};
use crate::ledger::items::{account, entry, hold};
use crate::wallet::items::wallet;
use domain::budget::allocate::SlicedAccount;
use domain::budget::entry::BudgetEntry;
use domain::budget::key::KeyState;
use domain::giftcard::redemption::Redemption;
use domain::ids::{AccountRef, CustomerId};
use domain::ledger::entry::Entry;
use domain::ledger::hold::Hold;
use domain::ledger::lot::{Lot, Lots};
use domain::ledger::posting::LoadedAccount;
use domain::money::Money;
use domain::time::Timestamp;
use domain::wallet::profile::{LoadedWallet, Wallet};

/// Tries to read a wallet and its holds at one instant.
const TRIES: u32 = 10;

/// The place after which a segment is read on.
#[derive(Clone, Debug, Default)]
pub struct SegmentPlace {
    start: Option<Item>,
    tree: TreePlace,
    is_done: bool,
}

/// What is read of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentOf {
    /// Owners of wallets.
    Wallets,
    /// Movements of wallets, points and budgets.
    Entries,
    /// Redemptions of gift cards.
    Redemptions,
    /// Budgets, in the order of their tree; by one segment.
    Accounts,
}

/// What some items of a segment are.
#[derive(Clone, Debug, Default)]
pub struct SegmentPage {
    /// Owners of wallets.
    pub wallets: Vec<CustomerId>,
    /// Movements of wallets and points.
    pub entries: Vec<Entry>,
    /// Movements of budgets.
    pub budget_entries: Vec<BudgetEntry>,
    /// Redemptions of gift cards.
    pub redemptions: Vec<Redemption>,
    /// Budgets, each with its own credit.
    pub accounts: Vec<(SlicedAccount, Money)>,
}

/// A wallet as of one instant.
#[derive(Clone, Debug)]
pub struct WholeWallet {
    /// The wallet.
    pub wallet: Wallet,
    /// Its credit, with that of its holds.
    pub lots: Lots,
}

impl Audit {
    /// Reads the next items of a segment; `None` at its end.
    pub async fn segment(
        &self,
        (segment, of): (u32, u32),
        what: SegmentOf,
        place: &mut SegmentPlace,
    ) -> Result<Option<SegmentPage>, StoreError> {
        if place.is_done {
            return Ok(None);
        }
        if what == SegmentOf::Accounts {
            let accounts = self.budgets.tree_page(&mut place.tree).await?;
            return Ok(accounts.map(|accounts| SegmentPage { accounts, ..SegmentPage::default() }));
        }
        let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
        let request = || async {
            let scan = self.table.client.scan().table_name(&self.table.name).consistent_read(true);
            let scan = scan.segment(number(segment)).total_segments(number(of));
            let scan = scan.set_exclusive_start_key(place.start.clone());
            scan.send().await.map_err(|error| read_error(&error))
        };
        let output = self.table.with_retry(request).await?;
        place.is_done = output.last_evaluated_key.is_none();
        place.start = output.last_evaluated_key;
        let mut page = SegmentPage::default();
        for item in output.items.unwrap_or_default() {
            page.add(what, &item)?;
        }
        Ok(Some(page))
    }

    /// Reads a wallet and its holds at one instant.
    pub async fn whole_wallet(
        &self,
        customer: &CustomerId,
        now: Timestamp,
    ) -> Result<Option<WholeWallet>, StoreError> {
        let key = keys::wallet(customer);
        let mut holds: Vec<Key> = vec![];
        for _ in 0..TRIES {
            let wanted: Vec<Key> = std::iter::once(key.clone()).chain(holds.iter().cloned()).collect();
            let mut items = self.table.read_atomically(&wanted).await?.into_iter();
            let Some(item) = items.next().flatten() else { return Ok(None) };
            let account = account::from_item(&item)?;
            let open: Vec<Key> = account.holds.keys().map(keys::hold).collect();
            if open != holds {
                holds = open;
                continue;
            }
            let profile = wallet::profile_from_item(&item, customer)?;
            let holds = items.flatten().map(|item| hold::from_item(&item)).collect::<Result<Vec<_>, _>>()?;
            let now = now.max(account.updated_at);
            let due_holds: Vec<Hold> =
                holds.iter().filter(|hold| hold.view.expires_at <= now).cloned().collect();
            let loaded = LoadedWallet { loaded: LoadedAccount { account, due_holds, values: None }, profile };
            let wallet = loaded.settled(now).map_err(StoreError::Rejected)?;
            let held = holds.into_iter().filter(|hold| wallet.account.holds.contains_key(&hold.id));
            let held: Vec<Lot> = held.flat_map(|hold| hold.lots).collect();
            let lots = Lots::new(wallet.account.lots.iter().cloned().chain(held));
            let lots = lots.ok_or_else(|| StoreError::Corrupt(format!("lots of {customer}")))?;
            return Ok(Some(WholeWallet { wallet, lots }));
        }
        Err(StoreError::Contention("the holds of a wallet change too often".to_owned()))
    }
}

impl SegmentPage {
    fn add(&mut self, what: SegmentOf, item: &Item) -> Result<(), StoreError> {
        let part = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str);
        let (pk, sk) = (part(keys::PK), part(keys::SK));
        match what {
            SegmentOf::Wallets => {
                let own = keys::account_of(pk);
                let customer = own.as_ref().and_then(AccountRef::wallet_customer);
                self.wallets.extend(customer.filter(|customer| keys::wallet(customer).sk == sk).cloned());
            }
            SegmentOf::Entries if keys::entry_account(pk).is_some() => {
                self.entries.push(entry::from_item(item)?);
            }
            SegmentOf::Entries if keys::budget_entry_account(pk).is_some() => {
                if let KeyState::Entry(entry) = budget_entry::state_of(Some(item))? {
                    self.budget_entries.push(*entry);
                }
            }
            SegmentOf::Redemptions if sk == "N" && keys::redemption_of(pk).is_some() => {
                self.redemptions.push(redemption::from_item(item)?);
            }
            SegmentOf::Entries | SegmentOf::Redemptions | SegmentOf::Accounts => {}
        }
        Ok(())
    }
}
