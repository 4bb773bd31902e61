//! Registering an order before it is paid.
//!
//! **Invariant:** an order is registered once; an identical registration gets the first answer,
//! whatever has been paid since.

use crate::context::Context;
use crate::currency::Currency;
use crate::ids::{CustomerId, LineId, OrderId};
use crate::ledger::command::{CauseKey, Command};
use crate::ledger::decision::{Decided, Decision};
use crate::ledger::order::{Order, OrderTotals};
use crate::money::Money;
use crate::rejection::Rejection;
use crate::wallet::order_payment::{OrderPayment, opened, order_write};
use crate::wallet::state::{WalletNeeds, WalletState, WalletWrite};
use std::collections::BTreeSet;

/// Registers an order.
#[derive(Clone, Debug)]
pub struct RegisterOrder {
    /// The id chosen by the caller.
    pub order: OrderId,
    /// The customer who will pay the order.
    pub customer: CustomerId,
    /// The amount to pay, in `currency`.
    pub total: Money,
    /// Must be the currency of the customer's wallet, if the wallet exists.
    pub currency: Currency,
    /// The products and categories that it is of; rewards are for some.
    pub products: BTreeSet<LineId>,
}

impl Command for RegisterOrder {
    type State = WalletState;
    type Outcome = Order;
    type Write = WalletWrite;

    fn needs(&self) -> WalletNeeds {
        WalletNeeds { order: Some(self.order.clone()), ..WalletNeeds::wallet(&self.customer) }
    }

    /// Returns `None`: the key of the order item is the guard, and the stored order answers
    /// repetitions.
    fn key(&self, _: &WalletState) -> Option<CauseKey> {
        None
    }

    fn decide(&self, state: &WalletState, context: &Context) -> Decided<Order, WalletWrite> {
        let wanted = (&self.customer, self.total, self.currency, &self.products);
        if let Some(known) = &state.order {
            if (&known.customer, known.totals.total, known.currency, &known.products) != wanted {
                return Err(Rejection::OrderExists.into());
            }
            let first =
                Order { totals: OrderTotals::unpaid(self.total), transactions: vec![], ..known.clone() };
            return Ok(Decision::Already(first));
        }
        if state.wallet.as_ref().is_some_and(|wallet| wallet.loaded.account.unit != self.currency) {
            return Err(Rejection::CurrencyMismatch.into());
        }
        let order = opened(&OrderPayment {
            order: &self.order,
            customer: &self.customer,
            currency: self.currency,
            amount: self.total,
            actor: &context.actor,
            now: context.now,
            request: &context.request,
            reports: state.reports,
        });
        let order = Order { products: self.products.clone(), ..order };
        let listed = WalletWrite::ListOrder {
            customer: self.customer.clone(),
            order: self.order.clone(),
            at: context.now,
        };
        let writes = vec![order_write(order.clone(), 0), listed];
        Ok(Decision::Commit { outcome: order, writes })
    }
}
