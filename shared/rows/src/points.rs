//! Rows of `points.csv`.
//!
//! **Invariant:** the lots of a row sum to its points, and none has expired unless such lots are left out.

use crate::cells::{Cells, Named, RefusedRow, amount, until};
use domain::jobs::figures::Figures;
use domain::jobs::import_row::PointsAccountRow;
use domain::ledger::account::AccountStatus;
use domain::loyalty::import::ImportedPoints;
use domain::loyalty::numbers::Points;
use domain::loyalty::program::TierName;
use domain::money::Money;
use domain::parse::ParseError;
use domain::rejection::ImportRejection;
use domain::time::{Date, parse_date};
use domain::unit::Unit;
use domain::wallet::import::MAX_IMPORTED_LOTS;
use edge::csv::Line;

/// Reads points: `points|date or never`, joined by `;`.
fn lots(text: &str) -> Result<Vec<ImportedPoints>, ParseError> {
    const SHAPE: ParseError = ParseError("must be points|date or never, joined by ;");
    let lot = |text: &str| {
        let (points, date) = text.split_once('|').ok_or(SHAPE)?;
        let points = Points::parse(points.trim())?;
        if points.money().is_zero() {
            return Err(SHAPE);
        }
        Ok(ImportedPoints { points, expires_on: until(date.trim())? })
    };
    let lots: Vec<ImportedPoints> =
        text.split(';').filter(|text| !text.trim().is_empty()).map(lot).collect::<Result<_, _>>()?;
    if lots.len() > MAX_IMPORTED_LOTS { Err(ParseError("must be at most 90 lots")) } else { Ok(lots) }
}

fn truth(text: &str) -> Result<bool, ParseError> {
    match text {
        "true" | "TRUE" => Ok(true),
        "false" | "FALSE" => Ok(false),
        _ => Err(ParseError("must be true or false")),
    }
}

fn status(text: &str) -> Result<AccountStatus, ParseError> {
    let status = AccountStatus::parse(&text.to_ascii_uppercase()).ok();
    status.filter(|status| *status != AccountStatus::Suspended).ok_or(ParseError("must be ACTIVE or FROZEN"))
}

/// Reads a line; points that have expired before `today` make it invalid unless they are left out.
pub(crate) fn read(line: &Line<'_>, today: Date, skip_expired: bool) -> Result<PointsAccountRow, RefusedRow> {
    let mut cells = Cells::new(line);
    let customer = cells.customer("user_id");
    let points = cells.required("points", |text| amount(text, 0));
    let lots = cells.optional("lots", lots);
    let is_readable = lots.is_some() || cells.text("lots").is_none();
    let lots = lots.unwrap_or_default();
    if let Some(points) = points.filter(|_| is_readable)
        && Money::checked_sum(lots.iter().map(|lot| lot.points.money())) != Some(points)
    {
        cells.refuse("lots", ImportRejection::LotsDifferFromBalance);
    }
    if !skip_expired && lots.iter().any(|lot| lot.is_expired(today)) {
        cells.refuse("lots", ImportRejection::LotExpired);
    }
    let qualifying = cells.optional("qualifying", truth);
    let tier = cells.optional("tier", TierName::parse);
    let tier_until = cells.optional("tier_until", |text| {
        let date = parse_date(text)?;
        if date < today { Err(ParseError("must not be before today")) } else { Ok(date) }
    });
    if cells.text("tier").is_some() != cells.text("tier_until").is_some() {
        cells.offend("tier_until", "tier and tier_until must both be there, or neither");
    }
    let status = cells.optional("status", status);
    let figures = Figures::of_row(1, lots.len(), points.map(|points| (Unit::Points, points)));
    let amount = points.unwrap_or(Money::ZERO);
    match (cells.finish(), customer) {
        (Ok(()), Some(user)) => Ok(PointsAccountRow {
            user,
            lots,
            qualifying: qualifying.unwrap_or(false),
            grant: tier.zip(tier_until),
            status: status.unwrap_or(AccountStatus::Active),
        }),
        (Err((errors, code)), customer) => Err(RefusedRow {
            errors,
            code,
            named: Named::customer(customer),
            referral_code: None,
            amount,
            figures,
        }),
        (Ok(()), customer) => {
            let errors = vec![("user_id", "cannot be read".to_owned())];
            Err(RefusedRow {
                errors,
                code: None,
                named: Named::customer(customer),
                referral_code: None,
                amount,
                figures,
            })
        }
    }
}
