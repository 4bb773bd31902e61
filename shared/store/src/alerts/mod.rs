//! Alerts: raising, closing, acknowledging and listing them.
//!
//! **Invariant:** an alert is in one of two lists, open or closed, ordered by the instant it was
//! opened; its content is read from the alert's own item.
//! **Invariant:** raising an alert never fails the operation that raises it; its own errors are
//! logged.

pub(crate) mod items;

use crate::alerts::items::alert;
use crate::engine::attr::{Item, text};
use crate::engine::cache::TtlCache;
use crate::engine::error::StoreError;
use crate::engine::read::{PageRange, read_error};
use crate::engine::sent::Sent;
use crate::engine::table::Table;
use crate::keys::{self, Key};
use aws_sdk_dynamodb::types::{AttributeValue, Put, Select, TransactWriteItem};
use domain::alert::{Alert, AlertListing, AlertStatus, NewAlert};
use domain::ids::AlertId;
use domain::rejection::Rejection;
use domain::time::Timestamp;
use std::sync::Arc;

/// Number of tries to write a change of an alert.
const MAX_TRIES: u8 = 4;

/// Maximum number of times that one process raises the same alert within a few seconds. An alert is
/// one item, and a burst must not slow down the operations that raise it.
const MAX_RAISES: u32 = 20;

/// Partitions that list the alerts.
const OPEN: &str = "L#a:open";
const CLOSED: &str = "L#a:closed";

/// Number of matches of a filter up to which they are counted.
const MAX_COUNTED: u64 = 1_000;

/// Number of open alerts among which one request searches for those of one status.
const MAX_SEARCHED: usize = 1_000;

/// Alerts for operators.
#[derive(Clone, Debug)]
pub struct Alerts {
    table: Table,
    recent: Arc<TtlCache<AlertId, u32>>,
}

impl Alerts {
    pub(crate) fn new(table: Table) -> Self {
        Self { table, recent: Arc::default() }
    }

    pub(crate) fn over(self, table: Table) -> Self {
        Self { table, ..self }
    }
}

/// Page of alerts.
#[derive(Debug)]
pub struct AlertPage {
    /// Newest first.
    pub alerts: Vec<Alert>,
    /// Place of the last alert, if there may be older ones.
    pub next: Option<String>,
    /// Number of matching alerts; None if there are too many to count.
    pub total: Option<u64>,
}

impl Alerts {
    /// Raises an alert: opens it, or counts it up if it is open or was until a moment ago. Returns true
    /// if it was opened anew.
    pub async fn raise(&self, new_alert: &NewAlert, now: Timestamp) -> bool {
        if !self.recent.count(new_alert.id(), MAX_RAISES) {
            return false;
        }
        match self.try_raise(new_alert, now).await {
            Ok(opened) => opened,
            Err(error) => {
                tracing::error!(kind = new_alert.kind, subject = new_alert.subject, %error, "an alert cannot be raised");
                false
            }
        }
    }

    /// Raises an alert like [`Alerts::raise`], and says if that failed.
    pub async fn try_raise(&self, new_alert: &NewAlert, now: Timestamp) -> Result<bool, StoreError> {
        for _ in 0..MAX_TRIES {
            let known = self.alert(&new_alert.id()).await?;
            let alert = Alert::raised(known.as_ref(), new_alert, now);
            let opens = known.as_ref().is_none_or(|alert| alert.has_ended(now));
            if self.rewrite_alert(known.as_ref(), &alert).await? {
                if opens {
                    tracing::warn!(kind = new_alert.kind, subject = new_alert.subject, "alert");
                }
                return Ok(opens);
            }
        }
        // The alert is open and concurrent requests are raising it; only this occurrence is not
        // counted.
        match self.alert(&new_alert.id()).await? {
            Some(alert) if alert.closed_at.is_none() => Ok(false),
            Some(_) | None => Err(StoreError::Contention("the alert is raised concurrently".to_owned())),
        }
    }

    /// Records that a check found the situation of an alert over, which closes the alert if the check
    /// before found the same. Returns true if it was closed.
    pub async fn found_over(&self, id: &AlertId, now: Timestamp) -> Result<bool, StoreError> {
        self.end(id, now, Alert::found_over).await
    }

    /// Closes an open alert whose problem is resolved for certain. Returns false if it was not open.
    pub async fn close_alert(&self, id: &AlertId, now: Timestamp) -> Result<bool, StoreError> {
        self.end(id, now, Alert::closed).await
    }

    /// Replaces an open alert by what `change` makes of it; returns true if that is closed.
    async fn end(
        &self,
        id: &AlertId,
        now: Timestamp,
        change: fn(&Alert, Timestamp) -> Alert,
    ) -> Result<bool, StoreError> {
        let mut tried = false;
        for _ in 0..MAX_TRIES {
            // A try before may have closed it.
            let read =
                self.alert(id).await.map_err(|error| if tried { error.after_effect() } else { error })?;
            tried = true;
            let Some(known) = read.filter(|alert| alert.closed_at.is_none()) else {
                return Ok(false);
            };
            let changed = change(&known, now);
            if changed == known {
                return Ok(false);
            }
            if self.rewrite_alert(Some(&known), &changed).await? {
                self.recent.invalidate(id);
                return Ok(changed.closed_at.is_some());
            }
        }
        Err(StoreError::Contention("the alert is changed concurrently".to_owned()))
    }

    /// Records that an operator handles an open alert; an earlier acknowledgement is kept.
    pub async fn acknowledge_alert(
        &self,
        id: &AlertId,
        who: &str,
        now: Timestamp,
    ) -> Result<Alert, StoreError> {
        let mut tried = false;
        for _ in 0..MAX_TRIES {
            // A try before may have acknowledged it.
            let read =
                self.alert(id).await.map_err(|error| if tried { error.after_effect() } else { error })?;
            tried = true;
            let known = read.ok_or(Rejection::AlertNotFound)?;
            if known.acknowledged.is_some() || known.closed_at.is_some() {
                return Ok(known);
            }
            let alert = Alert { acknowledged: Some((who.to_owned(), now)), updated_at: now, ..known.clone() };
            if self.rewrite_alert(Some(&known), &alert).await? {
                return Ok(alert);
            }
        }
        Err(StoreError::Contention("the alert is changed concurrently".to_owned()))
    }

    /// Reads an alert.
    pub async fn alert(&self, id: &AlertId) -> Result<Option<Alert>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::alert(id))).await?;
        item.map(|item| alert::from_item(&item)).transpose()
    }

    /// Returns the alerts that are not closed after a place in their list, oldest first, and the place from
    /// which to continue.
    pub async fn open_alerts(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Alert>, Option<String>), StoreError> {
        let items = self.table.partition_page(OPEN, after, limit).await?;
        let place = |item: &Item| item.get(keys::SK)?.as_s().ok().cloned();
        let places: Vec<String> = items.iter().filter_map(place).collect();
        let next = places.last().filter(|_| places.len() >= limit).cloned();
        Ok((self.alerts_at(&places).await?, next))
    }

    /// Returns alerts of a status, or all, that are older than the place `before`, newest first. Among very
    /// many open alerts, those of one status are searched for in steps: a page may then have fewer than
    /// `limit` alerts, and a place from which to continue. Nothing older than that place is on the page, and
    /// nothing newer is left out; of `page.skip`, what was not used is lost there.
    pub async fn alerts(
        &self,
        status: Option<AlertStatus>,
        before: Option<&str>,
        page: PageRange,
    ) -> Result<AlertPage, StoreError> {
        let (open, closed) =
            (status != Some(AlertStatus::Closed), matches!(status, None | Some(AlertStatus::Closed)));
        let wanted = usize::from(page.skip) + usize::from(page.limit) + 1;
        let (mut alerts, mut end) = (vec![], None);
        if open {
            // Open and acknowledged alerts are in one list.
            let most = if status.is_none() { wanted } else { wanted.max(MAX_SEARCHED) };
            let places = self.newest(OPEN, before, most).await?;
            // Older alerts than these have not been read, so none of the closed ones is shown either.
            end = places.last().filter(|_| places.len() >= most).cloned();
            alerts = self.alerts_at(&places).await?;
            alerts.retain(|alert| status.is_none_or(|status| alert.status() == status));
        }
        if closed {
            let places = self.newest(CLOSED, before, wanted).await?;
            alerts.extend(self.alerts_at(&places).await?);
        }
        let total = self.total(status, before, end.as_ref(), &alerts).await?;
        let place = |alert: &Alert| format!("{}#{}", alert.opened_at, alert.id);
        alerts.retain(|alert| end.as_ref().is_none_or(|end| place(alert) >= *end));
        alerts.sort_by_key(|alert| std::cmp::Reverse(place(alert)));
        // An alert that was closed between the two reads is in both lists.
        alerts.dedup_by_key(|alert| alert.id.clone());
        let more = alerts.len() >= wanted;
        alerts.truncate(wanted - 1);
        let next = if more { alerts.last().map(place) } else { end };
        let alerts = alerts.split_off(usize::from(page.skip).min(alerts.len()));
        Ok(AlertPage { alerts, next, total })
    }

    /// Returns the number of alerts of a status, or of all; None if a status has too many to count. On a
    /// first page, `found` are the matches among the alerts down to `end`.
    async fn total(
        &self,
        status: Option<AlertStatus>,
        before: Option<&str>,
        end: Option<&String>,
        found: &[Alert],
    ) -> Result<Option<u64>, StoreError> {
        match status {
            None => {
                let (open, closed) = (self.count(OPEN, None).await?, self.count(CLOSED, None).await?);
                Ok(open.zip(closed).and_then(|(open, closed)| open.checked_add(closed)))
            }
            Some(AlertStatus::Closed) => self.count(CLOSED, Some(MAX_COUNTED)).await,
            Some(_) if before.is_none() && end.is_none() => Ok(u64::try_from(found.len()).ok()),
            Some(status) => {
                let places = self.newest(OPEN, None, MAX_SEARCHED).await?;
                if places.len() >= MAX_SEARCHED {
                    return Ok(None);
                }
                let all = self.alerts_at(&places).await?;
                Ok(u64::try_from(all.iter().filter(|alert| alert.status() == status).count()).ok())
            }
        }
    }

    /// Reads the alerts at these places.
    async fn alerts_at(&self, places: &[String]) -> Result<Vec<Alert>, StoreError> {
        let id = |place: &String| Some(AlertId::stored(place.split_once('#')?.1));
        let wanted: Vec<Key> = places.iter().filter_map(id).map(|id| keys::alert(&id)).collect();
        let found = self.table.with_retry(|| self.table.batch(&wanted)).await?;
        wanted.iter().filter_map(|key| found.get(key)).map(alert::from_item).collect()
    }

    /// Counts the alerts of a list; returns None above `most`.
    async fn count(&self, list: &str, most: Option<u64>) -> Result<Option<u64>, StoreError> {
        let (mut count, mut start) = (0, None);
        loop {
            let from = start.clone();
            let read = || async {
                let query = self.table.client.query().table_name(&self.table.name).select(Select::Count);
                let query = query.key_condition_expression("pk = :list");
                let query = query.expression_attribute_values(":list", text(list));
                query.set_exclusive_start_key(from.clone()).send().await.map_err(|error| read_error(&error))
            };
            let output = self.table.with_retry(read).await?;
            count += u64::try_from(output.count).unwrap_or(0);
            start = output.last_evaluated_key;
            if most.is_some_and(|most| count > most) {
                return Ok(None);
            }
            if start.is_none() {
                return Ok(Some(count));
            }
        }
    }

    /// Returns the newest places of a list before a place.
    async fn newest(
        &self,
        list: &str,
        before: Option<&str>,
        wanted: usize,
    ) -> Result<Vec<String>, StoreError> {
        let (mut places, mut start) = (Vec::new(), None);
        loop {
            let from = start.clone();
            let left = i32::try_from(wanted.saturating_sub(places.len())).unwrap_or(i32::MAX);
            let read = || async {
                let query = self
                    .table
                    .client
                    .query()
                    .table_name(&self.table.name)
                    .consistent_read(true)
                    .scan_index_forward(false)
                    .limit(left);
                let query = query.key_condition_expression("pk = :list AND sk < :before");
                let query = query.expression_attribute_values(":list", text(list));
                let query = query.expression_attribute_values(":before", text(before.unwrap_or("~")));
                query.set_exclusive_start_key(from.clone()).send().await.map_err(|error| read_error(&error))
            };
            let output = self.table.with_retry(read).await?;
            let place = |item: Item| item.get(keys::SK)?.as_s().ok().cloned();
            places.extend(output.items.unwrap_or_default().into_iter().filter_map(place));
            start = output.last_evaluated_key;
            if start.is_none() || places.len() >= wanted {
                return Ok(places);
            }
        }
    }

    /// Replaces the alert `was` by `is` and updates its place in the lists. Returns false if the
    /// alert has changed since it was read, or if the outcome is not certain.
    async fn rewrite_alert(&self, was: Option<&Alert>, is: &Alert) -> Result<bool, StoreError> {
        let mut put = Put::builder().table_name(&self.table.name).set_item(Some(alert::to_item(is)));
        put = match was {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(was) => put
                .condition_expression("updated_at = :was AND #count = :count")
                .expression_attribute_names("#count", "count")
                .expression_attribute_values(":was", AttributeValue::S(was.updated_at.to_string()))
                .expression_attribute_values(":count", AttributeValue::N(was.count.to_string())),
        };
        let mut writes =
            vec![TransactWriteItem::builder().put(put.build().map_err(StoreError::built)?).build()];
        let place = |alert: &Alert| {
            let (id, open) = (alert.id.clone(), alert.closed_at.is_none());
            keys::listed_alert(&AlertListing { id, open, at: alert.opened_at })
        };
        let (old, new) = (was.map(place), place(is));
        if old.as_ref() != Some(&new) {
            writes.push(self.table.any_put(new.attributes())?);
            if let Some(old) = old {
                writes.push(self.table.any_delete(&old)?);
            }
        }
        match self.table.transact(writes).await? {
            Sent::Done(_) => Ok(true),
            Sent::Refused(_) | Sent::Busy(_) | Sent::Unsent(_) | Sent::Unknown(_) => Ok(false),
        }
    }
}
