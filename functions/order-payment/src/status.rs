//! An overview of a customer's top-ups, orders and gateway reports.
//!
//! **Invariant:** it is for display only: lists may lag writes by milliseconds, and no decision
//! depends on them.

use axum::extract::State;
use axum::response::Response;
use domain::wallet::permit::WalletAction;
use edge::event::{EventBody, event};
use edge::order::{OrderBody, order};
use edge::paths::CustomerPath;
use edge::topup::{TopUpBody, topup};
use edge::{ApiRequest, App, Problem, reply};
use serde::Serialize;
use utoipa::ToSchema;

/// Maximum number of top-ups, of orders and of reports that are listed.
const MAX_SHOWN: u16 = 20;

/// The newest top-ups, orders and gateway reports of a customer.
#[derive(Serialize, ToSchema)]
pub(crate) struct PaymentStatus {
    customer_id: String,
    /// Newest top-ups, at most 20.
    topups: Vec<TopUpBody>,
    /// Newest orders, at most 20: registered ones, and those named by the wallet's newest 100
    /// transactions.
    orders: Vec<OrderBody>,
    /// Newest gateway reports about these top-ups, at most 20.
    events: Vec<EventBody>,
}

/// Returns the customer's newest top-ups and orders, and the gateway reports about them.
#[utoipa::path(get, path = "/api/integration/status/{customer_id}", tag = "payments",
    params(CustomerPath), responses((status = 200, body = PaymentStatus)))]
pub(crate) async fn status(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let customer = request.customer()?;
    request.params().finish()?;
    request.permit(WalletAction::Read, &customer)?;
    app.store.wallets().wallet(&customer, app.clock.now()).await?.ok_or_else(Problem::wallet_not_found)?;
    let topups = app.store.payments().newest_topups(&customer, MAX_SHOWN).await?;
    let orders = app.store.wallets().newest_orders(&customer, MAX_SHOWN).await?;
    let mut events = app.store.payments().events_of(&topups).await?;
    events.sort_by(|a, b| (b.received_at, &b.id).cmp(&(a.received_at, &a.id)));
    events.truncate(usize::from(MAX_SHOWN));
    let now = app.clock.now();
    reply::ok(&PaymentStatus {
        customer_id: customer.to_string(),
        topups: topups.iter().map(|one| topup(one, now)).collect(),
        orders: orders.iter().map(order).collect(),
        events: events.iter().map(event).collect(),
    })
}
