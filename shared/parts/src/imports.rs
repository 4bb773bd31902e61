//! Applies rows of imports, and reads back what is in the table of each.
//!
//! **Invariant:** the figures of a row that succeeded are those of the items in the table, not those of the file.

use crate::rows::{Applied, Applying};
use domain::jobs::figures::{Figures, ImportOutcomes};
use domain::jobs::import_row::WalletRow;
use domain::jobs::row::RowOutcome;
use domain::ledger::lot::Lot;
use domain::money::Money;
use domain::rejection::Rejection;
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
    let left_out = row.lots.iter().filter(|lot| terms.options.skip_expired && lot.is_expired(today));
    if terms.options.dry_run {
        let found = wallets.imported_as(&command, &applying.context).await?;
        let skipped = left_out.map(|lot| lot.amount).collect::<Vec<_>>();
        let sum = Money::checked_sum(skipped.iter().copied()).ok_or_else(overflow)?;
        let figures = ImportOutcomes {
            skipped: Figures::of_lots(skipped.len(), unit, sum),
            ..ImportOutcomes::default()
        };
        return Ok(Applied { outcome: RowOutcome::Imported(code(found)), figures, difference: None });
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
    let sum = |lots: &[Lot]| Money::checked_sum(lots.iter().map(|lot| lot.amount)).ok_or_else(overflow);
    let skipped = row.balance().checked_sub(sum(&expected)?).unwrap_or(Money::ZERO);
    let left_out = row.lots.len().saturating_sub(expected.len());
    let figures = ImportOutcomes {
        books: Figures::of_row(1, found.len(), Some((unit, sum(&found)?))),
        failed: Figures::default(),
        skipped: Figures::of_lots(left_out, unit, skipped),
    };
    let difference = (found != expected).then(|| "its opening entries are not as the row says".to_owned());
    Ok(Applied { outcome: RowOutcome::Imported(code(done.existed)), figures, difference })
}
