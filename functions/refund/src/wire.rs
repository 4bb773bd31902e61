//! What callers send, read into the command; raw strings stop here.
//!
//! **Invariant:** every offending field of a body is told at once.

use domain::cause::{Cause, Operation};
use domain::ids::{CustomerId, OrderId};
use domain::money::Amount;
use domain::text::FreeText;
use domain::wallet::refund::RefundOrder;
use edge::{ApiRequest, Problem, request};

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

pub(crate) fn refund(request: &ApiRequest) -> Result<RefundOrder, Problem> {
    let RefundToWalletRequest { order_id, customer_id: customer, amount, reason } =
        RefundToWalletRequest::read(request.fields()?)?;
    let cause = Cause::of_request(Operation::Refund, request.key()?.as_ref(), request.id());
    Ok(RefundOrder { customer, amount, order_id, reason, cause })
}
