//! The scheduled look at stock and credit: what is low is told, what has recovered is closed.
//!
//! **Invariant:** an alert of stock or credit is open exactly as long as what it is about is low, as of the last look.

use crate::{Desk, tellings};
use domain::alert::{AlertStatus, Telling};
use domain::budget::allocate::Whole;
use domain::budget::ids::AccountId;
use domain::budget::{Account, Kind, Status};
use domain::context::Context;
use domain::giftcard::{Health, Source};
use domain::ids::AlertId;
use domain::money::Money;
use std::collections::BTreeMap;
use store::{Refill, StoreError};

/// For how long a failed provision is told after the last one.
const FAILED_SECONDS: u32 = 86_400;

/// How many alerts one look goes through.
const MOST_ALERTS: u16 = 1_000;

/// What a look found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Pools that are low or empty.
    pub csv_pools: u32,
    /// Campaigns with nothing left.
    pub campaigns: u32,
    /// Agencies below their threshold.
    pub agencies: u32,
    /// Clients below their threshold.
    pub clients: u32,
    /// Campaigns of which a card could not be issued within a day.
    pub provisioning_failures: u32,
    /// Cards that were delivered into buffer pools.
    pub refilled: u32,
    /// The alerts that were opened.
    pub opened: Vec<AlertId>,
}

impl Desk {
    /// Looks at every pool and account.
    pub async fn watch(&self, context: &Context) -> Result<Watched, StoreError> {
        let mut watched = Watched::default();
        self.watch_pools(context, &mut watched).await?;
        self.watch_accounts(context, &mut watched).await?;
        self.watch_failures(context, &mut watched).await?;
        Ok(watched)
    }

    async fn note(
        &self,
        is_low: bool,
        telling: &Telling,
        context: &Context,
        watched: &mut Watched,
    ) -> Result<(), StoreError> {
        if !is_low {
            self.store.close_alert(&telling.id(), context.now).await?;
        } else if self.store.alert(&telling.id()).await?.is_none_or(|alert| alert.closed_at.is_some())
            && self.store.tell(telling, context.now).await
        {
            watched.opened.push(telling.id());
        }
        Ok(())
    }

    async fn watch_pools(&self, context: &Context, watched: &mut Watched) -> Result<(), StoreError> {
        for pool in self.store.pools().await? {
            let enough = u64::from(pool.low_stock_threshold);
            let mut free = self.store.free_cards(&pool, context.now.date(), Some(enough)).await?;
            if pool.source == Source::Buffer {
                let refilled = self.refill(&pool, free, context).await?;
                watched.refilled += refilled.delivered;
                free += u64::from(refilled.delivered);
            }
            // A pool that nobody wants to hear of has no threshold.
            let low =
                pool.low_stock_threshold > 0 && Health::of(free, pool.low_stock_threshold) != Health::Green;
            watched.csv_pools += u32::from(low);
            self.note(low, &tellings::low_stock(&pool, free), context, watched).await?;
        }
        Ok(())
    }

    async fn watch_accounts(&self, context: &Context, watched: &mut Watched) -> Result<(), StoreError> {
        let mut above: Vec<AccountId> = vec![AccountId::platform()];
        while let Some(parent) = above.pop() {
            let children = self.store.children(&parent).await?;
            let mut known: BTreeMap<AccountId, Money> = BTreeMap::new();
            for (id, whole) in self.store.wholes(children).await? {
                known.insert(id, whole.available());
                self.watch_account(&whole, context, watched).await?;
                if whole.account.kind() != Kind::Campaign {
                    above.push(whole.account.id.clone());
                }
            }
        }
        Ok(())
    }

    async fn watch_account(
        &self,
        whole: &Whole,
        context: &Context,
        watched: &mut Watched,
    ) -> Result<(), StoreError> {
        let account: &Account = &whole.account;
        let open = account.status().is_open();
        let available = whole.available();
        if let Some(threshold) = account.low_credit_threshold.filter(|_| !account.is_shared()) {
            let low = open && available < threshold;
            match account.kind() {
                Kind::Agency => watched.agencies += u32::from(low),
                Kind::Client => watched.clients += u32::from(low),
                Kind::Campaign | Kind::Platform => {}
            }
            self.note(low, &tellings::low_credit(account, available), context, watched).await?;
        }
        if account.kind() == Kind::Campaign {
            let left = match (account.is_shared(), &account.parent) {
                (true, Some(client)) => match self.store.whole_account(client).await? {
                    Some(client) => client.available(),
                    None => Money::ZERO,
                },
                _ => available,
            };
            // A campaign that nobody has funded or used yet is not depleted.
            let used = account.card_price.is_some();
            let depleted = account.status() == Status::Active && left.is_zero() && used;
            watched.campaigns += u32::from(depleted);
            let telling = tellings::depleted(&account.id, left, account.currency);
            self.note(depleted, &telling, context, watched).await?;
        }
        Ok(())
    }

    /// Failures are told by who fails; here the old ones are closed.
    async fn watch_failures(&self, context: &Context, watched: &mut Watched) -> Result<(), StoreError> {
        for status in [AlertStatus::Open, AlertStatus::Acknowledged] {
            let page = self.store.alerts(Some(status), None, (0, MOST_ALERTS)).await?;
            for alert in page.alerts.iter().filter(|alert| alert.kind == "provision_failed") {
                let until = alert.updated_at.plus_seconds(FAILED_SECONDS);
                if until.is_some_and(|until| context.now >= until) {
                    self.store.close_alert(&alert.id, context.now).await?;
                } else {
                    watched.provisioning_failures += 1;
                }
            }
        }
        Ok(())
    }

    /// The refills of a pool that are not done; for showing.
    pub async fn open_refills(&self, pool: &domain::budget::ids::PoolId) -> Result<Vec<Refill>, StoreError> {
        self.store.open_refills(pool).await
    }
}
