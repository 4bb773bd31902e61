//! Applies rows of imports, and reads back what is in the table of each.
//!
//! **Invariant:** the figures of a row that opened an account are those of its entries in the table; an account that was
//! there was compared with the row in the decision.

use crate::applied::Applied;
use domain::context::Context;
use domain::currency::Currency;
use domain::jobs::figures::{Figures, ImportOutcomes};
use domain::jobs::import_row::{PointsAccountRow, WalletRow};
use domain::jobs::job::JobTerms;
use domain::jobs::row::{INVALID_ROW, RowOutcome};
use domain::ledger::entry::Entry;
use domain::ledger::lot::Lot;
use domain::money::Money;
use domain::rejection::{LoyaltyRejection, Rejection};
use domain::unit::Unit;
use edge::App;
use store::StoreError;

/// The code of a row whose account was opened.
const CREATED: &str = "created";

/// The code of a row whose account was there, as the row says.
const EXISTS: &str = "exists";

fn overflow() -> StoreError {
    StoreError::Rejected(Rejection::Inconsistent("the lots of an account overflow"))
}

/// Returns the code of a row whose account was there, or is opened.
pub(crate) fn code(existed: bool) -> String {
    if existed { EXISTS } else { CREATED }.to_owned()
}

fn sum(lots: &[Lot]) -> Result<Money, StoreError> {
    Money::checked_sum(lots.iter().map(|lot| lot.amount)).ok_or_else(overflow)
}

/// Opens a wallet of another system.
pub(crate) async fn wallet(
    app: &App,
    terms: &JobTerms,
    context: &Context,
    (line, row): (u64, &WalletRow),
) -> Result<Applied, StoreError> {
    let wallets = app.store.wallets();
    let command = row.command(&terms.id, line, terms.options.skip_expired);
    let unit = Unit::Currency(row.currency);
    let today = context.now.date();
    let said = (row.lots.len(), row.balance());
    if terms.options.dry_run {
        let existed = wallets.imported_as(&command, context).await?;
        return dry_run(unit, said, &command.imported(today)?, existed);
    }
    let done = wallets.execute(&command, context).await?.outcome;
    if done.existed {
        return existing(unit, said, &command.imported(today)?);
    }
    // What had expired was left out on the day on which the wallet was opened.
    let expected = command.imported(done.wallet.account.created_at.date())?;
    opened(unit, said, &expected, wallets.opening_entries(&command).await?)
}

/// Opens an account of points of another system.
pub(crate) async fn points(
    app: &App,
    terms: &JobTerms,
    context: &Context,
    (line, row): (u64, &PointsAccountRow),
) -> Result<Applied, StoreError> {
    let loyalty = app.store.loyalty();
    let command = row.command(&terms.id, line, terms.options.skip_expired);
    let today = context.now.date();
    let said = (row.lots.len(), row.balance());
    let is_unknown_tier = |error: &StoreError| {
        matches!(error, StoreError::Rejected(Rejection::Loyalty(LoyaltyRejection::UnknownTier)))
    };
    if terms.options.dry_run {
        return match loyalty.imported_as(&command, context).await {
            Ok(existed) => dry_run(Unit::Points, said, &command.imported(today)?, existed),
            Err(error) if is_unknown_tier(&error) => Ok(unknown_tier()),
            Err(error) => Err(error),
        };
    }
    let done = match loyalty.execute(&command, context).await {
        Ok(done) => done.outcome,
        Err(error) if is_unknown_tier(&error) => return Ok(unknown_tier()),
        Err(error) => return Err(error),
    };
    if done.existed {
        return existing(Unit::Points, said, &command.imported(today)?);
    }
    let expected = command.imported(done.after.account.created_at.date())?;
    opened(Unit::Points, said, &expected, loyalty.opening_entries(&command).await?)
}

/// Returns what would be done for a row.
fn dry_run(unit: Unit, said: (usize, Money), kept: &[Lot], existed: bool) -> Result<Applied, StoreError> {
    let figures = figures_of(unit, said, kept, None)?;
    Ok(Applied { outcome: RowOutcome::Imported(code(existed), Money::ZERO), figures, difference: None })
}

/// Returns what was done for a row whose account was there. It was found to be as the row says; credit of one date and
/// class is one lot there.
fn existing(unit: Unit, said: (usize, Money), kept: &[Lot]) -> Result<Applied, StoreError> {
    let figures = figures_of(unit, said, kept, Some(kept))?;
    Ok(Applied { outcome: RowOutcome::Imported(code(true), Money::ZERO), figures, difference: None })
}

/// Returns what was done for a row whose account these entries have opened.
fn opened(
    unit: Unit,
    said: (usize, Money),
    expected: &[Lot],
    entries: Vec<Entry>,
) -> Result<Applied, StoreError> {
    let found: Vec<Lot> = entries.into_iter().flat_map(|entry| entry.lots).collect();
    let figures = figures_of(unit, said, expected, Some(&found))?;
    let difference = (found != expected).then(|| DIFFERS.to_owned());
    Ok(Applied { outcome: RowOutcome::Imported(code(false), sum(&found)?), figures, difference })
}

/// Returns the outcome of a row that names a tier that the program does not have: only the rules of now show that.
fn unknown_tier() -> Applied {
    let detail = format!("tier: {}", LoyaltyRejection::UnknownTier);
    Applied::of(RowOutcome::Failed(INVALID_ROW.to_owned(), detail))
}

/// Returns what a row of a budget adds to the figures: the credit that was found in the table, if anything was done.
pub(crate) fn figures_of_credit(currency: Currency, found: Option<Money>) -> ImportOutcomes {
    let books = match found {
        Some(found) => Figures::of_row(1, 0, Some((Unit::Currency(currency), found))),
        None => Figures::default(),
    };
    ImportOutcomes { books, ..ImportOutcomes::default() }
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
