//! Statements of a wallet: what has changed its balance within some dates, as JSON, as a file, or as a page to print.
//!
//! **Invariant:** closing = opening + the sum of the lines' amounts.
//! **Invariant:** entries for due expiries and holds are written before a statement is made.

use crate::history::settled_account;
use crate::search::between;
use crate::statement_page::{self, Parts};
use axum::extract::State;
use axum::response::Response;
use chrono::Datelike;
use domain::currency::Currency;
use domain::ledger::account::Account;
use domain::money::Money;
use domain::parse::ParseError;
use domain::time::{Date, Timestamp, plus_days};
use domain::wallet::statement::{Statement, StatementLine, StatementTotals};
use edge::input::Text;
use edge::json::Number;
use edge::paths::CustomerPath;
use edge::{ApiRequest, App, Problem, csv, reply};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The most lines of a statement.
const MAX_LINES: usize = 10_000;

/// The most entries that are read for a statement; those of holds are no lines.
const MAX_ENTRIES: u64 = 30_000;

/// The most bytes of a statement.
const MAX_BYTES: usize = 5_000_000;

/// The most days of a statement.
const MAX_DAYS: u32 = 366;

/// Days for which a statement says what expires.
const EXPIRING_DAYS: u32 = 30;

/// A date.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Day(Date);

impl Text for Day {
    fn parse(text: &str) -> Result<Self, ParseError> {
        domain::time::parse_date(text).map(Self)
    }

    fn schema() -> Value {
        json!({"type": "string", "format": "date"})
    }
}

edge::query! {
    /// The dates of a statement.
    pub(crate) struct StatementQuery {
        /// First date; the first of the month if omitted.
        from: Day,
        /// Last date, at most 366 days with the first; today if omitted.
        to: Day,
    }
}

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

/// A movement of the balance.
#[derive(Serialize, ToSchema)]
pub(crate) struct Line {
    #[schema(format = Date)]
    date: String,
    transaction_id: String,
    #[serde(rename = "type")]
    #[schema(examples("DEBIT"))]
    kind: &'static str,
    reason: Option<String>,
    order_id: Option<String>,
    /// Below zero if it has taken something.
    amount: Number,
    /// Balance (available + held) afterwards.
    balance_after: Number,
}

/// The columns of lines as a file.
const COLUMNS: [&str; 7] =
    ["date", "transaction_id", "type", "reason", "order_id", "amount", "balance_after"];

/// Credit that expires soon.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExpiringSum {
    amount: Number,
    /// Last date on which it can be spent.
    #[schema(format = Date)]
    expires_on: String,
}

/// The seal of a statement's last date.
#[derive(Serialize, ToSchema)]
pub(crate) struct Seal {
    #[schema(format = Date)]
    date: String,
    seal: String,
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

fn view(parts: &Parts<'_>) -> StatementView {
    let Parts { account, currency, from, to, statement, expiring } = parts;
    StatementView {
        customer_id: account.id.customer().to_string(),
        currency: currency.code(),
        from: from.to_string(),
        to: to.to_string(),
        opening: Number::money(statement.opening, *currency),
        closing: Number::money(statement.closing, *currency),
        totals: totals(&statement.totals, *currency),
        lines: statement.lines.iter().map(|each| line(each, *currency)).collect(),
        expiring: expiring
            .iter()
            .map(|(date, amount)| ExpiringSum {
                amount: Number::money(*amount, *currency),
                expires_on: date.to_string(),
            })
            .collect(),
        sealed: None,
    }
}

/// Returns the first and the last date of a statement.
fn dates(request: &ApiRequest, today: Date) -> Result<(Date, Date), Problem> {
    let mut params = request.params();
    let query = StatementQuery::take(&mut params);
    params.finish()?;
    let to = query.to.map_or(today, |day| day.0);
    let from = query.from.map_or_else(|| to.with_day(1).unwrap_or(to), |day| day.0);
    if from > to {
        return Err(Problem::field("/from", "must not be later than to"));
    }
    if plus_days(from, MAX_DAYS - 1).is_some_and(|last| last < to) {
        return Err(Problem::field("/from", "must be at most 366 days with to"));
    }
    Ok((from, to))
}

fn too_long(from: Date, to: Date) -> Problem {
    if from == to {
        return Problem::field(
            "/from",
            "this date has too many movements for a statement; list them instead",
        );
    }
    let days = u32::try_from((to - from).num_days()).unwrap_or(0).saturating_sub(1);
    let shorter = plus_days(from, days / 2).unwrap_or(from);
    Problem::field("/to", format!("the statement is too long; a shorter one is from {from} to {shorter}"))
}

/// Returns what has changed the balance within some dates; also as `text/csv`, or as a page to print (`text/html`).
#[utoipa::path(get, path = "/api/wallet/{customer_id}/statement", tag = "wallet",
    params(CustomerPath, StatementQuery),
    responses((status = 200, content((StatementView = "application/json"), (String = "text/csv"), (String = "text/html")))))]
pub(crate) async fn statement(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let (from, to) = dates(&request, app.clock.now().date())?;
    let account = settled_account(&app, &request).await?;
    let currency = account.currency()?;
    let period = (Timestamp::start_of(from), Timestamp::end_of(to));
    let found = between(&app, &account, period, MAX_ENTRIES).await?;
    let (opening, entries) = found.ok_or_else(|| too_long(from, to))?;
    let statement = Statement::of(opening, &entries)?;
    if statement.lines.len() > MAX_LINES {
        return Err(too_long(from, to));
    }
    let parts =
        Parts { account: &account, currency, from, to, statement, expiring: expiring(&app, &account) };
    if request.accepts_html() {
        let page = statement_page::page(&parts, app.language);
        return if page.len() > MAX_BYTES { Err(too_long(from, to)) } else { Ok(reply::html(page)) };
    }
    let view = view(&parts);
    if request.accepts_csv() {
        let file = csv::file(&COLUMNS, &view.lines).ok_or_else(Problem::internal)?;
        return if file.len() > MAX_BYTES { Err(too_long(from, to)) } else { Ok(reply::csv(file)) };
    }
    let size = serde_json::to_vec(&view).map_err(|_| Problem::internal())?.len();
    if size > MAX_BYTES { Err(too_long(from, to)) } else { reply::ok(&view) }
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
