//! Entries of an account, newest first, from the index `by_account`.
//!
//! **Invariant:** history is for display only. The index may lag a write by milliseconds; no
//! decision uses it.

use super::Budgets;
use super::shared_spend::SETTLED_MINUTES;
use crate::budgets::items::budget_entry;
use crate::engine::attr::{Reader, text};
use crate::engine::error::StoreError;
use crate::engine::read::{PageRange, read_error};
use crate::keys;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use domain::budget::BudgetAccount;
use domain::budget::entry::BudgetEntry;
use domain::ids::budget::AccountId;
use domain::time::Period;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Number of pages of a client's partition that one request searches for the spends of one
/// campaign.
const MAX_PAGES: usize = 4;

/// Page of entries.
#[derive(Debug)]
pub struct BudgetPage {
    /// Newest first.
    pub entries: Vec<BudgetEntry>,
    /// Place of the last entry, or the place down to which the partitions were searched; None if
    /// there are no older entries.
    pub next: Option<String>,
}

/// Entries of one partition, newest first, each with its place.
#[derive(Default)]
struct Newest {
    found: Vec<(String, BudgetEntry)>,
    /// Place down to which the partition was searched, if older entries may exist.
    upto: Option<String>,
}

impl Budgets {
    /// Returns up to `limit` entries of an account before a place, newest first, after skipping
    /// `page.skip`. A campaign that ever shared its client's credit also lists what it spent of
    /// that credit. Those entries are among the client's: if they are rare there, the page may have
    /// fewer than `limit` entries and a place from which to continue.
    pub async fn budget_history(
        &self,
        account: &BudgetAccount,
        before: Option<&str>,
        page: PageRange,
    ) -> Result<BudgetPage, StoreError> {
        let wanted = usize::from(page.skip) + usize::from(page.limit);
        let own = keys::budget_partitions(&account.id).into_iter().map(|partition| (partition, None));
        let client = account.parent.as_ref().filter(|_| account.was_shared);
        let shared = client.map(|client| {
            keys::budget_partitions(client).into_iter().map(|partition| (partition, Some(account)))
        });
        let reads = own.chain(shared.into_iter().flatten());
        let reads = reads.map(|(partition, of)| self.newest_in(partition, of, before, wanted + 1));
        let parts = futures::future::try_join_all(reads).await?;
        // Entries below the highest of these places may be missing.
        let upto = parts.iter().filter_map(|part| part.upto.clone()).max();
        let mut found: Vec<(String, BudgetEntry)> = parts.into_iter().flat_map(|part| part.found).collect();
        found.retain(|(place, _)| upto.as_ref().is_none_or(|upto| place >= upto));
        found.sort_by(|a, b| b.0.cmp(&a.0));
        let more = found.len() > wanted;
        found.truncate(wanted);
        let last = found.last().map(|(place, _)| place.clone());
        let next = if more { last } else { upto };
        let entries = found.into_iter().skip(usize::from(page.skip)).map(|(_, entry)| entry).collect();
        Ok(BudgetPage { entries, next })
    }

    /// Returns the entries of an account in a period, by partition; within a partition, oldest
    /// first.
    pub async fn budget_period(
        &self,
        account: &AccountId,
        period: Period,
    ) -> Result<Vec<BudgetEntry>, StoreError> {
        Ok(self.entries_in(account, period, usize::MAX).await?.unwrap_or_default())
    }

    /// Returns the entries of an account in a period likewise; `None` if they are more than `most`.
    pub async fn entries_in(
        &self,
        account: &AccountId,
        period: Period,
        most: usize,
    ) -> Result<Option<Vec<BudgetEntry>>, StoreError> {
        let count = &AtomicUsize::new(0);
        let reads = keys::budget_partitions(account).into_iter().map(|partition| async move {
            let (mut entries, mut start) = (Vec::new(), None);
            loop {
                let at = start.clone();
                let output = self
                    .table
                    .with_retry(|| async {
                        let query = self.by_account(&partition, &period.from, &period.until);
                        let query = query.set_exclusive_start_key(at.clone());
                        query.send().await.map_err(|error| read_error(&error))
                    })
                    .await?;
                let items = output.items.unwrap_or_default();
                let before = count.fetch_add(items.len(), Ordering::Relaxed);
                if before.saturating_add(items.len()) > most {
                    return Ok::<_, StoreError>(None);
                }
                for item in items {
                    entries.push(budget_entry::from_item(&item)?);
                }
                start = output.last_evaluated_key;
                if start.is_none() {
                    return Ok(Some(entries));
                }
            }
        });
        let read: Option<Vec<Vec<BudgetEntry>>> =
            futures::future::try_join_all(reads).await?.into_iter().collect();
        Ok(read.map(|read| read.into_iter().flatten().collect()))
    }

    /// Builds a query for the entries of a partition between two places, both inclusive, in
    /// ascending order of their instants.
    pub(super) fn by_account(
        &self,
        partition: &str,
        from: &impl ToString,
        until: &impl ToString,
    ) -> QueryFluentBuilder {
        let query = self.table.client.query().table_name(&self.table.name).index_name(keys::BY_ACCOUNT);
        query
            .key_condition_expression("pk = :pk AND hs BETWEEN :from AND :until")
            .expression_attribute_values(":pk", text(partition))
            .expression_attribute_values(":from", text(from.to_string()))
            .expression_attribute_values(":until", text(until.to_string()))
    }

    /// Returns the newest entries of a partition: all, or only the spends of a campaign.
    async fn newest_in(
        &self,
        partition: String,
        campaign: Option<&BudgetAccount>,
        before: Option<&str>,
        wanted: usize,
    ) -> Result<Newest, StoreError> {
        let mut newest = Newest::default();
        let mut start = None;
        let from = campaign.map(|campaign| campaign.created_at.minus_minutes(SETTLED_MINUTES).to_string());
        for page in 1.. {
            let at = start.clone();
            let left = wanted.saturating_sub(newest.found.len());
            let output = self
                .table
                .with_retry(|| async {
                    let (from, before) = (from.as_deref().unwrap_or("0"), before.unwrap_or("~"));
                    let query = self.by_account(&partition, &from, &before).scan_index_forward(false);
                    let query = query.set_exclusive_start_key(at.clone());
                    // A filter applies after the limit, so filtered pages are read in full.
                    let query = match campaign {
                        Some(campaign) => query
                            .filter_expression("campaign_id = :campaign")
                            .expression_attribute_values(":campaign", text(&campaign.id)),
                        // One more, because the place itself is excluded.
                        None => query.limit(i32::try_from(left + 1).unwrap_or(i32::MAX)),
                    };
                    query.send().await.map_err(|error| read_error(&error))
                })
                .await?;
            for item in output.items.unwrap_or_default() {
                let entry = budget_entry::from_item(&item)?;
                let place = keys::budget_history(&entry);
                if before != Some(place.as_str()) {
                    newest.found.push((place, entry));
                }
            }
            let Some(last) = output.last_evaluated_key else { break };
            if newest.found.len() >= wanted {
                break;
            }
            if campaign.is_some() && page >= MAX_PAGES {
                newest.upto =
                    Some(Reader::new(&last, "key in by_account").text(keys::HISTORY_SK)?.to_owned());
                break;
            }
            start = Some(last);
        }
        newest.found.truncate(wanted);
        Ok(newest)
    }
}
