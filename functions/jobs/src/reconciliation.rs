//! The comparison of the file of an import with what is in the table.
//!
//! **Invariant:** it agrees exactly if file - failed - skipped = books in every figure, and no row differs.

use domain::jobs::figures::{Difference, Figures, ImportOutcomes};
use domain::jobs::job::JobTerms;
use domain::money::Money;
use domain::unit::Unit;
use edge::json::Number;
use serde::Serialize;
use utoipa::ToSchema;

/// The sum of balances in one unit.
#[derive(Serialize, ToSchema)]
pub(crate) struct UnitBalance {
    /// Null for points.
    currency: Option<String>,
    amount: Number,
}

/// Sums of an import.
#[derive(Serialize, ToSchema)]
pub(crate) struct ImportSums {
    rows: Number,
    wallets: Number,
    lots: Number,
    balances: Vec<UnitBalance>,
}

/// A row of which the table has something else than the row says.
#[derive(Serialize, ToSchema)]
pub(crate) struct RowDifference {
    line: u64,
    detail: String,
}

/// The comparison of a file with what is in the table.
#[derive(Serialize, ToSchema)]
pub(crate) struct Reconciliation {
    /// What the file says.
    file: ImportSums,
    /// What is in the table of the rows that succeeded; null for a dry run.
    books: Option<ImportSums>,
    /// The rows that have failed.
    failed: ImportSums,
    /// Credit that was left out because it had expired.
    skipped: ImportSums,
    /// Rows of which the table has something else, at most the first 100.
    differences: Vec<RowDifference>,
    /// Whether file - failed - skipped = books, and no row differs; null for a dry run.
    agrees: Option<bool>,
}

fn sums(figures: &Figures) -> ImportSums {
    let count = |amount: Money| Number::money(amount, Unit::Points);
    let balance = |(code, amount): (&str, Money)| {
        let unit = Unit::parse(code).unwrap_or(Unit::Points);
        UnitBalance {
            currency: unit.currency().map(|currency| currency.code().to_owned()),
            amount: Number::money(amount, unit),
        }
    };
    ImportSums {
        rows: count(figures.rows()),
        wallets: count(figures.wallets()),
        lots: count(figures.lots()),
        balances: figures.balances().map(balance).collect(),
    }
}

/// Renders the comparison of a file with what is in the table.
pub(crate) fn compare(
    terms: &JobTerms,
    outcomes: &ImportOutcomes,
    differences: Vec<Difference>,
) -> Reconciliation {
    let is_real = !terms.options.dry_run;
    Reconciliation {
        file: sums(&terms.file),
        books: is_real.then(|| sums(&outcomes.books)),
        failed: sums(&outcomes.failed),
        skipped: sums(&outcomes.skipped),
        agrees: is_real.then(|| outcomes.agree_with(&terms.file) && differences.is_empty()),
        differences: differences
            .into_iter()
            .map(|Difference { line, detail }| RowDifference { line, detail })
            .collect(),
    }
}
