//! What callers send, read into a command; raw strings stop here.
//!
//! **Invariant:** every offending field of a body is told at once.

use domain::cause::{Cause, Operation};
use domain::decide::refund::Refund;
use domain::ids::{CustomerId, OrderId};
use edge::json::amount_schema;
use edge::{Ask, Problem, json};
use utoipa::ToSchema;

/// Give back what an order took.
#[derive(ToSchema)]
#[schema(as = RefundToWalletRequest)]
#[allow(dead_code)] // describes what `refund` reads
pub(crate) struct RefundToWallet {
    /// Of which order.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9._:@-]+$")]
    order_id: String,
    /// Whose order it is.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9._:@-]+$")]
    customer_id: String,
    /// How much.
    #[schema(schema_with = amount_schema)]
    amount: String,
    /// Why, in words.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

pub(crate) fn refund(ask: &Ask) -> Result<Refund, Problem> {
    let mut fields = ask.fields()?;
    let order_id = fields.required("order_id", json::of(OrderId::parse));
    let customer = fields.required("customer_id", json::of(CustomerId::parse));
    let amount = fields.required("amount", json::amount);
    let reason = fields.optional("reason", json::free_text);
    fields.finish()?;
    let cause = Cause::of_request(Operation::Refund, ask.key()?.as_ref(), ask.request());
    Ok(Refund { customer: customer?, amount: amount?, order_id: order_id?, reason, cause })
}
