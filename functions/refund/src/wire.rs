//! Parses requests into the refund command; unparsed strings go no further.
//!
//! **Invariant:** all invalid fields of a body are reported together.

use domain::cause::{Cause, Operation};
use domain::ids::{CustomerId, OrderId};
use domain::money::Amount;
use domain::text::FreeText;
use domain::wallet::refund::RefundOrder;
use edge::{ApiRequest, Problem, request};

request! {
    /// A refund of an order to the wallet that paid it.
    pub(crate) struct RefundToWalletRequest {
        /// The order to refund.
        order_id: OrderId,
        /// The customer who owns the order and the wallet.
        customer_id: CustomerId,
        /// Amount to refund, in the wallet's currency; at most what the wallet paid, minus earlier
        /// refunds.
        amount: Amount,
        /// Reason, as free text.
        reason: Option<FreeText>,
    }
}

pub(crate) fn refund(request: &ApiRequest) -> Result<RefundOrder, Problem> {
    let RefundToWalletRequest { order_id, customer_id: customer, amount, reason } =
        RefundToWalletRequest::read(request.fields()?)?;
    let cause = Cause::of_request(Operation::Refund, request.key()?.as_ref(), request.id());
    Ok(RefundOrder { customer, amount, order_id, reason, cause })
}
