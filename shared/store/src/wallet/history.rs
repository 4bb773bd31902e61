//! A wallet's entries, newest first, by the index `by_account`.
//!
//! **Invariant:** history is for showing; the index may trail a write by milliseconds and decides nothing.

use crate::Store;
use crate::engine::attr::text;
use crate::engine::error::StoreError;
use crate::keys;
use crate::wallet::items::entry;
use crate::wallet::load::unread;
use domain::ids::CustomerId;
use domain::ledger::entry::Entry;

/// Some entries, and where to go on.
#[derive(Debug)]
pub struct Page {
    /// Newest first.
    pub entries: Vec<Entry>,
    /// True if there may be older ones.
    pub more: bool,
}

impl Store {
    /// Up to `limit` entries with numbers below `before`, newest first.
    pub async fn history(&self, customer: &CustomerId, before: u64, limit: u16) -> Result<Page, StoreError> {
        self.patiently(|| self.page(customer, before, limit)).await
    }

    async fn page(&self, customer: &CustomerId, before: u64, limit: u16) -> Result<Page, StoreError> {
        let mut entries = Vec::new();
        let mut before = before;
        loop {
            let wanted = usize::from(limit).saturating_sub(entries.len());
            let request = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(keys::BY_ACCOUNT)
                .key_condition_expression("pk = :pk AND hs < :before")
                .expression_attribute_values(":pk", text(keys::entry_partition(customer)))
                .expression_attribute_values(":before", text(keys::history(before)))
                .scan_index_forward(false)
                .limit(i32::try_from(wanted).unwrap_or(i32::MAX))
                .set_return_consumed_capacity(
                    self.meter.as_ref().map(|_| aws_sdk_dynamodb::types::ReturnConsumedCapacity::Total),
                );
            let output = request.send().await.map_err(|error| unread(&error))?;
            if let Some(meter) = &self.meter {
                meter.read(output.consumed_capacity.as_slice());
            }
            for item in output.items.unwrap_or_default() {
                entries.push(entry::from_item(&item)?);
            }
            // A page may end at a megabyte before it has what was asked for.
            let more = output.last_evaluated_key.is_some();
            before = entries.last().map_or(before, |entry: &Entry| entry.seq);
            if !more || entries.len() >= usize::from(limit) {
                return Ok(Page { entries, more });
            }
        }
    }

    /// The entry with this number.
    pub async fn entry(&self, customer: &CustomerId, seq: u64) -> Result<Option<Entry>, StoreError> {
        let page = self.history(customer, seq.saturating_add(1), 1).await?;
        Ok(page.entries.into_iter().next().filter(|entry| entry.seq == seq))
    }
}
