//! Allocates credit to a child account and reclaims it, with both accounts and both entries in one
//! transaction.
//!
//! **Invariant:** the caller must have access to the parent account, both to allocate and to
//! reclaim.

mod wire;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use domain::actor::Actor;
use domain::budget::allocate::{BudgetTransfer, Direction};
use domain::budget::permit::BudgetAction;
use domain::ids::budget::AccountId;
use domain::rejection::Rejection;
use edge::budget::{BudgetTransaction, location, permitted, permitted_by, transaction};
use edge::json::Number;
use edge::reply::ReplyMeta;
use edge::routes::complete;
use edge::{ApiRequest, App, Problem, reply};
use http::StatusCode;
use serde::Serialize;
use store::{StoreError, TransferReceipt};
use utoipa::{OpenApi, ToSchema};

/// Returns the routes of this function.
pub fn router(app: App) -> Router {
    let credit = Router::new().route("/allocate", post(allocate)).route("/reclaim", post(reclaim));
    complete(Router::new().nest("/api/credit", credit), app)
}

/// The two transactions of an allocation or a reclaim.
#[derive(Serialize, ToSchema)]
pub struct Allocation {
    /// Transaction of the account that gave the credit.
    out_transaction: BudgetTransaction,
    /// Transaction of the account that received the credit.
    in_transaction: BudgetTransaction,
    /// Available credit of the giving account afterwards; null for the platform.
    from_account_balance: Option<Number>,
    /// Available credit of the receiving account afterwards; null for the platform.
    to_account_balance: Option<Number>,
}

/// Allocates credit from an account to its child.
///
/// The platform can allocate without limit; the total that it has issued is counted.
#[utoipa::path(post, path = "/api/credit/allocate", tag = "budgets",
    request_body = wire::AllocateRequest, responses((status = 201, body = Allocation)))]
pub(crate) async fn allocate(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let transfer = wire::allocate(&request)?;
    permitted(&app, &request, &transfer.from, BudgetAction::Allocate).await?;
    carry_out(&app, &request, &transfer).await
}

/// Reclaims credit of a child for its parent.
///
/// Only unspent and unreserved credit can be reclaimed; without an `amount`, all of it is.
#[utoipa::path(post, path = "/api/credit/reclaim", tag = "budgets",
    request_body = wire::ReclaimRequest, responses((status = 201, body = Allocation)))]
pub(crate) async fn reclaim(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let wanted = wire::reclaim(&request)?;
    let permission = request.permission(BudgetAction::Allocate)?;
    // A caller with access to the parent also has access to the child. A caller with access to the
    // child only learns nothing about the parent.
    let child = permitted_by(&permission, &app, &request, &wanted.account).await?;
    let parent = child.parent.clone().ok_or_else(|| Problem::field("/account_id", "has no parent"))?;
    permitted_by(&permission, &app, &request, &parent).await?;
    let transfer = BudgetTransfer {
        direction: Direction::Up,
        from: wanted.account,
        to: parent,
        amount: wanted.amount,
        notes: wanted.notes,
        cause: wanted.cause,
    };
    carry_out(&app, &request, &transfer).await
}

async fn carry_out(app: &App, request: &ApiRequest, transfer: &BudgetTransfer) -> Result<Response, Problem> {
    let moved = app.store.budgets().transfer(transfer, &request.context(app)?).await.map_err(|error| {
        let unknown = matches!(error, StoreError::Rejected(Rejection::AccountNotFound));
        // Does not reveal whether an account outside the caller's access exists: in either case it
        // is not a child of this parent.
        if unknown && !request.actor().is_ok_and(Actor::is_staff) {
            Problem::from(Rejection::NotAChild)
        } else {
            Problem::from(error)
        }
    })?;
    let meta =
        ReplyMeta { location: Some(location(&moved.out)), replayed: moved.replayed, retries: moved.retries };
    reply::answer(StatusCode::CREATED, meta, &view(&moved))
}

fn view(moved: &TransferReceipt) -> Allocation {
    let balance = |account: &AccountId, amount| {
        (*account != AccountId::platform()).then(|| Number::money(amount, moved.out.currency))
    };
    Allocation {
        out_transaction: transaction(&moved.out),
        in_transaction: transaction(&moved.arrival),
        from_account_balance: balance(&moved.out.account, moved.out.balance_after),
        to_account_balance: balance(&moved.arrival.account, moved.arrival.balance_after),
    }
}

#[derive(OpenApi)]
#[openapi(paths(allocate, reclaim))]
struct Allocations;

/// Returns the OpenAPI paths and schemas of this function.
pub fn document() -> utoipa::openapi::OpenApi {
    Allocations::openapi()
}
