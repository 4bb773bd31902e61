//! Parses requests into commands; unparsed strings go no further.
//!
//! **Invariant:** all invalid fields of a body are reported together.

use domain::cause::Cause;
use domain::currency::Currency;
use domain::ids::{CustomerId, OrderId};
use domain::money::Amount;
use domain::wallet::debit::DeductCredits;
use domain::wallet::register_order::RegisterOrder;
use edge::input::List;
use edge::values::{self, ProductName};
use edge::{ApiRequest, App, Problem, request, schema};

request! {
    /// A new order.
    pub(crate) struct RegisterOrderRequest {
        /// 1 to 128 characters of `A-Z a-z 0-9 . _ : @ - | + = ~`
        order_id: OrderId,
        /// The customer who pays it.
        customer_id: CustomerId,
        /// Amount to pay, in the order's currency.
        total: Amount,
        /// ISO 4217 code; defaults to the deployment's currency.
        currency: Option<Currency>,
        /// The products that it is of; rewards are for some.
        product_ids: Option<List<ProductName, 0, 100>>,
        /// The categories that it is of.
        categories: Option<List<ProductName, 0, 10>>,
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
    /// A payment of an order from its customer's wallet.
    pub(crate) struct PayWithWalletRequest {
        /// The order to pay.
        order_id: OrderId,
        /// The customer who owns the order and the wallet that pays.
        customer_id: CustomerId,
        /// Amount to pay, in the wallet's currency; at most what is due.
        amount: Amount,
    }
}

pub(crate) fn register(request: &ApiRequest, app: &App) -> Result<RegisterOrder, Problem> {
    let currency_here = app.policy.currency();
    let sent = RegisterOrderRequest::read(request.fields()?, currency_here)?;
    request.key()?;
    let currency = sent.currency.unwrap_or(currency_here);
    let total = sent.total.in_currency(currency).ok_or_else(Problem::internal)?;
    let mut products = values::names(sent.product_ids);
    products.extend(values::names(sent.categories));
    Ok(RegisterOrder { order: sent.order_id, customer: sent.customer_id, total, currency, products })
}

pub(crate) fn pay(request: &ApiRequest) -> Result<DeductCredits, Problem> {
    let PayWithWalletRequest { order_id, customer_id, amount } =
        PayWithWalletRequest::read(request.fields()?)?;
    request.key()?;
    // The order is the idempotency cause, even if the caller sent a key.
    let cause = Cause::order_payment(&order_id);
    Ok(DeductCredits { customer: customer_id, amount, reason: None, order_id: Some(order_id), cause })
}
