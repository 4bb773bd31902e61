//! Applies rows of imports of budgets.
//!
//! **Invariant:** credit reaches an account by allocations from the platform down, each under a cause of its own, so a row
//! that was broken off goes on where it stopped: what is missing waits at an account above.
//! **Invariant:** a row fails only as long as nothing of it was done. Afterwards it succeeds: with a difference, if its
//! credit cannot arrive any more because somebody has changed an account on the way.

use crate::applied::Applied;
use crate::imports::{code, figures_of_credit};
use domain::budget::allocate::{BudgetTransfer, Direction};
use domain::budget::change::ChangeAccount;
use domain::budget::slice::Slice;
use domain::budget::{BudgetAccount, BudgetStatus};
use domain::cause::Cause;
use domain::context::Context;
use domain::ids::budget::{AccountId, BudgetKind};
use domain::jobs::budget_row::BudgetRow;
use domain::jobs::job::JobTerms;
use domain::jobs::row::RowOutcome;
use domain::money::{Amount, Money};
use domain::rejection::{ImportRejection, Rejection};
use domain::text::FreeText;
use edge::App;
use store::StoreError;

/// The notes of the allocations of an import.
const NOTES: &str = "Opening balance";

/// The place of a row's account in the tree.
struct Place {
    parent: AccountId,
    id: AccountId,
}

fn refused(why: ImportRejection) -> StoreError {
    StoreError::Rejected(Rejection::Import(why))
}

/// Returns the place of a row's account. A name that is the id of an account here is that account; another one is an
/// account whose id follows from its parent's.
async fn place(app: &App, row: &BudgetRow) -> Result<Place, StoreError> {
    let unknown_parent = || refused(ImportRejection::ParentNotFound);
    let mut kinds = vec![row.kind];
    while kinds.len() <= row.above.len() {
        let Some(kind) = kinds.last().and_then(|kind| kind.parent()) else { return Err(unknown_parent()) };
        kinds.push(kind);
    }
    kinds.reverse();
    let is_whole = kinds.first() == Some(&BudgetKind::Agency);
    let mut parent = is_whole.then(AccountId::platform);
    let mut place = None;
    let names = row.above.iter().chain([&row.external_id]).zip(kinds).enumerate();
    for (at, (name, kind)) in names {
        let is_own = at == row.above.len();
        let here = match AccountId::parse(name.as_str()) {
            Ok(id) => app.store.budgets().cached_account(&id).await?,
            Err(_) => None,
        };
        if let Some(here) = &here {
            let is_elsewhere = parent.as_ref().is_some_and(|parent| here.parent.as_ref() != Some(parent));
            if here.kind() != kind || is_elsewhere {
                return Err(if is_own {
                    refused(ImportRejection::ExistsDifferently)
                } else {
                    unknown_parent()
                });
            }
        } else if at == 0 && row.is_below_here {
            return Err(unknown_parent());
        }
        let id = match (&here, &parent) {
            (Some(here), _) => here.id.clone(),
            (None, Some(parent)) => AccountId::imported(kind, parent, name),
            (None, None) => return Err(unknown_parent()),
        };
        place = parent.take().map(|parent| Place { parent, id: id.clone() });
        parent = Some(id);
    }
    place.ok_or_else(unknown_parent)
}

/// Imports an account with its credit.
pub(crate) async fn account(
    app: &App,
    terms: &JobTerms,
    context: &Context,
    (line, row): (u64, &BudgetRow),
) -> Result<Applied, StoreError> {
    let budgets = app.store.budgets();
    let Place { parent, id } = place(app, row).await?;
    let above = budgets.load_sliced(&parent).await?;
    if above.as_ref().is_some_and(|above| above.account.currency != row.currency) {
        return Err(Rejection::CurrencyMismatch.into());
    }
    let opening = row.opening(&parent).map_err(|_| corrupt())?;
    let known = budgets.account(&id).await?;
    if terms.options.dry_run {
        match (&known, &above) {
            (Some(account), _) => is_like(app, row, (account, &parent)).await?,
            (None, Some(above)) => {
                opening.decide(above, context)?;
            }
            // An earlier row brings its parent.
            (None, None) => {}
        }
        return Ok(outcome(row, (code(known.is_some()), id, Money::ZERO), None));
    }
    let mark = BudgetRow::mark(&terms.id, line);
    let account = if let Some(account) = known {
        account
    } else {
        let marked = Context { request: mark.clone(), ..context.clone() };
        match budgets.open_account(&opening, &marked).await {
            Ok((account, _)) => account,
            Err(StoreError::Rejected(Rejection::AccountNotFound)) => {
                return Err(refused(ImportRejection::ParentNotFound));
            }
            Err(error) => return Err(error),
        }
    };
    if account.opened.request != mark {
        is_like(app, row, (&account, &parent)).await?;
        return Ok(outcome(row, (code(true), id, Money::ZERO), Some(row.credit)));
    }
    let stopped = complete(app, (terms, line), context, (row, &account)).await?;
    let arrival = last_step(terms, line, &account);
    let added = match &arrival {
        Some(cause) => budgets.moved_by(&account.id, cause).await?,
        None => Money::ZERO,
    };
    let difference = match stopped {
        Some(why) => Some(format!("its credit has not arrived whole: {why}")),
        None => (added != row.credit).then(|| "its credit is not as the row says".to_owned()),
    };
    Ok(Applied { difference, ..outcome(row, (code(false), id, added), Some(added)) })
}

fn corrupt() -> StoreError {
    StoreError::Corrupt("a row of a job".to_owned())
}

/// Returns the accounts through which credit reaches an account, the platform first and the account last.
fn path(account: &BudgetAccount) -> Vec<AccountId> {
    let mut path = vec![AccountId::platform()];
    path.extend(account.ancestors.iter().cloned());
    path.push(account.id.clone());
    path
}

/// Returns the cause of the entry by which credit arrives at an account.
fn last_step(terms: &JobTerms, line: u64, account: &BudgetAccount) -> Option<Cause> {
    let path = path(account);
    let from = path.iter().rev().nth(1)?;
    let sent = Cause::imported(&terms.id, line, path.len() - 1);
    Some(Cause::counterpart("budget", from.as_str(), &sent))
}

/// Checks that an account which the job has not opened is as the row says.
async fn is_like(
    app: &App,
    row: &BudgetRow,
    (account, parent): (&BudgetAccount, &AccountId),
) -> Result<(), StoreError> {
    let sliced = app.store.budgets().load_sliced(&account.id).await?;
    let sliced = sliced.ok_or_else(|| StoreError::Corrupt(format!("account {}", account.id)))?;
    let own = app.store.budgets().own_credit(&sliced).await?;
    if row.is_like(&sliced.account, parent, own) {
        return Ok(());
    }
    Err(refused(ImportRejection::ExistsDifferently))
}

/// Gives an account its credit and its status. Returns why that is not possible any more, if somebody has changed an
/// account on the way meanwhile: what has been handed down waits where it is.
async fn complete(
    app: &App,
    (terms, line): (&JobTerms, u64),
    context: &Context,
    (row, account): (&BudgetRow, &BudgetAccount),
) -> Result<Option<Rejection>, StoreError> {
    let budgets = app.store.budgets();
    let path = path(account);
    for (at, pair) in path.windows(2).enumerate().filter(|_| !row.credit.is_zero()) {
        let [from, to] = pair else { return Err(corrupt()) };
        let transfer = BudgetTransfer {
            direction: Direction::Imported,
            from: from.clone(),
            to: to.clone(),
            amount: Some(Amount::parse(&row.credit.to_string()).map_err(|_| corrupt())?),
            notes: Some(FreeText::parse(NOTES).map_err(|_| corrupt())?),
            cause: Cause::imported(&terms.id, line, at + 1),
        };
        match budgets.transfer(&transfer, context).await {
            Ok(_) => {}
            Err(StoreError::Rejected(why)) => return Ok(Some(why)),
            Err(error) => return Err(error),
        }
    }
    // A row that is applied again does not pause an account that its owners have changed meanwhile.
    let is_new = account.first.status_version == Slice::new(0).status_version;
    if row.is_paused && is_new {
        let change = ChangeAccount { status: Some(BudgetStatus::Paused), ..ChangeAccount::default() };
        match budgets.change_account(&account.id, &change, context).await {
            Ok(_) => {}
            Err(StoreError::Rejected(why)) => return Ok(Some(why)),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn outcome(row: &BudgetRow, (code, id, added): (String, AccountId, Money), books: Option<Money>) -> Applied {
    let figures = figures_of_credit(row.currency, books);
    Applied { figures, ..Applied::of(RowOutcome::ImportedAccount(code, id, added)) }
}
