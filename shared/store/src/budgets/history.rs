//! An account's movements, newest first, by the index `by_account`.
//!
//! **Invariant:** history is for showing; the index may trail a write by milliseconds and decides nothing.

use crate::Store;
use crate::attr::text;
use crate::error::StoreError;
use crate::items::budget_entry;
use crate::keys;
use crate::load::unread;
use domain::budget::entry::BudgetEntry;
use domain::budget::ids::AccountId;
use domain::time::Timestamp;

/// Some movements, and where to go on.
#[derive(Debug)]
pub struct BudgetPage {
    /// Newest first.
    pub entries: Vec<BudgetEntry>,
    /// The place of the last, if there may be older ones.
    pub next: Option<String>,
}

impl Store {
    /// Up to `limit` movements of an account before a place, newest first, after passing over `skip`; with them, of a
    /// campaign, what it has spent of its client's credit.
    pub async fn budget_history(
        &self,
        account: &AccountId,
        campaign: Option<(&AccountId, &AccountId)>,
        before: Option<&str>,
        (skip, limit): (u16, u16),
    ) -> Result<BudgetPage, StoreError> {
        let wanted = usize::from(skip) + usize::from(limit);
        let mut found: Vec<(String, BudgetEntry)> = Vec::new();
        // A campaign's spends of its client's credit stand among its client's.
        let own = keys::budget_partitions(account).into_iter().map(|partition| (partition, None));
        let shared = campaign.map(|(client, campaign)| {
            keys::budget_partitions(client).into_iter().map(move |partition| (partition, Some(campaign)))
        });
        let mut reads = Vec::new();
        for (partition, campaign) in own.chain(shared.into_iter().flatten()) {
            reads.push(async move { self.newest_in(&partition, campaign, before, wanted + 1).await });
        }
        for page in futures::future::try_join_all(reads).await? {
            found.extend(page);
        }
        found.sort_by(|a, b| b.0.cmp(&a.0));
        let more = found.len() > wanted;
        found.truncate(wanted);
        let next = found.last().filter(|_| more).map(|(place, _)| place.clone());
        let entries = found.into_iter().skip(usize::from(skip)).map(|(_, entry)| entry).collect();
        Ok(BudgetPage { entries, next })
    }

    /// The movements of an account in a period, oldest first within each part.
    pub async fn budget_period(
        &self,
        account: &AccountId,
        (from, until): (Timestamp, Timestamp),
    ) -> Result<Vec<BudgetEntry>, StoreError> {
        let reads = keys::budget_partitions(account).into_iter().map(|partition| async move {
            let (mut entries, mut start) = (Vec::new(), None);
            loop {
                let at = start.clone();
                let output = self
                    .patiently(|| async {
                        self.client
                            .query()
                            .table_name(&self.table)
                            .index_name(keys::BY_ACCOUNT)
                            .key_condition_expression("pk = :pk AND hs BETWEEN :from AND :until")
                            .expression_attribute_values(":pk", text(&partition))
                            .expression_attribute_values(":from", text(from))
                            .expression_attribute_values(":until", text(until))
                            .set_exclusive_start_key(at.clone())
                            .send()
                            .await
                            .map_err(|error| unread(&error))
                    })
                    .await?;
                for item in output.items.unwrap_or_default() {
                    entries.push(budget_entry::from_item(&item)?);
                }
                start = output.last_evaluated_key;
                if start.is_none() {
                    return Ok::<_, StoreError>(entries);
                }
            }
        });
        Ok(futures::future::try_join_all(reads).await?.into_iter().flatten().collect())
    }

    async fn newest_in(
        &self,
        partition: &str,
        campaign: Option<&AccountId>,
        before: Option<&str>,
        wanted: usize,
    ) -> Result<Vec<(String, BudgetEntry)>, StoreError> {
        let mut found = Vec::new();
        let mut start = None;
        loop {
            let at = start.clone();
            let left = wanted.saturating_sub(found.len());
            let output = self
                .patiently(|| async {
                    let query = self
                        .client
                        .query()
                        .table_name(&self.table)
                        .index_name(keys::BY_ACCOUNT)
                        .scan_index_forward(false)
                        .set_exclusive_start_key(at.clone())
                        .expression_attribute_values(":pk", text(partition));
                    let query = match before {
                        Some(before) => query
                            .key_condition_expression("pk = :pk AND hs < :before")
                            .expression_attribute_values(":before", text(before)),
                        None => query.key_condition_expression("pk = :pk"),
                    };
                    // A filter applies after the limit: then pages are read whole.
                    let query = match campaign {
                        Some(campaign) => query
                            .filter_expression("campaign_id = :campaign")
                            .expression_attribute_values(":campaign", text(campaign)),
                        None => query.limit(i32::try_from(left).unwrap_or(i32::MAX)),
                    };
                    query.send().await.map_err(|error| unread(&error))
                })
                .await?;
            for item in output.items.unwrap_or_default() {
                let entry = budget_entry::from_item(&item)?;
                found.push((keys::budget_history(&entry), entry));
            }
            start = output.last_evaluated_key;
            if start.is_none() || found.len() >= wanted {
                found.truncate(wanted);
                return Ok(found);
            }
        }
    }
}
