//! Reads an account with all its descendants.
//!
//! **Invariant:** a tree contains at most 1000 accounts; `truncated` marks the accounts whose
//! children are incomplete.

use crate::reads::count_all;
use crate::views::{self, AccountBody};
use axum::extract::State;
use axum::response::Response;
use domain::budget::allocate::SlicedAccount;
use domain::budget::permit::BudgetAction;
use domain::budget::tree::TreeWalk;
use domain::ids::budget::AccountId;
use edge::budget::permitted;
use edge::paths::AccountPath;
use edge::{ApiRequest, App, Problem, reply};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Maximum number of accounts in a tree.
const MAX_TREE_ACCOUNTS: usize = 1_000;

/// An account with its descendants.
#[derive(Serialize, ToSchema)]
pub struct BudgetTree {
    #[serde(flatten)]
    account: AccountBody,
    #[schema(no_recursion)]
    children: Vec<BudgetTree>,
    /// True if the account has more children than are listed.
    truncated: bool,
}

/// Returns an account with all its descendants.
///
/// A tree contains at most 1000 accounts; `truncated` marks an account whose children are
/// incomplete.
#[utoipa::path(get, path = "/api/credit/accounts/{account_id}/tree", tag = "budgets",
    params(AccountPath), responses((status = 200, body = BudgetTree)))]
pub(crate) async fn tree(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let id = request.segment::<AccountPath>()?;
    request.params().finish()?;
    permitted(&app, &request, &id, BudgetAction::Read).await?;
    let root = app.store.budgets().load_sliced(&id).await?.ok_or_else(Problem::account_not_found)?;
    let mut below: BTreeMap<AccountId, (Vec<SlicedAccount>, bool)> = BTreeMap::new();
    let mut walk = TreeWalk::below(id.clone(), MAX_TREE_ACCOUNTS);
    while let Some(parent) = walk.next_parent() {
        let mut children = app.store.budgets().children(&parent).await?;
        let truncated = walk.visit_accounts(&mut children);
        let order: Vec<AccountId> = children.iter().map(|child| child.id.clone()).collect();
        let mut sliced_accounts = app.store.budgets().sliced_accounts(children).await?;
        let sliced_accounts = order.iter().filter_map(|id| sliced_accounts.remove(id)).collect();
        below.insert(parent, (sliced_accounts, truncated));
    }
    let mut sliced_accounts = vec![root];
    sliced_accounts.extend(below.values().flat_map(|(children, _)| children.iter().cloned()));
    let counts = count_all(&app, &sliced_accounts).await?;
    let mut accounts: BTreeMap<AccountId, AccountBody> = sliced_accounts
        .iter()
        .zip(&counts)
        .map(|(sliced, counted)| (sliced.account.id.clone(), views::account(&sliced.account, counted)))
        .collect();
    let tree = node(&id, &mut accounts, &mut below).ok_or_else(Problem::account_not_found)?;
    reply::ok(&tree)
}

fn node(
    id: &AccountId,
    accounts: &mut BTreeMap<AccountId, AccountBody>,
    below: &mut BTreeMap<AccountId, (Vec<SlicedAccount>, bool)>,
) -> Option<BudgetTree> {
    let account = accounts.remove(id)?;
    let (sliced_accounts, truncated) = below.remove(id).unwrap_or_default();
    let children =
        sliced_accounts.iter().filter_map(|child| node(&child.account.id, accounts, below)).collect();
    Some(BudgetTree { account, children, truncated })
}
