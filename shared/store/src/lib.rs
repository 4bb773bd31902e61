//! The only crate that knows DynamoDB: how the domain's state is laid out, read and changed.
//!
//! **Invariant:** a wallet's value changes only through [`Store::execute`], a budget's only through
//! [`Store::transfer`] and [`Store::commit_card`]: all writes of a decision in one transaction under their conditions.
//! **Invariant:** no decision is made on anything but a strongly consistent read; indexes serve lists, and
//! candidates that a condition then proves.

mod alerts;
mod budgets;
mod engine;
mod giftcards;
pub mod keys;
mod payments;
mod wallet;

pub use alerts::Alerts;
pub use budgets::{BudgetList, BudgetPage, Moved, Reservation, Reserve, Resolved, Undecided};
pub use engine::client::{Credentials, HttpClient, Settings, connect, https};
pub use engine::due::{DueBudget, DuePayment};
pub use engine::error::StoreError;
pub use engine::meter::{Meter, Reading};
pub use engine::retry::{Effort, Patience, not_before};
pub use engine::table;
pub use giftcards::{Committed, Import, Ordered, Refill};
pub use payments::webhook_events::Reports;
pub use wallet::books::{AccountList, Named};
pub use wallet::execute::Done;
pub use wallet::history::Page;
pub use wallet::items::entry::from_item as entry_from_item;

use aws_sdk_dynamodb::Client;
use budgets::{Known, Settlements};
use domain::ids::AlertId;
use engine::cache::Memory;
use std::sync::Arc;

/// The table, and how patiently to talk to it.
#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
    table: String,
    patience: Patience,
    meter: Option<Arc<Meter>>,
    known: Arc<Known>,
    settlements: Arc<Settlements>,
    told: Arc<Memory<AlertId, u32>>,
}

impl Store {
    /// A store over one table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self {
            client,
            table: table.into(),
            patience: Patience::default(),
            meter: None,
            known: Arc::default(),
            settlements: Arc::default(),
            told: Arc::default(),
        }
    }

    /// The same store, more or less patient.
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// The same store, counting what it costs.
    pub fn with_meter(self, meter: Arc<Meter>) -> Self {
        Self { meter: Some(meter), ..self }
    }

    /// The tries of one operation, as patient as this store.
    pub fn effort(&self) -> Effort {
        Effort::new(self.patience)
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The client underneath; for set-up and tests.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Reads a key that need not exist: opens the connection before the first request needs it, and tells
    /// whether the table is reachable.
    pub async fn reach(&self) -> Result<(), StoreError> {
        self.get(keys::probe()).await.map(|_| ())
    }
}
