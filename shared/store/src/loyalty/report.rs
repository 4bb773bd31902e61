//! The report of all customers' points: adds their entries to the figures of days.
//!
//! **Invariant:** an entry is added once: the number of the last one that was added is raised in the transaction that
//! adds it. Entries are added in the order of their numbers, without gaps.

use super::Loyalty;
use crate::engine::attr::{Item, Reader, number, text};
use crate::engine::due::{DuePage, DueWork, Place};
use crate::engine::error::StoreError;
use crate::engine::read::read_error;
use crate::engine::retry::Certain;
use crate::engine::write::change;
use crate::keys::{self, DueKind};
use crate::ledger::items::{account, entry};
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use domain::ids::{AccountRef, CustomerId};
use domain::ledger::account::Account;
use domain::ledger::entry::Entry;
use domain::loyalty::figures::{Figure, PointsFigures, Sum, by_day};
use domain::money::Money;
use domain::time::{Date, Timestamp, parse_date};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// The most entries that are read at once.
const PAGE: i32 = 200;

/// The most days of a customer that one transaction adds.
const DAYS: usize = 20;

/// Begins the names of what a campaign's purchases earned, in points and in money.
const CAMPAIGN: [&str; 2] = ["cp_", "cv_"];

/// The days of customers that are to be added to the report.
#[derive(Clone, Debug)]
pub struct PointDays<'a>(pub &'a Loyalty);

impl DueWork for PointDays<'_> {
    type Item = CustomerId;

    async fn due(&self, page: DuePage<'_>) -> Result<Vec<(CustomerId, Place)>, StoreError> {
        let found = self.0.table.due(DueKind::PointDays, page).await?;
        Ok(found.into_iter().filter_map(|(pk, at)| Some((keys::unreported_of(&pk)?, at))).collect())
    }

    /// Postpones the days of a customer.
    async fn postpone(&self, user: &CustomerId, until: Timestamp) -> Result<(), StoreError> {
        for day in self.0.unreported_days(user).await? {
            self.0.table.postpone(keys::unreported(user, day), until).await?;
        }
        Ok(())
    }
}

/// Up to which entry a customer's points are in the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reported {
    seq: u64,
    pending: Money,
}

fn reported(item: Option<&Item>) -> Result<Reported, StoreError> {
    let Some(item) = item else { return Ok(Reported::default()) };
    let reader = Reader::new(item, "number of the last reported entry");
    Ok(Reported { seq: reader.count("folded")?, pending: reader.money("pending")? })
}

/// Reads the number of a customer's last entry that is in the report.
pub(crate) fn reported_from_item(item: &Item) -> Result<u64, StoreError> {
    reported(Some(item)).map(|reported| reported.seq)
}

/// Returns the entries of the days before `today` that follow the number without a gap, of so many days as one transaction
/// can add.
fn next_days(page: &[Entry], after: u64, today: Date) -> Vec<Entry> {
    let mut days = BTreeSet::new();
    let follows = |(next, entry): &(u64, &Entry)| {
        days.insert(entry.at.date());
        entry.seq == *next && entry.at.date() < today && days.len() <= DAYS
    };
    (after + 1..).zip(page).take_while(follows).map(|(_, entry)| entry.clone()).collect()
}

fn names(figure: Figure) -> [String; 2] {
    [format!("p_{}", figure.as_str()), format!("v_{}", figure.as_str())]
}

/// Reads the figures of a day from its item.
pub(crate) fn figures_from_item(item: &Item) -> Result<(Date, PointsFigures), StoreError> {
    let reader = Reader::new(item, "figures of a day");
    let decimal = |name: &str| -> Result<Decimal, StoreError> {
        let value = item.get(name).map(|value| value.as_n().ok().and_then(|text| text.parse().ok()));
        value.unwrap_or(Some(Decimal::ZERO)).ok_or_else(|| reader.corrupt(name))
    };
    let mut figures = PointsFigures::default();
    for figure in Figure::ALL {
        let [points, value] = names(figure);
        figures.add(figure, Sum { points: decimal(&points)?, value: decimal(&value)? });
    }
    for name in reader.names() {
        if let Some(campaign) = name.strip_prefix(CAMPAIGN[0]) {
            let value = decimal(&format!("{}{campaign}", CAMPAIGN[1]))?;
            figures.add_campaign(campaign, Sum { points: decimal(name)?, value });
        }
    }
    Ok((reader.parse(keys::SK, parse_date)?, figures))
}

impl Loyalty {
    async fn unreported_days(&self, user: &CustomerId) -> Result<Vec<Date>, StoreError> {
        let items = self.table.partition(&keys::unreported_days(user), "").await?;
        let day = |item: &Item| parse_date(item.get(keys::SK)?.as_s().ok()?).ok();
        Ok(items.iter().filter_map(day).collect())
    }

    /// Reads entries that follow a number, oldest first, from the index.
    async fn entries_after(&self, user: &CustomerId, seq: u64) -> Result<Vec<Entry>, StoreError> {
        let output = self
            .table
            .with_retry(|| async {
                let query = self
                    .table
                    .client
                    .query()
                    .table_name(&self.table.name)
                    .index_name(keys::BY_ACCOUNT)
                    .key_condition_expression("pk = :pk AND hs > :after")
                    .expression_attribute_values(
                        ":pk",
                        text(keys::entry_partition(&AccountRef::points(user))),
                    )
                    .expression_attribute_values(":after", text(keys::history(seq)))
                    .limit(PAGE)
                    .set_return_consumed_capacity(self.table.capacity_report());
                query.send().await.map_err(|error| read_error(&error))
            })
            .await?;
        if let Some(meter) = &self.table.meter {
            meter.read(output.consumed_capacity.as_slice());
        }
        output.items.unwrap_or_default().iter().map(entry::from_item).collect()
    }

    /// Adds a customer's entries of the days before `today` to the report, and removes those days from the list.
    pub async fn report_days(&self, user: &CustomerId, today: Date) -> Result<(), StoreError> {
        let mut retry = self.table.retry();
        loop {
            let wanted = [keys::account(&AccountRef::points(user)), keys::reported(user)];
            let found = self.table.with_retry(|| self.table.batch(&wanted)).await?;
            let Some(stored) = found.get(&wanted[0]).map(account::from_item).transpose()? else {
                return Ok(());
            };
            let was = reported(found.get(&wanted[1]))?;
            let page = if stored.seq > was.seq { self.entries_after(user, was.seq).await? } else { vec![] };
            let entries = next_days(&page, was.seq, today);
            let writes = match entries.last() {
                Some(last) => self.additions(user, was, (&entries, last))?,
                // The index may lag.
                None if stored.seq > was.seq && page.first().is_none_or(|first| first.seq > was.seq + 1) => {
                    vec![]
                }
                None => {
                    let writes = self.removals(user, &stored, today).await?;
                    if writes.is_empty() {
                        return Ok(());
                    }
                    writes
                }
            };
            let is_sent = !writes.is_empty()
                && match retry.settled(self.table.transact(writes).await?).await? {
                    Some(Certain::Done(_)) | None => true,
                    // Others have moved points or added them: decide on that.
                    Some(Certain::Refused(_)) => false,
                };
            if !is_sent && !retry.backoff().await {
                let what = "the points keep moving, or the index of entries lags";
                return Err(retry.certain(StoreError::Contention(what.to_owned())));
            }
        }
    }

    /// Returns the writes that add entries to their days. A send that was applied unseen is refused when it is repeated.
    fn additions(
        &self,
        user: &CustomerId,
        was: Reported,
        (entries, last): (&[Entry], &Entry),
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let mut days = BTreeMap::new();
        let pending = by_day(entries, was.pending, &mut days);
        let mut writes = vec![self.raise(user, was, Reported { seq: last.seq, pending })?];
        for (day, figures) in days.iter().filter(|(_, figures)| !figures.is_empty()) {
            writes.push(self.add_figures(user, *day, figures)?);
        }
        Ok(writes)
    }

    /// Returns the writes that remove days that are over from the list, unless points have moved since they were read:
    /// an entry may be written after its day.
    async fn removals(
        &self,
        user: &CustomerId,
        stored: &Account,
        today: Date,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let mut writes = vec![];
        for day in self.unreported_days(user).await?.into_iter().filter(|day| *day < today).take(99) {
            writes.push(self.table.any_delete(&keys::unreported(user, day))?);
        }
        if !writes.is_empty() {
            writes.push(self.table.unchanged(&keys::account(&stored.id), stored.version)?);
        }
        Ok(writes)
    }

    fn raise(&self, user: &CustomerId, was: Reported, to: Reported) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table.name)
            .set_key(Some(keys::reported(user).attributes()))
            .update_expression("SET folded = :to, pending = :pending")
            .expression_attribute_values(":to", number(to.seq))
            .expression_attribute_values(":pending", number(to.pending));
        let update = if was.seq == 0 {
            update.condition_expression("attribute_not_exists(pk)")
        } else {
            update.condition_expression("folded = :was").expression_attribute_values(":was", number(was.seq))
        };
        Ok(change(update.build().map_err(StoreError::built)?))
    }

    fn add_figures(
        &self,
        user: &CustomerId,
        day: Date,
        figures: &PointsFigures,
    ) -> Result<TransactWriteItem, StoreError> {
        let mut added: Vec<(String, Decimal)> = vec![];
        for figure in Figure::ALL {
            let (sum, [points, value]) = (figures.of(figure), names(figure));
            added.extend([(points, sum.points), (value, sum.value)]);
        }
        for (campaign, sum) in &figures.campaigns {
            let [points, value] = CAMPAIGN.map(|prefix| format!("{prefix}{campaign}"));
            added.extend([(points, sum.points), (value, sum.value)]);
        }
        let mut update = Update::builder()
            .table_name(&self.table.name)
            .set_key(Some(keys::report_day(user, day).attributes()));
        let mut parts = vec![];
        for (at, (name, sum)) in added.into_iter().filter(|(_, sum)| !sum.is_zero()).enumerate() {
            parts.push(format!("#a{at} :a{at}"));
            update = update.expression_attribute_names(format!("#a{at}"), name).expression_attribute_values(
                format!(":a{at}"),
                AttributeValue::N(sum.normalize().to_string()),
            );
        }
        let update = update.update_expression(format!("ADD {}", parts.join(", ")));
        Ok(change(update.build().map_err(StoreError::built)?))
    }

    /// Reads the figures of all days through `to`, summed over all customers.
    pub async fn report(&self, to: Date) -> Result<BTreeMap<Date, PointsFigures>, StoreError> {
        let partitions: Vec<String> = (0..keys::REPORT_SHARDS).map(keys::report).collect();
        let reads = partitions.iter().map(|partition| self.table.partition(partition, ""));
        let mut days: BTreeMap<Date, PointsFigures> = BTreeMap::new();
        for item in futures::future::try_join_all(reads).await?.into_iter().flatten() {
            let (day, figures) = figures_from_item(&item)?;
            if day <= to {
                days.entry(day).or_default().add_all(&figures);
            }
        }
        Ok(days)
    }

    /// Returns the date through which the report is complete.
    pub async fn report_through(&self) -> Result<Option<Date>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::report_through())).await?;
        let through = item.map(|item| Reader::new(&item, "end of the report").maybe("through", parse_date));
        Ok(through.transpose()?.flatten())
    }

    /// Stores the date through which the report is complete, unless customers are left that could not be added, or a later
    /// date is stored.
    pub async fn set_report_through(&self, through: Date, now: Timestamp) -> Result<(), StoreError> {
        let set = |update: UpdateItemFluentBuilder| {
            update
                .update_expression("SET #through = :through REMOVE blocked_until")
                .condition_expression(
                    "(attribute_not_exists(blocked_until) OR blocked_until <= :now) \
                     AND (attribute_not_exists(#through) OR #through < :through)",
                )
                .expression_attribute_names("#through", "through")
                .expression_attribute_values(":through", text(through))
                .expression_attribute_values(":now", text(now))
        };
        self.table.until_sent(&keys::report_through(), set).await.map(|_| ())
    }

    /// Records until when the report cannot be complete, because customers who could not be added are postponed.
    pub async fn block_report_through(&self, until: Timestamp) -> Result<(), StoreError> {
        let block = |update: UpdateItemFluentBuilder| {
            update
                .update_expression("SET blocked_until = :until")
                .expression_attribute_values(":until", text(until))
        };
        self.table.until_sent(&keys::report_through(), block).await.map(|_| ())
    }
}
