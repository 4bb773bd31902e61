//! Allocations and reclaims: both sides and both entries in one transaction.
//!
//! **Invariant:** a cause takes effect once, whatever the outcome of any send: the key of its entry
//! is the arbiter.
//! **Invariant:** after a send with an unknown outcome, a rejection is returned only once the
//! attempt of that send is fenced.

use super::Budgets;
use crate::budgets::items::budget_entry;
use crate::engine::attr::text;
use crate::engine::error::StoreError;
use crate::engine::sent::Sent;
use crate::engine::write::Refusals;
use crate::keys;
use aws_sdk_dynamodb::types::{ConditionCheck, TransactWriteItem};
use domain::budget::allocate::{
    BudgetTransfer, Direction, SlicedAccount, TransferAccounts, Transferred, rebalance,
};
use domain::budget::entry::BudgetEntry;
use domain::budget::key::KeyState;
use domain::budget::slice::Flow;
use domain::budget::{BudgetStatus, MAX_SLICES};
use domain::context::Context;
use domain::ids::budget::{AccountId, AttemptId, BudgetKind};
use domain::rejection::Rejection;

/// Result of a completed allocation or reclaim.
#[derive(Clone, Debug)]
pub struct TransferReceipt {
    /// Entry of the account that the credit leaves.
    pub out: BudgetEntry,
    /// Entry of the account that receives the credit.
    pub arrival: BudgetEntry,
    /// True if an earlier request performed the transfer.
    pub replayed: bool,
    /// Number of retries.
    pub retries: u32,
}

/// Outcome of one try.
pub(super) enum TransferTry {
    Done(Box<Transferred>),
    Found(Box<BudgetEntry>),
    Again(String),
    Unknown(String),
    Rejected(Rejection),
}

/// Returns the outcome of a try from that of its send; write 0 must be the entry of the account
/// that the credit leaves.
pub(super) fn moved(decided: Transferred, sent: Sent<Refusals>) -> Result<TransferTry, StoreError> {
    Ok(match sent {
        Sent::Done(_) => TransferTry::Done(Box::new(decided)),
        Sent::Refused(refused) => {
            let at_key = refused.iter().find(|(at, _)| *at == 0).and_then(|(_, item)| item.as_ref());
            match budget_entry::state_of(at_key)? {
                KeyState::Entry(entry) => TransferTry::Found(entry),
                KeyState::Free | KeyState::Void(_) | KeyState::Pending { .. } => {
                    TransferTry::Again("the state moved".to_owned())
                }
            }
        }
        Sent::Busy(why) | Sent::Unsent(why) => TransferTry::Again(why),
        Sent::Unknown(why) => TransferTry::Unknown(why),
    })
}

impl Budgets {
    /// Executes an allocation or reclaim: exactly once for its cause, or not at all.
    pub async fn transfer(
        &self,
        transfer: &BudgetTransfer,
        context: &Context,
    ) -> Result<TransferReceipt, StoreError> {
        if transfer.from == transfer.to {
            return Err(Rejection::NotAChild.into());
        }
        let mut retry = self.table.retry();
        let mut unknown_attempts: Vec<AttemptId> = vec![];
        loop {
            let attempt = self.attempt(context);
            let (last_error, outcome_unknown) = match self.transfer_once(transfer, &attempt, context).await {
                Ok(TransferTry::Done(done)) => {
                    let Transferred { out, arrival } = *done;
                    return Ok(TransferReceipt { out, arrival, replayed: false, retries: retry.tries() });
                }
                Ok(TransferTry::Found(entry)) => {
                    return self.replay(transfer, *entry, context, retry.tries()).await;
                }
                Ok(TransferTry::Rejected(rejection)) => {
                    // Until the outcome of earlier sends is known, neither a rejection nor "nothing
                    // was applied" can be returned.
                    let known = self.confirmed(transfer, &unknown_attempts, context).await;
                    let known = known.map_err(|error| {
                        if unknown_attempts.is_empty() { error } else { error.after_effect() }
                    })?;
                    if let Some(entry) = known {
                        return self.replay(transfer, entry, context, retry.tries()).await;
                    }
                    if !self.may_come_free(transfer, &rejection, context).await? {
                        return Err(rejection.into());
                    }
                    ("credit is reserved by other requests".to_owned(), false)
                }
                Ok(TransferTry::Unknown(why)) => {
                    tracing::warn!(why, "outcome of an allocation is unknown");
                    unknown_attempts.push(attempt);
                    (why, true)
                }
                Ok(TransferTry::Again(why)) | Err(StoreError::Contention(why)) => (why, false),
                Err(StoreError::Unreachable(why)) if unknown_attempts.is_empty() => {
                    if retry.backoff_unsent().await {
                        continue;
                    }
                    return Err(StoreError::Unreachable(why));
                }
                Err(StoreError::Unavailable(why) | StoreError::Unreachable(why)) => (why, true),
                Err(error @ (StoreError::Rejected(_) | StoreError::Corrupt(_))) => return Err(error),
            };
            if !retry.backoff().await {
                if outcome_unknown {
                    return Err(StoreError::Unavailable(last_error));
                }
                return match self.confirmed(transfer, &unknown_attempts, context).await {
                    Ok(Some(entry)) => self.replay(transfer, entry, context, retry.tries()).await,
                    Ok(None) => Err(StoreError::Contention(last_error)),
                    Err(_) => Err(StoreError::Unavailable(last_error)),
                };
            }
        }
    }

    /// Evens out the slices of an account, from the fullest to the emptiest; returns the number of
    /// movements.
    pub async fn rebalance(&self, id: &AccountId, context: &Context) -> Result<u32, StoreError> {
        for moved in 0..u32::from(MAX_SLICES) {
            let Some(sliced) = self.load_sliced(id).await? else { return Ok(moved) };
            let attempt = self.attempt(context);
            let Some(entry) = rebalance(&sliced, &attempt, context) else { return Ok(moved) };
            let mut writes = vec![self.entry_put(&entry)?];
            for (parts, flow) in [(&entry.takes, Flow::MovedOut), (&entry.puts, Flow::MovedIn)] {
                for (slice, amount) in parts {
                    writes.push(self.flow_update(id, *slice, flow, *amount, &["active", "paused"])?);
                }
            }
            // Spends take precedence: if this transaction fails, a later run continues.
            if !matches!(self.table.transact(writes).await?, Sent::Done(_)) {
                return Ok(moved);
            }
        }
        Ok(u32::from(MAX_SLICES))
    }

    /// Creates a new attempt of an invocation.
    pub fn attempt(&self, context: &Context) -> AttemptId {
        AttemptId::mint(context.request.as_str(), fastrand::u64(..))
    }

    async fn transfer_once(
        &self,
        transfer: &BudgetTransfer,
        attempt: &AttemptId,
        context: &Context,
    ) -> Result<TransferTry, StoreError> {
        let (from, to) = self.both(transfer, context).await?;
        let (Some(from), Some(to)) = (from, to) else {
            return Ok(TransferTry::Rejected(Rejection::AccountNotFound));
        };
        let accounts = TransferAccounts { from: &from, to: &to };
        let decided = match transfer.decide(accounts, attempt, context) {
            Ok(decided) => decided,
            Err(rejection) => return Ok(TransferTry::Rejected(rejection)),
        };
        if BudgetTransfer::is_gathered(&from, &decided) {
            return Box::pin(self.gather_and_move(transfer, accounts, attempt, context)).await;
        }
        let leaving: &[&str] = match transfer.direction {
            Direction::Down => &["active"],
            Direction::Imported | Direction::Up => &["active", "paused"],
            Direction::Closing => &["closing"],
        };
        let mut writes = self.both_entries(transfer, &decided)?;
        for (slice, amount) in &decided.out.takes {
            let Some(flow) = decided.out.kind.flows().0 else { continue };
            writes.push(self.flow_update(&transfer.from, *slice, flow, *amount, leaving)?);
        }
        moved(decided, self.table.transact(writes).await?)
    }

    /// Returns the writes of both entries and of the receiving slices.
    pub(super) fn both_entries(
        &self,
        transfer: &BudgetTransfer,
        decided: &Transferred,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let arriving: &[&str] = match transfer.direction {
            Direction::Down | Direction::Imported => &["active", "paused"],
            Direction::Up | Direction::Closing => &["active", "paused", "closing"],
        };
        let Transferred { out, arrival } = decided;
        let mut writes = vec![self.entry_put(out)?, self.table.new_put(budget_entry::to_item(arrival))?];
        for (slice, amount) in &arrival.puts {
            let Some(flow) = arrival.kind.flows().1 else { continue };
            writes.push(self.flow_update(&transfer.to, *slice, flow, *amount, arriving)?);
        }
        if transfer.direction.is_down() && transfer.to.kind() == BudgetKind::Campaign {
            writes.extend(self.isolated_check(&transfer.to, arrival)?);
        }
        Ok(writes)
    }

    /// Returns the check that a campaign which receives credit spends its own; its first slice has
    /// the mode.
    fn isolated_check(
        &self,
        campaign: &AccountId,
        arrival: &BudgetEntry,
    ) -> Result<Option<TransactWriteItem>, StoreError> {
        // If the first slice receives credit, its own update has this condition.
        if arrival.puts.contains_key(&0) {
            return Ok(None);
        }
        let check = ConditionCheck::builder()
            .table_name(&self.table.name)
            .set_key(Some(keys::slice(campaign, 0).attributes()))
            .condition_expression("#mode = :isolated")
            .expression_attribute_names("#mode", "mode")
            .expression_attribute_values(":isolated", text("isolated"));
        let check = check.build().map_err(StoreError::built)?;
        Ok(Some(TransactWriteItem::builder().condition_check(check).build()))
    }

    async fn both(
        &self,
        transfer: &BudgetTransfer,
        context: &Context,
    ) -> Result<(Option<SlicedAccount>, Option<SlicedAccount>), StoreError> {
        let wanted = [transfer.from.clone(), transfer.to.clone()];
        let mut found = self.load_sliced_many(&wanted, context).await?;
        Ok((found.remove(&transfer.from), found.remove(&transfer.to)))
    }

    /// Fences attempts with an unknown outcome, so that none of them can still be applied; returns
    /// the entry if one was applied.
    async fn confirmed(
        &self,
        transfer: &BudgetTransfer,
        unknown_attempts: &[AttemptId],
        context: &Context,
    ) -> Result<Option<BudgetEntry>, StoreError> {
        let (account, cause) = (transfer.acted_on(), &transfer.cause);
        for attempt in unknown_attempts {
            if let KeyState::Entry(entry) = self.fence(account, cause, attempt).await? {
                return Ok(Some(*entry));
            }
        }
        // What they had reserved is released, now that they are fenced.
        if !unknown_attempts.is_empty() && account.kind().is_spent_from() {
            Box::pin(self.resolve(account, context.now)).await?;
        }
        // A transactional read conflicts with a transaction in progress; a plain read could miss an
        // entry that is just being written.
        let item = self
            .table
            .read_atomically(&[keys::budget_entry(account, cause)])
            .await?
            .into_iter()
            .next()
            .flatten();
        match budget_entry::state_of(item.as_ref())? {
            KeyState::Entry(entry) => Ok(Some(*entry)),
            KeyState::Free | KeyState::Void(_) | KeyState::Pending { .. } => Ok(None),
        }
    }

    /// Returns true if the missing credit is reserved by other requests that may release it.
    async fn may_come_free(
        &self,
        transfer: &BudgetTransfer,
        rejection: &Rejection,
        context: &Context,
    ) -> Result<bool, StoreError> {
        let Rejection::BudgetShort { required, .. } = rejection else { return Ok(false) };
        let Some(sliced) = self.load_sliced(&transfer.from).await? else { return Ok(false) };
        let sum = |flow| sliced.slices().map(|slice| slice.flows.of(flow)).sum::<domain::money::Money>();
        // The slices were read while being evened out: an amount has left one slice and has not
        // been seen in the other.
        if sum(Flow::MovedIn) != sum(Flow::MovedOut) {
            return Ok(true);
        }
        if sliced.slices().all(|slice| slice.pending.is_empty() && slice.waiting.is_empty()) {
            return Ok(sliced.available() >= *required && !required.is_zero());
        }
        self.resolve(&transfer.from, context.now).await?;
        let Some(sliced) = self.load_sliced(&transfer.from).await? else { return Ok(false) };
        let undecided = self.undecided(&transfer.from, &sliced).await?.soon();
        let reach: domain::money::Money = [sliced.available(), undecided].into_iter().sum();
        Ok(sliced.account.status() != BudgetStatus::Closed && !required.is_zero() && reach >= *required)
    }

    /// Returns the result of an earlier request from its entry; rejects a different request with
    /// the same key.
    async fn replay(
        &self,
        transfer: &BudgetTransfer,
        out: BudgetEntry,
        context: &Context,
        retries: u32,
    ) -> Result<TransferReceipt, StoreError> {
        if out.fingerprint.as_ref() != Some(&transfer.fingerprint()) {
            return Err(Rejection::KeyReused.into());
        }
        let missing = || StoreError::Corrupt(format!("the counterpart entry of {} is missing", out.id()));
        let other = out.other.clone().ok_or_else(missing)?;
        // Both entries were written in one transaction; a transactional read of the other one finds
        // it.
        let key = keys::budget_entry(&other.account, &other.cause);
        let item = self.table.read_atomically(&[key]).await.map_err(StoreError::after_effect)?;
        let item = item.into_iter().next().flatten();
        let KeyState::Entry(arrival) = budget_entry::state_of(item.as_ref())? else {
            return Err(missing());
        };
        let replayed = out.request != context.request;
        Ok(TransferReceipt { out, arrival: *arrival, replayed, retries })
    }
}
