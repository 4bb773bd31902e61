//! Sum of what a campaign has spent of its client's credit, computed from the client's entries.
//!
//! **Invariant:** the entries are authoritative. The cached sum covers entries up to an instant
//! before which no new entry can be dated, so it only saves reads.
//! **Invariant:** the entries are read in steps of bounded size, and the sum is cached after each
//! step, so an interrupted computation is not lost.

use super::Budgets;
use crate::engine::attr::{Reader, number, text};
use crate::engine::error::StoreError;
use crate::engine::read::read_error;
use crate::engine::sent::Sent;
use crate::keys;
use domain::budget::BudgetAccount;
use domain::ids::budget::AccountId;
use domain::money::Money;
use domain::time::{Period, Timestamp};

/// Age in minutes at which no new entry can appear: an entry is dated when its request began, and
/// clocks differ by at most five minutes.
pub(super) const SETTLED_MINUTES: u32 = 15;

/// Number of entries that must have been read for the sum to be worth caching.
const MIN_ENTRIES_TO_RECORD: usize = 50;

/// Seconds that the clock of another machine may be ahead when it dates an entry.
const AHEAD_SECONDS: u32 = 3_600;

/// Number of pages of a partition that one step reads; a page has up to one megabyte.
const MAX_PAGES: usize = 4;

/// Spends of a campaign in one partition, from an instant on.
#[derive(Default)]
struct Part {
    spends: Vec<(Timestamp, Money)>,
    /// Number of entries that were read, of any campaign.
    passed: usize,
    /// Instant before which everything has been read, if there is more.
    upto: Option<Timestamp>,
}

impl Budgets {
    /// Returns what a campaign has spent of its client's credit until now.
    pub async fn spent_of_client(
        &self,
        campaign: &BudgetAccount,
        now: Timestamp,
    ) -> Result<Money, StoreError> {
        let Some(client) = campaign.parent.as_ref().filter(|_| campaign.was_shared) else {
            return Ok(Money::ZERO);
        };
        let began = campaign.created_at.minus_minutes(SETTLED_MINUTES);
        let (mut from, mut spent) = self.spent_note(&campaign.id).await?.unwrap_or((began, Money::ZERO));
        let settled = now.minus_minutes(SETTLED_MINUTES);
        let until = now.plus_seconds(AHEAD_SECONDS).unwrap_or(now);
        loop {
            let partitions = keys::budget_partitions(client).into_iter();
            let read = |partition| self.spends_in(partition, &campaign.id, Period { from, until });
            let parts: Vec<Part> = futures::future::try_join_all(partitions.map(read)).await?;
            // Every partition has been read up to this instant.
            let upto = parts.iter().filter_map(|part| part.upto).min();
            let note = upto.map_or(settled, |upto| upto.min(settled));
            let sum = |wanted: &dyn Fn(Timestamp) -> bool| {
                let spends = parts.iter().flat_map(|part| &part.spends);
                spends.filter(|(at, _)| wanted(*at)).map(|(_, amount)| *amount).sum::<Money>()
            };
            let earlier: Money = [spent, sum(&|at| at < note)].into_iter().sum();
            if parts.iter().map(|part| part.passed).sum::<usize>() >= MIN_ENTRIES_TO_RECORD && note > from {
                self.record_spent(&campaign.id, note, earlier).await;
            }
            match upto {
                Some(upto) if upto > from => {
                    let more = sum(&|at| at >= note && at < upto);
                    (from, spent) = (upto, [earlier, more].into_iter().sum());
                }
                // More entries within one millisecond than one step reads.
                Some(_) => {
                    return Err(StoreError::Unavailable("too many entries in one millisecond".to_owned()));
                }
                None => return Ok([earlier, sum(&|at| at >= note)].into_iter().sum()),
            }
        }
    }

    /// Reads what a campaign has spent in one of its client's partitions.
    async fn spends_in(
        &self,
        partition: String,
        campaign: &AccountId,
        period: Period,
    ) -> Result<Part, StoreError> {
        let (mut part, mut start) = (Part::default(), None);
        for _ in 0..MAX_PAGES {
            let at = start.clone();
            let output = self
                .table
                .with_retry(|| async {
                    let query = self
                        .by_account(&partition, &period.from, &period.until)
                        .filter_expression("campaign_id = :campaign")
                        .projection_expression("amount, created_at")
                        .expression_attribute_values(":campaign", text(campaign))
                        .set_exclusive_start_key(at.clone());
                    query.send().await.map_err(|error| read_error(&error))
                })
                .await?;
            part.passed += usize::try_from(output.scanned_count).unwrap_or(0);
            for item in output.items.unwrap_or_default() {
                let read = Reader::new(&item, "budget entry");
                part.spends.push((read.instant("created_at")?, read.money("amount")?));
            }
            let Some(last) = output.last_evaluated_key else { return Ok(part) };
            // The place in the index begins with the instant.
            let read = Reader::new(&last, "key in by_account");
            let place = read.text(keys::HISTORY_SK)?.split('#').next().unwrap_or_default();
            part.upto = Some(Timestamp::parse(place).map_err(|_| read.corrupt(keys::HISTORY_SK))?);
            start = Some(last);
        }
        Ok(part)
    }

    /// Reads the cached sum, and the instant up to which it was computed.
    async fn spent_note(&self, campaign: &AccountId) -> Result<Option<(Timestamp, Money)>, StoreError> {
        let Some(item) = self.table.with_retry(|| self.table.get(keys::spent_note(campaign))).await? else {
            return Ok(None);
        };
        let read = Reader::new(&item, "cached sum of spends");
        Ok(Some((read.instant("upto")?, read.money("spent")?)))
    }

    /// Caches the sum, unless a later one is cached; if this fails, the next computation only takes
    /// longer.
    async fn record_spent(&self, campaign: &AccountId, upto: Timestamp, amount: Money) {
        let sent = self
            .table
            .update(&keys::spent_note(campaign), |update| {
                update
                    .update_expression("SET upto = :upto, spent = :spent")
                    .condition_expression("attribute_not_exists(pk) OR upto < :upto")
                    .expression_attribute_values(":upto", text(upto))
                    .expression_attribute_values(":spent", number(amount))
            })
            .await;
        match sent {
            Ok(Sent::Done(_) | Sent::Refused(_)) => {}
            Ok(Sent::Busy(why) | Sent::Unknown(why)) => tracing::debug!(why, "the spend sum is not cached"),
            Err(error) => tracing::debug!(%error, "the spend sum is not cached"),
        }
    }
}
