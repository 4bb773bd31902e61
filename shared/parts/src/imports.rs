//! Applies rows of imports, and reads back what is in the table of each.
//!
//! **Invariant:** the figures of a row that opened an account are those of its entries in the table; an account that was
//! there was compared with the row in the decision.

use crate::rows::{Applied, Applying};
use domain::jobs::figures::{Figures, ImportOutcomes};
use domain::jobs::import_row::{PointsAccountRow, WalletRow};
use domain::jobs::row::{INVALID_ROW, RowOutcome};
use domain::ledger::lot::Lot;
use domain::money::Money;
use domain::rejection::{LoyaltyRejection, Rejection};
use domain::unit::Unit;
use store::StoreError;

/// The code of a row whose account was opened.
pub(crate) const CREATED: &str = "created";

/// The code of a row whose account was there, as the row says.
pub(crate) const EXISTS: &str = "exists";

fn overflow() -> StoreError {
    StoreError::Rejected(Rejection::Inconsistent("the lots of an account overflow"))
}

fn code(existed: bool) -> String {
    if existed { EXISTS } else { CREATED }.to_owned()
}

fn sum(lots: &[Lot]) -> Result<Money, StoreError> {
    Money::checked_sum(lots.iter().map(|lot| lot.amount)).ok_or_else(overflow)
}

/// Opens a wallet of another system.
pub(crate) async fn wallet(
    applying: &Applying<'_>,
    line: u64,
    row: &WalletRow,
) -> Result<Applied, StoreError> {
    let (terms, wallets) = (&applying.job.terms, applying.app.store.wallets());
    let command = row.command(&terms.id, line, terms.options.skip_expired);
    let unit = Unit::Currency(row.currency);
    let today = applying.context.now.date();
    let said = (row.lots.len(), row.balance());
    if terms.options.dry_run {
        let existed = wallets.imported_as(&command, &applying.context).await?;
        let figures = figures_of(unit, said, &command.imported(today)?, None)?;
        return Ok(Applied {
            outcome: RowOutcome::Imported(code(existed), Money::ZERO),
            figures,
            difference: None,
        });
    }
    let done = wallets.execute(&command, &applying.context).await?.outcome;
    // What had expired was left out on the day on which the wallet was opened.
    let day = if done.existed { today } else { done.wallet.account.created_at.date() };
    let expected: Vec<Lot> = command.imported(day)?;
    let found = if done.existed {
        // It was found to be as the row says; credit of one date and class is one lot.
        expected.clone()
    } else {
        wallets.opening_entries(&command).await?.into_iter().flat_map(|entry| entry.lots).collect()
    };
    let figures = figures_of(unit, said, &expected, Some(&found))?;
    let difference = (found != expected).then(|| DIFFERS.to_owned());
    let added = if done.existed { Money::ZERO } else { sum(&found)? };
    Ok(Applied { outcome: RowOutcome::Imported(code(done.existed), added), figures, difference })
}

/// Opens an account of points of another system.
pub(crate) async fn points(
    applying: &Applying<'_>,
    line: u64,
    row: &PointsAccountRow,
) -> Result<Applied, StoreError> {
    let (terms, loyalty) = (&applying.job.terms, applying.app.store.loyalty());
    let command = row.command(&terms.id, line, terms.options.skip_expired);
    let today = applying.context.now.date();
    let said = (row.lots.len(), row.balance());
    if terms.options.dry_run {
        let existed = match loyalty.imported_as(&command, &applying.context).await {
            Err(StoreError::Rejected(Rejection::Loyalty(LoyaltyRejection::UnknownTier))) => {
                return Ok(unknown_tier());
            }
            existed => existed?,
        };
        let figures = figures_of(Unit::Points, said, &command.imported(today)?, None)?;
        return Ok(Applied {
            outcome: RowOutcome::Imported(code(existed), Money::ZERO),
            figures,
            difference: None,
        });
    }
    let done = match loyalty.execute(&command, &applying.context).await {
        Ok(done) => done.outcome,
        Err(StoreError::Rejected(Rejection::Loyalty(LoyaltyRejection::UnknownTier))) => {
            return Ok(unknown_tier());
        }
        Err(error) => return Err(error),
    };
    let day = if done.existed { today } else { done.after.account.created_at.date() };
    let expected: Vec<Lot> = command.imported(day)?;
    let found = if done.existed {
        expected.clone()
    } else {
        loyalty.opening_entries(&command).await?.into_iter().flat_map(|entry| entry.lots).collect()
    };
    let figures = figures_of(Unit::Points, said, &expected, Some(&found))?;
    let difference = (found != expected).then(|| DIFFERS.to_owned());
    let added = if done.existed { Money::ZERO } else { sum(&found)? };
    Ok(Applied { outcome: RowOutcome::Imported(code(done.existed), added), figures, difference })
}

/// Returns the outcome of a row that names a tier that the program does not have: only the rules of now show that.
fn unknown_tier() -> Applied {
    let detail = format!("tier: {}", LoyaltyRejection::UnknownTier);
    Applied::of(RowOutcome::Failed(INVALID_ROW.to_owned(), detail))
}

const DIFFERS: &str = "its opening entries are not as the row says";

/// Returns what a row adds to the figures: what was found in the table, and what was left out of what it says.
fn figures_of(
    unit: Unit,
    (said_lots, said): (usize, Money),
    kept: &[Lot],
    found: Option<&[Lot]>,
) -> Result<ImportOutcomes, StoreError> {
    let left_out = said.checked_sub(sum(kept)?).unwrap_or(Money::ZERO);
    let books = match found {
        Some(found) => Figures::of_row(1, found.len(), Some((unit, sum(found)?))),
        None => Figures::default(),
    };
    let skipped = Figures::of_lots(said_lots.saturating_sub(kept.len()), unit, left_out);
    Ok(ImportOutcomes { books, failed: Figures::default(), skipped })
}
