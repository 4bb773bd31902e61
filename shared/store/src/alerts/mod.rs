//! Alerts: telling, closing, acknowledging and listing them.
//!
//! **Invariant:** an alert stands in one of two lists, open or closed, by the instant it was opened; what is shown of it
//! is read from the alert itself.
//! **Invariant:** telling never fails what it is told about: its own trouble is logged.

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

/// How often a change of an alert is tried before it is left.
const MAX_TRIES: u8 = 4;

/// How often one process tells the same within a few seconds: an alert is one item, and a storm must not hold up others.
const MAX_RAISES: u32 = 20;

/// The lists of alerts.
const OPEN: &str = "L#a:open";
const CLOSED: &str = "L#a:closed";

/// Up to how many matches of a filter are counted.
const MAX_COUNTED: u64 = 1_000;

/// Alerts.
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

/// Some alerts, and where to go on.
#[derive(Debug)]
pub struct AlertPage {
    /// Newest first.
    pub alerts: Vec<Alert>,
    /// The place of the last, if there may be older ones.
    pub next: Option<String>,
    /// How many there are in all, where that is known.
    pub total: Option<u64>,
}

impl Alerts {
    /// Tells something; gives true if that opened an alert.
    pub async fn raise(&self, new_alert: &NewAlert, now: Timestamp) -> bool {
        if !self.recent.count(new_alert.id(), MAX_RAISES) {
            return false;
        }
        match self.try_raise(new_alert, now).await {
            Ok(opened) => opened,
            Err(error) => {
                tracing::error!(kind = new_alert.kind, subject = new_alert.subject, %error, "an alert cannot be told");
                false
            }
        }
    }

    async fn try_raise(&self, new_alert: &NewAlert, now: Timestamp) -> Result<bool, StoreError> {
        for _ in 0..MAX_TRIES {
            let known = self.alert(&new_alert.id()).await?;
            let alert = Alert::raised(known.as_ref(), new_alert, now);
            let opens = known.as_ref().is_none_or(|alert| alert.closed_at.is_some());
            if self.rewrite_alert(known.as_ref(), &alert).await? {
                if opens {
                    tracing::warn!(kind = new_alert.kind, subject = new_alert.subject, "alert");
                }
                return Ok(opens);
            }
        }
        // It is open, and told by others at this moment: only the count misses this once.
        match self.alert(&new_alert.id()).await? {
            Some(alert) if alert.closed_at.is_none() => Ok(false),
            Some(_) | None => Err(StoreError::Contention("the alert is being told by others".to_owned())),
        }
    }

    /// Closes an alert, if it is open: what it is about is over.
    pub async fn close_alert(&self, id: &AlertId, now: Timestamp) -> Result<bool, StoreError> {
        for _ in 0..MAX_TRIES {
            let Some(known) = self.alert(id).await?.filter(|alert| alert.closed_at.is_none()) else {
                return Ok(false);
            };
            let closed = Alert { closed_at: Some(now), updated_at: now, ..known.clone() };
            if self.rewrite_alert(Some(&known), &closed).await? {
                self.recent.invalidate(id);
                return Ok(true);
            }
        }
        Err(StoreError::Contention("the alert is being changed by others".to_owned()))
    }

    /// Notes that someone looks after an alert.
    pub async fn acknowledge_alert(
        &self,
        id: &AlertId,
        who: &str,
        now: Timestamp,
    ) -> Result<Alert, StoreError> {
        for _ in 0..MAX_TRIES {
            let known = self.alert(id).await?.ok_or(Rejection::AlertNotFound)?;
            if known.acknowledged.is_some() || known.closed_at.is_some() {
                return Ok(known);
            }
            let alert = Alert { acknowledged: Some((who.to_owned(), now)), updated_at: now, ..known.clone() };
            if self.rewrite_alert(Some(&known), &alert).await? {
                return Ok(alert);
            }
        }
        Err(StoreError::Contention("the alert is being changed by others".to_owned()))
    }

    /// An alert.
    pub async fn alert(&self, id: &AlertId) -> Result<Option<Alert>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::alert(id))).await?;
        item.map(|item| alert::from_item(&item)).transpose()
    }

    /// Alerts of a status, or all, older than a place, newest first, after passing over `skip`.
    pub async fn alerts(
        &self,
        status: Option<AlertStatus>,
        before: Option<&str>,
        page: PageRange,
    ) -> Result<AlertPage, StoreError> {
        // Open ones are few, and told apart by whether someone looks after them; closed ones stay for good.
        let (open, closed) =
            (status != Some(AlertStatus::Closed), matches!(status, None | Some(AlertStatus::Closed)));
        let wanted = usize::from(page.skip) + usize::from(page.limit) + 1;
        let mut places = Vec::new();
        if open {
            let items = self.table.partition(OPEN, "").await?;
            let place = |item: &Item| item.get(keys::SK)?.as_s().ok().cloned();
            places.extend(items.iter().filter_map(place));
        }
        let mut total = if closed { self.count_closed(status.is_some()).await? } else { Some(0) };
        let open = self.alerts_at(&places).await?.into_iter();
        let open: Vec<Alert> =
            open.filter(|alert| status.is_none_or(|status| alert.status() == status)).collect();
        total = total.and_then(|closed| closed.checked_add(u64::try_from(open.len()).ok()?));
        let place = |alert: &Alert| format!("{}#{}", alert.opened_at, alert.id);
        let mut alerts = open;
        alerts.retain(|alert| before.is_none_or(|before| place(alert).as_str() < before));
        if closed {
            let places = self.newest_closed(before, wanted).await?;
            alerts.extend(self.alerts_at(&places).await?);
        }
        alerts.sort_by_key(|alert| std::cmp::Reverse(place(alert)));
        // One that was closed meanwhile stands in both lists.
        alerts.dedup_by_key(|alert| alert.id.clone());
        let mut alerts = alerts.split_off(usize::from(page.skip).min(alerts.len()));
        let more = alerts.len() > usize::from(page.limit);
        alerts.truncate(usize::from(page.limit));
        let next = alerts.last().filter(|_| more).map(place);
        Ok(AlertPage { alerts, next, total })
    }

    /// The alerts of these places.
    async fn alerts_at(&self, places: &[String]) -> Result<Vec<Alert>, StoreError> {
        let id = |place: &String| Some(AlertId::stored(place.split_once('#')?.1));
        let wanted: Vec<Key> = places.iter().filter_map(id).map(|id| keys::alert(&id)).collect();
        let found = self.table.with_retry(|| self.table.batch(&wanted)).await?;
        wanted.iter().filter_map(|key| found.get(key)).map(alert::from_item).collect()
    }

    /// How many alerts are closed; of many, only if all are wanted.
    async fn count_closed(&self, filtered: bool) -> Result<Option<u64>, StoreError> {
        let (mut count, mut start) = (0, None);
        loop {
            let from = start.clone();
            let read = || async {
                let query = self.table.client.query().table_name(&self.table.name).select(Select::Count);
                let query = query.key_condition_expression("pk = :list");
                let query = query.expression_attribute_values(":list", text(CLOSED));
                query.set_exclusive_start_key(from.clone()).send().await.map_err(|error| read_error(&error))
            };
            let output = self.table.with_retry(read).await?;
            count += u64::try_from(output.count).unwrap_or(0);
            start = output.last_evaluated_key;
            if filtered && count > MAX_COUNTED {
                return Ok(None);
            }
            if start.is_none() {
                return Ok(Some(count));
            }
        }
    }

    /// The places of the newest closed alerts before a place.
    async fn newest_closed(&self, before: Option<&str>, wanted: usize) -> Result<Vec<String>, StoreError> {
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
                    .scan_index_forward(false)
                    .limit(left);
                let query = query.key_condition_expression("pk = :list AND sk < :before");
                let query = query.expression_attribute_values(":list", text(CLOSED));
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

    /// Writes an alert in place of the known one, and its place in the list; false if it has changed meanwhile.
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
            Sent::Refused(_) | Sent::Busy(_) | Sent::Unknown(_) => Ok(false),
        }
    }
}
