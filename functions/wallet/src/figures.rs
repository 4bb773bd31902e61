//! Statistics of a wallet: counts, sums, averages, and a monthly series.
//!
//! **Invariant:** statistics are read from the figures that the wallet keeps by month, so their cost does
//! not grow with the number of its transactions.

use crate::history::settled_account;
use axum::extract::State;
use axum::response::Response;
use domain::currency::Currency;
use domain::ledger::entry::EntryType;
use domain::ledger::statistics::{EntryStatistics, MonthFigures, Tally};
use domain::money::Money;
use edge::json::Number;
use edge::paths::CustomerPath;
use edge::{ApiRequest, App, Problem, reply};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Number of transactions and the sum of their amounts.
#[derive(Serialize, ToSchema)]
pub(crate) struct TallyView {
    count: u64,
    amount: Number,
}

fn tally(tally: Tally, currency: Currency) -> TallyView {
    TallyView { count: tally.count, amount: Number::money(tally.amount, currency) }
}

/// Counts and sums of a wallet's transactions.
#[derive(Serialize, ToSchema)]
pub(crate) struct Summary {
    customer_id: String,
    currency: &'static str,
    total_transactions: u64,
    by_type: BTreeMap<&'static str, TallyView>,
    by_source: BTreeMap<&'static str, TallyView>,
}

/// Returns the counts and sums of the wallet's transactions, by type and by source.
#[utoipa::path(get, path = "/api/wallet/{customer_id}/transaction-summary", tag = "wallet",
    params(CustomerPath), responses((status = 200, body = Summary)))]
pub(crate) async fn summary(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    request.params().finish()?;
    let account = settled_account(&app, &request).await?;
    let report = EntryStatistics::of(&app.store.wallets().months(&account).await?);
    let currency = account.currency()?;
    reply::ok(&Summary {
        customer_id: account.id.customer().to_string(),
        currency: currency.code(),
        total_transactions: report.count(),
        by_type: report.by_type.iter().map(|(kind, sum)| (kind.as_str(), tally(*sum, currency))).collect(),
        by_source: report
            .by_source
            .iter()
            .map(|(source, sum)| (source.as_str(), tally(*sum, currency)))
            .collect(),
    })
}

/// Counts and sums of one month.
#[derive(Serialize, ToSchema)]
pub(crate) struct Month {
    /// Year and month, such as `2026-01`.
    month: String,
    by_type: BTreeMap<&'static str, TallyView>,
}

/// Statistics of a wallet.
#[derive(Serialize, ToSchema)]
pub(crate) struct Statistics {
    customer_id: String,
    currency: &'static str,
    balance: Number,
    available: Number,
    held: Number,
    total_earned: Number,
    total_spent: Number,
    total_refunded: Number,
    total_expired: Number,
    total_transactions: u64,
    average_credit: Number,
    /// Average amount of a debit or capture.
    average_spend: Number,
    #[schema(format = DateTime)]
    first_transaction_date: Option<String>,
    #[schema(format = DateTime)]
    last_transaction_date: Option<String>,
    by_month: Vec<Month>,
}

/// Returns the totals, averages and monthly series of the wallet.
#[utoipa::path(get, path = "/api/wallet/{customer_id}/statistics", tag = "wallet",
    params(CustomerPath), responses((status = 200, body = Statistics)))]
pub(crate) async fn statistics(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    request.params().finish()?;
    let account = settled_account(&app, &request).await?;
    let months = app.store.wallets().months(&account).await?;
    let report = EntryStatistics::of(&months);
    let first = app.store.wallets().entry(account.id.customer(), 1).await?;
    let currency = account.currency()?;
    let money = |amount: Money| Number::money(amount, currency);
    let month = |figures: &MonthFigures| Month {
        month: figures.month.to_string(),
        by_type: figures.by_type().iter().map(|(kind, sum)| (kind.as_str(), tally(*sum, currency))).collect(),
    };
    reply::ok(&Statistics {
        customer_id: account.id.customer().to_string(),
        currency: currency.code(),
        balance: money(account.balance()),
        available: money(account.available()),
        held: money(account.held()),
        total_earned: money(account.totals.earned),
        total_spent: money(account.totals.spent),
        total_refunded: money(account.totals.refunded),
        total_expired: money(account.totals.expired),
        total_transactions: report.count(),
        average_credit: money(report.of_type(EntryType::Credit).mean(currency)),
        average_spend: money(report.spends().mean(currency)),
        first_transaction_date: first.map(|first| first.at.to_string()),
        last_transaction_date: account.last_transaction_at.map(|at| at.to_string()),
        by_month: months.iter().filter(|figures| !figures.tallies.is_empty()).map(month).collect(),
    })
}
