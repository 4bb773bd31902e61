//! The figures of an account match its entries, month by month.
//!
//! **Invariant:** the figures are folded from the entries; the stored ones are only compared with them.

use super::AccountAudit;
use crate::ledger::statistics::MonthFigures;
use crate::month::Month;
use std::collections::{BTreeMap, BTreeSet};

/// Compares the figures. Those of an account from an earlier version are not known.
pub(super) fn compare(audit: &mut AccountAudit<'_>) {
    let folded = audit.folded.as_ref().and_then(|account| account.figures.clone());
    let stored = audit.books.account.as_ref().and_then(|account| account.figures.clone());
    let (Some(folded), Some(stored)) = (folded, stored) else { return };
    let by_month = |months: &[MonthFigures], current: &MonthFigures| -> BTreeMap<Month, MonthFigures> {
        // Months that ended after the entries were read are left out.
        let known = months.iter().filter(|figures| figures.last_seq <= folded.last_seq);
        known.chain([current]).map(|figures| (figures.month, figures.clone())).collect()
    };
    let (entries, kept) = (by_month(&audit.ended, &folded), by_month(&audit.books.months, &stored));
    let months: BTreeSet<Month> = entries.keys().chain(kept.keys()).copied().collect();
    for month in months.into_iter().filter(|month| entries.get(month) != kept.get(month)) {
        let detail = "the figures of the month do not match its entries";
        audit.record_difference(Some(month.to_string()), detail);
    }
}
