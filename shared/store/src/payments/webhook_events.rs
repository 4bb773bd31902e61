//! Lists of gateways' reports, newest first.
//!
//! **Invariant:** a list only names the reports of a status; the content is read from each report's
//! own item.

use super::Payments;
use crate::engine::attr::{Item, text};
use crate::engine::error::StoreError;
use crate::engine::read::{PageRange, read_error};
use crate::keys::{self, Key};
use crate::payments::items::webhook_event;
use aws_sdk_dynamodb::types::{AttributeValue, Select};
use domain::ids::{EventId, Gateway};
use domain::payments::topup::TopUp;
use domain::payments::webhook_event::{EventStatus, WebhookEvent};
use domain::time::Timestamp;
use std::collections::HashMap;

/// Reports of a list that are looked at together.
const REPORTS_AT_ONCE: usize = 100;

/// Pages of a list that are looked at.
const REPORT_PAGES: u32 = 5;

/// Returns the instant with which a place in a list begins.
fn instant(place: &str) -> Option<Timestamp> {
    Timestamp::parse(place.split_once('#')?.0).ok()
}

/// Page of reports.
#[derive(Debug)]
pub struct EventPage {
    /// Newest first.
    pub events: Vec<WebhookEvent>,
    /// Place of the last report, if there may be older ones.
    pub next: Option<String>,
}

impl Payments {
    /// Returns reports of these statuses that are older than the place `before`, newest first,
    /// after skipping `page.skip`.
    pub async fn events(
        &self,
        statuses: &[EventStatus],
        before: Option<&str>,
        page: PageRange,
    ) -> Result<EventPage, StoreError> {
        let wanted = usize::from(page.skip) + usize::from(page.limit);
        let mut places = Vec::new();
        for status in statuses {
            for list in keys::event_lists(*status) {
                places.extend(self.places(&list, before, wanted + 1).await?);
            }
        }
        // Every place begins with its instant.
        places.sort_unstable_by(|a, b| b.cmp(a));
        // A report whose status changed between two reads is in both lists.
        places.dedup();
        let more = places.len() > wanted;
        places.truncate(wanted);
        let next = places.last().filter(|_| more).cloned();
        let shown = places.iter().skip(usize::from(page.skip));
        let ids = shown.filter_map(|place| EventId::parse_stored(place.split_once('#')?.1).ok());
        let keys: Vec<Key> = ids.map(|id| keys::event(&id)).collect();
        let found = self.table.with_retry(|| self.table.batch(&keys)).await?;
        let events = keys.iter().filter_map(|key| found.get(key)).map(webhook_event::from_item);
        Ok(EventPage { events: events.collect::<Result<_, _>>()?, next })
    }

    /// Reads the reports that these top-ups name, in no particular order.
    pub async fn events_of(&self, topups: &[TopUp]) -> Result<Vec<WebhookEvent>, StoreError> {
        let keys: Vec<Key> = topups.iter().flat_map(|topup| &topup.events).map(keys::event).collect();
        let found = self.table.with_retry(|| self.table.batch(&keys)).await?;
        found.values().map(webhook_event::from_item).collect()
    }

    /// Returns when the newest `count` payments of a gateway were credited because it was polled, newest first.
    pub async fn polled(&self, gateway: Gateway, count: usize) -> Result<Vec<Timestamp>, StoreError> {
        let places = self.places(&keys::polled_list(gateway), None, count).await?;
        Ok(places.iter().filter_map(|place| instant(place)).collect())
    }

    /// Returns whether a gateway has reported anything since then that was read; `None` if that is not known within
    /// some pages, because other gateways report much.
    pub async fn has_reported(&self, gateway: Gateway, since: Timestamp) -> Result<Option<bool>, StoreError> {
        let of_gateway = format!("{}:", gateway.as_str());
        let lists = [EventStatus::Processed, EventStatus::Ignored].into_iter().flat_map(keys::event_lists);
        let mut is_known = true;
        for list in lists {
            let mut before = None;
            for page in 1.. {
                let places = self.places(&list, before.as_deref(), REPORTS_AT_ONCE).await?;
                let recent = places.iter().filter(|place| instant(place).is_some_and(|at| at >= since));
                let mut ids = recent.filter_map(|place| place.split_once('#'));
                if ids.any(|(_, id)| id.starts_with(&of_gateway)) {
                    return Ok(Some(true));
                }
                let last = places.last().filter(|_| places.len() >= REPORTS_AT_ONCE);
                let Some(last) = last.filter(|last| instant(last).is_some_and(|at| at >= since)) else {
                    break;
                };
                if page >= REPORT_PAGES {
                    is_known = false;
                    break;
                }
                before = Some(last.clone());
            }
        }
        Ok(is_known.then_some(false))
    }

    /// Counts the reports of this status; None above the limit.
    pub async fn count_events(
        &self,
        status: EventStatus,
        limit: Option<u64>,
    ) -> Result<Option<u64>, StoreError> {
        let mut count = 0;
        for list in keys::event_lists(status) {
            count += self.count(&list, limit).await?;
            if limit.is_some_and(|limit| count > limit) {
                return Ok(None);
            }
        }
        Ok(Some(count))
    }

    /// Counts the places of a list; stops once the limit is exceeded.
    async fn count(&self, list: &str, limit: Option<u64>) -> Result<u64, StoreError> {
        let (mut count, mut start): (u64, Option<HashMap<String, AttributeValue>>) = (0, None);
        loop {
            let from = start.clone();
            let output = self
                .table
                .with_retry(|| async {
                    self.table
                        .client
                        .query()
                        .table_name(&self.table.name)
                        .key_condition_expression("pk = :list")
                        .expression_attribute_values(":list", text(list))
                        .select(Select::Count)
                        .set_exclusive_start_key(from.clone())
                        .send()
                        .await
                        .map_err(|error| read_error(&error))
                })
                .await?;
            count += u64::try_from(output.count).unwrap_or(0);
            start = output.last_evaluated_key;
            if start.is_none() || limit.is_some_and(|limit| count > limit) {
                return Ok(count);
            }
        }
    }

    async fn places(
        &self,
        list: &str,
        before: Option<&str>,
        wanted: usize,
    ) -> Result<Vec<String>, StoreError> {
        let items = self.table.page_before(list, before, wanted).await?;
        let place = |item: &Item| item.get(keys::SK)?.as_s().ok().cloned();
        Ok(items.iter().filter_map(place).collect())
    }
}
