//! The only crate that knows DynamoDB: how the domain's state is laid out, read and changed.
//!
//! **Invariant:** value changes only through [`Store::execute`], which commits all writes of a decision in one
//! transaction under their conditions, or none.
//! **Invariant:** no decision is made on anything but a strongly consistent read; indexes serve lists, and
//! candidates that a condition then proves.

mod attr;
mod books;
mod client;
mod commit;
mod due;
mod effort;
mod error;
mod events;
mod execute;
mod history;
mod items;
pub mod keys;
mod load;
mod meter;
mod orders;
mod reports;
pub mod table;

pub use books::{AccountList, Named};
pub use client::{Credentials, HttpClient, Settings, connect, https};
pub use due::DuePayment;
pub use effort::Patience;
pub use error::StoreError;
pub use events::Reports;
pub use execute::Done;
pub use history::Page;
pub use items::entry::from_item as entry_from_item;
pub use meter::{Meter, Reading};

use aws_sdk_dynamodb::Client;
use std::sync::Arc;

/// The table, and how patiently to talk to it.
#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
    table: String,
    patience: Patience,
    meter: Option<Arc<Meter>>,
}

impl Store {
    /// A store over one table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into(), patience: Patience::default(), meter: None }
    }

    /// The same store, more or less patient.
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// The same store, counting what it costs.
    pub fn with_meter(self, meter: Arc<Meter>) -> Self {
        Self { meter: Some(meter), ..self }
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
