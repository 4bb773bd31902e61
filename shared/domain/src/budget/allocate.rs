//! Transfers of credit between a parent and its child.
//!
//! **Invariant:** both entries are written in one transaction; what leaves one account arrives in
//! the other.
//! **Invariant:** credit moves along one step of the hierarchy, in one currency, and never into or
//! out of an account that is closing or closed, except that the rest of a closing account returns
//! to its parent.

use super::entry::{BudgetEntry, MoveType, Other};
use super::slice::Slice;
use super::spend::first_slice;
use super::{BudgetAccount, BudgetStatus};
use crate::cause::Cause;
use crate::context::Context;
use crate::fingerprint::keyed_request;
use crate::hash::Hash;
use crate::ids::budget::{AccountId, AttemptId, BudgetKind};
use crate::money::{Amount, Money};
use crate::rejection::Rejection;
use crate::text::FreeText;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Direction of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From a parent to its child.
    Down,
    /// Likewise, of an import: also through accounts that are paused.
    Imported,
    /// From a child back to its parent.
    Up,
    /// The rest of a closing child, back to its parent.
    Closing,
}

impl Direction {
    /// Returns true if credit goes from a parent to its child.
    pub fn is_down(self) -> bool {
        matches!(self, Self::Down | Self::Imported)
    }
}

keyed_request! {
    /// A requested transfer.
    #[derive(Clone, Debug)]
    pub struct BudgetTransfer {
        /// Direction of the transfer.
        pub direction: Direction => _,
        /// Account that the credit leaves.
        pub from: AccountId => "from",
        /// Account that the credit enters.
        pub to: AccountId => "to",
        /// Amount to move; None for all that is available.
        pub amount: Option<Amount> => "amount",
        /// Reason, in the caller's words.
        pub notes: Option<FreeText> => "notes",
        /// Idempotency cause, unique in the account that the credit leaves.
        pub cause: Cause => _,
    }
}

/// An account with all its slices.
#[derive(Clone, Debug)]
pub struct SlicedAccount {
    /// Account with its first slice.
    pub account: BudgetAccount,
    /// All slices but the first.
    pub others: Vec<Slice>,
}

impl SlicedAccount {
    /// Returns every slice, the first one first.
    pub fn slices(&self) -> impl Iterator<Item = &Slice> {
        std::iter::once(&self.account.first).chain(&self.others)
    }

    /// Returns the available credit of all slices.
    pub fn available(&self) -> Money {
        self.slices().map(|slice| slice.available).sum()
    }

    /// Returns the account's balance: its available credit, or for the platform the credit it has
    /// issued.
    pub fn balance(&self) -> Money {
        if self.account.kind() != BudgetKind::Platform {
            return self.available();
        }
        let allocated: Money = self.slices().map(|slice| slice.flows.allocated).sum();
        allocated.saturating_sub(self.slices().map(|slice| slice.flows.returned).sum())
    }
}

/// Accounts of a transfer, as read.
#[derive(Clone, Copy, Debug)]
pub struct TransferAccounts<'a> {
    /// Account that the credit leaves.
    pub from: &'a SlicedAccount,
    /// Account that the credit enters.
    pub to: &'a SlicedAccount,
}

/// A decided transfer: both entries.
#[derive(Clone, Debug)]
pub struct Transferred {
    /// Entry of the account that the credit leaves.
    pub out: BudgetEntry,
    /// Entry of the account that the credit enters.
    pub arrival: BudgetEntry,
}

impl BudgetTransfer {
    /// Returns the account in which the cause is unique.
    pub fn acted_on(&self) -> &AccountId {
        &self.from
    }

    fn words(&self) -> (MoveType, MoveType) {
        match self.direction {
            Direction::Down | Direction::Imported => (MoveType::AllocationOut, MoveType::AllocationIn),
            Direction::Up | Direction::Closing => (MoveType::ReclaimOut, MoveType::ReclaimIn),
        }
    }

    /// Checks that the transfer is allowed, and returns its amount.
    pub fn check(&self, accounts: TransferAccounts<'_>) -> Result<Money, Rejection> {
        let TransferAccounts { from, to } = accounts;
        let (parent, child) = match self.direction {
            Direction::Down | Direction::Imported => (&from.account, &to.account),
            Direction::Up | Direction::Closing => (&to.account, &from.account),
        };
        if child.parent.as_ref() != Some(&parent.id) {
            return Err(Rejection::NotAChild);
        }
        let currency = from.account.currency;
        if currency != to.account.currency {
            return Err(Rejection::CurrencyMismatch);
        }
        if child.is_shared() && self.direction.is_down() {
            return Err(Rejection::SharedCampaign);
        }
        let amount = match self.amount {
            Some(amount) => {
                amount.in_currency(currency).ok_or(Rejection::TooPrecise { unit: currency.into() })?
            }
            None => from.available(),
        };
        let stopped = match self.direction {
            Direction::Down => {
                from.account.status() != BudgetStatus::Active || !to.account.status().is_open()
            }
            Direction::Imported => !from.account.status().is_open() || !to.account.status().is_open(),
            Direction::Up => !from.account.status().is_open(),
            Direction::Closing => from.account.status() != BudgetStatus::Closing,
        };
        if stopped {
            return Err(Rejection::BudgetPaused);
        }
        let limited = from.account.kind() != BudgetKind::Platform;
        if amount.is_zero() || limited && from.available() < amount {
            let required = amount;
            return Err(Rejection::BudgetShort { available: from.available(), required, currency });
        }
        Ok(amount)
    }

    /// Decides the transfer.
    pub fn decide(
        &self,
        accounts: TransferAccounts<'_>,
        attempt: &AttemptId,
        context: &Context,
    ) -> Result<Transferred, Rejection> {
        let TransferAccounts { from, .. } = accounts;
        let amount = self.check(accounts)?;
        let takes = if from.account.kind() == BudgetKind::Platform {
            BTreeMap::from([(first_slice(&self.cause, from.account.slices), amount)])
        } else {
            takes(from, &self.cause, amount)
        };
        Ok(self.entries(accounts, takes, attempt, context))
    }

    /// Returns true if the amount must first be reserved slice by slice: others spend from all
    /// slices meanwhile, and a transaction over several of them would nearly always conflict.
    pub fn is_gathered(from: &SlicedAccount, decided: &Transferred) -> bool {
        let account = &from.account;
        let busy = account.kind().is_spent_from() && account.status() == BudgetStatus::Active;
        busy && decided.out.takes.len() > 1
    }

    /// Returns both entries of a transfer that takes these amounts from these slices.
    pub fn entries(
        &self,
        accounts: TransferAccounts<'_>,
        takes: BTreeMap<u8, Money>,
        attempt: &AttemptId,
        context: &Context,
    ) -> Transferred {
        let TransferAccounts { from, to } = accounts;
        let amount: Money = takes.values().copied().sum();
        let puts = BTreeMap::from([(first_slice(&self.cause, to.account.slices), amount)]);
        let currency = from.account.currency;
        let mirrored = Cause::counterpart("budget", self.from.as_str(), &self.cause);
        // The platform's balance is what it has issued: it rises when credit leaves.
        let shown = |sliced: &SlicedAccount, leaves: bool| {
            let before = sliced.balance();
            if leaves == (sliced.account.kind() == BudgetKind::Platform) {
                [before, amount].into_iter().sum()
            } else {
                before.saturating_sub(amount)
            }
        };
        let (out_after, in_after) = (shown(from, true), shown(to, false));
        let (out, arrival) = self.words();
        let entry = |account: &AccountId, kind, cause: &Cause, balance_after, other| BudgetEntry {
            account: account.clone(),
            cause: cause.clone(),
            attempt: attempt.clone(),
            kind,
            amount,
            currency,
            takes: BTreeMap::new(),
            puts: BTreeMap::new(),
            balance_after,
            at: context.now,
            by: context.actor.signature(),
            request: context.request.clone(),
            fingerprint: Some(self.fingerprint()),
            notes: self.notes.clone(),
            other: Some(other),
            paid: None,
            hash: Hash::GENESIS,
        };
        let arrived = Other { account: self.to.clone(), cause: mirrored.clone(), balance_after: in_after };
        let left = Other { account: self.from.clone(), cause: self.cause.clone(), balance_after: out_after };
        let out = BudgetEntry { takes, ..entry(&self.from, out, &self.cause, out_after, arrived) };
        let arrival = BudgetEntry { puts, ..entry(&self.to, arrival, &mirrored, in_after, left) };
        Transferred { out: out.sealed(), arrival: arrival.sealed() }
    }
}

/// Returns how much to take from which slice: all from one, if one suffices.
fn takes(from: &SlicedAccount, cause: &Cause, amount: Money) -> BTreeMap<u8, Money> {
    let first = first_slice(cause, from.account.slices);
    let mut slices: Vec<&Slice> = from.slices().collect();
    slices.sort_by_key(|slice| (slice.number != first, slice.number));
    if let Some(one) = slices.iter().find(|slice| slice.available >= amount) {
        return BTreeMap::from([(one.number, amount)]);
    }
    slices.sort_by_key(|slice| Reverse(slice.available));
    let mut missing = amount;
    let mut takes = BTreeMap::new();
    for slice in slices {
        let part = slice.available.min(missing);
        missing = missing.saturating_sub(part);
        if !part.is_zero() {
            takes.insert(slice.number, part);
        }
    }
    takes
}

/// Evens out the slices of an account: moves credit from the fullest to the emptiest, so that both
/// have the same.
///
/// Returns None if they are even enough (the emptiest has at least a quarter of the mean), or if
/// credit may not move.
pub fn rebalance(sliced: &SlicedAccount, attempt: &AttemptId, context: &Context) -> Option<BudgetEntry> {
    let (account, currency) = (&sliced.account, sliced.account.currency);
    if account.kind() == BudgetKind::Platform || !account.status().is_open() {
        return None;
    }
    let fullest = sliced.slices().max_by_key(|slice| slice.available)?;
    let emptiest = sliced.slices().min_by_key(|slice| slice.available)?;
    let quarter = sliced.available().mean(u64::from(account.slices), currency).mean(4, currency);
    let half = fullest.available.checked_sub(emptiest.available)?.mean(2, currency);
    let uneven = fullest.number != emptiest.number && emptiest.available < quarter && !half.is_zero();
    uneven.then(|| {
        let entry = BudgetEntry {
            account: account.id.clone(),
            cause: Cause::rebalance(attempt.as_str()),
            attempt: attempt.clone(),
            kind: MoveType::Rebalance,
            amount: half,
            currency,
            takes: BTreeMap::from([(fullest.number, half)]),
            puts: BTreeMap::from([(emptiest.number, half)]),
            balance_after: sliced.available(),
            at: context.now,
            by: context.actor.signature(),
            request: context.request.clone(),
            fingerprint: None,
            notes: None,
            other: None,
            paid: None,
            hash: Hash::GENESIS,
        };
        entry.sealed()
    })
}
