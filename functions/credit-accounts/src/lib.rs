//! The HTTP API of budget accounts: platform → agency → client → campaign.
//!
//! **Invariant:** no handler reads an account before the caller's role is permitted; an account
//! outside the caller's access is answered as if it did not exist.

mod reads;
mod statement;
mod tree;
mod views;
mod wire;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use domain::budget::permit::BudgetAction;
use edge::budget::permitted;
use edge::paths::ChildAccountPath;
use edge::reply::ReplyMeta;
use edge::routes::complete;
use edge::{ApiRequest, App, Problem, reply};
use http::StatusCode;
use store::StoreError;
use utoipa::OpenApi;

/// Returns the routes of this function.
pub fn router(app: App) -> Router {
    let accounts = Router::new()
        .route("/accounts", post(open))
        .route("/accounts/{account_id}", get(reads::account).patch(change))
        .route("/accounts/{account_id}/children", get(reads::children))
        .route("/accounts/{account_id}/tree", get(tree::tree))
        .route("/accounts/{account_id}/statement", get(statement::statement))
        .route("/accounts/{account_id}/transactions", get(reads::transactions))
        .route("/accounts/{account_id}/transactions/{transaction_id}", get(reads::transaction));
    complete(Router::new().nest("/api/credit", accounts), app)
}

/// Opens an account below its parent.
///
/// The parent of an agency is the platform, of a client an agency, and of a campaign a client.
#[utoipa::path(post, path = "/api/credit/accounts", tag = "budgets",
    request_body = wire::OpenAccountRequest, responses((status = 201, body = views::AccountBody)))]
pub(crate) async fn open(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let command = wire::open(&request, app.policy.currency())?;
    let parent = permitted(&app, &request, &command.parent, BudgetAction::Open(command.kind)).await?;
    for action in command.requires() {
        request.permit_or(action, &*parent, Problem::account_not_found)?;
    }
    wire::check_brands(&app, command.brands.as_ref()).await?;
    let (account, replayed) = app.store.budgets().open_account(&command, &request.context(&app)?).await?;
    let location = Some(format!("/api/credit/accounts/{}", account.id));
    reply::answer(StatusCode::CREATED, ReplyMeta { location, replayed, retries: 0 }, &views::opened(&account))
}

/// Changes the fields of an account that are sent, and no others.
///
/// The status `closing` returns the remaining credit to the parent as soon as nothing is reserved,
/// and then closes the account permanently.
#[utoipa::path(patch, path = "/api/credit/accounts/{account_id}", tag = "budgets",
    params(ChildAccountPath),
    request_body = wire::ChangeAccountRequest, responses((status = 200, body = views::AccountBody)))]
pub(crate) async fn change(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let id = request.segment::<ChildAccountPath>()?.0;
    let command = wire::change(&request, app.policy.currency())?;
    let account = permitted(&app, &request, &id, BudgetAction::Change).await?;
    for action in command.requires() {
        request.permit_or(action, &*account, Problem::account_not_found)?;
    }
    wire::check_brands(&app, command.brands.iter().flatten().next()).await?;
    app.store.budgets().change_account(&id, &command, &request.context(&app)?).await?;
    // The change is stored: an error of this read must not be reported as if nothing was changed.
    reply::ok(&reads::shown(&app, &id).await.map_err(StoreError::after_effect)?)
}

#[derive(OpenApi)]
#[openapi(paths(
    open,
    change,
    reads::account,
    reads::children,
    tree::tree,
    reads::transactions,
    reads::transaction,
    statement::statement
))]
struct Budgets;

/// Returns the OpenAPI paths and schemas of this function.
pub fn document() -> utoipa::openapi::OpenApi {
    Budgets::openapi()
}
