//! Moving credit between a parent and its child.
//!
//! **Invariant:** both sides and both entries are one transaction; what leaves one arrives in the other.
//! **Invariant:** credit moves along one step of the hierarchy, in one currency, and never into or out of an account
//! that is closing or closed, except that what is left of a closing one goes back to its parent.

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

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From a parent to its child.
    Down,
    /// From a child back to its parent.
    Up,
    /// What is left of a closing child, back to its parent.
    Closing,
}

keyed_request! {
    /// What is asked for.
    #[derive(Clone, Debug)]
    pub struct BudgetTransfer {
        /// Which way.
        pub direction: Direction => _,
        /// Where it comes from.
        pub from: AccountId => "from",
        /// Where it goes.
        pub to: AccountId => "to",
        /// How much; all that is available, if it is not said.
        pub amount: Option<Amount> => "amount",
        /// Why, in the caller's words.
        pub notes: Option<FreeText> => "notes",
        /// What makes it happen once; of the account acted on.
        pub cause: Cause => _,
    }
}

/// An account with all its slices.
#[derive(Clone, Debug)]
pub struct SlicedAccount {
    /// What is known of it, and its first slice.
    pub account: BudgetAccount,
    /// The others.
    pub others: Vec<Slice>,
}

impl SlicedAccount {
    /// Every slice.
    pub fn slices(&self) -> impl Iterator<Item = &Slice> {
        std::iter::once(&self.account.first).chain(&self.others)
    }

    /// What can be spent, of all slices.
    pub fn available(&self) -> Money {
        self.slices().map(|slice| slice.available).sum()
    }

    /// What the account shows as its balance: what is available, or of the platform what has been issued.
    pub fn balance(&self) -> Money {
        if self.account.kind() != BudgetKind::Platform {
            return self.available();
        }
        let allocated: Money = self.slices().map(|slice| slice.flows.allocated).sum();
        allocated.saturating_sub(self.slices().map(|slice| slice.flows.returned).sum())
    }
}

/// The accounts of a transfer as they were read.
#[derive(Clone, Copy, Debug)]
pub struct TransferAccounts<'a> {
    /// The account that credit leaves.
    pub from: &'a SlicedAccount,
    /// The account that it is added to.
    pub to: &'a SlicedAccount,
}

/// A decision: both entries, in the order out, in.
#[derive(Clone, Debug)]
pub struct Transferred {
    /// What leaves.
    pub out: BudgetEntry,
    /// What arrives.
    pub arrival: BudgetEntry,
}

impl BudgetTransfer {
    /// The account acted on, in which the cause makes it happen once.
    pub fn acted_on(&self) -> &AccountId {
        &self.from
    }

    fn words(&self) -> (MoveType, MoveType) {
        match self.direction {
            Direction::Down => (MoveType::AllocationOut, MoveType::AllocationIn),
            Direction::Up | Direction::Closing => (MoveType::ReclaimOut, MoveType::ReclaimIn),
        }
    }

    /// May it be, and how much is it?
    pub fn check(&self, accounts: TransferAccounts<'_>) -> Result<Money, Rejection> {
        let TransferAccounts { from, to } = accounts;
        let (parent, child) = match self.direction {
            Direction::Down => (&from.account, &to.account),
            Direction::Up | Direction::Closing => (&to.account, &from.account),
        };
        if child.parent.as_ref() != Some(&parent.id) {
            return Err(Rejection::NotAChild);
        }
        let currency = from.account.currency;
        if currency != to.account.currency {
            return Err(Rejection::CurrencyMismatch);
        }
        if child.is_shared() && self.direction == Direction::Down {
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

    /// The decision.
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

    /// True if what is to be taken must be set aside first, slice by slice: others spend from all of them meanwhile, and a
    /// transaction over several would hardly ever find them as they were read.
    pub fn is_gathered(from: &SlicedAccount, decided: &Transferred) -> bool {
        let account = &from.account;
        let busy = account.kind().is_spent_from() && account.status() == BudgetStatus::Active;
        busy && decided.out.takes.len() > 1
    }

    /// Both entries of what is taken from these slices.
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
        // The platform shows what it has issued: that rises with what leaves.
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

/// What to take from which slices: from one, if one suffices.
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

/// Evens out the slices of an account: from the fullest to the emptiest, so that both have the same.
///
/// `None` if they are even enough (the emptiest has at least a quarter of the mean), or credit may not move.
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
