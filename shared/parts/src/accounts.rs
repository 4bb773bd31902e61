//! Applies rows of imports of budgets.
//!
//! **Invariant:** credit reaches an account by allocations from the platform down, each under a cause of its own, so a row
//! that was broken off goes on where it stopped: what is missing waits at an account above.
//! **Invariant:** a row fails only as long as nothing of it was done; afterwards it has no outcome until it is complete.

use crate::applied::Applied;
use crate::imports::{code, figures_of_credit};
use domain::budget::BudgetAccount;
use domain::budget::BudgetStatus;
use domain::budget::allocate::{BudgetTransfer, Direction};
use domain::budget::change::ChangeAccount;
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

/// Returns the place of a row's account; `None` if an account here that it names is not there.
async fn place(app: &App, row: &BudgetRow) -> Result<Option<Place>, StoreError> {
    let mut kinds = vec![row.kind];
    while kinds.len() <= row.above.len() {
        let Some(kind) = kinds.last().and_then(|kind| kind.parent()) else { return Ok(None) };
        kinds.push(kind);
    }
    kinds.reverse();
    let is_whole = kinds.first() == Some(&BudgetKind::Agency);
    let mut parent = is_whole.then(AccountId::platform);
    let mut place = None;
    for (name, kind) in row.above.iter().chain([&row.external_id]).zip(kinds) {
        let named = AccountId::parse(name.as_str()).ok().filter(|id| id.kind() == kind);
        let here = match &named {
            Some(id) => app.store.budgets().cached_account(id).await?,
            None => None,
        };
        let here =
            here.filter(|here| parent.as_ref().is_none_or(|parent| here.parent.as_ref() == Some(parent)));
        let id = match (&here, &parent) {
            (Some(here), _) => here.id.clone(),
            (None, Some(parent)) => AccountId::imported(kind, parent, name),
            (None, None) => return Ok(None),
        };
        place = parent.take().map(|parent| Place { parent, id: id.clone() });
        parent = Some(id);
    }
    Ok(place)
}

/// Imports an account with its credit.
pub(crate) async fn account(
    app: &App,
    terms: &JobTerms,
    context: &Context,
    (line, row): (u64, &BudgetRow),
) -> Result<Applied, StoreError> {
    let budgets = app.store.budgets();
    let unknown_parent = || StoreError::Rejected(Rejection::Import(ImportRejection::ParentNotFound));
    let Some(Place { parent, id }) = place(app, row).await? else { return Err(unknown_parent()) };
    let above = budgets.cached_account(&parent).await?;
    if above.is_some_and(|above| above.currency != row.currency) {
        return Err(Rejection::CurrencyMismatch.into());
    }
    let known = budgets.account(&id).await?;
    if terms.options.dry_run {
        let existed = match &known {
            Some(account) => is_like(app, row, (account, &parent)).await?,
            None => false,
        };
        return Ok(outcome(row, (code(existed), id, Money::ZERO), None));
    }
    let mark = BudgetRow::mark(&terms.id, line);
    let account = if let Some(account) = known {
        account
    } else {
        let open = row.opening(&parent).map_err(|_| StoreError::Corrupt("a row of a job".to_owned()))?;
        let marked = Context { request: mark.clone(), ..context.clone() };
        match budgets.open_account(&open, &marked).await {
            Ok((account, _)) => account,
            Err(StoreError::Rejected(Rejection::AccountNotFound)) => return Err(unknown_parent()),
            Err(error) => return Err(error),
        }
    };
    if account.opened.request != mark {
        is_like(app, row, (&account, &parent)).await?;
        return Ok(outcome(row, (code(true), id, Money::ZERO), Some(row.credit)));
    }
    let added = match complete(app, (terms, line), context, (row, &account)).await {
        Err(StoreError::Rejected(why)) => {
            return Err(StoreError::Contention(format!("an imported account waits: {why}")));
        }
        added => added?,
    };
    let difference = (added != row.credit).then(|| "its credit is not as the row says".to_owned());
    Ok(Applied { difference, ..outcome(row, (code(false), id, added), Some(added)) })
}

/// Checks that an account which the job has not opened is as the row says.
async fn is_like(
    app: &App,
    row: &BudgetRow,
    (account, parent): (&BudgetAccount, &AccountId),
) -> Result<bool, StoreError> {
    let sliced = app.store.budgets().load_sliced(&account.id).await?;
    let sliced = sliced.ok_or_else(|| StoreError::Corrupt(format!("account {}", account.id)))?;
    let own = app.store.budgets().own_credit(&sliced).await?;
    if row.is_like(&sliced.account, parent, own) {
        return Ok(true);
    }
    Err(StoreError::Rejected(Rejection::Import(ImportRejection::ExistsDifferently)))
}

/// Gives an account its credit and its status; returns the credit that has arrived, as it is in the table.
async fn complete(
    app: &App,
    (terms, line): (&JobTerms, u64),
    context: &Context,
    (row, account): (&BudgetRow, &BudgetAccount),
) -> Result<Money, StoreError> {
    let budgets = app.store.budgets();
    let corrupt = || StoreError::Corrupt("a row of a job".to_owned());
    let mut path = vec![AccountId::platform()];
    path.extend(account.ancestors.iter().cloned());
    path.push(account.id.clone());
    let mut arrival = None;
    for (at, pair) in path.windows(2).enumerate().filter(|_| !row.credit.is_zero()) {
        let [from, to] = pair else { return Err(corrupt()) };
        let cause = Cause::imported(&terms.id, line, at + 1);
        let transfer = BudgetTransfer {
            direction: Direction::Imported,
            from: from.clone(),
            to: to.clone(),
            amount: Some(Amount::parse(&row.credit.to_string()).map_err(|_| corrupt())?),
            notes: Some(FreeText::parse(NOTES).map_err(|_| corrupt())?),
            cause,
        };
        let receipt = budgets.transfer(&transfer, context).await?;
        arrival = Some(receipt.arrival.cause);
    }
    if row.is_paused {
        let change = ChangeAccount { status: Some(BudgetStatus::Paused), ..ChangeAccount::default() };
        budgets.change_account(&account.id, &change, context).await?;
    }
    match arrival {
        Some(cause) => budgets.moved_by(&account.id, &cause).await,
        None => Ok(Money::ZERO),
    }
}

fn outcome(row: &BudgetRow, (code, id, added): (String, AccountId, Money), books: Option<Money>) -> Applied {
    let figures = figures_of_credit(row.currency, books);
    Applied { figures, ..Applied::of(RowOutcome::ImportedAccount(code, id, added)) }
}
