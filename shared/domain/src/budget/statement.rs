//! Statements of budget accounts: what has changed an account's balance within some dates.
//!
//! **Invariant:** closing = opening + the sum of the lines' amounts; each line is one entry.
//! **Invariant:** the platform's balance is below zero by what it has issued.

use super::entry::{BudgetEntry, MoveType};
use crate::money::Money;
use crate::rejection::Rejection;
use rust_decimal::Decimal;

/// Sums of a statement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BudgetTotals {
    /// From the parent.
    pub allocated_in: Money,
    /// To children.
    pub allocated_out: Money,
    /// Back from children.
    pub reclaimed_in: Money,
    /// Back to the parent.
    pub reclaimed_out: Money,
    /// Paid for gift cards.
    pub spent: Money,
}

/// A line of a statement.
#[derive(Clone, Debug)]
pub struct BudgetLine<'a> {
    /// The entry.
    pub entry: &'a BudgetEntry,
    /// What it has added to the balance; below zero if it has taken something.
    pub amount: Decimal,
    /// The balance afterwards.
    pub balance_after: Decimal,
}

/// A statement.
#[derive(Clone, Debug)]
pub struct BudgetStatement<'a> {
    /// The balance before the first line.
    pub opening: Decimal,
    /// The balance after the last line.
    pub closing: Decimal,
    /// The sums.
    pub totals: BudgetTotals,
    /// The lines, oldest first.
    pub lines: Vec<BudgetLine<'a>>,
}

const OVERFLOW: Rejection = Rejection::Inconsistent("a statement overflows");

/// Returns what an entry has added to its account's balance.
pub fn change(entry: &BudgetEntry) -> Decimal {
    let amount = entry.amount.value();
    match entry.kind {
        MoveType::AllocationIn | MoveType::ReclaimIn => amount,
        MoveType::AllocationOut | MoveType::ReclaimOut | MoveType::Redemption => -amount,
        MoveType::Rebalance => Decimal::ZERO,
    }
}

/// Returns the sum of what entries have added.
pub fn sum(entries: &[BudgetEntry]) -> Result<Decimal, Rejection> {
    entries.iter().map(change).try_fold(Decimal::ZERO, Decimal::checked_add).ok_or(OVERFLOW)
}

impl<'a> BudgetStatement<'a> {
    /// Makes a statement of entries, oldest first, which follow this balance.
    pub fn of(opening: Decimal, entries: &'a [BudgetEntry]) -> Result<Self, Rejection> {
        let (mut totals, mut lines, mut closing) = (BudgetTotals::default(), vec![], opening);
        for entry in entries {
            let sum = match entry.kind {
                MoveType::AllocationIn => &mut totals.allocated_in,
                MoveType::AllocationOut => &mut totals.allocated_out,
                MoveType::ReclaimIn => &mut totals.reclaimed_in,
                MoveType::ReclaimOut => &mut totals.reclaimed_out,
                MoveType::Redemption => &mut totals.spent,
                MoveType::Rebalance => continue,
            };
            *sum = sum.checked_add(entry.amount).ok_or(OVERFLOW)?;
            let amount = change(entry);
            closing = closing.checked_add(amount).ok_or(OVERFLOW)?;
            lines.push(BudgetLine { entry, amount, balance_after: closing });
        }
        Ok(Self { opening, closing, totals, lines })
    }
}
