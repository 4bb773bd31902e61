//! Reads the transactions of a wallet.
//!
//! **Invariant:** entries for due expiries and holds are written before a list or sum is computed,
//! so that both include them.

use crate::views::{self, Transaction};
use axum::extract::State;
use axum::response::Response;
use domain::ids::TransactionId;
use domain::ledger::account::Account;
use domain::ledger::entry::{Entry, EntryType};
use domain::ledger::lot::CreditSource;
use domain::parse::ParseError;
use domain::time::Timestamp;
use domain::wallet::permit::WalletAction;
use domain::wallet::settle::Settle;
use edge::input::{From, Text, Until};
use edge::json::Number;
use edge::params::{Params, Window, WindowQuery};
use edge::paths::{CustomerPath, TransactionPath};
use edge::{ApiRequest, App, Problem, reply, schema};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Number of matches of a filter up to which they are counted; above it, the total is unknown.
const MAX_COUNTED: u64 = 1_000;

/// Number of entries that one query reads.
pub(crate) const PAGE: u16 = 250;

/// Writes entries for what is due, and returns the account.
pub(crate) async fn settled_account(app: &App, request: &ApiRequest) -> Result<Account, Problem> {
    let customer = request.customer()?;
    request.permit(WalletAction::Read, &customer)?;
    Ok(app.store.wallets().execute(&Settle { customer }, &request.context(app)?).await?.outcome.account)
}

/// Filter of entries.
#[derive(Default)]
struct Filter {
    kind: Option<EntryType>,
    source: Option<CreditSource>,
    completed: Option<bool>,
    /// Inclusive.
    from: Option<Timestamp>,
    /// Exclusive.
    until: Option<Timestamp>,
}

/// Status of a transaction, as a filter. Every stored transaction is COMPLETED, so other statuses
/// match nothing.
pub(crate) struct MovementStatus {
    completed: bool,
}

impl Text for MovementStatus {
    fn parse(text: &str) -> Result<Self, ParseError> {
        match text {
            "COMPLETED" => Ok(Self { completed: true }),
            "PENDING" | "FAILED" | "EXPIRED" => Ok(Self { completed: false }),
            _ => Err(ParseError("must be COMPLETED, PENDING, FAILED or EXPIRED")),
        }
    }

    fn schema() -> Value {
        schema::words(["COMPLETED", "PENDING", "FAILED", "EXPIRED"])
    }
}

/// Type of a transaction, as a filter.
pub(crate) struct MovementType(EntryType);

impl Text for MovementType {
    fn parse(text: &str) -> Result<Self, ParseError> {
        EntryType::parse(text).map(Self)
    }

    fn schema() -> Value {
        schema::words(EntryType::ALL.map(EntryType::as_str))
    }
}

/// Source of a transaction's credit, as a filter.
pub(crate) struct MovementSource(CreditSource);

impl Text for MovementSource {
    fn parse(text: &str) -> Result<Self, ParseError> {
        CreditSource::parse(text).map(Self)
    }

    fn schema() -> Value {
        schema::words(CreditSource::ALL.map(CreditSource::as_str))
    }
}

edge::query! {
    /// Filter of the list of transactions.
    pub(crate) struct TransactionsQuery {
        /// Only transactions of this type.
        kind as "type": MovementType,
        /// Only transactions of this source.
        source: MovementSource,
        /// Only transactions with this status; every stored transaction is COMPLETED.
        status: MovementStatus,
        /// Only transactions at or after this date or instant.
        start_date: From,
        /// Only transactions at or before this date or instant; a date counts through its end.
        end_date: Until,
    }
}

impl Filter {
    fn read(params: &mut Params) -> Self {
        let query = TransactionsQuery::take(params);
        // `end_date` is inclusive: the instant itself, or the whole date.
        let after = |until: Until| {
            let next = if until.is_instant { Timestamp::from_millis(until.at.millis() + 1) } else { None };
            next.unwrap_or(until.at)
        };
        Self {
            kind: query.kind.map(|kind| kind.0),
            source: query.source.map(|source| source.0),
            completed: query.status.map(|status| status.completed),
            from: query.start_date.map(|from| from.0),
            until: query.end_date.map(after),
        }
    }

    fn is_open(&self) -> bool {
        self.kind.is_none()
            && self.source.is_none()
            && self.completed.is_none()
            && self.from.is_none()
            && self.until.is_none()
    }

    fn matches(&self, entry: &Entry) -> bool {
        self.kind.is_none_or(|kind| entry.kind == kind)
            && self.source.is_none_or(|source| entry.source == Some(source))
            && self.completed.unwrap_or(true)
            && self.from.is_none_or(|from| entry.at >= from)
            && self.until.is_none_or(|until| entry.at < until)
    }

    /// Returns the filter as text, to which cursors are bound.
    fn bind(&self, account: &Account) -> String {
        format!(
            "transactions|{}|{:?}|{:?}|{:?}|{:?}|{:?}",
            account.id.customer(),
            self.kind,
            self.source,
            self.completed,
            self.from,
            self.until
        )
    }
}

/// A page of the list.
struct Found {
    entries: Vec<Entry>,
    total: Option<u64>,
    next_cursor: Option<String>,
}

async fn find(
    app: &App,
    account: &Account,
    query: String,
    filter: &Filter,
    window: &Window,
) -> Result<Found, Problem> {
    let below = match &window.cursor {
        Some(cursor) => app.cursors.open(&query, cursor)?,
        None => account.seq + 1,
    };
    let (entries, total, more) = if filter.is_open() {
        // Sequence numbers have no gaps, so skipped entries need not be read.
        let before = below.saturating_sub(u64::from(window.skip));
        let page = app.store.wallets().history(account.id.customer(), before, window.limit).await?;
        let more = page.entries.last().is_some_and(|last| last.seq > 1);
        (page.entries, Some(account.seq), more)
    } else {
        filtered(app, account, filter, below, window).await?
    };
    let place = entries.last().filter(|_| more).map(|entry| entry.seq);
    Ok(Found { next_cursor: place.and_then(|place| app.cursors.seal(&query, place)), entries, total })
}

/// Reads entries from the newest on, counts matches up to [`MAX_COUNTED`], and keeps those of the
/// window.
async fn filtered(
    app: &App,
    account: &Account,
    filter: &Filter,
    below: u64,
    window: &Window,
) -> Result<(Vec<Entry>, Option<u64>, bool), Problem> {
    let (mut kept, mut counted, mut passed, mut more) = (Vec::new(), 0_u64, 0_u16, false);
    let mut before = account.seq + 1;
    loop {
        let page = app.store.wallets().history(account.id.customer(), before, PAGE).await?;
        for entry in page.entries {
            before = entry.seq;
            if filter.from.is_some_and(|from| entry.at < from) {
                // Timestamps follow the sequence numbers: no older entry can match.
                return Ok((kept, (counted <= MAX_COUNTED).then_some(counted), more));
            }
            if !filter.matches(&entry) {
                continue;
            }
            counted += 1;
            if entry.seq >= below {
                continue;
            }
            if passed < window.skip {
                passed += 1;
            } else if kept.len() < usize::from(window.limit) {
                kept.push(entry);
            } else {
                more = true;
            }
        }
        if !page.more || (counted > MAX_COUNTED && more) {
            return Ok((kept, (counted <= MAX_COUNTED).then_some(counted), more));
        }
    }
}

/// Transactions, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Transactions {
    transactions: Vec<Transaction>,
    /// Total number of matches; with a filter, null above 1000.
    total: Option<u64>,
    limit: u16,
    skip: u16,
    next_cursor: Option<String>,
}

/// Lists the wallet's transactions, newest first.
#[utoipa::path(get, path = "/api/wallet/{customer_id}/transactions", tag = "wallet",
    params(CustomerPath, TransactionsQuery, WindowQuery),
    responses((status = 200, body = Transactions)))]
pub(crate) async fn transactions(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let mut params = request.params();
    let filter = Filter::read(&mut params);
    let window = params.window();
    params.finish()?;
    let account = settled_account(&app, &request).await?;
    let found = find(&app, &account, filter.bind(&account), &filter, &window).await?;
    reply::ok(&Transactions {
        transactions: found.entries.iter().map(views::transaction).collect(),
        total: found.total,
        limit: window.limit,
        skip: window.skip,
        next_cursor: found.next_cursor,
    })
}

/// Returns one transaction of the wallet.
#[utoipa::path(get, path = "/api/wallet/{customer_id}/transactions/{transaction_id}", tag = "wallet",
    params(CustomerPath, TransactionPath),
    responses((status = 200, body = Transaction)))]
pub(crate) async fn transaction(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let customer = request.customer()?;
    request.params().finish()?;
    request.permit(WalletAction::Read, &customer)?;
    let unknown =
        || Problem::new(StatusCode::NOT_FOUND, "transaction_not_found", "there is no such transaction");
    let (id, seq) = request.path("transaction_id", TransactionId::parse).map_err(|_| unknown())?;
    let entry = app.store.wallets().entry(&customer, seq).await?;
    let entry = entry.filter(|entry| entry.id() == id).ok_or_else(unknown)?;
    reply::ok(&views::transaction(&entry))
}

/// An expiry of credit in the past.
#[derive(Serialize, ToSchema)]
pub(crate) struct Expiry {
    transaction_id: String,
    amount: Number,
    /// Last date on which the credit could be spent.
    #[schema(format = Date)]
    expires_on: Option<String>,
    /// Instant from which the credit could no longer be spent.
    #[schema(format = DateTime)]
    expired_at: String,
    source: Option<&'static str>,
}

/// Past expiries, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Expiries {
    expiries: Vec<Expiry>,
    total: Option<u64>,
    limit: u16,
    skip: u16,
    next_cursor: Option<String>,
}

/// Lists the wallet's past expiries, newest first.
#[utoipa::path(get, path = "/api/wallet/{customer_id}/expiry-history", tag = "wallet",
    params(CustomerPath, WindowQuery),
    responses((status = 200, body = Expiries)))]
pub(crate) async fn expiries(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let mut params = request.params();
    let window = params.window();
    params.finish()?;
    let account = settled_account(&app, &request).await?;
    let now = app.clock.now();
    let from = app.expiry_history_days.map(|days| now.minus_minutes(days.saturating_mul(1_440)));
    let filter = Filter { kind: Some(EntryType::Expiry), from, ..Filter::default() };
    // The start of the listed period moves with the clock, so cursors are not bound to it.
    let query = format!("expiries|{}", account.id.customer());
    let found = find(&app, &account, query, &filter, &window).await?;
    let view = |entry: &Entry| Expiry {
        transaction_id: entry.id().to_string(),
        amount: Number::money(entry.amount, entry.unit),
        expires_on: entry.expires_on.map(|date| date.to_string()),
        expired_at: entry.at.to_string(),
        source: entry.source.map(CreditSource::as_str),
    };
    reply::ok(&Expiries {
        expiries: found.entries.iter().map(view).collect(),
        total: found.total,
        limit: window.limit,
        skip: window.skip,
        next_cursor: found.next_cursor,
    })
}
