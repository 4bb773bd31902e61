//! What applying a row has come to.
//!
//! **Invariant:** only a row that was applied, or found applied, adds to the figures.

use domain::jobs::figures::ImportOutcomes;
use domain::jobs::row::RowOutcome;

/// A row that was applied or refused.
#[derive(Clone, Debug)]
pub(crate) struct Applied {
    /// Its outcome.
    pub(crate) outcome: RowOutcome,
    /// What it adds to the figures of an import.
    pub(crate) figures: ImportOutcomes,
    /// What the table has instead of what the row says.
    pub(crate) difference: Option<String>,
}

impl Applied {
    pub(crate) fn of(outcome: RowOutcome) -> Self {
        Self { outcome, figures: ImportOutcomes::default(), difference: None }
    }
}
