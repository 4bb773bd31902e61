//! What a customer's payments have come to, at a glance.
//!
//! **Invariant:** it is for showing: lists may trail a write by milliseconds, and decide nothing.

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

/// How many of each are shown.
const MAX_SHOWN: u16 = 20;

/// A customer's payments: the newest of each kind.
#[derive(Serialize, ToSchema)]
pub(crate) struct PaymentStatus {
    customer_id: String,
    /// The newest top-ups.
    topups: Vec<TopUpBody>,
    /// The newest orders that were registered, or that the wallet's newest hundred movements name.
    orders: Vec<OrderBody>,
    /// The newest reports of gateways about these top-ups.
    events: Vec<EventBody>,
}

/// The customer's newest top-ups and orders, and what gateways have reported of them.
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
