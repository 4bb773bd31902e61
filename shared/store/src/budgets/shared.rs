//! What a campaign has spent of its client's credit: folded from the client's entries.
//!
//! **Invariant:** the entries say it; the note that a reading leaves holds what they came to up to an instant after which
//! none of them can be dated any more, so it is only ever quicker.

use super::write::Sent;
use crate::Store;
use crate::attr::{Reader, number, text};
use crate::error::StoreError;
use crate::keys;
use domain::budget::entry::{BudgetEntry, MoveType};
use domain::budget::ids::AccountId;
use domain::money::Money;
use domain::time::Timestamp;

/// An entry is dated when its request began; with clocks five minutes apart, none is dated longer ago than this.
const SETTLED_MINUTES: u32 = 15;

/// How many entries a reading must have passed over for a note to be worth its write.
const WORTH_A_NOTE: usize = 50;

/// How far ahead an entry may be dated by another machine's clock.
const AHEAD_SECONDS: u32 = 3_600;

impl Store {
    /// What a campaign has spent of its client's credit until now.
    pub async fn spent_of_client(
        &self,
        client: &AccountId,
        campaign: &AccountId,
        now: Timestamp,
    ) -> Result<Money, StoreError> {
        let (from, before) = self.spent_note(campaign).await?;
        let settled = now.minus_minutes(SETTLED_MINUTES);
        let until = now.plus_seconds(AHEAD_SECONDS).unwrap_or(now);
        let entries = self.budget_period(client, (from, until)).await?;
        let own = |entry: &&BudgetEntry| {
            entry.kind == MoveType::Redemption
                && entry.paid.as_ref().is_some_and(|paid| paid.campaign == *campaign)
        };
        let sum = |of: &dyn Fn(&&BudgetEntry) -> bool| {
            entries.iter().filter(own).filter(of).map(|entry| entry.amount).sum::<Money>()
        };
        let earlier: Money = [before, sum(&|entry| entry.at < settled)].into_iter().sum();
        let passed = entries.iter().filter(|entry| entry.at < settled).count();
        if passed >= WORTH_A_NOTE {
            self.note_spent(campaign, settled, earlier).await;
        }
        Ok([earlier, sum(&|entry| entry.at >= settled)].into_iter().sum())
    }

    /// Up to when it was folded before, and what it came to.
    async fn spent_note(&self, campaign: &AccountId) -> Result<(Timestamp, Money), StoreError> {
        let beginning = || Timestamp::from_millis(0).ok_or_else(|| StoreError::Corrupt("no time".to_owned()));
        let Some(item) = self.patiently(|| self.get(keys::spent_note(campaign))).await? else {
            return Ok((beginning()?, Money::ZERO));
        };
        let read = Reader::new(&item, "note of what was spent");
        let upto = Timestamp::parse(read.text("upto")?).map_err(|_| read.corrupt("upto"))?;
        Ok((upto, read.money("spent")?))
    }

    /// Leaves a note, unless a later one is there; without it, the next reading takes longer.
    async fn note_spent(&self, campaign: &AccountId, upto: Timestamp, amount: Money) {
        let sent = self
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
