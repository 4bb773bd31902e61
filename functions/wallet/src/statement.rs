//! Statements of a wallet: what has changed its balance within some dates, as JSON, as a file, or as a page to print.
//!
//! **Invariant:** closing = opening + the sum of the lines' amounts.
//! **Invariant:** entries for due expiries and holds are written before a statement is made.

use crate::history::settled_account;
use crate::search::between;
use crate::statement_page::{Parts, page};
use axum::extract::State;
use axum::response::Response;
use domain::currency::Currency;
use domain::ledger::account::Account;
use domain::money::Money;
use domain::time::{Date, Timestamp, plus_days};
use domain::wallet::statement::{Statement, StatementLine, StatementTotals};
use edge::json::Number;
use edge::paths::CustomerPath;
use edge::statement::{Dates, ExpiringSum, Line, Seal, StatementQuery, answer};
use edge::{ApiRequest, App, Problem};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The most entries that are read for a statement; those of holds are no lines.
const MAX_ENTRIES: u64 = 30_000;

/// Days for which a statement says what expires.
const EXPIRING_DAYS: u32 = 30;

/// Sums of a statement.
#[derive(Serialize, ToSchema)]
pub(crate) struct Totals {
    credited: Number,
    /// Debits and captures.
    spent: Number,
    refunded: Number,
    expired: Number,
    transferred_in: Number,
    transferred_out: Number,
    /// Credit that was taken back, and debts that were collected.
    clawed_back: Number,
    /// Credit that was taken back before, and returned.
    reinstated: Number,
    /// Corrections by hand that have added credit; not in `credited`.
    adjusted_up: Number,
    /// Corrections by hand that have taken credit; not in `spent`.
    adjusted_down: Number,
}

/// A statement.
#[derive(Serialize, ToSchema)]
pub(crate) struct StatementView {
    customer_id: String,
    currency: &'static str,
    #[schema(format = Date)]
    from: String,
    #[schema(format = Date)]
    to: String,
    /// The balance before the first line.
    opening: Number,
    /// The balance after the last line.
    closing: Number,
    totals: Totals,
    /// Oldest first; holds are no lines, because they do not change the balance.
    lines: Vec<Line>,
    /// What expires within 30 days from now, by date.
    expiring: Vec<ExpiringSum>,
    /// Reserved for the seal of the books that covers the last date; always null in this version.
    sealed: Option<Seal>,
}

fn totals(totals: &StatementTotals, currency: Currency) -> Totals {
    let money = |amount| Number::money(amount, currency);
    Totals {
        credited: money(totals.credited),
        spent: money(totals.spent),
        refunded: money(totals.refunded),
        expired: money(totals.expired),
        transferred_in: money(totals.transferred_in),
        transferred_out: money(totals.transferred_out),
        clawed_back: money(totals.clawed_back),
        reinstated: money(totals.reinstated),
        adjusted_up: money(totals.adjusted_up),
        adjusted_down: money(totals.adjusted_down),
    }
}

fn line(line: &StatementLine<'_>, currency: Currency) -> Line {
    let entry = line.entry;
    Line {
        date: entry.at.date().to_string(),
        transaction_id: entry.id().to_string(),
        kind: entry.kind.as_str(),
        reason: entry.reason.as_ref().map(|reason| reason.as_str().to_owned()),
        order_id: entry.order_id.as_ref().map(ToString::to_string),
        amount: Number::difference(line.amount, currency),
        balance_after: Number::money(entry.balance_after, currency),
    }
}

/// Returns what has changed the balance within some dates; also as `text/csv`, or as a page to print (`text/html`).
#[utoipa::path(get, path = "/api/wallet/{customer_id}/statement", tag = "wallet",
    params(CustomerPath, StatementQuery),
    responses((status = 200, content((StatementView = "application/json"), (String = "text/csv"), (String = "text/html")))))]
pub(crate) async fn statement(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let dates = Dates::of(&request, app.clock.now().date())?;
    let account = settled_account(&app, &request).await?;
    let currency = account.currency()?;
    let period = (Timestamp::start_of(dates.from), Timestamp::end_of(dates.to));
    let found = between(&app, &account, period, MAX_ENTRIES).await?;
    let (opening, entries) = found.ok_or_else(|| dates.too_long())?;
    let statement = Statement::of(opening, &entries)?;
    let expiring = expiring(&app, &account);
    let expires = |(date, amount): (&Date, &Money)| ExpiringSum {
        amount: Number::money(*amount, currency),
        expires_on: date.to_string(),
    };
    let view = StatementView {
        customer_id: account.id.customer().to_string(),
        currency: currency.code(),
        from: dates.from.to_string(),
        to: dates.to.to_string(),
        opening: Number::money(statement.opening, currency),
        closing: Number::money(statement.closing, currency),
        totals: totals(&statement.totals, currency),
        lines: statement.lines.iter().map(|each| line(each, currency)).collect(),
        expiring: expiring.iter().map(expires).collect(),
        sealed: None,
    };
    let parts = Parts { account: &account, currency, dates, statement, expiring };
    answer(&request, dates, (&view, &view.lines), || page(&parts, app.language))
}

/// Returns what expires within 30 days from now, by date.
fn expiring(app: &App, account: &Account) -> BTreeMap<Date, Money> {
    let until = plus_days(app.clock.now().max(account.updated_at).date(), EXPIRING_DAYS);
    let mut sums = BTreeMap::new();
    for lot in account.lots.iter() {
        if let Some(date) = lot.expires_on.filter(|date| until.is_none_or(|until| *date <= until)) {
            let sum = sums.entry(date).or_insert(Money::ZERO);
            *sum = sum.checked_add(lot.amount).unwrap_or(*sum);
        }
    }
    sums
}
