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
use futures::stream::{self, StreamExt};
use std::collections::BTreeMap;

/// Age in minutes at which no new entry can appear: an entry is dated when its request began, and
/// clocks differ by at most five minutes.
pub(super) const SETTLED_MINUTES: u32 = 15;

/// Number of entries that must have been read for the sum to be worth caching.
const MIN_ENTRIES_TO_RECORD: usize = 50;

/// Seconds that the clock of another machine may be ahead when it dates an entry.
const AHEAD_SECONDS: u32 = 3_600;

/// Number of sums that are written concurrently.
const CONCURRENT_RECORDS: usize = 16;

/// Number of pages of a partition that one step reads; a page has up to one megabyte.
const MAX_PAGES: usize = 4;

/// Number of entries that are read for about the price of caching one sum.
const ENTRIES_PER_RECORD: usize = 10;

/// Spends of campaigns in one partition, from an instant on.
#[derive(Default)]
struct Part {
    spends: Vec<(AccountId, Spend)>,
    /// Number of entries that were read, of any campaign.
    passed: usize,
    /// Instant before which everything has been read, if there is more.
    upto: Option<Timestamp>,
}

/// What is read of an entry of a client that one of its campaigns caused.
struct Spend {
    at: Timestamp,
    amount: Money,
}

/// What a campaign has spent before an instant.
#[derive(Clone, Copy, Debug)]
struct SpentUpto {
    upto: Timestamp,
    spent: Money,
}

impl SpentUpto {
    /// Adds those of the campaign's spends that are dated from then until another instant.
    fn advance(&mut self, spends: Option<&Vec<Spend>>, to: Timestamp) {
        let spends = spends.into_iter().flatten();
        let wanted = spends.filter(|spend| self.upto <= spend.at && spend.at < to);
        let more: Money = wanted.map(|spend| spend.amount).sum();
        self.spent = [self.spent, more].into_iter().sum();
        self.upto = self.upto.max(to);
    }
}

impl Budgets {
    /// Returns what campaigns of a client have spent of its credit until now; those that never shared
    /// it are left out. The client's entries are read once for all of them.
    pub async fn spent_of_client(
        &self,
        client: &AccountId,
        campaigns: &[&BudgetAccount],
        now: Timestamp,
    ) -> Result<BTreeMap<AccountId, Money>, StoreError> {
        let own =
            |campaign: &&&BudgetAccount| campaign.was_shared && campaign.parent.as_ref() == Some(client);
        let campaigns: Vec<&BudgetAccount> = campaigns.iter().filter(own).copied().collect();
        let mut known = self.spent_notes(&campaigns).await?;
        let settled = now.minus_minutes(SETTLED_MINUTES);
        let until = now.plus_seconds(AHEAD_SECONDS).unwrap_or(now);
        while let Some(from) = known.values().map(|known| known.upto).min() {
            let only = if let [campaign] = campaigns[..] { Some(&campaign.id) } else { None };
            let partitions = keys::budget_partitions(client).into_iter();
            let read = |partition| self.spends_in(partition, only, Period { from, until });
            let parts: Vec<Part> = futures::future::try_join_all(partitions.map(read)).await?;
            // Every partition has been read up to this instant.
            let upto = parts.iter().filter_map(|part| part.upto).min();
            let passed = parts.iter().map(|part| part.passed).sum();
            let mut spends: BTreeMap<AccountId, Vec<Spend>> = BTreeMap::new();
            for (campaign, spend) in parts.into_iter().flat_map(|part| part.spends) {
                spends.entry(campaign).or_default().push(spend);
            }
            self.record_spends(&known, passed, &spends, upto.map_or(settled, |upto| upto.min(settled))).await;
            match upto {
                Some(upto) if upto > from => {
                    for (campaign, known) in &mut known {
                        known.advance(spends.get(campaign), upto);
                    }
                }
                // More entries within one millisecond than one step reads.
                Some(_) => {
                    return Err(StoreError::Unavailable("too many entries in one millisecond".to_owned()));
                }
                None => {
                    let all = Timestamp::from_millis(until.millis() + 1).unwrap_or(until);
                    for (campaign, known) in &mut known {
                        known.advance(spends.get(campaign), all);
                    }
                    break;
                }
            }
        }
        Ok(known.into_iter().map(|(campaign, known)| (campaign, known.spent)).collect())
    }

    /// Caches the sums before an instant, if reading the `passed` entries again would cost more.
    async fn record_spends(
        &self,
        known: &BTreeMap<AccountId, SpentUpto>,
        passed: usize,
        spends: &BTreeMap<AccountId, Vec<Spend>>,
        upto: Timestamp,
    ) {
        let behind: Vec<_> = known.iter().filter(|(_, known)| known.upto < upto).collect();
        if passed < MIN_ENTRIES_TO_RECORD.max(ENTRIES_PER_RECORD * behind.len()) {
            return;
        }
        let mut records = Vec::new();
        for (campaign, known) in behind {
            let mut known = *known;
            known.advance(spends.get(campaign), upto);
            records.push(self.record_spent(campaign, known));
        }
        stream::iter(records).buffer_unordered(CONCURRENT_RECORDS).collect::<()>().await;
    }

    /// Reads what one campaign, or every campaign, has spent in one of its client's partitions.
    async fn spends_in(
        &self,
        partition: String,
        only: Option<&AccountId>,
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
                        .projection_expression("amount, created_at, campaign_id")
                        .set_exclusive_start_key(at.clone());
                    let query = match only {
                        Some(campaign) => query
                            .filter_expression("campaign_id = :campaign")
                            .expression_attribute_values(":campaign", text(campaign)),
                        None => query.filter_expression("attribute_exists(campaign_id)"),
                    };
                    query.send().await.map_err(|error| read_error(&error))
                })
                .await?;
            part.passed += usize::try_from(output.scanned_count).unwrap_or(0);
            for item in output.items.unwrap_or_default() {
                let read = Reader::new(&item, "budget entry");
                let (at, amount) = (read.instant("created_at")?, read.money("amount")?);
                part.spends.push((read.parse("campaign_id", AccountId::parse)?, Spend { at, amount }));
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

    /// Reads the cached sums; what has no cached sum begins before the campaign was opened.
    async fn spent_notes(
        &self,
        campaigns: &[&BudgetAccount],
    ) -> Result<BTreeMap<AccountId, SpentUpto>, StoreError> {
        let wanted: Vec<_> = campaigns.iter().map(|campaign| keys::spent_note(&campaign.id)).collect();
        let found = self.table.with_retry(|| self.table.batch(&wanted)).await?;
        let known = campaigns.iter().zip(&wanted).map(|(campaign, key)| {
            let known = if let Some(item) = found.get(key) {
                let read = Reader::new(item, "cached sum of spends");
                SpentUpto { upto: read.instant("upto")?, spent: read.money("spent")? }
            } else {
                let began = campaign.created_at.minus_minutes(SETTLED_MINUTES);
                SpentUpto { upto: began, spent: Money::ZERO }
            };
            Ok((campaign.id.clone(), known))
        });
        known.collect()
    }

    /// Caches a sum, unless a later one is cached; if this fails, the next computation only takes
    /// longer.
    async fn record_spent(&self, campaign: &AccountId, known: SpentUpto) {
        let sent = self
            .table
            .update(&keys::spent_note(campaign), |update| {
                update
                    .update_expression("SET upto = :upto, spent = :spent")
                    .condition_expression("attribute_not_exists(pk) OR upto < :upto")
                    .expression_attribute_values(":upto", text(known.upto))
                    .expression_attribute_values(":spent", number(known.spent))
            })
            .await;
        match sent {
            Ok(Sent::Done(_) | Sent::Refused(_)) => {}
            Ok(Sent::Busy(why) | Sent::Unsent(why) | Sent::Unknown(why)) => {
                tracing::debug!(why, "the spend sum is not cached");
            }
            Err(error) => tracing::debug!(%error, "the spend sum is not cached"),
        }
    }
}
