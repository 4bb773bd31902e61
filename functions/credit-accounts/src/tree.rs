//! Reads an account with all its descendants.
//!
//! **Invariant:** a tree contains at most 1000 accounts with at most 4000 slices; `truncated` marks the
//! accounts whose children are incomplete.
//! **Invariant:** accounts are read some at a time, and their slices are dropped once their figures are
//! known.

use crate::reads::show_all;
use crate::views::AccountBody;
use axum::extract::State;
use axum::response::Response;
use domain::budget::permit::BudgetAction;
use domain::budget::tree::{TreeLimits, TreeWalk};
use domain::ids::budget::AccountId;
use edge::budget::permitted;
use edge::paths::AccountPath;
use edge::{ApiRequest, App, Problem, reply};
use serde::Serialize;
use std::collections::BTreeMap;
use store::PageRange;
use utoipa::ToSchema;

/// Size of a tree.
const LIMITS: TreeLimits = TreeLimits { accounts: 1_000, slices: 4_000 };

/// Accounts that are read at once.
const ACCOUNTS_PER_READ: u16 = 100;

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

/// Children of an account, as far as they are listed.
#[derive(Default)]
struct Listed {
    children: Vec<AccountBody>,
    truncated: bool,
}

/// Returns an account with all its descendants.
///
/// A tree contains at most 1000 accounts with at most 4000 slices; `truncated` marks an account whose
/// children are incomplete. `GET /accounts/{account_id}/children` lists them all.
#[utoipa::path(get, path = "/api/credit/accounts/{account_id}/tree", tag = "budgets",
    params(AccountPath), responses((status = 200, body = BudgetTree)))]
pub(crate) async fn tree(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let id = request.segment::<AccountPath>()?;
    request.params().finish()?;
    permitted(&app, &request, &id, BudgetAction::Read).await?;
    let root = app.store.budgets().account(&id).await?.ok_or_else(Problem::account_not_found)?;
    let mut below: BTreeMap<String, Listed> = BTreeMap::new();
    let mut walk = TreeWalk::below(id.clone(), LIMITS);
    while let Some(parent) = walk.next_parent() {
        below.insert(parent.to_string(), children(&app, &parent, &mut walk).await?);
    }
    let root = show_all(&app, vec![root]).await?.pop().ok_or_else(Problem::account_not_found)?;
    reply::ok(&node(root, &mut below))
}

/// Reads the children of an account, as many as the walk may visit.
async fn children(app: &App, parent: &AccountId, walk: &mut TreeWalk) -> Result<Listed, Problem> {
    let (mut listed, mut after) = (Listed::default(), None::<String>);
    loop {
        // At least one is read, to know whether some are left out.
        let left = u16::try_from(walk.left()).unwrap_or(u16::MAX);
        let range = PageRange { skip: 0, limit: left.clamp(1, ACCOUNTS_PER_READ) };
        let mut page = app.store.budgets().children(parent, after.as_deref(), range).await?.complete()?;
        listed.truncated = walk.visit(&mut page.accounts);
        listed.children.extend(show_all(app, page.accounts).await?);
        after = page.next;
        if listed.truncated || after.is_none() {
            return Ok(listed);
        }
    }
}

fn node(account: AccountBody, below: &mut BTreeMap<String, Listed>) -> BudgetTree {
    let Listed { children, truncated } = below.remove(&account.account_id).unwrap_or_default();
    BudgetTree {
        account,
        children: children.into_iter().map(|child| node(child, below)).collect(),
        truncated,
    }
}
