//! The only crate that talks to DynamoDB: item layout, reads and conditional writes of the domain's
//! state.
//!
//! [`Store`] has one accessor for each area: `store.wallets()`, `.payments()`, `.budgets()`,
//! `.gift_cards()`, `.alerts()`. All areas use the same engine, which sends requests, retries them
//! and determines their outcome.
//!
//! **Invariant:** the value of a wallet changes only through [`Wallets::execute`], [`Payments::execute`] and
//! [`Rewards`], that of points through [`Loyalty::execute`] and [`Vouchers`], the value of a budget only through [`Budgets::transfer`] and
//! [`GiftCards::commit_card`]. All writes of a decision go into one transaction, each under its
//! condition.
//! **Invariant:** every decision is based on strongly consistent reads. Indexes serve only lists,
//! and candidates that a condition then verifies.

mod alerts;
mod audit;
mod budgets;
mod engine;
mod giftcards;
mod jobs;
pub mod keys;
mod ledger;
mod loyalty;
mod payments;
mod rewards;
mod vouchers;
mod wallet;

pub use alerts::{AlertPage, Alerts};
pub use audit::{
    AccountList, Audit, BudgetList, Named, RewardBooks, SegmentOf, SegmentPage, SegmentPlace, WholeWallet,
};
pub use budgets::{
    BudgetPage, Budgets, ChildPage, Reservation, Reserve, ResolveSummary, TransferReceipt, Waiting,
};
pub use engine::client::{Credentials, HttpClient, Settings, connect, https};
pub use engine::due::{DuePage, DueWork, Place};
pub use engine::error::StoreError;
pub use engine::meter::{Meter, Reading};
pub use engine::read::PageRange;
pub use engine::retry::{Retry, RetryPolicy, not_before};
pub use engine::schema;
pub use giftcards::codes::TryLimits;
pub use giftcards::due::DueBudget;
pub use giftcards::redemptions::Viewer;
pub use giftcards::{Committed, GiftCards, Import, Ordered, Refill};
pub use jobs::{DueJob, Held, JobError, Jobs, MadeJob, NewJob, RowPage, RowsTaken, Taken, UploadJob};
pub use ledger::execute::Done;
pub use ledger::history::EntryPage;
pub use ledger::items::entry::from_item as entry_from_item;
pub use loyalty::rules::RulesChange;
pub use loyalty::{Loyalty, MemberPage, Parked, PointDays, Refunded, TierWalk};
pub use payments::Payments;
pub use payments::due::DuePayment;
pub use payments::webhook_events::EventPage;
pub use rewards::{ClaimPage, ListedClaim, RewardError, Rewards, RewardsRefused};
pub use vouchers::{BoughtPage, Counting, InStock, VoucherError, Vouchers, VouchersRefused};
pub use wallet::Wallets;

use aws_sdk_dynamodb::Client;
use engine::table::Table;
use std::sync::Arc;

/// Entry point to the table; one accessor for each area.
#[derive(Clone, Debug)]
pub struct Store {
    table: Table,
    wallets: Wallets,
    payments: Payments,
    budgets: Budgets,
    gift_cards: GiftCards,
    alerts: Alerts,
    loyalty: Loyalty,
    rewards: Rewards,
    jobs: Jobs,
    vouchers: Vouchers,
    audit: Audit,
}

impl Store {
    /// Creates a store over one table, with the default retry policy and without a meter.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        let table = Table {
            client,
            name: table.into(),
            policy: RetryPolicy::default(),
            meter: None,
            numbered: Arc::default(),
        };
        let budgets = Budgets::new(table.clone());
        Self {
            wallets: Wallets { table: table.clone() },
            payments: Payments { table: table.clone() },
            gift_cards: GiftCards::new(budgets.clone()),
            alerts: Alerts::new(table.clone()),
            loyalty: Loyalty { table: table.clone() },
            rewards: Rewards { table: table.clone(), shards: Arc::default() },
            jobs: Jobs { table: table.clone() },
            vouchers: Vouchers { table: table.clone(), hints: Arc::default(), recent: Arc::default() },
            audit: Audit::new(budgets.clone()),
            budgets,
            table,
        }
    }

    /// Returns the store over another handle of the same table; caches are kept.
    fn over_same(self, table: Table) -> Self {
        let budgets = self.budgets.over(table.clone());
        Self {
            wallets: Wallets { table: table.clone() },
            payments: Payments { table: table.clone() },
            gift_cards: self.gift_cards.over(budgets.clone()),
            alerts: self.alerts.over(table.clone()),
            loyalty: Loyalty { table: table.clone() },
            rewards: Rewards { table: table.clone(), shards: self.rewards.shards.clone() },
            jobs: Jobs { table: table.clone() },
            vouchers: Vouchers { table: table.clone(), ..self.vouchers },
            audit: Audit::new(budgets.clone()),
            budgets,
            table,
        }
    }

    /// Returns the same store with another retry policy.
    pub fn with_retry_policy(self, policy: RetryPolicy) -> Self {
        let table = Table { policy, ..self.table.clone() };
        self.over_same(table)
    }

    /// Returns the same store, which counts round trips and capacity units in `meter`.
    pub fn with_meter(self, meter: Arc<Meter>) -> Self {
        let table = Table { meter: Some(meter), ..self.table.clone() };
        self.over_same(table)
    }

    /// Returns the area of customers' wallets.
    pub fn wallets(&self) -> &Wallets {
        &self.wallets
    }

    /// Returns the area of payments into wallets.
    pub fn payments(&self) -> &Payments {
        &self.payments
    }

    /// Returns the area of vouchers, which points pay for.
    pub fn vouchers(&self) -> &Vouchers {
        &self.vouchers
    }

    /// Returns the area of prepaid budgets.
    pub fn budgets(&self) -> &Budgets {
        &self.budgets
    }

    /// Returns the area of gift cards, which budgets pay for.
    pub fn gift_cards(&self) -> &GiftCards {
        &self.gift_cards
    }

    /// Returns the area of loyalty.
    pub fn loyalty(&self) -> &Loyalty {
        &self.loyalty
    }

    /// Returns the area of rewards and referrals.
    pub fn rewards(&self) -> &Rewards {
        &self.rewards
    }

    /// Returns the area of jobs.
    pub fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// Returns the area of alerts.
    pub fn alerts(&self) -> &Alerts {
        &self.alerts
    }

    /// Returns the reads of everything stored, from which the audit proves the balances.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Starts the retries of one operation, under this store's policy.
    pub fn retry(&self) -> Retry {
        self.table.retry()
    }

    /// Returns the name of the table.
    pub fn table(&self) -> &str {
        &self.table.name
    }

    /// Returns the underlying DynamoDB client, for set-up and tests.
    pub fn client(&self) -> &Client {
        &self.table.client
    }

    /// Reads a key that need not exist. This opens the connection before the first request needs it
    /// and checks that the table is reachable.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.table.get(keys::probe()).await.map(|_| ())
    }
}
