//! What callers send, read into the command; raw strings stop here.
//!
//! **Invariant:** every offending field of a body is told at once.

use domain::cause::{Cause, Operation};
use domain::ids::{CustomerId, OrderId};
use domain::money::Amount;
use domain::text::FreeText;
use domain::wallet::refund::Refund;
use edge::{Ask, Problem, request};

request! {
    /// Give back what an order took.
    pub(crate) struct RefundToWalletRequest {
        /// Of which order.
        order_id: OrderId,
        /// Whose order it is.
        customer_id: CustomerId,
        /// How much.
        amount: Amount,
        /// Why, in words.
        reason: Option<FreeText>,
    }
}

pub(crate) fn refund(ask: &Ask) -> Result<Refund, Problem> {
    let RefundToWalletRequest { order_id, customer_id: customer, amount, reason } =
        RefundToWalletRequest::read(ask.fields()?)?;
    let cause = Cause::of_request(Operation::Refund, ask.key()?.as_ref(), ask.request());
    Ok(Refund { customer, amount, order_id, reason, cause })
}
