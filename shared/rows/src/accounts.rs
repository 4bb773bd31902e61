//! Rows of `accounts.csv`.
//!
//! **Invariant:** the parent of a row is in a valid row before it, or is an account here.

use crate::cells::{Cells, Named, RefusedRow, amount};
use crate::known::{Above, KnownAccounts};
use domain::budget::{MAX_SLICES, Mode};
use domain::currency::Currency;
use domain::ids::budget::{BudgetKind, ExternalId};
use domain::jobs::budget_row::BudgetRow;
use domain::jobs::figures::Figures;
use domain::money::Money;
use domain::parse::ParseError;
use domain::rejection::ImportRejection;
use domain::unit::Unit;
use edge::csv::Line;
use edge::input::{NonBlankText, Text};

fn slices(text: &str) -> Result<u8, ParseError> {
    let slices = text.parse::<u8>().ok().filter(|slices| (1..=MAX_SLICES).contains(slices));
    slices.ok_or(ParseError("must be a whole number from 1 to 64"))
}

fn is_paused(text: &str) -> Result<bool, ParseError> {
    match text.to_ascii_lowercase().as_str() {
        "active" => Ok(false),
        "paused" => Ok(true),
        _ => Err(ParseError("must be active or paused")),
    }
}

/// Reads a line; `known` are the accounts of the rows before.
pub(crate) fn read(
    line: &Line<'_>,
    known: &KnownAccounts,
    currency: Currency,
) -> Result<BudgetRow, RefusedRow> {
    let mut cells = Cells::new(line);
    let external_id = cells.id("external_id", ExternalId::parse);
    let kind = cells.required("kind", BudgetKind::parse);
    let parent = match kind {
        Some(BudgetKind::Agency) => {
            if cells.text("parent_external_id").is_some_and(|parent| parent != "platform") {
                cells.offend("parent_external_id", "must be empty for an agency");
            }
            None
        }
        Some(_) => cells.id("parent_external_id", ExternalId::parse),
        None => None,
    };
    let above = match (kind.and_then(BudgetKind::parent), &parent) {
        (Some(of), Some(parent)) => known.above(parent, of).unwrap_or_else(|| {
            cells.refuse("parent_external_id", ImportRejection::ParentNotFound);
            Above::default()
        }),
        _ => Above::default(),
    };
    if kind.is_some() && known.is_full(parent.as_ref()) {
        cells.offend("parent_external_id", "has more than 1000 children");
    }
    let name = cells.exact("name", |text| NonBlankText::parse(text).map(|name| name.0));
    let digits = currency.digits();
    let credit = cells.optional("credit", |text| amount(text, digits));
    let low_credit_threshold = cells.optional("low_credit_threshold", |text| amount(text, digits));
    let mode = cells.optional("budget_mode", Mode::parse);
    let is_campaign = kind == Some(BudgetKind::Campaign);
    if mode.is_some() && kind.is_some() && !is_campaign {
        cells.offend("budget_mode", "is for campaigns only");
    }
    let shares = is_campaign && mode.unwrap_or(Mode::Shared) == Mode::Shared;
    if shares && credit.is_some_and(|credit| !credit.is_zero()) {
        cells.offend("credit", "must be zero: a shared campaign spends the credit of its client");
    }
    let slices = cells.optional("slices", slices);
    let status = cells.optional("status", is_paused);
    let amount = credit.unwrap_or(Money::ZERO);
    let figures = Figures::of_row(1, 0, credit.map(|credit| (Unit::Currency(currency), credit)));
    let wrong = match (cells.finish(), external_id.clone(), kind, name) {
        (Ok(()), Some(external_id), Some(kind), Some(name)) => {
            return Ok(BudgetRow {
                external_id,
                kind,
                above: above.ids,
                is_below_here: above.is_here,
                name,
                currency,
                credit: amount,
                low_credit_threshold: low_credit_threshold.filter(|threshold| !threshold.is_zero()),
                mode,
                slices: slices.unwrap_or(1),
                is_paused: status.unwrap_or(false),
            });
        }
        (Err(wrong), ..) => wrong,
        (Ok(()), ..) => (vec![("", "cannot be read".to_owned())], None),
    };
    let (errors, code) = wrong;
    let named = Named::account(external_id);
    Err(RefusedRow { errors, code, named, referral_code: None, amount, figures })
}
