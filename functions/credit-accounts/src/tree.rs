//! An account with all that is below it.
//!
//! **Invariant:** a tree shows at most a thousand accounts; where it was cut, it says so.

use crate::reads::count_all;
use crate::views::{self, BudgetAccount};
use axum::extract::State;
use axum::response::Response;
use domain::budget::allocate::Whole;
use domain::budget::permit::Action;
use domain::ids::budget::{AccountId, BudgetKind};
use edge::budget::permitted;
use edge::paths::AccountPath;
use edge::{App, Ask, Problem, reply};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How many accounts a tree shows.
const MOST: usize = 1_000;

/// An account and what is below it.
#[derive(Serialize, ToSchema)]
pub struct BudgetTree {
    #[serde(flatten)]
    account: BudgetAccount,
    #[schema(no_recursion)]
    children: Vec<BudgetTree>,
    /// True if it has more children than are shown.
    truncated: bool,
}

/// Reads an account with all that is below it.
#[utoipa::path(get, path = "/api/credit/accounts/{account_id}/tree", tag = "budgets",
    params(AccountPath), responses((status = 200, body = BudgetTree)))]
pub(crate) async fn tree(State(app): State<App>, ask: Ask) -> Result<Response, Problem> {
    let id = ask.segment::<AccountPath>()?;
    ask.params().finish()?;
    permitted(&app, &ask, &id, Action::Read).await?;
    let root = app.store.budgets().whole_account(&id).await?.ok_or_else(Problem::account_not_found)?;
    let mut below: BTreeMap<AccountId, (Vec<Whole>, bool)> = BTreeMap::new();
    let mut left = MOST;
    let mut next = vec![id.clone()];
    while let Some(parent) = next.pop() {
        let mut children = app.store.budgets().children(&parent).await?;
        let truncated = children.len() > left;
        children.truncate(left);
        left -= children.len();
        let deeper = children.iter().filter(|child| child.kind() != BudgetKind::Campaign);
        next.extend(deeper.map(|child| child.id.clone()));
        let order: Vec<AccountId> = children.iter().map(|child| child.id.clone()).collect();
        let mut wholes = app.store.budgets().wholes(children).await?;
        let wholes = order.iter().filter_map(|id| wholes.remove(id)).collect();
        below.insert(parent, (wholes, truncated));
    }
    let mut wholes = vec![root];
    wholes.extend(below.values().flat_map(|(children, _)| children.iter().cloned()));
    let counts = count_all(&app, &wholes).await?;
    let mut accounts: BTreeMap<AccountId, BudgetAccount> = wholes
        .iter()
        .zip(&counts)
        .map(|(whole, counted)| (whole.account.id.clone(), views::account(&whole.account, counted)))
        .collect();
    let tree = node(&id, &mut accounts, &mut below).ok_or_else(Problem::account_not_found)?;
    reply::ok(&tree)
}

fn node(
    id: &AccountId,
    accounts: &mut BTreeMap<AccountId, BudgetAccount>,
    below: &mut BTreeMap<AccountId, (Vec<Whole>, bool)>,
) -> Option<BudgetTree> {
    let account = accounts.remove(id)?;
    let (wholes, truncated) = below.remove(id).unwrap_or_default();
    let children = wholes.iter().filter_map(|child| node(&child.account.id, accounts, below)).collect();
    Some(BudgetTree { account, children, truncated })
}
