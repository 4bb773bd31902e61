//! What callers send, read into commands; raw strings stop here.
//!
//! **Invariant:** every offending field of a body is told at once.

use domain::cause::Cause;
use domain::currency::Currency;
use domain::decide::debit::DeductCredits;
use domain::decide::register::RegisterOrder;
use domain::ids::{CustomerId, OrderId};
use domain::money::Money;
use edge::json::amount_schema;
use edge::{App, Ask, Problem, json};
use utoipa::ToSchema;

/// Make an order known.
#[derive(ToSchema)]
#[allow(dead_code)] // describes what `register` reads
pub(crate) struct RegisterOrderRequest {
    /// 1 to 128 characters of `A-Z a-z 0-9 . _ : @ -`
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9._:@-]+$")]
    order_id: String,
    /// Who is to pay it.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9._:@-]+$")]
    customer_id: String,
    /// What is to be paid.
    #[schema(schema_with = amount_schema)]
    total: String,
    /// ISO 4217; the deployment's currency if left out.
    #[schema(examples("INR"))]
    currency: Option<String>,
}

/// Pay an order.
#[derive(ToSchema)]
#[allow(dead_code)] // describes what `pay` reads
pub(crate) struct PayWithWalletRequest {
    /// Which order.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9._:@-]+$")]
    order_id: String,
    /// Whose order it is, and whose wallet pays.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9._:@-]+$")]
    customer_id: String,
    /// How much, at most what is due.
    #[schema(schema_with = amount_schema)]
    amount: String,
}

pub(crate) fn register(ask: &Ask, app: &App) -> Result<RegisterOrder, Problem> {
    let mut fields = ask.fields()?;
    let order = fields.required("order_id", json::of(OrderId::parse));
    let customer = fields.required("customer_id", json::of(CustomerId::parse));
    let total = fields.required("total", json::amount);
    let currency = fields.optional("currency", json::of(Currency::parse)).unwrap_or(app.policy.currency());
    let exact = total.ok().map(|total| total.in_currency(currency));
    if exact == Some(None) {
        fields.offend("total", "has more digits than the currency");
    }
    fields.finish()?;
    ask.key()?;
    let total: Money = exact.flatten().ok_or_else(Problem::internal)?;
    Ok(RegisterOrder { order: order?, customer: customer?, total, currency })
}

pub(crate) fn pay(ask: &Ask) -> Result<DeductCredits, Problem> {
    let mut fields = ask.fields()?;
    let order = fields.required("order_id", json::of(OrderId::parse));
    let customer = fields.required("customer_id", json::of(CustomerId::parse));
    let amount = fields.required("amount", json::amount);
    fields.finish()?;
    ask.key()?;
    // The order is the cause, whatever key was sent.
    let (order, reason) = (order?, None);
    let cause = Cause::order_payment(&order);
    Ok(DeductCredits { customer: customer?, amount: amount?, reason, order_id: Some(order), cause })
}

pub(crate) fn order_id(ask: &Ask) -> Result<OrderId, Problem> {
    ask.path("order_id", OrderId::parse)
}
