//! Reads the transactions of a wallet.
//!
//! **Invariant:** entries for due expiries and holds are written before a list or sum is computed,
//! so that both include them.

use crate::filter::{Filter, TransactionsQuery};
use crate::search::find;
use crate::views::{self, Transaction};
use axum::extract::State;
use axum::response::Response;
use domain::ids::TransactionId;
use domain::ledger::account::Account;
use domain::ledger::entry::Entry;
use domain::ledger::lot::CreditSource;
use domain::wallet::permit::WalletAction;
use domain::wallet::settle::Settle;
use edge::json::Number;
use edge::params::WindowQuery;
use edge::paths::{CustomerPath, TransactionPath};
use edge::{ApiRequest, App, Problem, reply};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// Writes entries for what is due, and returns the account.
pub(crate) async fn settled_account(app: &App, request: &ApiRequest) -> Result<Account, Problem> {
    let customer = request.customer()?;
    request.permit(WalletAction::Read, &customer)?;
    Ok(app.store.wallets().execute(&Settle { customer }, &request.context(app)?).await?.outcome.account)
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
    let filter = Filter::expiries(from);
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
