//! Reads accounts and their transactions.
//!
//! **Invariant:** reserved and spent credit are distinguished by the entries, at the time of
//! reading.

use crate::views::{self, AccountBody};
use axum::extract::State;
use axum::response::Response;
use domain::budget::BudgetAccount;
use domain::budget::allocate::SlicedAccount;
use domain::budget::entry::BudgetEntry;
use domain::budget::figures::{AccountFigures, SharedCredit};
use domain::budget::permit::BudgetAction;
use domain::ids::TransactionId;
use domain::ids::budget::AccountId;
use domain::money::Money;
use domain::parse::ParseError;
use domain::rejection::Rejection;
use domain::time::{Period, Timestamp};
use edge::budget::{BudgetTransaction, permitted, transaction as shown_transaction};
use edge::params::WindowQuery;
use edge::paths::{AccountPath, TransactionPath};
use edge::{ApiRequest, App, Problem, reply};
use futures::stream::{self, StreamExt, TryStreamExt};
use http::StatusCode;
use serde::Serialize;
use std::collections::BTreeMap;
use store::StoreError;
use utoipa::ToSchema;

/// Number of accounts whose figures are computed concurrently.
const CONCURRENT_COUNTS: usize = 16;

/// What the campaigns that share a client's credit use of it.
struct Shared {
    credit: SharedCredit,
    spent: BTreeMap<AccountId, Money>,
}

async fn shared(app: &App, client: &AccountId, campaigns: &[&BudgetAccount]) -> Result<Shared, StoreError> {
    let budgets = app.store.budgets();
    let sliced = budgets.load_sliced(client).await?.ok_or(Rejection::AccountNotFound)?;
    let undecided = budgets.undecided(client, &sliced).await?;
    let spent = budgets.spent_of_client(client, campaigns, app.clock.now()).await?;
    Ok(Shared { credit: SharedCredit { available: sliced.available(), undecided }, spent })
}

/// Computes the figures of an account. For a campaign that spends its client's credit, they include
/// what it can spend and has spent of that credit.
async fn figures(
    app: &App,
    sliced: &SlicedAccount,
    shared: Option<&Shared>,
) -> Result<AccountFigures, StoreError> {
    let id = &sliced.account.id;
    let own = AccountFigures::of(sliced, &app.store.budgets().undecided(id, sliced).await?);
    let Some(Shared { credit, spent }) = shared else { return Ok(own) };
    Ok(own.sharing(id, credit, spent.get(id).copied().unwrap_or(Money::ZERO)))
}

/// Computes the figures of accounts, in their order; a client whose credit several campaigns share, and
/// its entries, are read once.
pub(crate) async fn count_all(
    app: &App,
    sliced_accounts: &[SlicedAccount],
) -> Result<Vec<AccountFigures>, StoreError> {
    let mut sharing: BTreeMap<&AccountId, Vec<&BudgetAccount>> = BTreeMap::new();
    for SlicedAccount { account, .. } in sliced_accounts.iter().filter(|sliced| sliced.account.is_shared()) {
        sharing.entry(account.charged()).or_default().push(account);
    }
    let mut clients: BTreeMap<&AccountId, Shared> = BTreeMap::new();
    for (client, campaigns) in sharing {
        clients.insert(client, shared(app, client, &campaigns).await?);
    }
    let mut counts = Vec::new();
    for sliced in sliced_accounts {
        let shared = clients.get(sliced.account.charged()).filter(|_| sliced.account.is_shared());
        counts.push(figures(app, sliced, shared));
    }
    stream::iter(counts).buffered(CONCURRENT_COUNTS).try_collect().await
}

/// Reads the slices of accounts and renders the accounts, in their order.
pub(crate) async fn show_all(
    app: &App,
    accounts: Vec<BudgetAccount>,
) -> Result<Vec<AccountBody>, StoreError> {
    let order: Vec<AccountId> = accounts.iter().map(|account| account.id.clone()).collect();
    let mut sliced = app.store.budgets().sliced_accounts(accounts).await?;
    let sliced: Vec<SlicedAccount> = order.iter().filter_map(|id| sliced.remove(id)).collect();
    let counts = count_all(app, &sliced).await?;
    Ok(sliced.iter().zip(&counts).map(|(sliced, counted)| views::account(&sliced.account, counted)).collect())
}

/// Reads an account and renders it with its current figures.
pub(crate) async fn shown(app: &App, id: &AccountId) -> Result<AccountBody, StoreError> {
    let sliced = app.store.budgets().load_sliced(id).await?.ok_or(Rejection::AccountNotFound)?;
    let counts = count_all(app, std::slice::from_ref(&sliced)).await?;
    let counted = counts.into_iter().next().unwrap_or_default();
    Ok(views::account(&sliced.account, &counted))
}

/// Returns an account with its current figures.
#[utoipa::path(get, path = "/api/credit/accounts/{account_id}", tag = "budgets",
    params(AccountPath), responses((status = 200, body = AccountBody)))]
pub(crate) async fn account(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let id = request.segment::<AccountPath>()?;
    request.params().finish()?;
    permitted(&app, &request, &id, BudgetAction::Read).await?;
    reply::ok(&shown(&app, &id).await?)
}

/// The direct children of an account, oldest first.
#[derive(Serialize, ToSchema)]
pub struct Children {
    children: Vec<AccountBody>,
    total: Option<u64>,
    limit: u16,
    skip: u16,
    next_cursor: Option<String>,
}

/// Lists the direct children of an account, oldest first.
#[utoipa::path(get, path = "/api/credit/accounts/{account_id}/children", tag = "budgets",
    params(AccountPath, WindowQuery),
    responses((status = 200, body = Children)))]
pub(crate) async fn children(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let id = request.segment::<AccountPath>()?;
    let mut params = request.params();
    let window = params.window();
    params.finish()?;
    permitted(&app, &request, &id, BudgetAction::Read).await?;
    let query = format!("children|{id}");
    let after = match &window.cursor {
        Some(cursor) => Some(app.cursors.open_text(&query, cursor)?),
        None => None,
    };
    let page = app.store.budgets().children(&id, after.as_deref(), window.range()).await?.complete()?;
    let total = app.store.budgets().child_count(&id).await?.total;
    let children = show_all(&app, page.accounts).await?;
    reply::ok(&Children {
        children,
        total: Some(total),
        limit: window.limit,
        skip: window.skip,
        next_cursor: page.next.and_then(|place| app.cursors.seal_text(&query, &place)),
    })
}

/// The transactions of an account, newest first.
#[derive(Serialize, ToSchema)]
pub struct BudgetTransactions {
    transactions: Vec<BudgetTransaction>,
    /// Always null: transactions are written concurrently and not counted.
    total: Option<u64>,
    limit: u16,
    skip: u16,
    next_cursor: Option<String>,
}

/// Lists the transactions of an account, newest first.
///
/// The list of a campaign includes what it spent of its client's credit.
#[utoipa::path(get, path = "/api/credit/accounts/{account_id}/transactions", tag = "budgets",
    params(AccountPath, WindowQuery),
    responses((status = 200, body = BudgetTransactions)))]
pub(crate) async fn transactions(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let id = request.segment::<AccountPath>()?;
    let mut params = request.params();
    let window = params.window();
    params.finish()?;
    let account = permitted(&app, &request, &id, BudgetAction::Read).await?;
    let query = format!("budget-transactions|{id}");
    let before = match &window.cursor {
        Some(cursor) => Some(app.cursors.open_text(&query, cursor)?),
        None => None,
    };
    let page = app.store.budgets().budget_history(&account, before.as_deref(), window.range()).await?;
    reply::ok(&BudgetTransactions {
        transactions: page.entries.iter().map(shown_transaction).collect(),
        total: None,
        limit: window.limit,
        skip: window.skip,
        next_cursor: page.next.and_then(|place| app.cursors.seal_text(&query, &place)),
    })
}

/// Parses a transaction id into the id and its timestamp, by which the transaction is found.
fn movement_id(text: &str) -> Result<(TransactionId, Timestamp), ParseError> {
    const SHAPE: ParseError = ParseError("is not a transaction id");
    let (millis, tail) = text.strip_prefix("txn_").and_then(|rest| rest.split_once('_')).ok_or(SHAPE)?;
    let at = millis.parse().ok().and_then(Timestamp::from_millis).ok_or(SHAPE)?;
    let plain = tail.len() == 20 && tail.bytes().all(|b| b.is_ascii_hexdigit());
    if plain { Ok((TransactionId::stored(text), at)) } else { Err(SHAPE) }
}

/// Returns one transaction of an account.
#[utoipa::path(get, path = "/api/credit/accounts/{account_id}/transactions/{transaction_id}", tag = "budgets",
    params(AccountPath, TransactionPath),
    responses((status = 200, body = BudgetTransaction)))]
pub(crate) async fn transaction(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let id = request.segment::<AccountPath>()?;
    request.params().finish()?;
    let unknown =
        || Problem::new(StatusCode::NOT_FOUND, "transaction_not_found", "there is no such transaction");
    let (wanted, at) = request.path("transaction_id", movement_id).map_err(|_| unknown())?;
    let account = permitted(&app, &request, &id, BudgetAction::Read).await?;
    let later = Timestamp::from_millis(at.millis() + 1).ok_or_else(Problem::internal)?;
    let period = Period { from: at, until: later };
    let mut entries = app.store.budgets().budget_period(&account.id, period).await?;
    if let Some(client) = account.parent.as_ref().filter(|_| account.was_shared) {
        entries.extend(app.store.budgets().budget_period(client, period).await?);
    }
    let own = |entry: &&BudgetEntry| {
        let of = entry.paid.as_ref().is_some_and(|paid| paid.campaign == account.id);
        entry.id() == wanted && (of || entry.account == account.id)
    };
    reply::ok(&shown_transaction(entries.iter().find(own).ok_or_else(unknown)?))
}
