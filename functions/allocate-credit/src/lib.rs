//! Credit down to a child, and back up: both sides and both entries in one transaction.
//!
//! **Invariant:** the caller reaches the parent: whoever has less may neither give nor take.

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

/// The routes of this function.
pub fn router(app: App) -> Router {
    let credit = Router::new().route("/allocate", post(allocate)).route("/reclaim", post(reclaim));
    complete(Router::new().nest("/api/credit", credit), app)
}

/// Both sides of an allocation or reclaim.
#[derive(Serialize, ToSchema)]
pub struct Allocation {
    /// What left.
    out_transaction: BudgetTransaction,
    /// What arrived.
    in_transaction: BudgetTransaction,
    /// What the giving account has available afterwards; null of the platform.
    from_account_balance: Option<Number>,
    /// What the receiving account has available afterwards; null of the platform.
    to_account_balance: Option<Number>,
}

/// Gives credit to a child. The platform gives without limit, and what it has issued is counted.
#[utoipa::path(post, path = "/api/credit/allocate", tag = "budgets",
    request_body = wire::AllocateRequest, responses((status = 201, body = Allocation)))]
pub(crate) async fn allocate(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let transfer = wire::allocate(&request)?;
    permitted(&app, &request, &transfer.from, BudgetAction::Allocate).await?;
    carry_out(&app, &request, &transfer).await
}

/// Takes unspent, unreserved credit of a child back to its parent; all of it, if no amount is said.
#[utoipa::path(post, path = "/api/credit/reclaim", tag = "budgets",
    request_body = wire::ReclaimRequest, responses((status = 201, body = Allocation)))]
pub(crate) async fn reclaim(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let wanted = wire::reclaim(&request)?;
    let permission = request.permission(BudgetAction::Allocate)?;
    // Who reaches the parent reaches the child; who reaches the child alone is not told of the parent.
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
        // Whether an account out of reach exists is not told: it is no child either way.
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

/// This function's paths and schemas.
pub fn document() -> utoipa::openapi::OpenApi {
    Allocations::openapi()
}
