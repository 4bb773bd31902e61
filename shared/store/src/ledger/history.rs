//! Entries of an account, newest first, from the index `by_account`.
//!
//! **Invariant:** history is for display only. The index may lag a write by milliseconds; no
//! decision uses it.

use crate::engine::attr::text;
use crate::engine::error::StoreError;
use crate::engine::read::read_error;
use crate::engine::table::Table;
use crate::keys;
use crate::ledger::items::entry;
use domain::ids::AccountRef;
use domain::ledger::entry::Entry;

/// Page of entries.
#[derive(Debug)]
pub struct EntryPage {
    /// Newest first.
    pub entries: Vec<Entry>,
    /// True if there may be older entries.
    pub more: bool,
}

impl Table {
    /// Returns up to `limit` entries with numbers below `before`, newest first.
    pub(crate) async fn history(
        &self,
        account: &AccountRef,
        before: u64,
        limit: u16,
    ) -> Result<EntryPage, StoreError> {
        self.with_retry(|| self.page(account, before, limit)).await
    }

    async fn page(&self, account: &AccountRef, before: u64, limit: u16) -> Result<EntryPage, StoreError> {
        let mut entries = Vec::new();
        let mut before = before;
        loop {
            let wanted = usize::from(limit).saturating_sub(entries.len());
            let request = self
                .client
                .query()
                .table_name(&self.name)
                .index_name(keys::BY_ACCOUNT)
                .key_condition_expression("pk = :pk AND hs < :before")
                .expression_attribute_values(":pk", text(keys::entry_partition(account)))
                .expression_attribute_values(":before", text(keys::history(before)))
                .scan_index_forward(false)
                .limit(i32::try_from(wanted).unwrap_or(i32::MAX))
                .set_return_consumed_capacity(self.capacity_report());
            let output = request.send().await.map_err(|error| read_error(&error))?;
            if let Some(meter) = &self.meter {
                meter.read(output.consumed_capacity.as_slice());
            }
            for item in output.items.unwrap_or_default() {
                entries.push(entry::from_item(&item)?);
            }
            // A response may end at one megabyte, before it has the requested number of entries.
            let more = output.last_evaluated_key.is_some();
            before = entries.last().map_or(before, |entry: &Entry| entry.seq);
            if !more || entries.len() >= usize::from(limit) {
                return Ok(EntryPage { entries, more });
            }
        }
    }
}
