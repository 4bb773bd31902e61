//! Refunds of orders: what they take back of the credit for delivery and of rewards.
//!
//! **Invariant:** an answer shows the order as it stood after the report, also when it is repeated.

use crate::purchase_views::{self, PurchaseWithSplit, Refunded, unknown};
use axum::response::Response;
use domain::currency::Currency;
use domain::ids::{CustomerId, OrderId};
use domain::loyalty::permit::LoyaltyAction;
use domain::loyalty::report::Reported;
use domain::money::Money;
use domain::permit::Permission;
use domain::rewards::deliver::ReportOrder;
use edge::json::Number;
use edge::order::report_order;
use edge::reply::ReplyMeta;
use edge::{ApiRequest, App, Problem, reply};
use http::StatusCode;

/// An order that has given credit, or with which a reward was claimed.
pub(crate) struct Known {
    order: OrderId,
    customer: CustomerId,
    pub(crate) currency: Currency,
}

/// Reads whose order it is.
pub(crate) async fn known(app: &App, order: &OrderId) -> Result<Known, Problem> {
    let record = app.store.rewards().order_record(order).await?;
    let delivered = record.as_ref().and_then(|record| record.delivered.as_ref());
    let customer = record.as_ref().and_then(|record| record.customer.clone());
    if let (Some(delivered), Some(customer)) = (delivered, customer) {
        return Ok(Known { order: order.clone(), customer, currency: delivered.currency });
    }
    let stored = app.store.wallets().order(order).await?.ok_or_else(unknown)?;
    if !app.store.rewards().has_claims(&stored.customer, order).await? {
        return Err(unknown());
    }
    Ok(Known { order: order.clone(), customer: stored.customer, currency: stored.currency })
}

/// Reports a refund of an order, or the failure of one.
pub(crate) async fn report(
    app: &App,
    request: &ApiRequest,
    known: Known,
    what: Reported,
) -> Result<Response, Problem> {
    let is_refund = matches!(what, Reported::Refund(..));
    let Known { order, customer, currency } = known;
    let command = ReportOrder { order, customer: Some(customer), what, is_event: false };
    let done = report_order(app, &command, &request.context(app)?).await?;
    let record = done.outcome.record.as_of(done.outcome.step);
    let change = record.steps.last().ok_or_else(Problem::internal)?;
    let program = app.policy.currency();
    let none = || Number::money(Money::ZERO, program);
    let reversed = change.reversed.value() - change.restored.value();
    let body = Refunded {
        purchase: purchase_views::order(&record, currency, program),
        redemption: None,
        points_reversed: 0,
        points_reversed_value: none(),
        points_owed: 0,
        points_owed_value: none(),
        points_forgiven: 0,
        points_forgiven_value: none(),
        points_back: 0,
        points_back_value: none(),
        credit_reversed: Number::difference(reversed, currency),
        transactions: vec![],
    };
    let status = if is_refund { StatusCode::CREATED } else { StatusCode::OK };
    let location = is_refund.then(|| format!("/api/loyalty/purchases/order/{}", record.order));
    let meta = ReplyMeta { location, replayed: done.replayed, retries: done.retries };
    reply::answer(status, meta, &body)
}

/// Returns what was reported of an order.
pub(crate) async fn read(
    app: &App,
    request: &ApiRequest,
    permission: &Permission<'_, LoyaltyAction>,
    asks_for_split: bool,
) -> Result<Response, Problem> {
    let id = request.path("purchase_id", OrderId::parse).map_err(|_| unknown())?;
    let record = app.store.rewards().order_record(&id).await?.ok_or_else(unknown)?;
    // Refunds of an order may have been reported before it was registered, and without its customer.
    let owner = match record.customer.clone() {
        Some(customer) => Some(customer),
        None => app.store.wallets().order(&id).await?.map(|order| order.customer),
    };
    match &owner {
        Some(customer) => permission.on(customer).map_err(|denial| Problem::denied(denial, unknown))?,
        None if permission.reach == domain::permit::Reach::All => {}
        None => return Err(unknown()),
    }
    if asks_for_split {
        return Err(Problem::field("/refund", "divides a booking or a payment"));
    }
    let program = app.policy.currency();
    let currency = record.delivered.as_ref().map_or(program, |delivered| delivered.currency);
    let purchase = purchase_views::order(&record, currency, program);
    reply::ok(&PurchaseWithSplit { purchase, refund_split: None })
}
