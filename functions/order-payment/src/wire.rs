//! What callers send, read into commands; raw strings stop here.
//!
//! **Invariant:** every field that is wrong is reported at once.

use domain::cause::Cause;
use domain::currency::Currency;
use domain::ids::{CustomerId, OrderId};
use domain::money::Amount;
use domain::wallet::debit::DeductCredits;
use domain::wallet::register_order::RegisterOrder;
use edge::{ApiRequest, App, Problem, request, schema};

request! {
    /// Make an order known.
    pub(crate) struct RegisterOrderRequest {
        /// 1 to 128 characters of `A-Z a-z 0-9 . _ : @ - | + = ~`
        order_id: OrderId,
        /// Who is to pay it.
        customer_id: CustomerId,
        /// What is to be paid.
        total: Amount,
        /// ISO 4217; the deployment's currency if left out.
        currency: Option<Currency>,
    }
    check(fields, currency_here: Currency) {
        let currency = currency.unwrap_or(currency_here);
        if total.is_ok_and(|total| total.in_currency(currency).is_none()) {
            fields.offend("total", "has more digits than the currency");
        }
    }
    rules [schema::whole_in_whole_currencies("total", false)]
}

request! {
    /// Pay an order.
    pub(crate) struct PayWithWalletRequest {
        /// Which order.
        order_id: OrderId,
        /// Whose order it is, and whose wallet pays.
        customer_id: CustomerId,
        /// How much, at most what is due.
        amount: Amount,
    }
}

pub(crate) fn register(request: &ApiRequest, app: &App) -> Result<RegisterOrder, Problem> {
    let currency_here = app.policy.currency();
    let sent = RegisterOrderRequest::read(request.fields()?, currency_here)?;
    request.key()?;
    let currency = sent.currency.unwrap_or(currency_here);
    let total = sent.total.in_currency(currency).ok_or_else(Problem::internal)?;
    Ok(RegisterOrder { order: sent.order_id, customer: sent.customer_id, total, currency })
}

pub(crate) fn pay(request: &ApiRequest) -> Result<DeductCredits, Problem> {
    let PayWithWalletRequest { order_id, customer_id, amount } =
        PayWithWalletRequest::read(request.fields()?)?;
    request.key()?;
    // The order is the cause, whatever key was sent.
    let cause = Cause::order_payment(&order_id);
    Ok(DeductCredits { customer: customer_id, amount, reason: None, order_id: Some(order_id), cause })
}
