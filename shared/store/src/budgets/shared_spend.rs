//! What a campaign has spent of its client's credit: folded from the client's entries.
//!
//! **Invariant:** the entries say it; the note that a reading leaves holds what they came to up to an instant after which
//! none of them can be dated any more, so it is only ever quicker.
//! **Invariant:** a reading goes forward in steps of bounded size, and leaves a note after each: one that is cut short has
//! not been in vain.

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

/// An entry is dated when its request began; with clocks five minutes apart, none is dated longer ago than this.
pub(super) const SETTLED_MINUTES: u32 = 15;

/// How many entries a reading must have passed over for a note to be worth its write.
const MIN_ENTRIES_TO_RECORD: usize = 50;

/// How far ahead an entry may be dated by another machine's clock.
const AHEAD_SECONDS: u32 = 3_600;

/// How many pages of a partition one step reads: a page is up to a megabyte.
const MAX_PAGES: usize = 4;

/// What one partition holds of a campaign from an instant on.
#[derive(Default)]
struct Part {
    spends: Vec<(Timestamp, Money)>,
    /// How many entries of anyone were passed over.
    passed: usize,
    /// The instant before which all is read, if there is more.
    upto: Option<Timestamp>,
}

impl Budgets {
    /// What a campaign has spent of its client's credit until now.
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
            // What every partition has been read up to.
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
                // The end, or more within one millisecond than a step reads.
                Some(_) => {
                    return Err(StoreError::Unavailable("too much at once to be summed up".to_owned()));
                }
                None => return Ok([earlier, sum(&|at| at >= note)].into_iter().sum()),
            }
        }
    }

    /// What a campaign has spent in one of its client's partitions.
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
            let read = Reader::new(&last, "place in an index");
            let place = read.text(keys::HISTORY_SK)?.split('#').next().unwrap_or_default();
            part.upto = Some(Timestamp::parse(place).map_err(|_| read.corrupt(keys::HISTORY_SK))?);
            start = Some(last);
        }
        Ok(part)
    }

    /// Up to when it was folded before, and what it came to.
    async fn spent_note(&self, campaign: &AccountId) -> Result<Option<(Timestamp, Money)>, StoreError> {
        let Some(item) = self.table.with_retry(|| self.table.get(keys::spent_note(campaign))).await? else {
            return Ok(None);
        };
        let read = Reader::new(&item, "note of what was spent");
        Ok(Some((read.instant("upto")?, read.money("spent")?)))
    }

    /// Leaves a note, unless a later one is there; without it, the next reading takes longer.
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
            Ok(Sent::Busy(why) | Sent::Unknown(why)) => tracing::debug!(why, "a note is left another time"),
            Err(error) => tracing::debug!(%error, "a note is left another time"),
        }
    }
}
