//! Statements: what has changed a wallet's balance within some dates, and how it sums up.
//!
//! **Invariant:** closing = opening + the sum of the lines' amounts; each line is one entry.
//! **Invariant:** corrections by hand stand apart from what was credited and spent.

use crate::ledger::entry::{Entry, EntryType};
use crate::money::Money;
use crate::rejection::Rejection;
use rust_decimal::Decimal;

/// The name of the metadata that marks a correction by hand.
pub const REASON_CODE: &str = "reason_code";

/// Sums of a statement, by what the entries have done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatementTotals {
    /// Credits.
    pub credited: Money,
    /// Debits and captures.
    pub spent: Money,
    /// Refunds.
    pub refunded: Money,
    /// Credit that expired.
    pub expired: Money,
    /// Credit from other wallets.
    pub transferred_in: Money,
    /// Credit to other wallets.
    pub transferred_out: Money,
    /// Credit that was taken back, and debts that were collected.
    pub clawed_back: Money,
    /// Credit that was taken back before, and returned.
    pub reinstated: Money,
    /// Corrections by hand that have added credit.
    pub adjusted_up: Money,
    /// Corrections by hand that have taken credit.
    pub adjusted_down: Money,
}

/// A line of a statement.
#[derive(Clone, Debug)]
pub struct StatementLine<'a> {
    /// The entry.
    pub entry: &'a Entry,
    /// What it has added to the balance; below zero if it has taken something.
    pub amount: Decimal,
}

/// A statement.
#[derive(Clone, Debug)]
pub struct Statement<'a> {
    /// The balance before the first line.
    pub opening: Money,
    /// The balance after the last line.
    pub closing: Money,
    /// The sums.
    pub totals: StatementTotals,
    /// The lines, oldest first.
    pub lines: Vec<StatementLine<'a>>,
}

/// Where an entry counts.
fn place<'t>(
    totals: &'t mut StatementTotals,
    entry: &Entry,
) -> Result<Option<(bool, &'t mut Money)>, Rejection> {
    let by_hand = entry.metadata.pairs().contains_key(REASON_CODE);
    Ok(Some(match entry.kind {
        EntryType::Credit if by_hand => (true, &mut totals.adjusted_up),
        EntryType::Debit if by_hand => (false, &mut totals.adjusted_down),
        EntryType::Credit => (true, &mut totals.credited),
        EntryType::Debit | EntryType::Capture => (false, &mut totals.spent),
        EntryType::Refund => (true, &mut totals.refunded),
        EntryType::Expiry => (false, &mut totals.expired),
        EntryType::TransferIn => (true, &mut totals.transferred_in),
        EntryType::TransferOut => (false, &mut totals.transferred_out),
        EntryType::Clawback | EntryType::OwedCollected => (false, &mut totals.clawed_back),
        EntryType::Adjustment => (true, &mut totals.reinstated),
        EntryType::Hold | EntryType::Release => return Ok(None),
        EntryType::Earn
        | EntryType::Activation
        | EntryType::AdjustIn
        | EntryType::Burn
        | EntryType::Reversal
        | EntryType::AdjustOut => return Err(Rejection::Inconsistent("an entry of points in a wallet")),
    }))
}

impl<'a> Statement<'a> {
    /// Makes a statement of consecutive entries, oldest first, which follow this balance.
    pub fn of(opening: Money, entries: &'a [Entry]) -> Result<Self, Rejection> {
        const WRONG: Rejection = Rejection::Inconsistent("a statement does not sum up");
        let (mut totals, mut lines, mut closing) = (StatementTotals::default(), vec![], opening);
        for entry in entries {
            let Some((adds, sum)) = place(&mut totals, entry)? else { continue };
            *sum = sum.checked_add(entry.amount).ok_or(WRONG)?;
            let after =
                if adds { closing.checked_add(entry.amount) } else { closing.checked_sub(entry.amount) };
            closing = after.ok_or(WRONG)?;
            let amount = entry.amount.value();
            lines.push(StatementLine { entry, amount: if adds { amount } else { -amount } });
        }
        let last = entries.last().map_or(opening, |last| last.balance_after);
        if last == closing { Ok(Self { opening, closing, totals, lines }) } else { Err(WRONG) }
    }
}
