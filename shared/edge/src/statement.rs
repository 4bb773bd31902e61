//! Statements: their dates, lines and limits, and the formats in which they are answered.
//!
//! **Invariant:** a statement that is too long is refused with a shorter one proposed; it is never cut.

use crate::input::Text;
use crate::json::Number;
use crate::{ApiRequest, Problem, csv, reply};
use axum::response::Response;
use chrono::Datelike;
use domain::parse::ParseError;
use domain::time::{Date, plus_days};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// The most lines of a statement.
pub const MAX_LINES: usize = 10_000;

/// The most bytes of a statement.
const MAX_BYTES: usize = 5_000_000;

/// The most days of a statement.
const MAX_DAYS: u32 = 366;

/// A date.
#[derive(Clone, Copy, Debug)]
pub struct Day(Date);

impl Text for Day {
    fn parse(text: &str) -> Result<Self, ParseError> {
        domain::time::parse_date(text).map(Self)
    }

    fn schema() -> Value {
        json!({"type": "string", "format": "date"})
    }
}

crate::query! {
    /// The dates of a statement.
    pub struct StatementQuery {
        /// First date; the first of the month if omitted.
        from: Day,
        /// Last date, at most 366 days with the first; today if omitted.
        to: Day,
    }
}

/// A movement of the balance.
#[derive(Debug, Serialize, ToSchema)]
pub struct Line {
    /// When it happened.
    #[schema(format = Date)]
    pub date: String,
    /// Finds it among the transactions.
    pub transaction_id: String,
    /// What it was.
    #[serde(rename = "type")]
    #[schema(examples("DEBIT"))]
    pub kind: &'static str,
    /// The reason that its caller gave.
    pub reason: Option<String>,
    /// The order that it belongs to.
    pub order_id: Option<String>,
    /// Below zero if it has taken something.
    pub amount: Number,
    /// Balance (available + held) afterwards.
    pub balance_after: Number,
}

/// The columns of lines as a file.
const COLUMNS: [&str; 7] =
    ["date", "transaction_id", "type", "reason", "order_id", "amount", "balance_after"];

/// Credit that expires soon.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExpiringSum {
    /// How much.
    pub amount: Number,
    /// Last date on which it can be spent.
    #[schema(format = Date)]
    pub expires_on: String,
}

/// The seal of a statement's last date.
#[derive(Debug, Serialize, ToSchema)]
pub struct Seal {
    #[schema(format = Date)]
    date: String,
    seal: String,
}

/// The first and the last date of a statement.
#[derive(Clone, Copy, Debug)]
pub struct Dates {
    /// The first date.
    pub from: Date,
    /// The last date.
    pub to: Date,
}

impl Dates {
    /// Reads the dates that a request names.
    pub fn of(request: &ApiRequest, today: Date) -> Result<Self, Problem> {
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
        Ok(Self { from, to })
    }

    /// Returns the problem that a statement is too long, with a shorter one.
    pub fn too_long(self) -> Problem {
        let Self { from, to } = self;
        if from == to {
            let detail = "this date has too many movements for a statement; list them instead";
            return Problem::field("/from", detail);
        }
        let days = u32::try_from((to - from).num_days()).unwrap_or(0).saturating_sub(1);
        let shorter = plus_days(from, days / 2).unwrap_or(from);
        Problem::field("/to", format!("the statement is too long; a shorter one is from {from} to {shorter}"))
    }
}

/// Answers with a statement in the format that the caller accepts: JSON, its lines as `text/csv`, or a page to print.
pub fn answer<V: Serialize>(
    request: &ApiRequest,
    dates: Dates,
    (view, lines): (&V, &[Line]),
    page: impl FnOnce() -> String,
) -> Result<Response, Problem> {
    if lines.len() > MAX_LINES {
        return Err(dates.too_long());
    }
    let fits = |bytes: usize| if bytes > MAX_BYTES { Err(dates.too_long()) } else { Ok(()) };
    if request.accepts_html() {
        let page = page();
        fits(page.len())?;
        return Ok(reply::html(page));
    }
    if request.accepts_csv() {
        let file = csv::file(&COLUMNS, lines).ok_or_else(Problem::internal)?;
        fits(file.len())?;
        return Ok(reply::csv(file));
    }
    fits(serde_json::to_vec(view).map_err(|_| Problem::internal())?.len())?;
    reply::ok(view)
}
