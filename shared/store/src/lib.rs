//! The only crate that knows DynamoDB: how the domain's state is laid out, read and changed.
//!
//! [`Store`] hands out one noun for each area: `store.wallets()`, `.payments()`, `.budgets()`, `.gift_cards()`,
//! `.alerts()`. Each stands on the same engine, which sends requests, retries them and tells what became of them.
//!
//! **Invariant:** a wallet's value changes only through [`Wallets::execute`] and [`Payments::execute`], a budget's only
//! through [`Budgets::transfer`] and [`GiftCards::commit_card`]: all writes of a decision in one transaction under their
//! conditions.
//! **Invariant:** no decision is made on anything but a strongly consistent read; indexes serve lists, and
//! candidates that a condition then proves.

mod alerts;
mod audit;
mod budgets;
mod engine;
mod giftcards;
pub mod keys;
mod ledger;
mod payments;
mod wallet;

pub use alerts::{AlertPage, Alerts};
pub use audit::{AccountList, Audit, BudgetList, Named};
pub use budgets::{BudgetPage, Budgets, Reservation, Reserve, ResolveSummary, TransferReceipt, Waiting};
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
pub use ledger::execute::Done;
pub use ledger::history::EntryPage;
pub use ledger::items::entry::from_item as entry_from_item;
pub use payments::Payments;
pub use payments::due::DuePayment;
pub use payments::webhook_events::EventPage;
pub use wallet::Wallets;

use aws_sdk_dynamodb::Client;
use engine::table::Table;
use std::sync::Arc;

/// The table, by area.
#[derive(Clone, Debug)]
pub struct Store {
    table: Table,
    wallets: Wallets,
    payments: Payments,
    budgets: Budgets,
    gift_cards: GiftCards,
    alerts: Alerts,
    audit: Audit,
}

impl Store {
    /// A store over one table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        let table = Table { client, name: table.into(), policy: RetryPolicy::default(), meter: None };
        let budgets = Budgets::new(table.clone());
        Self {
            wallets: Wallets { table: table.clone() },
            payments: Payments { table: table.clone() },
            gift_cards: GiftCards::new(budgets.clone()),
            alerts: Alerts::new(table.clone()),
            audit: Audit::new(budgets.clone()),
            budgets,
            table,
        }
    }

    /// What is remembered stays.
    fn over_same(self, table: Table) -> Self {
        let budgets = self.budgets.over(table.clone());
        Self {
            wallets: Wallets { table: table.clone() },
            payments: Payments { table: table.clone() },
            gift_cards: self.gift_cards.over(budgets.clone()),
            alerts: self.alerts.over(table.clone()),
            audit: Audit::new(budgets.clone()),
            budgets,
            table,
        }
    }

    /// The same store, trying for longer or shorter.
    pub fn with_retry_policy(self, policy: RetryPolicy) -> Self {
        let table = Table { policy, ..self.table.clone() };
        self.over_same(table)
    }

    /// The same store, counting what it costs.
    pub fn with_meter(self, meter: Arc<Meter>) -> Self {
        let table = Table { meter: Some(meter), ..self.table.clone() };
        self.over_same(table)
    }

    /// Customers' wallets.
    pub fn wallets(&self) -> &Wallets {
        &self.wallets
    }

    /// Payments into wallets.
    pub fn payments(&self) -> &Payments {
        &self.payments
    }

    /// Prepaid budgets.
    pub fn budgets(&self) -> &Budgets {
        &self.budgets
    }

    /// Gift cards, which budgets pay for.
    pub fn gift_cards(&self) -> &GiftCards {
        &self.gift_cards
    }

    /// Alerts.
    pub fn alerts(&self) -> &Alerts {
        &self.alerts
    }

    /// All that is stored, for proving it.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// The tries of one operation, under this store's policy.
    pub fn retry(&self) -> Retry {
        self.table.retry()
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        &self.table.name
    }

    /// The client underneath; for set-up and tests.
    pub fn client(&self) -> &Client {
        &self.table.client
    }

    /// Reads a key that need not exist: opens the connection before the first request needs it, and tells
    /// whether the table is reachable.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.table.get(keys::probe()).await.map(|_| ())
    }
}
